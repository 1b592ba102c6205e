"""Compiled loops of the integer model. Integers only; every step is one line of docs/architecture.md section 2.

All weights are one flat int32 array: hidden layer after hidden layer, each (1 + fan_in, columns) with the bias first;
then the output layer as the machine has it, (classes, columns) of the neurons it comes from; then the output biases.
The inner loops run over the neurons of one row, in memory order, so the compiler vectorises them. Columns are the
neurons, each pass padded to an even number of them and the last up to whole vectors; the padding's weights, deltas and
activations are zero and stay so. ``work`` is the integer type
of products and updates: np.int32 where the formats prove that nothing overflows, else np.int64.
One file, because numba takes machine code from its cache until the file of the outermost function changes.
"""

from typing import NamedTuple

import numpy as np

from dfarray.golden.compilation import compiled

# Columns of the hidden layers' table. SOURCE, FIRST and DELTAS are where the layer's presynaptic activations, neurons
# and deltas start among those of all layers; ROWS likewise its row lists; BASE is the first pass's first bank row, PASS
# the neurons of a full pass, WIDTH the columns.
FAN_IN, NEURONS, WEIGHTS, SOURCE, ROWS, FIRST, BASE, PASS, WIDTH, DELTAS = range(10)

VECTOR = 16
"""Neurons that the padding rounds up to."""

BLOCK = 4
"""Rows summed at once, so that partial sums are read and written a quarter as often."""


class Parameters(NamedTuple):
    """The configuration as plain integers.

    ``output_weights`` and ``output_biases`` are where those begin, ``output_base`` is the first one's bank row,
    ``bias_noise`` the bias tile's entry of the noise table.
    """

    one: int
    update_shift: int
    stochastic: int
    weight_lo: int
    weight_hi: int
    saturates: int
    accumulator_lo: int
    accumulator_hi: int
    exact_terms: int
    z_shift: int
    z_lo: int
    z_hi: int
    logit_shift: int
    logit_lo: int
    logit_hi: int
    logit_fraction: int
    softmax: int
    error_fraction: int
    error_lo: int
    error_hi: int
    delta_fraction: int
    delta_lo: int
    delta_hi: int
    log2_scale: int
    activation_fraction: int
    gram_shift: int
    gram_lo: int
    gram_hi: int
    correction_shift: int
    output_weights: int
    output_biases: int
    output_base: int
    bias_noise: int


class Tables(NamedTuple):
    """Look-up tables; see :mod:`dfarray.golden.tables` and :func:`dfarray.golden.noise.bit_tables`.

    ``columns`` are those of all hidden neurons, layer after layer, each counted from its layer's first.
    """

    columns: np.ndarray
    values: np.ndarray
    slopes: np.ndarray
    exponentials: np.ndarray
    reciprocals: np.ndarray
    noise: np.ndarray


class FeedbackTables(NamedTuple):
    """Routes (routes, s) and, of every hidden neuron, its route and its sign."""

    classes: np.ndarray
    class_signs: np.ndarray
    route: np.ndarray
    sign: np.ndarray


class Pending(NamedTuple):
    """The latest sample's update, which is not yet applied; without one all deltas are zero.

    The presynaptic activations of every layer, the deltas of all columns of hidden layers, and those of the classes.
    Deltas of layers that were frozen are zero.
    """

    activations: np.ndarray
    deltas: np.ndarray
    output_deltas: np.ndarray


class Workspace(NamedTuple):
    """Room to compute in.

    Of every hidden layer, from ROWS on, the weight rows that matter to the pending sample, their inputs, and how many;
    the same of one layer and the present sample; of the last hidden layer's columns the activations of both; of hidden
    neurons f and f'; of one layer's columns sums, in ``work`` and in 64 bits, and rounding bits.
    """

    pending_rows: np.ndarray
    pending_values: np.ndarray
    pending_counts: np.ndarray
    rows: np.ndarray
    values: np.ndarray
    pending_outputs: np.ndarray
    outputs: np.ndarray
    activations: np.ndarray
    slopes: np.ndarray
    partial: np.ndarray
    totals: np.ndarray
    noise: np.ndarray


@compiled
def _workspace(work, layers, p, tables, pending):
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
        space.pending_counts[index] = _list_active(
            before, p.one, space.pending_rows[rows:], space.pending_values[rows:]
        )
    first, start = last[FIRST], last[SOURCE] + last[FAN_IN]
    for j in range(last[NEURONS]):
        space.pending_outputs[tables.columns[first + j]] = pending.activations[start + j]
    return space


@compiled
def _clip(v, lo, hi):
    return min(max(v, lo), hi)


@compiled
def _round(v, bits):
    return (v + ((np.int64(1) << bits) >> 1)) >> bits


@compiled
def _list_active(x, one, rows, values):
    """List the weight rows that matter: the bias, and one for every nonzero x. Returns their number.

    Behind them, inputs of zero fill up the last block of rows.
    """
    rows[0], values[0], count = 0, one, 1
    for i in range(len(x)):
        rows[count], values[count] = i + 1, x[i]
        count += x[i] != 0
    end = (count + BLOCK - 1) // BLOCK * BLOCK
    rows[count:end] = 0
    values[count:end] = 0
    return count


@compiled
def _sum_exact(work, rows, values, weights, terms, partial, totals):
    """Sum weights[i, j] x[i] over i; ``partial`` moves to ``totals`` after ``terms`` rows, before it could overflow."""
    totals[:] = 0
    for start in range(0, len(rows), terms):
        partial[:] = 0
        for k in range(start, min(start + terms, len(rows)), BLOCK):
            first, second = weights[rows[k]], weights[rows[k + 1]]
            third, fourth = weights[rows[k + 2]], weights[rows[k + 3]]
            a, b, c, d = values[k], values[k + 1], values[k + 2], values[k + 3]
            for j in range(len(partial)):
                one_two = work(work(first[j] * a) + work(second[j] * b))
                three_four = work(work(third[j] * c) + work(fourth[j] * d))
                partial[j] = work(partial[j] + work(one_two + three_four))
        for j in range(len(partial)):
            totals[j] += partial[j]


@compiled
def _sum_saturating(rows, values, weights, lo, hi, totals):
    """As :func:`_sum_exact`, but every addition saturates, in the order of the rows."""
    totals[:] = 0
    for k in range(len(rows)):
        row, x = weights[rows[k]], np.int64(values[k])
        for j in range(len(totals)):
            totals[j] = _clip(totals[j] + row[j] * x, lo, hi)


@compiled
def _matrix(weights, layers, index):
    """View a hidden layer's weights as (1 + fan_in, columns)."""
    begin, rows, width = layers[index, WEIGHTS], layers[index, FAN_IN] + 1, layers[index, WIDTH]
    return weights[begin : begin + rows * width].reshape(rows, width)


@compiled
def _row_word(state, row):
    """Tile 0's noise word of a bank row; see :func:`dfarray.golden.noise.row_words`."""
    word = np.uint32(state ^ np.uint32(row))
    word = np.uint32(word + np.uint32(word << np.uint32(10)))
    word = np.uint32(word ^ np.uint32(word >> np.uint32(6)))
    word = np.uint32(word + np.uint32(word << np.uint32(3)))
    word = np.uint32(word ^ np.uint32(word >> np.uint32(11)))
    return np.int64(np.uint32(word + np.uint32(word << np.uint32(15))))


@compiled
def _update_nearest(work, layer, rows, values, deltas, shift, lo, hi):
    """Subtract delta x, rounded half up, from the rows' weights."""
    # The mask tells the compiler that a shift of ``work`` will do; numba shifts in 64 bits.
    half, shift = work((np.int64(1) << shift) >> 1), shift & (np.iinfo(work).bits - 1)
    for k in range(len(rows)):
        row, x = layer[rows[k]], values[k]
        for j in range(len(row)):
            step = work(work(work(deltas[j] * x) + half) >> shift)
            row[j] = min(max(work(row[j] - step), lo), hi)


@compiled
def _update_stochastic(work, layer, rows, values, deltas, shift, lo, hi, state, base, passes, per_pass, table, noise):
    """Subtract delta x, rounded by the noise, from the rows' weights.

    ``base`` is the bank row of the layer's first row; passes follow each other in the bank. ``noise`` is filled in
    neuron order; see :func:`dfarray.golden.noise.bit_tables`.
    """
    shift = shift & (np.iinfo(work).bits - 1)
    # Two 16-bit entries at once; a pass starts at an even column.
    entries, drawn = table.view(np.uint32), noise.view(np.uint32)
    pass_words = (per_pass + (per_pass & 1)) * len(drawn) // len(noise)
    for k in range(len(rows)):
        for index in range(passes):
            word = _row_word(state, base + rows[k] + index * len(layer))
            a, b = entries[0, word & 255], entries[1, word >> 8 & 255]
            c, d = entries[2, word >> 16 & 255], entries[3, word >> 24]
            bits = drawn[index * pass_words : index * pass_words + len(a)]
            for j in range(len(bits)):
                bits[j] = a[j] ^ b[j] ^ c[j] ^ d[j]
        row, x = layer[rows[k]], values[k]
        for j in range(len(row)):
            step = work(work(work(deltas[j] * x) + work(noise[j])) >> shift)
            row[j] = min(max(work(row[j] - step), lo), hi)


@compiled
def _update(work, matrix, rows, values, deltas, base, layer, p, tables, space, state):
    """Apply the pending update to a matrix that has the columns of a hidden layer and starts at bank row ``base``."""
    lo, hi = work(p.weight_lo), work(p.weight_hi)
    if p.stochastic:
        per_pass = layer[PASS]
        passes = (layer[NEURONS] + per_pass - 1) // per_pass
        _update_stochastic(
            work,
            matrix,
            rows,
            values,
            deltas,
            p.update_shift,
            lo,
            hi,
            state,
            base,
            passes,
            per_pass,
            tables.noise,
            space.noise,
        )
    else:
        _update_nearest(work, matrix, rows, values, deltas, p.update_shift, lo, hi)


@compiled
def _bias_noise(state, row, p, tables):
    """Rounding bits of an output bias in the bias tile."""
    word, table = _row_word(state, row), tables.noise
    low = table[0, word & 255, p.bias_noise] ^ table[1, word >> 8 & 255, p.bias_noise]
    return np.int64(low ^ table[2, word >> 16 & 255, p.bias_noise] ^ table[3, word >> 24, p.bias_noise])


@compiled
def _gram(now, before, p):
    """Scalar product of two samples' presynaptic activations, the bias's included."""
    total = np.int64(p.one) * np.int64(p.one)
    for i in range(len(now)):
        total += np.int64(now[i]) * np.int64(before[i])
    return _clip(_round(total, p.gram_shift), p.gram_lo, p.gram_hi)


@compiled
def _correction(delta, gram, p):
    """What a pending update will take from a sum."""
    product = np.int64(delta) * gram
    return _round(product, p.correction_shift) if p.correction_shift >= 0 else product << -p.correction_shift


@compiled
def _answer_hidden(work, index, source, weights, layers, p, tables, space, pending, state):
    """One sample through a hidden layer, and the pending update into its weights: fills f and f'."""
    layer = layers[index]
    width, first = layer[WIDTH], layer[FIRST]
    count = _list_active(source, p.one, space.rows, space.values)
    whole = (count + BLOCK - 1) // BLOCK * BLOCK
    rows, values = space.rows[:whole], space.values[:whole]
    matrix, sums = _matrix(weights, layers, index), space.totals[:width]
    if p.saturates:
        _sum_saturating(rows, values, matrix, p.accumulator_lo, p.accumulator_hi, sums)
    else:
        _sum_exact(work, rows, values, matrix, p.exact_terms, space.partial[:width], sums)
    before = pending.activations[layer[SOURCE] :][: layer[FAN_IN]]
    before_rows, before_values = space.pending_rows[layer[ROWS] :], space.pending_values[layer[ROWS] :]
    deltas = pending.deltas[layer[DELTAS] :][:width]
    if deltas.any():
        gram, end = _gram(source, before, p), space.pending_counts[index]
        for j in range(width):
            sums[j] -= _correction(deltas[j], gram, p)
        listed = before_rows[:end], before_values[:end]
        _update(work, matrix, listed[0], listed[1], deltas, layer[BASE], layer, p, tables, space, state)
    before[:] = source
    space.pending_counts[index], before_rows[:whole], before_values[:whole] = count, rows, values
    for j in range(first, first + layer[NEURONS]):
        z = _clip(_round(sums[tables.columns[j]], p.z_shift), p.z_lo, p.z_hi) - p.z_lo
        space.activations[j] = tables.values[z]
        space.slopes[j] = tables.slopes[z]


@compiled
def _answer_output(work, weights, layers, p, tables, space, pending, state, logits):
    """Fill the logits, and apply the pending update to the output layer: as to a hidden one, roles exchanged."""
    last, outputs, deltas = layers[-1], space.outputs, pending.output_deltas
    now, before = space.activations[last[FIRST] :], pending.activations[last[SOURCE] + last[FAN_IN] :]
    for j in range(len(now)):
        outputs[tables.columns[last[FIRST] + j]] = now[j]
    matrix = weights[p.output_weights : p.output_biases].reshape(len(logits), last[WIDTH])
    biases, gram = weights[p.output_biases :], _gram(now, before, p)
    count = 0
    for c in range(len(logits)):
        row, total = matrix[c], np.int64(biases[c]) * p.one
        for j in range(len(row)):
            total += np.int64(row[j]) * np.int64(outputs[j])
        corrected = total - _correction(deltas[c], gram, p)
        logits[c] = _clip(_round(corrected, p.logit_shift), p.logit_lo, p.logit_hi)
        space.rows[count], space.values[count] = c, deltas[c]
        count += deltas[c] != 0
    rows, values = space.rows[:count], space.values[:count]
    _update(work, matrix, rows, values, space.pending_outputs, p.output_base, last, p, tables, space, state)
    for c in rows:
        noise = _bias_noise(state, p.output_base + c, p, tables) if p.stochastic else np.int64(1) << p.update_shift >> 1
        biases[c] = _clip(biases[c] - (deltas[c] * p.one + noise >> p.update_shift), p.weight_lo, p.weight_hi)
    before[:] = now
    space.pending_outputs[:] = outputs


@compiled
def _answer(work, x, weights, layers, p, tables, space, pending, state, logits):
    """Answer one sample with the pending update as a correction, then apply that update; x replaces its sample."""
    source = x
    for index in range(len(layers)):
        _answer_hidden(work, index, source, weights, layers, p, tables, space, pending, state)
        source = space.activations[layers[index, FIRST] :][: layers[index, NEURONS]]
    _answer_output(work, weights, layers, p, tables, space, pending, state, logits)


@compiled
def _errors(logits, label, p, tables, errors):
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
            errors[c] = _round(errors[c] * inverse, r + 1 + exponent)
    else:
        shift = fraction - p.logit_fraction
        for c in range(len(logits)):
            errors[c] = logits[c] << shift if shift > 0 else _round(logits[c], -shift)
    for c in range(len(logits)):
        target = np.int64(1) << fraction if c == label else np.int64(0)
        errors[c] = _clip(errors[c] - target, p.error_lo, p.error_hi)


@compiled
def _scale(errors, mantissa, exponent, p):
    """Turn e_c into g_c = eta e_c, in place."""
    left = max(np.int64(0), p.delta_fraction - p.error_fraction)
    right = exponent + p.error_fraction - p.delta_fraction + left
    for c in range(len(errors)):
        errors[c] = _clip(_round(errors[c] * mantissa << left, right), p.delta_lo, p.delta_hi)


@compiled
def _deltas(g, frozen, p, layers, columns, feedback, slopes, scalars, pending):
    """Fill the delta of every neuron that is to learn: b f' h of hidden ones, g_c of the output layer."""
    k = p.log2_scale
    for route in range(len(scalars)):
        total = np.int64(0)
        for n in range(feedback.classes.shape[1]):
            total += g[feedback.classes[route, n]] * feedback.class_signs[route, n]
        scalars[route] = _clip(total << k if k >= 0 else _round(total, -k), p.delta_lo, p.delta_hi)
    for index in range(len(layers)):
        first, start = layers[index, FIRST], layers[index, DELTAS]
        learns = not frozen >> index & 1
        for j in range(layers[index, NEURONS]):
            rounded = _round(scalars[feedback.route[first + j]] * slopes[first + j], p.activation_fraction)
            delta = _clip(feedback.sign[first + j] * rounded, p.delta_lo, p.delta_hi)
            pending.deltas[start + columns[first + j]] = delta * learns
    pending.output_deltas[:] = g * (not frozen >> len(layers) & 1)


@compiled
def _next_state(state):
    state = np.uint32(state ^ np.uint32(state << np.uint32(13)))
    state = np.uint32(state ^ np.uint32(state >> np.uint32(17)))
    return np.uint32(state ^ np.uint32(state << np.uint32(5)))


@compiled
def train(
    work, x, labels, mantissa, exponent, frozen, state, waiting, weights, pending, layers, p, tables, feedback, logits
):
    """Online training over samples in order; changes ``weights`` and ``pending``, fills ``logits``.

    ``waiting`` says whether an update is pending at first; afterwards the last sample's is. Returns the noise state.
    """
    space = _workspace(work, layers, p, tables, pending)
    errors = np.zeros(logits.shape[1], dtype=np.int64)
    scalars = np.zeros(len(feedback.classes), dtype=np.int64)
    state = np.uint32(state)
    for t in range(len(x)):
        _answer(work, x[t], weights, layers, p, tables, space, pending, state, logits[t])
        if waiting:
            state = _next_state(state)
        waiting = True
        _errors(logits[t], labels[t], p, tables, errors)
        _scale(errors, mantissa, exponent, p)
        _deltas(errors, frozen, p, layers, tables.columns, feedback, space.slopes, scalars, pending)
    return state


@compiled
def infer(work, x, state, weights, pending, layers, p, tables, logits):
    """Fill the logits of every sample, the first corrected for ``pending``, whose update is applied."""
    space = _workspace(work, layers, p, tables, pending)
    for t in range(len(x)):
        _answer(work, x[t], weights, layers, p, tables, space, pending, np.uint32(state), logits[t])
        pending.deltas[:] = 0
        pending.output_deltas[:] = 0
