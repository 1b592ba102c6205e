"""What the machine does for one training sample, counted in the trace of the cycle model."""

import numpy as np

from dfarray.configuration import Configuration
from dfarray.costs import ArrayCosts
from dfarray.golden.steady import steady_trace
from dfarray.trace import FEEDBACK_OPERATIONS, OPERATIONS, output_signals


def counted_costs(config: Configuration) -> ArrayCosts:
    """Count one sample of a steady stream of training samples, event by event.

    The trace alone is read; from the configuration, where a bank row belongs and which lanes hold a neuron there.
    """
    trace = steady_trace(config)
    signals = output_signals(config)
    column = {(signal.name, signal.tile, signal.lane): trace[:, index] for index, signal in enumerate(signals)}

    def head(name: str) -> np.ndarray:
        return column[name, None, None]

    neurons = np.zeros(config.array.bank_rows, dtype=np.int64)
    bias = np.zeros(config.array.bank_rows, dtype=bool)
    for item in config.passes:
        neurons[item.base : item.base + item.rows] = item.neurons
        bias[item.base] = True
    fused = head("broadcast.op") == OPERATIONS["FUSED"]
    read = head("broadcast.address")[fused]
    written = np.concatenate(
        [
            column["weight_write.address", tile, lane][column["weight_write.enable", tile, lane] == 1]
            for tile in range(config.array.tiles)
            for lane in range(config.array.lanes)
        ]
    )
    scalar = head("feedback.op") == FEEDBACK_OPERATIONS["SCALAR"]
    hops = head("feedback.index")[scalar] + 1
    return ArrayCosts(
        forward_macs=int(neurons[read][~bias[read]].sum()),
        update_macs=int((~bias[written]).sum()),
        weight_reads=int(neurons[read].sum()),
        weight_writes=len(written),
        packets=len(read),
        returned=int(column["return.valid", config.array.tiles - 1, None].sum()),
        scalars=int(scalar.sum()),
        scalar_bit_hops=int(hops.sum()) * config.formats.delta.width,
    )
