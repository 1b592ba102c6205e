"""Compiled loops of the integer model. Integers only; every step is one line of docs/architecture.md section 2.

Networks are passed flat: all weight matrices in one int32 array, layer after layer, each (fan_in + 1, neurons) with the
bias first, so that the inner loops run over the neurons of one presynaptic row, in memory order.
"""

import numpy as np
from numba import njit

# Columns of the layer table.
FAN_IN, NEURONS, WEIGHTS, ACTIVATIONS = range(4)
# Columns of the pass table.
PASS_LAYER, PASS_BASE, PASS_FIRST, PASS_NEURONS = range(4)
# Entries of the scalar parameters.
(
    TILES,
    LANES,
    ONE,
    UPDATE_SHIFT,
    STOCHASTIC,
    WEIGHT_LO,
    WEIGHT_HI,
    SATURATES,
    ACCUMULATOR_LO,
    ACCUMULATOR_HI,
    Z_SHIFT,
    Z_LO,
    Z_HI,
    LOGIT_SHIFT,
    LOGIT_LO,
    LOGIT_HI,
    LOGIT_FRACTION,
    SOFTMAX,
    ERROR_FRACTION,
    ERROR_LO,
    ERROR_HI,
    DELTA_FRACTION,
    DELTA_LO,
    DELTA_HI,
    SCALE_LOG2,
    DERIVATIVE_FRACTION,
    PARAMETERS,
) = range(27)


@njit(cache=True)
def _clip(v, lo, hi):
    return min(max(v, lo), hi)


@njit(cache=True)
def _round(v, bits):
    return (v + ((np.int64(1) << bits) >> 1)) >> bits


@njit(cache=True)
def _sum_rows(x, weights, offset, neurons, p, accumulators):
    """accumulators[j] = bias + sum_i w[i, j] x[i]; rows with x = 0 change nothing."""
    for j in range(neurons):
        total = np.int64(weights[offset + j]) * p[ONE]
        accumulators[j] = _clip(total, p[ACCUMULATOR_LO], p[ACCUMULATOR_HI]) if p[SATURATES] else total
    for i in range(len(x)):
        value = np.int64(x[i])
        if value == 0:
            continue
        row = offset + (i + 1) * neurons
        if p[SATURATES]:
            for j in range(neurons):
                total = accumulators[j] + weights[row + j] * value
                accumulators[j] = _clip(total, p[ACCUMULATOR_LO], p[ACCUMULATOR_HI])
        else:
            for j in range(neurons):
                accumulators[j] += weights[row + j] * value


@njit(cache=True)
def forward(x, weights, layers, p, values, derivatives, activations, slopes, accumulators, logits):
    """One sample through the network: fills activations, slopes (f') and logits."""
    last = len(layers) - 1
    source = x
    for index in range(len(layers)):
        neurons = layers[index, NEURONS]
        _sum_rows(source, weights, layers[index, WEIGHTS], neurons, p, accumulators)
        if index == last:
            for j in range(neurons):
                logits[j] = _clip(_round(accumulators[j], p[LOGIT_SHIFT]), p[LOGIT_LO], p[LOGIT_HI])
        else:
            start = layers[index, ACTIVATIONS]
            for j in range(neurons):
                z = _clip(_round(accumulators[j], p[Z_SHIFT]), p[Z_LO], p[Z_HI]) - p[Z_LO]
                activations[start + j] = values[z]
                slopes[start + j] = derivatives[z]
            source = activations[start : start + neurons]


@njit(cache=True)
def _errors(logits, label, p, exponentials, reciprocals, errors):
    fraction = p[ERROR_FRACTION]
    classes = len(logits)
    if p[SOFTMAX]:
        largest = logits.max()
        total = np.int64(0)
        for c in range(classes):
            errors[c] = exponentials[min(largest - logits[c], len(exponentials) - 1)]
            total += errors[c]
        exponent = np.int64(0)
        while total >> (exponent + fraction + 1):
            exponent += 1
        r = min(fraction, np.int64(10))
        inverse = reciprocals[(total >> (exponent + fraction - r)) - (np.int64(1) << r)]
        for c in range(classes):
            errors[c] = _round(errors[c] * inverse, r + 1 + exponent)
    else:
        shift = fraction - p[LOGIT_FRACTION]
        for c in range(classes):
            errors[c] = logits[c] << shift if shift > 0 else _round(logits[c], -shift)
    for c in range(classes):
        target = np.int64(1) << fraction if c == label else np.int64(0)
        errors[c] = _clip(errors[c] - target, p[ERROR_LO], p[ERROR_HI])


@njit(cache=True)
def _scale(errors, mantissa, exponent, p):
    left = max(np.int64(0), p[DELTA_FRACTION] - p[ERROR_FRACTION])
    right = exponent + p[ERROR_FRACTION] - p[DELTA_FRACTION] + left
    for c in range(len(errors)):
        errors[c] = _clip(_round(errors[c] * mantissa << left, right), p[DELTA_LO], p[DELTA_HI])


@njit(cache=True)
def _deltas(g, layers, p, route_classes, route_signs, neuron_route, neuron_sign, slopes, deltas):
    """Delta of every neuron, hidden layers first: b f' h, and g_c for the output layer."""
    hidden = len(neuron_route)
    k = p[SCALE_LOG2]
    for j in range(hidden):
        route = neuron_route[j]
        total = np.int64(0)
        for n in range(route_classes.shape[1]):
            total += g[route_classes[route, n]] * route_signs[route, n]
        scalar = _clip(total << k if k >= 0 else _round(total, -k), p[DELTA_LO], p[DELTA_HI])
        rounded = _round(scalar * slopes[j], p[DERIVATIVE_FRACTION])
        deltas[j] = _clip(neuron_sign[j] * rounded, p[DELTA_LO], p[DELTA_HI])
    for c in range(len(g)):
        deltas[hidden + c] = g[c]


@njit(cache=True)
def _update_row(weights, start, neurons, deltas, x, noise, p):
    shift = p[UPDATE_SHIFT]
    for j in range(neurons):
        step = (deltas[j] * x + noise[j]) >> shift
        weights[start + j] = _clip(weights[start + j] - step, p[WEIGHT_LO], p[WEIGHT_HI])


@njit(cache=True)
def _fill_noise(state, row, p, leap, noise):
    """Rounding bits of one bank row, in neuron order (tile fastest)."""
    word = np.uint32(state) ^ np.uint32(row)
    word = np.uint32(word + np.uint32(word << np.uint32(10)))
    word = np.uint32(word ^ (word >> np.uint32(6)))
    word = np.uint32(word + np.uint32(word << np.uint32(3)))
    word = np.uint32(word ^ (word >> np.uint32(11)))
    word = np.uint32(word + np.uint32(word << np.uint32(15)))
    mask = np.uint32((np.int64(1) << p[UPDATE_SHIFT]) - 1)
    tiles, lanes = p[TILES], p[LANES]
    for tile in range(tiles):
        for lane in range(lanes):
            position = lane * tiles + tile
            if position < len(noise):
                turn = np.uint32(5 * lane % 32)
                turned = np.uint32(word << turn) | (word >> ((np.uint32(32) - turn) & np.uint32(31)))
                noise[position] = turned & mask
        word = np.uint32((word >> np.uint32(8)) ^ leap[word & np.uint32(0xFF)])


@njit(cache=True)
def _update(x, weights, layers, passes, p, activations, deltas, frozen, state, leap, noise):
    half = (np.int64(1) << p[UPDATE_SHIFT]) >> 1
    for index in range(len(passes)):
        layer = passes[index, PASS_LAYER]
        if frozen >> layer & 1:
            continue
        neurons, first = layers[layer, NEURONS], passes[index, PASS_FIRST]
        count = passes[index, PASS_NEURONS]
        offset = layers[layer, WEIGHTS] + first
        start = layers[layer, ACTIVATIONS] + first
        own = deltas[start : start + count]
        bits = noise[:count]
        bits[:] = half
        fan_in = layers[layer, FAN_IN]
        for i in range(fan_in + 1):
            if i == 0:
                value = p[ONE]
            elif layer == 0:
                value = np.int64(x[i - 1])
            else:
                value = np.int64(activations[layers[layer - 1, ACTIVATIONS] + i - 1])
            if value == 0:
                continue
            if p[STOCHASTIC]:
                _fill_noise(state, passes[index, PASS_BASE] + i, p, leap, bits)
            _update_row(weights, offset + i * neurons, count, own, value, bits, p)


@njit(cache=True)
def _next_state(state):
    state = np.uint32(state ^ np.uint32(state << np.uint32(13)))
    state = np.uint32(state ^ (state >> np.uint32(17)))
    return np.uint32(state ^ np.uint32(state << np.uint32(5)))


@njit(cache=True, nogil=True)
def train(x, labels, mantissa, exponent, frozen, state, weights, layers, passes, p, tables, feedback, all_logits):
    """Online training over samples in order; changes ``weights``, returns the noise state."""
    values, derivatives, exponentials, reciprocals, leap = tables
    route_classes, route_signs, neuron_route, neuron_sign = feedback
    hidden = len(neuron_route)
    widest = layers[:, NEURONS].max()
    activations = np.zeros(max(1, hidden), dtype=np.int16)
    slopes = np.zeros(max(1, hidden), dtype=np.int64)
    accumulators = np.zeros(widest, dtype=np.int64)
    noise = np.zeros(p[TILES] * p[LANES], dtype=np.int64)
    g = np.zeros(layers[-1, NEURONS], dtype=np.int64)
    deltas = np.zeros(hidden + len(g), dtype=np.int64)
    state = np.uint32(state)
    for t in range(len(x)):
        forward(x[t], weights, layers, p, values, derivatives, activations, slopes, accumulators, all_logits[t])
        _errors(all_logits[t], labels[t], p, exponentials, reciprocals, g)
        _scale(g, mantissa, exponent, p)
        _deltas(g, layers, p, route_classes, route_signs, neuron_route, neuron_sign, slopes, deltas)
        _update(x[t], weights, layers, passes, p, activations, deltas, frozen, state, leap, noise)
        state = _next_state(state)
    return state


@njit(cache=True, nogil=True)
def infer(x, weights, layers, p, tables, all_logits):
    """Logits of every sample."""
    values, derivatives, _, _, _ = tables
    hidden = layers[-1, ACTIVATIONS]
    activations = np.zeros(max(1, hidden), dtype=np.int16)
    slopes = np.zeros(max(1, hidden), dtype=np.int64)
    accumulators = np.zeros(layers[:, NEURONS].max(), dtype=np.int64)
    for t in range(len(x)):
        forward(x[t], weights, layers, p, values, derivatives, activations, slopes, accumulators, all_logits[t])
