"""Rounding, and sums of weights over the rows whose input is not zero."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.kernels.layout import BLOCK, FAN_IN, WEIGHTS, WIDTH


@compiled_together
def clip(v, lo, hi):
    """Saturate."""
    return min(max(v, lo), hi)


@compiled_together
def round_half_up(v, bits):
    """Drop bits, 0 or more; a half goes up."""
    return (v + ((np.int64(1) << bits) >> 1)) >> bits


@compiled_together
def list_active(x, one, rows, values):
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


@compiled_together
def sum_exact(work, rows, values, weights, terms, partial, totals):
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


@compiled_together
def sum_saturating(rows, values, weights, lo, hi, totals):
    """As :func:`sum_exact`, but every addition saturates, in the order of the rows."""
    totals[:] = 0
    for k in range(len(rows)):
        row, x = weights[rows[k]], np.int64(values[k])
        for j in range(len(totals)):
            totals[j] = clip(totals[j] + row[j] * x, lo, hi)


@compiled_together
def matrix_of(weights, layers, index):
    """View a hidden layer's weights as (1 + fan_in, columns)."""
    begin, rows, width = layers[index, WEIGHTS], layers[index, FAN_IN] + 1, layers[index, WIDTH]
    return weights[begin : begin + rows * width].reshape(rows, width)
