"""Rounding noise: a pure function of update, row, tile and lane; docs/architecture.md section 2."""

from functools import lru_cache

import numpy as np

from dfarray.configuration import Configuration, Rounding

_MASK = 0xFFFFFFFF
_TAPS = np.uint32(0xA3000000)


def first_state(seed: int) -> int:
    """Start the generator, as reset or a SEED write does."""
    return seed or 1


def next_state(state: int) -> int:
    """Marsaglia's xorshift32, once for each update that is applied."""
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


def lane_bits(words: np.ndarray, tiles: int, lanes: int, bits: int) -> np.ndarray:
    """Take every lane's ``bits`` rounding bits from a row's word.

    Parameters
    ----------
    words : uint32 array (rows,)  tile 0's words

    Returns
    -------
    int64 array (rows, lanes, tiles), 0 .. 2**bits - 1.
    """
    every = tile_words(words, tiles).astype(np.uint64)[:, None, :]
    turn = (5 * np.arange(lanes, dtype=np.uint64) % np.uint64(32))[None, :, None]
    turned = ((every << turn) | (every >> (np.uint64(32) - turn))) & np.uint64(_MASK)
    return (turned & np.uint64((1 << bits) - 1)).astype(np.int64)


def rounding_noise(config: Configuration, state: int, rows) -> np.ndarray:
    """Draw every lane's rounding bits in some bank rows: int64 array (rows, lanes, tiles), 0 .. 2**update_shift - 1."""
    return lane_bits(row_words(state, rows), config.array.tiles, config.array.lanes, config.formats.update_shift)


def bias_rounding_noise(config: Configuration, state: int, rows) -> np.ndarray:
    """Draw the bias tile's rounding bits, those of tile T's lane 0: int64 array (rows,)."""
    tiles = config.array.tiles + 1
    return lane_bits(row_words(state, rows), tiles, 1, config.formats.update_shift)[:, 0, -1]


@lru_cache(maxsize=8)
def bit_tables(config: Configuration) -> np.ndarray:
    """Tabulate a row's rounding bits by the bytes of its word; every step between them is linear over GF(2).

    Returns
    -------
    int64 array (4, 256, neurons + 1)
        The exclusive or of entries [k, byte k of the word] over k are the bits of the neurons of the widest pass, in
        neuron order, and of the bias tile. Only one entry of zeros in each if rounding is not stochastic.
    """
    if config.training.rounding is not Rounding.STOCHASTIC:
        return np.zeros((4, 256, 1), dtype=np.int64)
    tiles, bits = config.array.tiles, config.formats.update_shift
    widest = max(item.neurons for item in config.passes)
    words = (np.arange(256, dtype=np.uint32) << np.arange(0, 32, 8, dtype=np.uint32)[:, None]).ravel()
    every = lane_bits(words, tiles, -(-widest // tiles), bits).reshape(len(words), -1)[:, :widest]
    bias = lane_bits(words, tiles + 1, 1, bits)[:, 0, -1:]
    return np.hstack([every, bias]).reshape(4, 256, -1)
