"""Requests for deltas, the walks that serve them, and the words on the feedback chain: section 4.6."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine.integers import clip, rounded
from dfarray.golden.machine.registers import CORRECTION, SCALAR, SHADOW
from dfarray.trace import FEEDBACK_OPERATIONS

IDLE, SCALAR_WORD, DELTA_WORD = (FEEDBACK_OPERATIONS[name] for name in ("IDLE", "SCALAR", "DELTA"))


@compiled_together
def request(s, kind, slot, pending, bank):
    """Ask for a slot's deltas; a pending update of a layer that is not frozen sends them, otherwise all is done."""
    if kind == SHADOW:
        s.delivered, s.shadow_waits, s.shadow_slot, s.shadow_bank = 1 - pending, pending, slot, bank
        s.shadow_asked = s.cycle
        s.shadow_serial += 1
    else:
        s.corrected, s.correction_waits, s.correction_slot, s.correction_bank = 1 - pending, pending, slot, bank
        s.correction_asked = s.cycle
        s.correction_serial += 1


@compiled_together
def _start(s, kind, slot, bank, serial):
    s.walking, s.walk_from = 1, s.cycle
    s.walk_kind, s.walk_slot, s.walk_bank, s.walk_serial = kind, slot, bank, serial


@compiled_together
def scalar(p, errors, g, slot, tile):
    """H of a tile: the sum over its classes, scaled."""
    total = np.int64(0)
    for n in range(p.nonzeros):
        total += g[errors.route_classes[slot, tile, n]] * errors.route_signs[slot, tile, n]
    return clip(rounded(total, -p.log2_scale), p.delta_lo, p.delta_hi)


@compiled_together
def walk(s, p, slots, errors, words):
    """One cycle of the feedback unit: a waiting request starts its walk, or the walk makes a word."""
    if not s.walking:
        if s.correction_waits and max(s.correction_asked + 1, errors.ready_from[s.correction_bank]) < s.cycle:
            s.correction_waits = 0
            _start(s, CORRECTION, s.correction_slot, s.correction_bank, s.correction_serial)
        elif s.shadow_waits and max(s.shadow_asked + 1, errors.ready_from[s.shadow_bank]) < s.cycle:
            s.shadow_waits = 0
            _start(s, SHADOW, s.shadow_slot, s.shadow_bank, s.shadow_serial)
        return
    slot = slots[s.walk_slot]
    step, scalars = s.cycle - s.walk_from, slot.active_tiles * p.nonzeros
    if step == scalars + slot.active_lanes * p.lane_interval + p.walk_rest:
        s.walking = 0
    word = words[(s.cycle + p.walk) & (len(words) - 1)]
    if step <= scalars:
        if step % p.nonzeros:
            return
        tile = step // p.nonzeros - 1
        word.op, word.index, word.count, word.final = SCALAR_WORD, tile, 0, 0
        word.value = scalar(p, errors, errors.g[s.walk_bank], s.walk_slot, tile)
    else:
        lane, beyond = (step - scalars - 1) // p.lane_interval, (step - scalars - 1) % p.lane_interval
        if beyond or lane == slot.active_lanes:
            return
        word.op, word.index, word.value = DELTA_WORD, lane, 0
        word.count = min(p.tiles, slot.neurons - lane * p.tiles)
        word.final = lane == slot.active_lanes - 1
    word.slot, word.bank, word.correction, word.serial = s.walk_slot, s.walk_bank, s.walk_kind, s.walk_serial


@compiled_together
def at_head(s, p, lanes, trace, word):
    """A word at the head of the chain: what it does in the tiles."""
    if word.op == SCALAR_WORD:
        t, shown = word.index, s.cycle + 2 + word.index
        changed = np.uint64(trace.scalar[t] ^ word.value) & trace.tile_mask[SCALAR]
        row = shown & (len(trace.change) - 1)
        trace.change[row, trace.tile_word[SCALAR, t]] ^= changed << trace.tile_bit[SCALAR, t]
        trace.scalar[t] = word.value
        return
    for t in range(word.count):
        j = word.index * p.tiles + t
        slope = lanes.slope[word.bank, word.slot, j]
        magnitude = rounded(trace.scalar[t] * slope, p.activation_fraction)
        lanes.shadow[word.correction, j] = clip(lanes.sign[word.slot, j] * magnitude, p.delta_lo, p.delta_hi)
        lanes.shadow_valid[word.correction, j] = 1
        if word.correction == SHADOW and lanes.shadow[SHADOW, j] == 0:
            s.zero_deltas += 1
    if word.final:
        s.done_at, s.done_kind, s.done_serial = s.cycle + p.delivery, word.correction, word.serial


@compiled_together
def walk_done(s):
    """The deltas of a walk are delivered."""
    # The end of a walk whose request a newer one has replaced says nothing about the newer one.
    if s.done_kind == SHADOW and s.done_serial == s.shadow_serial:
        s.delivered = 1
    if s.done_kind == CORRECTION and s.done_serial == s.correction_serial:
        s.corrected = 1
