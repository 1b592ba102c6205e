"""Collect tokens, the return chain, and what becomes of the words at the exit: section 4.2."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine.registers import ACTIVATION, RESULT, RETURN_KIND, RETURN_VALID, RETURN_VALUE
from dfarray.latency import COMPLETE
from dfarray.trace import KINDS

HIDDEN, WEIGHT = KINDS["HIDDEN"], KINDS["WEIGHT"]


@compiled_together
def collect(s, p, kind, slot, lanes):
    """Send tokens for an ACTIVATE or READ decided now."""
    s.collecting, s.token_kind, s.token_slot, s.token_lane, s.token_lanes = 1, kind, slot, 0, lanes
    s.token_at = s.cycle + p.fetch + p.correct + p.activated


@compiled_together
def token(s, p, slots, lanes, trace, exits, shown):
    """A token is at the head: the words that it calls are on their way at once."""
    k, kind, tiles = s.token_lane, s.token_kind, p.tiles
    count = min(tiles, slots[s.token_slot].neurons - k * tiles) if kind == HIDDEN else tiles + (k == 0)
    shown.token_valid, shown.token_lane, shown.token_kind, shown.token_count = 1, k, kind, count
    source = lanes.held[ACTIVATION if kind == HIDDEN else RESULT]
    for t in range(count):
        value = source[k * tiles + t if t < tiles else p.neurons_all]
        for hop in range(t, tiles + 1):
            _pass(trace, s.cycle + 3 + t + hop, hop, kind, value)
        leaving = exits[(s.cycle + 3 + t + tiles) & (len(exits) - 1)]
        leaving[0], leaving[1], leaving[2] = 1, kind, value
    s.token_lane += 1
    s.token_at += count
    if s.token_lane == s.token_lanes:
        s.collecting, s.collector_until = 0, s.cycle + tiles


@compiled_together
def _pass(trace, cycle, tile, kind, value):
    row, word, bit = trace.pulse[cycle & (len(trace.pulse) - 1)], trace.tile_word, trace.tile_bit
    row[word[RETURN_VALID, tile]] ^= np.uint64(1) << bit[RETURN_VALID, tile]
    row[word[RETURN_KIND, tile]] ^= np.uint64(kind) << bit[RETURN_KIND, tile]
    row[word[RETURN_VALUE, tile]] ^= (np.uint64(value) & trace.tile_mask[RETURN_VALUE]) << bit[RETURN_VALUE, tile]


@compiled_together
def leave(s, p, hidden, chains):
    """Take the word at the exit, at the end of the cycle: a weight to offer, or the next activation of its layer."""
    word = chains.exits[s.cycle & (len(chains.exits) - 1)]
    word[0] = 0
    value = word[2]
    if word[1] == WEIGHT:
        place = s.words_in % len(chains.offered)
        chains.offered[place], chains.offered_from[place] = value, s.cycle + 2
        s.words_in += 1
        return
    i, layer = s.received, 0
    s.received += 1
    starts = hidden.starts
    while i >= starts[layer + 1]:
        layer += 1
    x_prev = hidden.before[i]
    if value != 0 or x_prev != 0 or not p.zero_skipping:
        entry = hidden.rows[starts[layer] + hidden.entries[layer]]
        entry[0], entry[1], entry[2] = i - starts[layer], x_prev, value
        hidden.entries[layer] += 1
        s.arrived = 1
    hidden.gram[layer] += value * hidden.latest[i]
    hidden.before[i], hidden.latest[i] = hidden.latest[i], value
    if i + 1 == starts[layer + 1]:
        hidden.complete_from[layer] = s.cycle + COMPLETE
