"""One sample through the network, corrected for the pending update, which is applied on the way."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.kernels.layout import BASE, BLOCK, DELTAS, FAN_IN, FIRST, NEURONS, ROWS, SOURCE, WIDTH, Workspace
from dfarray.golden.kernels.sums import clip, list_active, matrix_of, round_half_up, sum_exact, sum_saturating
from dfarray.golden.kernels.updates import bias_noise, update


@compiled_together
def workspace(work, layers, p, tables, pending):
    """Make room, and list the rows that matter to the pending sample."""
    listed, last = layers[-1, ROWS] + layers[-1, FAN_IN] + BLOCK, layers[-1]
    longest = max(layers[:, FAN_IN].max() + BLOCK, len(pending.output_deltas))
    widest, hidden = layers[:, WIDTH].max(), last[FIRST] + last[NEURONS]
    space = Workspace(
        np.zeros(listed, dtype=np.int64),
        np.zeros(listed, dtype=work),
        np.zeros(len(layers), dtype=np.int64),
        np.zeros(longest, dtype=np.int64),
        np.zeros(longest, dtype=work),
        np.zeros(last[WIDTH], dtype=work),
        np.zeros(last[WIDTH], dtype=work),
        np.zeros(hidden, dtype=np.int16),
        np.zeros(hidden, dtype=np.int64),
        np.zeros(widest, dtype=work),
        np.zeros(widest, dtype=np.int64),
        # A pass's rounding bits are filled in by whole vectors: the last pass may run over.
        np.zeros(widest + tables.noise.shape[2], dtype=tables.noise.dtype),
    )
    for index in range(len(layers)):
        source, rows = layers[index, SOURCE], layers[index, ROWS]
        before = pending.activations[source : source + layers[index, FAN_IN]]
        space.pending_counts[index] = list_active(before, p.one, space.pending_rows[rows:], space.pending_values[rows:])
    first, start = last[FIRST], last[SOURCE] + last[FAN_IN]
    for j in range(last[NEURONS]):
        space.pending_outputs[tables.columns[first + j]] = pending.activations[start + j]
    return space


@compiled_together
def gram_of(now, before, p):
    """Scalar product of two samples' presynaptic activations, the bias's included."""
    total = np.int64(p.one) * np.int64(p.one)
    for i in range(len(now)):
        total += np.int64(now[i]) * np.int64(before[i])
    return clip(round_half_up(total, p.gram_shift), p.gram_lo, p.gram_hi)


@compiled_together
def correction(delta, gram, p):
    """What a pending update will take from a sum."""
    product = np.int64(delta) * gram
    return round_half_up(product, p.correction_shift) if p.correction_shift >= 0 else product << -p.correction_shift


@compiled_together
def answer_hidden(work, index, source, weights, layers, p, tables, space, pending, state):
    """One sample through a hidden layer, and the pending update into its weights: fills f and f'."""
    layer = layers[index]
    width, first = layer[WIDTH], layer[FIRST]
    count = list_active(source, p.one, space.rows, space.values)
    whole = (count + BLOCK - 1) // BLOCK * BLOCK
    rows, values = space.rows[:whole], space.values[:whole]
    matrix, sums = matrix_of(weights, layers, index), space.totals[:width]
    if p.saturates:
        sum_saturating(rows, values, matrix, p.accumulator_lo, p.accumulator_hi, sums)
    else:
        sum_exact(work, rows, values, matrix, p.exact_terms, space.partial[:width], sums)
    before = pending.activations[layer[SOURCE] :][: layer[FAN_IN]]
    before_rows, before_values = space.pending_rows[layer[ROWS] :], space.pending_values[layer[ROWS] :]
    deltas = pending.deltas[layer[DELTAS] :][:width]
    if deltas.any():
        gram, end = gram_of(source, before, p), space.pending_counts[index]
        for j in range(width):
            sums[j] -= correction(deltas[j], gram, p)
        listed = before_rows[:end], before_values[:end]
        update(work, matrix, listed[0], listed[1], deltas, layer[BASE], layer, p, tables, space, state)
    before[:] = source
    space.pending_counts[index], before_rows[:whole], before_values[:whole] = count, rows, values
    for j in range(first, first + layer[NEURONS]):
        z = clip(round_half_up(sums[tables.columns[j]], p.z_shift), p.z_lo, p.z_hi) - p.z_lo
        space.activations[j] = tables.values[z]
        space.slopes[j] = tables.slopes[z]


@compiled_together
def answer_output(work, weights, layers, p, tables, space, pending, state, logits):
    """Fill the logits, and apply the pending update to the output layer: as to a hidden one, roles exchanged."""
    last, outputs, deltas = layers[-1], space.outputs, pending.output_deltas
    now, before = space.activations[last[FIRST] :], pending.activations[last[SOURCE] + last[FAN_IN] :]
    for j in range(len(now)):
        outputs[tables.columns[last[FIRST] + j]] = now[j]
    matrix = weights[p.output_weights : p.output_biases].reshape(len(logits), last[WIDTH])
    biases, gram = weights[p.output_biases :], gram_of(now, before, p)
    count = 0
    for c in range(len(logits)):
        row, total = matrix[c], np.int64(biases[c]) * p.one
        for j in range(len(row)):
            total += np.int64(row[j]) * np.int64(outputs[j])
        corrected = total - correction(deltas[c], gram, p)
        logits[c] = clip(round_half_up(corrected, p.logit_shift), p.logit_lo, p.logit_hi)
        space.rows[count], space.values[count] = c, deltas[c]
        count += deltas[c] != 0
    rows, values = space.rows[:count], space.values[:count]
    update(work, matrix, rows, values, space.pending_outputs, p.output_base, last, p, tables, space, state)
    for c in rows:
        noise = bias_noise(state, p.output_base + c, p, tables) if p.stochastic else np.int64(1) << p.update_shift >> 1
        biases[c] = clip(biases[c] - (deltas[c] * p.one + noise >> p.update_shift), p.weight_lo, p.weight_hi)
    before[:] = now
    space.pending_outputs[:] = outputs


@compiled_together
def answer(work, x, weights, layers, p, tables, space, pending, state, logits):
    """Answer one sample with the pending update as a correction, then apply that update; x replaces its sample."""
    source = x
    for index in range(len(layers)):
        answer_hidden(work, index, source, weights, layers, p, tables, space, pending, state)
        source = space.activations[layers[index, FIRST] :][: layers[index, NEURONS]]
    answer_output(work, weights, layers, p, tables, space, pending, state, logits)
