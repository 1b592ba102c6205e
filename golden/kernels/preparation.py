"""From a configuration to what the kernels compute on."""

from itertools import pairwise

import numpy as np

from dfarray.configuration import Configuration, ErrorKind, Rounding
from dfarray.feedback import routes
from dfarray.golden.kernels.layout import (
    BLOCK,
    FAN_IN,
    NEURONS,
    PASS,
    VECTOR,
    WEIGHTS,
    WIDTH,
    FeedbackTables,
    Parameters,
    Tables,
)
from dfarray.golden.noise import bit_tables
from dfarray.golden.tables import activation_tables, exponential_codes, reciprocal_codes


def work_type(config: Configuration) -> tuple[type, int]:
    """Choose the integer type of products and updates, and how many products it sums without overflow."""
    formats = config.formats
    product = 1 << (formats.weight.width + formats.activation.width - 2)
    step = (1 << (formats.delta.width + formats.activation.width - 2)) + (1 << formats.update_shift)
    update = (1 << (formats.weight.width - 1)) + (step >> formats.update_shift) + 1
    largest = (1 << 31) - 1
    # Sums of a few products only would spend their time on moving them to the wide totals.
    if step <= largest and update <= largest and 8 * product <= largest:
        return np.int32, largest // product // BLOCK * BLOCK
    return np.int64, (1 << 62) // product // BLOCK * BLOCK


def layer_table(config: Configuration) -> np.ndarray:
    """One row a hidden layer, the columns of :mod:`dfarray.golden.kernels`."""
    rows, weights, source, listed, first, deltas = [], 0, 0, 0, 0, 0
    for layer, (fan_in, neurons) in enumerate(pairwise(config.network.layers[:-1]), 1):
        opening = next(item for item in config.passes if item.layer == layer)
        width = _padded(-(-neurons // opening.neurons) * (opening.neurons + opening.neurons % 2))
        rows.append((fan_in, neurons, weights, source, listed, first, opening.base, opening.neurons, width, deltas))
        weights += (fan_in + 1) * width
        source += fan_in
        listed += fan_in + BLOCK
        first += neurons
        deltas += width
    return np.array(rows, dtype=np.int64)


def columns_of(layer: np.ndarray) -> np.ndarray:
    """Columns of a hidden layer's neurons: every pass starts at an even one."""
    neurons, per_pass = np.arange(layer[NEURONS]), layer[PASS]
    return neurons + neurons // per_pass * (per_pass % 2)


def tables_of(config: Configuration, layers: np.ndarray) -> Tables:
    """Gather the look-up tables; ``layers`` is the layer table."""
    return Tables(
        np.concatenate([columns_of(layer) for layer in layers]),
        *activation_tables(config),
        exponential_codes(config),
        reciprocal_codes(config),
        _noise_table(config),
    )


def _padded(neurons: int) -> int:
    return -(-neurons // VECTOR) * VECTOR


def _noise_table(config: Configuration) -> np.ndarray:
    """Tabulate the rounding bits in the smallest type that holds them, padded to whole vectors of neurons."""
    table = bit_tables(config)
    neurons = table.shape[2]
    kind = np.uint16 if config.formats.update_shift <= 16 else np.uint32
    return np.ascontiguousarray(np.pad(table, ((0, 0), (0, 0), (0, _padded(neurons) - neurons))), dtype=kind)


def feedback_tables(config: Configuration) -> FeedbackTables:
    """Lay the feedback connections out by route and by hidden neuron."""
    drawn = routes(config)
    hidden = config.network.layers[1:-1]
    starts = np.concatenate([[0], np.cumsum(hidden)]).astype(int)
    neuron_route, neuron_sign = np.zeros(sum(hidden), dtype=np.int64), np.zeros(sum(hidden), dtype=np.int64)
    for index, route in enumerate(drawn):
        item = config.passes[route.slot]
        for lane, sign in enumerate(route.lane_signs):
            neuron = item.neuron(route.tile, lane)
            if neuron is not None:
                neuron_route[starts[item.layer - 1] + neuron] = index
                neuron_sign[starts[item.layer - 1] + neuron] = sign
    shape = (len(drawn), config.feedback.nonzeros)
    classes = np.array([route.classes for route in drawn], dtype=np.int64).reshape(shape)
    signs = np.array([route.class_signs for route in drawn], dtype=np.int64).reshape(shape)
    return FeedbackTables(classes, signs, neuron_route, neuron_sign)


def parameters_of(config: Configuration, exact_terms: int, layers: np.ndarray) -> Parameters:
    """Spell the configuration out; ``layers`` is the layer table."""
    formats, last = config.formats, layers[-1]
    output_weights = int(last[WEIGHTS] + (last[FAN_IN] + 1) * last[WIDTH])
    return Parameters(
        one=formats.activation.one,
        update_shift=formats.update_shift,
        stochastic=int(config.training.rounding is Rounding.STOCHASTIC),
        weight_lo=formats.weight.lo,
        weight_hi=formats.weight.hi,
        saturates=int(config.accumulator_saturates),
        accumulator_lo=config.accumulator.lo,
        accumulator_hi=config.accumulator.hi,
        exact_terms=exact_terms,
        z_shift=formats.product_fraction - formats.preactivation.fraction_bits,
        z_lo=formats.preactivation.lo,
        z_hi=formats.preactivation.hi,
        logit_shift=formats.product_fraction - formats.logit.fraction_bits,
        logit_lo=formats.logit.lo,
        logit_hi=formats.logit.hi,
        logit_fraction=formats.logit.fraction_bits,
        softmax=int(config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY),
        error_fraction=formats.error.fraction_bits,
        error_lo=formats.error.lo,
        error_hi=formats.error.hi,
        delta_fraction=formats.delta.fraction_bits,
        delta_lo=formats.delta.lo,
        delta_hi=formats.delta.hi,
        log2_scale=config.feedback.log2_scale,
        activation_fraction=formats.activation.fraction_bits,
        gram_shift=2 * formats.activation.fraction_bits - config.gram.fraction_bits,
        gram_lo=config.gram.lo,
        gram_hi=config.gram.hi,
        correction_shift=config.correction_shift,
        output_weights=output_weights,
        output_biases=output_weights + config.network.classes * int(last[WIDTH]),
        output_base=config.output_groups[0][1],
        bias_noise=max(item.neurons for item in config.passes),
    )
