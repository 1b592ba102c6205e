"""A steady stream of training samples through the golden cycle model: the host never waits, updates are fused."""

import numpy as np

from dfarray.configuration import Configuration
from dfarray.golden.cycle import CycleModel
from dfarray.trace import input_signals, output_signals

SAMPLES = 4


def steady_cycles(config: Configuration) -> int:
    """Cycles from the start of one training sample to the next.

    The count does not depend on the data.
    """
    return len(steady_trace(config))


def steady_trace(config: Configuration) -> np.ndarray:
    """Trace one period of the stream: int64 array (cycles a sample, output signals).

    It starts with a sweep, and holds as many events of every kind as any other period.
    """
    signals = [signal.name for signal in input_signals(config)]
    ready = [signal.name for signal in output_signals(config)].index("samples.ready")
    record = np.zeros((1, len(signals)), dtype=np.int64)
    for name in ("samples.valid", "results.ready", "settings.train", "settings.rate_mantissa"):
        record[0, signals.index(name)] = 1
    last, position = signals.index("samples.last"), 0
    model, trace = CycleModel(config), []
    while len(model.sweep_starts) < SAMPLES:
        record[0, last] = position == config.network.inputs - 1
        trace.append(model.advance(record)[0])
        if trace[-1][ready]:
            position = (position + 1) % config.network.inputs
    return np.array(trace[model.sweep_starts[-2] : model.sweep_starts[-1]])
