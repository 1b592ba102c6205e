"""The pins of an accelerator under test: a host whose words wait until they are taken, everything else at random."""

from collections import deque

import numpy as np

from dfarray.configuration import Configuration
from dfarray.trace import STATES, index_bits, input_signals, output_signals

WORD = ("samples.value", "samples.index", "samples.label", "samples.last", "settings.events")


class Host:
    """Drives a machine in closed loop and records what went in and came out.

    Parameters
    ----------
    config : Configuration
    seed : int
        Of the samples and of everything random below.
    samples : int
        Samples to offer.
    stalls : float
        Share of cycles in which a stream is held up by the host.
    commands : dict of str to float
        Chance a cycle of a strobe of seed, flush, load and dump.
    restless : bool
        Whether settings (train, rate, freeze) change at random times; otherwise every sample trains at one rate.
    broken : float
        Share of samples sent with a framing error before the good one.
    events : bool or None
        Whether samples come as events or dense; None for one or the other at random.
    """

    def __init__(
        self,
        config: Configuration,
        seed: int,
        samples: int,
        *,
        stalls=0.0,
        commands=(),
        restless=False,
        broken=0.0,
        events=None,
    ):
        self.config, self.rng = config, np.random.default_rng(seed)
        self._signals = input_signals(config)
        self._names = [signal.name for signal in self._signals]
        self._outputs = [str(signal) for signal in output_signals(config)]
        self._events = events
        self.samples, self.labels = self._draw(samples)
        self._words = deque(self._frames(broken))
        self._stalls, self._commands, self._restless = stalls, dict(commands), restless
        self._settings = {"settings.train": 1, "settings.freeze": 0, "settings.row_count": 1}
        rate = config.training.rate
        self._settings |= {"settings.rate_mantissa": rate.mantissa, "settings.rate_exponent": rate.exponent}
        self._inputs, self._trace = [], []

    def _draw(self, samples: int) -> tuple[np.ndarray, np.ndarray]:
        fmt, rng = self.config.formats.activation, self.rng
        x = rng.integers(fmt.lo, fmt.hi + 1, (samples, self.config.network.inputs))
        x[rng.random(x.shape) < rng.choice([0.3, 0.9], samples)[:, None]] = 0
        return x, rng.integers(0, self.config.network.classes, samples)

    def _frames(self, broken: float):
        """Words (value, index, label, last, events) of dense samples and of events, some of them wrong at first."""
        rng = self.rng
        for x, label in zip(self.samples.tolist(), self.labels.tolist(), strict=True):
            while rng.random() < broken:
                yield from self._broken_dense() if rng.random() < 0.5 else self._broken_events()
            events = self._events if self._events is not None else rng.random() < 0.5
            sent = [i for i, value in enumerate(x) if value or not events or rng.random() < 0.1] or [0]
            for i in sent:
                index = i if events else int(rng.integers(0, len(x)))
                yield x[i], index, label, int(i == sent[-1]), int(events)

    def _broken_dense(self):
        n, rng = self.config.network.inputs, self.rng
        length = int(rng.integers(1, 2 * n + 3))
        length = length if length != n else n + 1
        for i in range(length):
            yield int(rng.integers(0, 2)), 0, 0, int(i == length - 1), 0

    def _broken_events(self):
        """Ascending for a while, then not, or beyond the inputs; and more of it up to the last one."""
        n, rng = self.config.network.inputs, self.rng
        reach = (1 << index_bits(n)) - n
        good = sorted(rng.choice(n, int(rng.integers(1, n + 1)), replace=False).tolist())
        wrong = n + int(rng.integers(0, reach)) if reach and rng.random() < 0.5 else int(rng.integers(0, good[-1] + 1))
        more = rng.integers(0, n, int(rng.integers(0, 3))).tolist()
        indices = [*good, wrong, *more]
        for place, index in enumerate(indices):
            yield int(rng.integers(0, 2)), index, 0, int(place == len(indices) - 1), 1

    def run(self, machine, *, limit: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
        """Offer all samples, let everything settle, flush, and let it settle again: (inputs, trace)."""
        while self._words:
            self._cycle(machine)
            assert len(self._inputs) < limit, "the machine hangs"
        self._settle(machine, limit)
        self._cycle(machine, {"command.flush": 1})
        self._settle(machine, limit)
        return np.array(self._inputs), np.array(self._trace)

    def set(self, **settings: int) -> None:
        """Change settings, such as ``train`` or ``freeze``."""
        self._settings |= {f"settings.{name}": value for name, value in settings.items()}

    def shown(self, name: str) -> int:
        """A signal in the latest cycle."""
        return int(self._trace[-1][self._outputs.index(name)])

    def _settle(self, machine, limit: int) -> None:
        # The last packets and words are still on their way through the tiles when the sequencer is idle.
        quiet = 0
        while quiet < 3 * self.config.array.tiles + 80:
            self._cycle(machine, dict.fromkeys(("command.seed", "command.flush", "command.load", "command.dump"), 0))
            quiet = quiet + 1 if self._resting() else 0
            assert len(self._inputs) < limit, "the machine hangs"

    def _resting(self) -> bool:
        moving = (
            "sequencer.activate",
            "sequencer.output",
            "broadcast.op",
            "logit.valid",
            "error.valid",
            "results.valid",
        )
        idle = self.shown("sequencer.state") == STATES["IDLE"] and not self.shown("samples.complete")
        return idle and not any(self.shown(name) for name in moving)

    def _cycle(self, machine, forced: dict[str, int] | None = None) -> None:
        pins = self._pins() | (forced or {})
        row = np.array([pins.get(name, 0) for name in self._names], dtype=np.int64)
        trace = machine.advance(row[None])
        assert trace.shape == (1, len(self._outputs))
        self._inputs.append(row)
        self._trace.append(trace[0])
        if pins["samples.valid"] and self.shown("samples.ready"):
            self._words.popleft()

    def _pins(self) -> dict[str, int]:
        rng, weight = self.rng, self.config.formats.weight
        if self._restless and rng.random() < 0.05:
            self._settings = self._random_settings()
        pins = self._settings | {f"command.{name}": int(rng.random() < p) for name, p in self._commands.items()}
        pins["samples.valid"] = int(bool(self._words) and rng.random() >= self._stalls)
        if pins["samples.valid"]:
            pins |= zip(WORD, self._words[0], strict=True)
        for name in ("results.ready", "weights_in.valid", "weights_out.ready"):
            pins[name] = int(rng.random() >= self._stalls)
        pins["weights_in.data"] = int(rng.integers(weight.lo, weight.hi + 1))
        return pins

    def _random_settings(self) -> dict[str, int]:
        rng, used = self.rng, self.config.bank_rows_used
        first = int(rng.integers(0, used))
        return {
            "settings.train": int(rng.random() < 0.7),
            "settings.rate_mantissa": int(rng.integers(0, 256)),
            "settings.rate_exponent": int(rng.integers(0, 14)),
            "settings.freeze": int(rng.integers(0, 1 << len(self.config.network.layers) - 1)),
            "settings.seed": int(rng.integers(0, 4)) * 0x3C6EF372,
            "settings.row_first": first,
            "settings.row_count": int(rng.integers(1, min(3, used - first) + 1)),
        }
