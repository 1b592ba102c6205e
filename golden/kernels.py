"""Compiled loops of the integer model. Integers only; every step is one line of docs/architecture.md section 2.

All weights are one flat int32 array, layer after layer, each (1 + fan_in, columns) with the bias first: the inner
loops run over the neurons of one presynaptic row, in memory order, so the compiler vectorises them. Columns are the
neurons, each pass padded to an even number of them and the last up to whole vectors; the padding's weights and deltas
are zero and stay so. ``work`` is the integer type
of products and updates: np.int32 where the formats prove that nothing overflows, else np.int64.
One file, because numba takes machine code from its cache until the file of the outermost function changes.
"""

from typing import NamedTuple

import numpy as np

from dfarray.golden.compilation import compiled

# Columns of the layer table. INPUTS, FIRST and DELTAS are where the layer's inputs, neurons and deltas start among
# those of all layers; BASE is the first pass's first bank row, PASS the neurons of a full pass, WIDTH the columns.
FAN_IN, NEURONS, WEIGHTS, INPUTS, FIRST, BASE, PASS, WIDTH, DELTAS = range(9)

VECTOR = 16
"""Neurons that the padding rounds up to."""

BLOCK = 4
"""Rows summed at once, so that partial sums are read and written a quarter as often."""


class Parameters(NamedTuple):
    """The configuration as plain integers."""

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


class Tables(NamedTuple):
    """Look-up tables; see :mod:`dfarray.golden.tables` and :func:`dfarray.golden.noise.bit_tables`.

    ``columns`` are those of all neurons, layer after layer, each counted from its layer's first.
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


class Workspace(NamedTuple):
    """What one sample leaves behind for its update, and room to compute in.

    Of every layer, from INPUTS on, the weight rows that matter and their inputs, and how many; of hidden neurons f and
    f'; of all columns deltas; of one layer's columns sums, in ``work`` and in 64 bits, and rounding bits.
    """

    rows: np.ndarray
    values: np.ndarray
    counts: np.ndarray
    activations: np.ndarray
    slopes: np.ndarray
    deltas: np.ndarray
    partial: np.ndarray
    totals: np.ndarray
    noise: np.ndarray


@compiled
def _workspace(work, layers, tables):
    inputs = layers[-1, INPUTS] + layers[-1, FAN_IN] + BLOCK
    hidden, widest = layers[-1, FIRST], layers[:, WIDTH].max()
    return Workspace(
        np.zeros(inputs, dtype=np.int64),
        np.zeros(inputs, dtype=work),
        np.zeros(len(layers), dtype=np.int64),
        np.zeros(hidden, dtype=np.int16),
        np.zeros(hidden, dtype=np.int64),
        np.zeros(layers[-1, DELTAS] + layers[-1, WIDTH], dtype=work),
        np.zeros(widest, dtype=work),
        np.zeros(widest, dtype=np.int64),
        # A pass's rounding bits are filled in by whole vectors: the last pass may run over.
        np.zeros(widest + tables.noise.shape[2], dtype=tables.noise.dtype),
    )


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
    """View a layer's weights as (1 + fan_in, columns)."""
    begin, rows, width = layers[index, WEIGHTS], layers[index, FAN_IN] + 1, layers[index, WIDTH]
    return weights[begin : begin + rows * width].reshape(rows, width)


@compiled
def _forward(work, x, weights, layers, p, tables, space, logits):
    """One sample through the network: fills the logits, and the workspace up to f'."""
    source = x
    for index in range(len(layers)):
        neurons, width = layers[index, NEURONS], layers[index, WIDTH]
        inputs, first = layers[index, INPUTS], layers[index, FIRST]
        count = _list_active(source, p.one, space.rows[inputs:], space.values[inputs:])
        space.counts[index] = count
        whole = inputs + (count + BLOCK - 1) // BLOCK * BLOCK
        rows, values = space.rows[inputs:whole], space.values[inputs:whole]
        layer, sums = _matrix(weights, layers, index), space.totals[:width]
        if p.saturates:
            _sum_saturating(rows, values, layer, p.accumulator_lo, p.accumulator_hi, sums)
        else:
            _sum_exact(work, rows, values, layer, p.exact_terms, space.partial[:width], sums)
        if index == len(layers) - 1:
            for j in range(neurons):
                logits[j] = _clip(_round(sums[tables.columns[first + j]], p.logit_shift), p.logit_lo, p.logit_hi)
        else:
            for j in range(neurons):
                z = _clip(_round(sums[tables.columns[first + j]], p.z_shift), p.z_lo, p.z_hi) - p.z_lo
                space.activations[first + j] = tables.values[z]
                space.slopes[first + j] = tables.slopes[z]
            source = space.activations[first : first + neurons]


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
def _deltas(g, p, layers, columns, feedback, slopes, scalars, deltas):
    """Fill the delta of every neuron: b f' h of hidden ones, g_c of the output layer."""
    k = p.log2_scale
    for route in range(len(scalars)):
        total = np.int64(0)
        for n in range(feedback.classes.shape[1]):
            total += g[feedback.classes[route, n]] * feedback.class_signs[route, n]
        scalars[route] = _clip(total << k if k >= 0 else _round(total, -k), p.delta_lo, p.delta_hi)
    for index in range(len(layers) - 1):
        first, start = layers[index, FIRST], layers[index, DELTAS]
        for j in range(layers[index, NEURONS]):
            rounded = _round(scalars[feedback.route[first + j]] * slopes[first + j], p.activation_fraction)
            deltas[start + columns[first + j]] = _clip(feedback.sign[first + j] * rounded, p.delta_lo, p.delta_hi)
    for c in range(len(g)):
        deltas[layers[-1, DELTAS] + columns[layers[-1, FIRST] + c]] = g[c]


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
def _update(work, weights, layers, p, tables, space, frozen, state):
    """Change every layer's weights by what the sample left in the workspace."""
    lo, hi = work(p.weight_lo), work(p.weight_hi)
    for index in range(len(layers)):
        if frozen >> index & 1:
            continue
        inputs, begin, per_pass = layers[index, INPUTS], layers[index, DELTAS], layers[index, PASS]
        layer, deltas = _matrix(weights, layers, index), space.deltas[begin : begin + layers[index, WIDTH]]
        end = inputs + space.counts[index]
        rows, values = space.rows[inputs:end], space.values[inputs:end]
        if p.stochastic:
            base, passes = layers[index, BASE], (layers[index, NEURONS] + per_pass - 1) // per_pass
            _update_stochastic(
                work,
                layer,
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
            _update_nearest(work, layer, rows, values, deltas, p.update_shift, lo, hi)


@compiled
def _next_state(state):
    state = np.uint32(state ^ np.uint32(state << np.uint32(13)))
    state = np.uint32(state ^ np.uint32(state >> np.uint32(17)))
    return np.uint32(state ^ np.uint32(state << np.uint32(5)))


@compiled
def train(work, x, labels, mantissa, exponent, frozen, state, weights, layers, p, tables, feedback, logits):
    """Online training over samples in order; changes ``weights``, fills ``logits``, returns the noise state."""
    space = _workspace(work, layers, tables)
    errors = np.zeros(logits.shape[1], dtype=np.int64)
    scalars = np.zeros(len(feedback.classes), dtype=np.int64)
    state = np.uint32(state)
    for t in range(len(x)):
        _forward(work, x[t], weights, layers, p, tables, space, logits[t])
        _errors(logits[t], labels[t], p, tables, errors)
        _scale(errors, mantissa, exponent, p)
        _deltas(errors, p, layers, tables.columns, feedback, space.slopes, scalars, space.deltas)
        _update(work, weights, layers, p, tables, space, frozen, state)
        state = _next_state(state)
    return state


@compiled
def infer(work, x, weights, layers, p, tables, logits):
    """Fill the logits of every sample."""
    space = _workspace(work, layers, tables)
    for t in range(len(x)):
        _forward(work, x[t], weights, layers, p, tables, space, logits[t])
