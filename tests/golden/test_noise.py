"""Rounding noise: published sequences, the specification in plain integers, and its statistics."""

import numpy as np
import specified_machine as specified
from accelerators import accelerator
from hypothesis import given
from hypothesis import strategies as st

from dfarray.golden import noise

WORDS = st.integers(0, 2**32 - 1)


def test_states_are_marsaglias_xorshift32():
    state, states = noise.first_state(1), []
    for _ in range(4):
        state = noise.next_state(state)
        states.append(state)
    assert states == [270369, 67634689, 2647435461, 307599695]
    assert noise.first_state(0) == 1


@given(WORDS, st.lists(st.integers(0, 2**20), min_size=1, max_size=9))
def test_words_are_as_specified(state, rows):
    assert noise.next_state(state) == specified.next_state(state)
    words = noise.row_words(state, rows)
    expected = [[specified.tile_word(state, row, tile) for tile in range(5)] for row in rows]
    assert noise.tile_words(words, 5).tolist() == expected


@given(st.lists(WORDS, min_size=1, max_size=5), st.integers(0, 32))
def test_lanes_take_low_bits_of_the_rotated_word(words, bits):
    found = noise.lane_bits(np.array(words, dtype=np.uint32), 1, 9, bits)
    expected = [[specified.lane_bits(word, lane, bits) for lane in range(9)] for word in words]
    assert found[:, :, 0].tolist() == expected


@given(WORDS, st.integers(0, 500))
def test_byte_tables_give_the_bits_of_every_neuron_and_of_the_bias_tile(state, row):
    config = accelerator([3, 11, 4], 4, 3, rounding="stochastic")
    tables = noise.bit_tables(config)
    word = int(noise.row_words(state, [row])[0])
    found = np.bitwise_xor.reduce([tables[k, word >> 8 * k & 255] for k in range(4)])
    (bias,) = noise.bias_rounding_noise(config, state, [row])
    assert bias == specified.lane_bits(specified.tile_word(state, row, 4), 0, config.formats.update_shift)
    assert found.tolist() == [*noise.rounding_noise(config, state, [row]).reshape(-1)[:11], bias]


def test_noise_is_uniform_and_new_for_every_update():
    """So stochastic rounding has no bias and its errors average out over updates, weight by weight.

    Within one update lanes and rows share bits of a few words: pairs of them may be correlated, but none is another.
    """
    config = accelerator([3, 16, 4], 4, 4, rounding="stochastic")
    updates, state = [], noise.first_state(7)
    for _ in range(600):
        updates.append(noise.rounding_noise(config, state, np.arange(50)).reshape(50, 16))
        state = noise.next_state(state)
    values = (np.array(updates) + 0.5) / 2**config.formats.update_shift
    flat = values.reshape(-1, 16)
    assert np.abs(flat.mean(axis=0) - 0.5).max() < 5 / np.sqrt(12 * len(flat))
    assert np.abs(np.corrcoef(flat.T) - np.eye(16)).max() < 0.3
    now, before = values[1:].reshape(-1, 16), values[:-1].reshape(-1, 16)
    assert np.abs(np.corrcoef(now.T, before.T)[:16, 16:]).max() < 5 / np.sqrt(len(now))
