"""Rounding noise: a pure function of update, row, tile and lane; docs/architecture.md section 2."""

import numpy as np

from dfarray.configuration import Configuration

_MASK = 0xFFFFFFFF
_TAPS = np.uint32(0xA3000000)


def first_state(seed: int) -> int:
    """The generator's state after reset or a SEED write."""
    return seed or 1


def next_state(state: int) -> int:
    """Marsaglia's xorshift32, once for each update."""
    state ^= (state << 13) & _MASK
    state ^= state >> 17
    return state ^ (state << 5) & _MASK


def row_words(state: int, rows) -> np.ndarray:
    """Tile 0's noise word of each bank row: uint32 array (rows,). Jenkins' one-at-a-time finish."""
    word = np.uint32(state) ^ np.asarray(rows, dtype=np.uint32)
    word = word + (word << np.uint32(10))
    word = word ^ (word >> np.uint32(6))
    word = word + (word << np.uint32(3))
    word = word ^ (word >> np.uint32(11))
    return word + (word << np.uint32(15))


def tile_words(words: np.ndarray, tiles: int) -> np.ndarray:
    """Every tile's word: uint32 array (rows, tiles); eight steps of a Galois LFSR from tile to tile."""
    every = np.empty((len(words), tiles), dtype=np.uint32)
    word = words
    for tile in range(tiles):
        every[:, tile] = word
        for _ in range(8):
            word = (word >> np.uint32(1)) ^ np.where(word & np.uint32(1), _TAPS, np.uint32(0))
    return every


def rounding_noise(config: Configuration, state: int, rows) -> np.ndarray:
    """The rounding bits of every lane: int64 array (rows, lanes, tiles), 0 .. 2**update_shift - 1."""
    words = tile_words(row_words(state, rows), config.array.tiles).astype(np.uint64)
    turn = (5 * np.arange(config.array.lanes, dtype=np.uint64) % np.uint64(32))[None, :, None]
    words = words[:, None, :]
    turned = ((words << turn) | (words >> (np.uint64(32) - turn))) & np.uint64(_MASK)
    return (turned & np.uint64((1 << config.formats.update_shift) - 1)).astype(np.int64)
