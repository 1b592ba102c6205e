"""The pins of an accelerator under test: a host whose words wait until they are taken, everything else at random."""

from collections import deque

import numpy as np

from dfarray.configuration import Configuration
from dfarray.trace import STATES, input_signals, output_signals


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
    """

    def __init__(
        self, config: Configuration, seed: int, samples: int, *, stalls=0.0, commands=(), restless=False, broken=0.0
    ):
        self.config, self.rng = config, np.random.default_rng(seed)
        self._signals = input_signals(config)
        self._names = [signal.name for signal in self._signals]
        self._outputs = [str(signal) for signal in output_signals(config)]
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
        x[rng.random(x.shape) < 0.3] = 0
        return x, rng.integers(0, self.config.network.classes, samples)

    def _frames(self, broken: float):
        n, rng = self.config.network.inputs, self.rng
        for x, label in zip(self.samples.tolist(), self.labels.tolist(), strict=True):
            while rng.random() < broken:
                length = int(rng.integers(1, 2 * n + 3))
                for i in range(length if length != n else n + 1):
                    yield int(rng.integers(0, 2)), 0, int(i == (length if length != n else n + 1) - 1)
            for i, value in enumerate(x):
                yield value, label, int(i == n - 1)

    def run(self, machine, *, limit: int = 200_000) -> tuple[np.ndarray, np.ndarray]:
        """Offer all samples, let everything settle, flush, and let it settle again: (inputs, trace)."""
        while self._words:
            self._cycle(machine)
            assert len(self._inputs) < limit, "the machine hangs"
        self._settle(machine, limit)
        self._cycle(machine, {"command.flush": 1})
        self._settle(machine, limit)
        return np.array(self._inputs), np.array(self._trace)

    def shown(self, name: str) -> int:
        """A signal in the latest cycle."""
        return int(self._trace[-1][self._outputs.index(name)])

    def _settle(self, machine, limit: int) -> None:
        # The last weight writes are still on their way through the tiles when the sequencer is idle.
        quiet = 0
        while quiet < 3 * self.config.array.tiles + 40:
            self._cycle(machine, dict.fromkeys(("command.seed", "command.flush", "command.load", "command.dump"), 0))
            quiet = quiet + 1 if self.shown("sequencer.state") == STATES["IDLE"] else 0
            assert len(self._inputs) < limit, "the machine hangs"

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
            pins |= zip(("samples.value", "samples.label", "samples.last"), self._words[0], strict=True)
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
