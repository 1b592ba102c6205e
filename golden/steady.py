"""Clock cycles a training sample takes when the host never waits, counted in the golden cycle model."""

import numpy as np

from dfarray.configuration import Configuration
from dfarray.golden.cycle import CycleModel
from dfarray.trace import input_signals, output_signals

SAMPLES = 4


def steady_cycles(config: Configuration) -> int:
    """Cycles from the start of one training sample to the next, the pending update being fused.

    The count does not depend on the data.
    """
    signals = [signal.name for signal in input_signals(config)]
    ready = [signal.name for signal in output_signals(config)].index("samples.ready")
    record = np.zeros((1, len(signals)), dtype=np.int64)
    for name in ("samples.valid", "results.ready", "settings.train", "settings.rate_mantissa"):
        record[0, signals.index(name)] = 1
    last, position = signals.index("samples.last"), 0
    model = CycleModel(config)
    while len(model.sweep_starts) < SAMPLES:
        record[0, last] = position == config.network.inputs - 1
        if model.advance(record)[0, ready]:
            position = (position + 1) % config.network.inputs
    return model.sweep_starts[-1] - model.sweep_starts[-2]
