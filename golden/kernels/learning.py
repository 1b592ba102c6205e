"""Errors, deltas, and the loops over samples."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.kernels.answers import answer, workspace
from dfarray.golden.kernels.layout import DELTAS, FIRST, NEURONS
from dfarray.golden.kernels.sums import clip, round_half_up


@compiled_together
def fill_errors(logits, label, p, tables, errors):
    """Fill e_c: softmax minus target, or logit minus target."""
    fraction = p.error_fraction
    if p.softmax:
        largest = logits.max()
        total = np.int64(0)
        for c in range(len(logits)):
            errors[c] = tables.exponentials[min(largest - logits[c], len(tables.exponentials) - 1)]
            total += errors[c]
        exponent = np.int64(0)
        while total >> (exponent + fraction + 1):
            exponent += 1
        r = min(fraction, np.int64(10))
        inverse = tables.reciprocals[(total >> (exponent + fraction - r)) - (np.int64(1) << r)]
        for c in range(len(logits)):
            errors[c] = round_half_up(errors[c] * inverse, r + 1 + exponent)
    else:
        shift = fraction - p.logit_fraction
        for c in range(len(logits)):
            errors[c] = logits[c] << shift if shift > 0 else round_half_up(logits[c], -shift)
    for c in range(len(logits)):
        target = np.int64(1) << fraction if c == label else np.int64(0)
        errors[c] = clip(errors[c] - target, p.error_lo, p.error_hi)


@compiled_together
def scale(errors, mantissa, exponent, p):
    """Turn e_c into g_c = eta e_c, in place."""
    left = max(np.int64(0), p.delta_fraction - p.error_fraction)
    right = exponent + p.error_fraction - p.delta_fraction + left
    for c in range(len(errors)):
        errors[c] = clip(round_half_up(errors[c] * mantissa << left, right), p.delta_lo, p.delta_hi)


@compiled_together
def fill_deltas(g, frozen, p, layers, columns, feedback, slopes, scalars, pending):
    """Fill the delta of every neuron that is to learn: b f' h of hidden ones, g_c of the output layer."""
    k = p.log2_scale
    for route in range(len(scalars)):
        total = np.int64(0)
        for n in range(feedback.classes.shape[1]):
            total += g[feedback.classes[route, n]] * feedback.class_signs[route, n]
        scalars[route] = clip(total << k if k >= 0 else round_half_up(total, -k), p.delta_lo, p.delta_hi)
    for index in range(len(layers)):
        first, start = layers[index, FIRST], layers[index, DELTAS]
        learns = not frozen >> index & 1
        for j in range(layers[index, NEURONS]):
            rounded = round_half_up(scalars[feedback.route[first + j]] * slopes[first + j], p.activation_fraction)
            delta = clip(feedback.sign[first + j] * rounded, p.delta_lo, p.delta_hi)
            pending.deltas[start + columns[first + j]] = delta * learns
    pending.output_deltas[:] = g * (not frozen >> len(layers) & 1)


@compiled_together
def next_state(state):
    """Step the noise's xorshift32."""
    state = np.uint32(state ^ np.uint32(state << np.uint32(13)))
    state = np.uint32(state ^ np.uint32(state >> np.uint32(17)))
    return np.uint32(state ^ np.uint32(state << np.uint32(5)))


@compiled_together
def train(
    work, x, labels, mantissa, exponent, frozen, state, waiting, weights, pending, layers, p, tables, feedback, logits
):
    """Online training over samples in order; changes ``weights`` and ``pending``, fills ``logits``.

    ``waiting`` says whether an update is pending at first; afterwards the last sample's is. Returns the noise state.
    """
    space = workspace(work, layers, p, tables, pending)
    errors = np.zeros(logits.shape[1], dtype=np.int64)
    scalars = np.zeros(len(feedback.classes), dtype=np.int64)
    state = np.uint32(state)
    for t in range(len(x)):
        answer(work, x[t], weights, layers, p, tables, space, pending, state, logits[t])
        if waiting:
            state = next_state(state)
        waiting = True
        fill_errors(logits[t], labels[t], p, tables, errors)
        scale(errors, mantissa, exponent, p)
        fill_deltas(errors, frozen, p, layers, tables.columns, feedback, space.slopes, scalars, pending)
    return state


@compiled_together
def infer(work, x, state, weights, pending, layers, p, tables, logits):
    """Fill the logits of every sample, the first corrected for ``pending``, whose update is applied."""
    space = workspace(work, layers, p, tables, pending)
    for t in range(len(x)):
        answer(work, x[t], weights, layers, p, tables, space, pending, np.uint32(state), logits[t])
        pending.deltas[:] = 0
        pending.output_deltas[:] = 0
