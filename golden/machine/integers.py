"""Integer arithmetic of docs/architecture.md section 2 that every part of the machine uses."""

import numpy as np

from dfarray.golden.compilation import compiled_together


@compiled_together
def clip(v, lo, hi):
    """Saturate."""
    return min(max(v, lo), hi)


@compiled_together
def rounded(v, bits):
    """rhu(v, bits)."""
    return v << -bits if bits <= 0 else (v + ((np.int64(1) << bits) >> 1)) >> bits


@compiled_together
def next_state(state):
    """The noise generator's next state: xorshift32."""
    g = np.uint32(state)
    g = np.uint32(g ^ np.uint32(g << np.uint32(13)))
    g = np.uint32(g ^ np.uint32(g >> np.uint32(17)))
    return np.int64(np.uint32(g ^ np.uint32(g << np.uint32(5))))


@compiled_together
def row_word(state, row):
    """Tile 0's noise word of a bank row."""
    h = np.uint32(np.uint32(state) ^ np.uint32(row))
    h = np.uint32(h + np.uint32(h << np.uint32(10)))
    h = np.uint32(h ^ np.uint32(h >> np.uint32(6)))
    h = np.uint32(h + np.uint32(h << np.uint32(3)))
    h = np.uint32(h ^ np.uint32(h >> np.uint32(11)))
    return np.int64(np.uint32(h + np.uint32(h << np.uint32(15))))


@compiled_together
def gram_code(total, p):
    """A layer's gram from the sum of its products, ``one`` squared included."""
    return clip(rounded(total, p.gram_shift), p.gram_lo, p.gram_hi)


@compiled_together
def kappa(delta, gram, p):
    """By how much a pending update lessens a sum."""
    return rounded(delta * gram, p.correction_shift)
