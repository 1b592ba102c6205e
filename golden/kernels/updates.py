"""Updates of weight rows, rounded to nearest or by noise."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.kernels.layout import NEURONS, PASS


@compiled_together
def row_word(state, row):
    """Tile 0's noise word of a bank row; see :func:`dfarray.golden.noise.row_words`."""
    word = np.uint32(state ^ np.uint32(row))
    word = np.uint32(word + np.uint32(word << np.uint32(10)))
    word = np.uint32(word ^ np.uint32(word >> np.uint32(6)))
    word = np.uint32(word + np.uint32(word << np.uint32(3)))
    word = np.uint32(word ^ np.uint32(word >> np.uint32(11)))
    return np.int64(np.uint32(word + np.uint32(word << np.uint32(15))))


@compiled_together
def update_nearest(work, layer, rows, values, deltas, shift, lo, hi):
    """Subtract delta x, rounded half up, from the rows' weights."""
    # The mask tells the compiler that a shift of ``work`` will do; numba shifts in 64 bits.
    half, shift = work((np.int64(1) << shift) >> 1), shift & (np.iinfo(work).bits - 1)
    for k in range(len(rows)):
        row, x = layer[rows[k]], values[k]
        for j in range(len(row)):
            step = work(work(work(deltas[j] * x) + half) >> shift)
            row[j] = min(max(work(row[j] - step), lo), hi)


@compiled_together
def update_stochastic(work, layer, rows, values, deltas, shift, lo, hi, state, base, passes, per_pass, table, noise):
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
            word = row_word(state, base + rows[k] + index * len(layer))
            a, b = entries[0, word & 255], entries[1, word >> 8 & 255]
            c, d = entries[2, word >> 16 & 255], entries[3, word >> 24]
            bits = drawn[index * pass_words : index * pass_words + len(a)]
            for j in range(len(bits)):
                bits[j] = a[j] ^ b[j] ^ c[j] ^ d[j]
        row, x = layer[rows[k]], values[k]
        for j in range(len(row)):
            step = work(work(work(deltas[j] * x) + work(noise[j])) >> shift)
            row[j] = min(max(work(row[j] - step), lo), hi)


@compiled_together
def update(work, matrix, rows, values, deltas, base, layer, p, tables, space, state):
    """Apply the pending update to a matrix that has the columns of a hidden layer and starts at bank row ``base``."""
    lo, hi = work(p.weight_lo), work(p.weight_hi)
    if p.stochastic:
        per_pass = layer[PASS]
        passes = (layer[NEURONS] + per_pass - 1) // per_pass
        update_stochastic(
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
        update_nearest(work, matrix, rows, values, deltas, p.update_shift, lo, hi)


@compiled_together
def bias_noise(state, row, p, tables):
    """Rounding bits of an output bias in the bias tile."""
    word, table = row_word(state, row), tables.noise
    low = table[0, word & 255, p.bias_noise] ^ table[1, word >> 8 & 255, p.bias_noise]
    return np.int64(low ^ table[2, word >> 16 & 255, p.bias_noise] ^ table[3, word >> 24, p.bias_noise])
