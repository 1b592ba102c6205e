"""A steady stream of training samples through the golden cycle model: the host never waits, updates are fused."""

from collections.abc import Iterator

import numpy as np

from dfarray.configuration import Configuration, with_values
from dfarray.golden.cycle import CycleModel
from dfarray.golden.machine.build import layout
from dfarray.trace import STATES, input_signals, output_signals

SETTLED, COUNTED = 8, 12
"""Samples before the first that is counted. Where latency, not rows, sets the pace, it takes some to settle."""


def steady_cycles(config: Configuration) -> float:
    """Mean cycles from the start of one training sample to the next, all rows sent: samples may take turns."""
    starts, _ = _stream(config, [_dense(np.ones(config.network.inputs, dtype=np.int64))] * (SETTLED + COUNTED + 1))
    return (starts[-1] - starts[SETTLED]) / COUNTED


def mean_cycles(config: Configuration, x: np.ndarray, labels: np.ndarray) -> float:
    """Mean cycles a training sample while a data set's samples come as events.

    Parameters
    ----------
    x : int array (samples, n_0)
        Activation codes; more than SETTLED + 1 samples, of which all but the first SETTLED count.
    labels : int array (samples,)

    Raises
    ------
    ValueError
        If there are fewer samples.
    """
    if len(x) < SETTLED + 2:
        raise ValueError(f"at least {SETTLED + 2} samples are needed, not {len(x)}")
    starts, _ = _stream(config, [_events(sample, label) for sample, label in zip(x, labels, strict=True)])
    return float(np.diff(starts[SETTLED:]).mean())


def steady_trace(config: Configuration) -> np.ndarray:
    """Trace one period of the stream, all rows sent: int64 array (cycles a sample, output signals).

    It starts with a sweep, and holds as many events of every kind as any other period.
    """
    # Hidden activations may be zero, whatever the inputs.
    config = with_values(config, {"array.zero_skipping": False})
    ones = np.ones(config.network.inputs, dtype=np.int64)
    starts, records = _stream(config, [_dense(ones)] * (SETTLED + 2))
    return layout(config).unpack(records[starts[SETTLED] : starts[SETTLED + 1]])


def _dense(sample: np.ndarray) -> np.ndarray:
    """A sample's transfers: int64 array (transfers, 5), the columns of :data:`WORD`."""
    words = np.zeros((len(sample), len(WORD)), dtype=np.int64)
    words[:, 0] = sample
    words[-1, 3] = 1
    return words


def _events(sample: np.ndarray, label: int) -> np.ndarray:
    """Transfers of the nonzero inputs, or of the first one if there are none."""
    index = np.flatnonzero(sample)
    index = index if len(index) else np.zeros(1, dtype=np.int64)
    words = _dense(np.asarray(sample, dtype=np.int64)[index])
    words[:, 1], words[:, 2], words[:, 4] = index, label, 1
    return words


WORD = ("samples.value", "samples.index", "samples.label", "samples.last", "settings.events")
"""The inputs that change from transfer to transfer."""


def _stream(config: Configuration, samples: list[np.ndarray]) -> tuple[list[int], np.ndarray]:
    """Train on samples without a pause; returns when each one's sweep starts, and the packed trace."""
    names = [signal.name for signal in input_signals(config)]
    columns = [names.index(name) for name in WORD]
    idle = np.zeros((1, len(names)), dtype=np.int64)
    rate = config.training.rate
    for name, value in (
        ("results.ready", 1),
        ("settings.train", 1),
        ("settings.rate_mantissa", rate.mantissa),
        ("settings.rate_exponent", rate.exponent),
    ):
        idle[0, names.index(name)] = value
    shown, positions = [signal.name for signal in output_signals(config)], layout(config).positions
    state_word, state_bit = positions[shown.index("sequencer.state")]
    ready_word, ready_bit = positions[shown.index("samples.ready")]
    model = CycleModel(config)
    words, word = _words(samples), None
    records, starts, sweeping = [], [], False
    while len(starts) < len(samples):
        word = next(words, None) if word is None else word
        inputs = idle.copy()
        if word is not None:
            inputs[0, columns] = word
            inputs[0, names.index("samples.valid")] = 1
        record = model.advance_packed(inputs)[0]
        if word is not None and int(record[ready_word]) >> ready_bit & 1:
            word = None
        was, sweeping = sweeping, int(record[state_word]) >> state_bit & 3 == STATES["SWEEP"]
        if sweeping and not was:
            starts.append(len(records))
        records.append(record)
    return starts, np.array(records)


def _words(samples: list[np.ndarray]) -> Iterator[np.ndarray]:
    for sample in samples:
        yield from sample
