"""What the machine does for one training sample, counted in the trace of the cycle model."""

import numpy as np

from dfarray.configuration import Configuration
from dfarray.costs import ArrayCosts
from dfarray.golden.steady import steady_trace
from dfarray.trace import FEEDBACK_OPERATIONS, OPERATIONS, output_signals


def counted_costs(config: Configuration) -> ArrayCosts:
    """Count one sample of a steady stream of training samples, all rows sent, event by event.

    The trace alone is read; from the configuration, where a bank row belongs and which lanes hold a neuron there.
    """
    trace = steady_trace(config)
    signals = output_signals(config)
    column = {(signal.name, signal.tile, signal.lane): trace[:, index] for index, signal in enumerate(signals)}
    array, classes = config.array, config.network.classes

    def head(name: str) -> np.ndarray:
        return column[name, None, None]

    # Of every bank row the neurons it reaches, and how many of its weights are biases.
    neurons = np.zeros(config.bank_rows_used, dtype=np.int64)
    biases = np.zeros(config.bank_rows_used, dtype=np.int64)
    for item in config.passes:
        neurons[item.base : item.base + item.rows] = item.neurons
        biases[item.base] = item.neurons
    for group, (item, base) in enumerate(config.output_groups):
        neurons[base : base + classes] = item.neurons + (group == 0)
        biases[base : base + classes] = group == 0
    operation, address = head("broadcast.op"), head("broadcast.address")
    fused = np.isin(operation, [OPERATIONS["FUSED"], OPERATIONS["OUT_FUSED"]])
    read = address[fused]
    written = np.zeros(config.bank_rows_used, dtype=np.int64)
    bias_tile = array.tiles
    for tile, lane in [(t, k) for t in range(array.tiles) for k in range(array.lanes)] + [(bias_tile, 0)]:
        rows = column["weight_write.address", tile, lane][column["weight_write.enable", tile, lane] == 1]
        written += np.bincount(rows, minlength=len(written)) * (_holds(config, tile, lane) if tile < bias_tile else 1)
    scalar = head("feedback.op") == FEEDBACK_OPERATIONS["SCALAR"]
    hops = head("feedback.index")[scalar] + 1
    updates = written.sum() - (written * (biases > 0) * biases // np.maximum(neurons, 1)).sum()
    return ArrayCosts(
        forward_macs=int((neurons - biases)[read].sum()),
        update_macs=int(updates),
        weight_reads=int(neurons[read].sum()),
        weight_writes=int(written.sum()),
        packets=int((operation != OPERATIONS["IDLE"]).sum()),
        returned=int(column["return.valid", bias_tile, None].sum()),
        output_sums=int(column["partial.valid", bias_tile, None].sum()),
        scalars=int(scalar.sum()),
        scalar_bit_hops=int(hops.sum()) * config.formats.delta.width,
        output_scalars=int((operation == OPERATIONS["OUT_FUSED"]).sum()),
    )


def _holds(config: Configuration, tile: int, lane: int) -> np.ndarray:
    """Whether the lane holds a neuron in each bank row: a lane without one writes back what it reads."""
    holds = np.zeros(config.bank_rows_used, dtype=np.int64)
    for item in config.passes:
        holds[item.base : item.base + item.rows] = item.neuron(tile, lane) is not None
    for item, base in config.output_groups:
        holds[base : base + config.network.classes] = item.neuron(tile, lane) is not None
    return holds
