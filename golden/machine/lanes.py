"""What rows of weights do in the tiles: docs/architecture.md section 4.1, hidden rows, loading and reading."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine.integers import clip
from dfarray.golden.machine.registers import ADDRESS, DATA, DELTA, DELTA_VALID, ENABLE, RESULT


@compiled_together
def hop(p):
    """From the decision to the packet in the hop register of tile 0; of tile t, t cycles later."""
    return p.fetch + 1


@compiled_together
def hold(trace, lanes, cycle, kind, lane, value):
    """Let a lane's held register show a value from a cycle on."""
    held = lanes.held[kind, lane]
    if held != value:
        ring, row = trace.change, cycle & (len(trace.change) - 1)
        changed = np.uint64(held ^ value) & trace.lane_mask[kind]
        ring[row, trace.lane_word[kind, lane]] ^= changed << trace.lane_bit[kind, lane]
        lanes.held[kind, lane] = value


@compiled_together
def show_write(trace, cycle, lane, address, data):
    """Show a weight write, in this cycle only."""
    pulse, row = trace.pulse, cycle & (len(trace.pulse) - 1)
    word, bit, mask = trace.lane_word, trace.lane_bit, trace.lane_mask
    pulse[row, word[ENABLE, lane]] ^= np.uint64(1) << bit[ENABLE, lane]
    pulse[row, word[ADDRESS, lane]] ^= np.uint64(address) << bit[ADDRESS, lane]
    pulse[row, word[DATA, lane]] ^= (np.uint64(data) & mask[DATA]) << bit[DATA, lane]


@compiled_together
def draw(p, lanes, word, bits):
    """Fill in every lane's rounding bits, the bias tile's last, from tile 0's word; a half if rounding to nearest."""
    tiles, mask = p.tiles, (np.int64(1) << p.update_shift) - 1
    if not p.stochastic:
        bits[:] = (np.int64(1) << p.update_shift) >> 1
        return
    state = np.uint32(word)
    for t in range(tiles + 1):
        lanes.words[t] = state
        state = np.uint32(np.uint32(state >> np.uint32(8)) ^ lanes.noise_steps[state & np.uint32(255)])
    for k in range(p.lanes):
        turn = np.uint64(5 * k & 31)
        for t in range(tiles):
            n = np.uint64(lanes.words[t])
            bits[k * tiles + t] = np.int64((n << turn | n >> (np.uint64(32) - turn)) & np.uint64(0xFFFFFFFF)) & mask
    bits[p.neurons_all] = np.int64(lanes.words[tiles]) & mask


@compiled_together
def use_deltas(cycle, p, lanes, trace):
    """The first row of a slot: shadow deltas become active, and the shadow's valid bits are cleared."""
    for k in range(p.lanes):
        for t in range(p.tiles):
            j, shown = k * p.tiles + t, cycle + hop(p) + t + p.operands
            hold(trace, lanes, shown, DELTA, j, lanes.shadow[0, j])
            hold(trace, lanes, shown, DELTA_VALID, j, lanes.shadow_valid[0, j])
            lanes.step[j] = lanes.shadow[0, j] if lanes.shadow_valid[0, j] else 0
            lanes.shadow_valid[0, j] = 0


@compiled_together
def hidden_row(cycle, p, lanes, trace, packet, fused):
    """A FORWARD or FUSED row: update, write back, accumulate; returns how many weights saturated."""
    address, x_prev, x_cur = packet.address, np.int32(packet.x_prev), np.int32(packet.x_cur)
    if packet.first:
        use_deltas(cycle, p, lanes, trace)
    weights, step, saturated = lanes.bank[address], lanes.step, np.int64(0)
    if fused:
        bits, shift, lo, hi = lanes.scratch[0], p.update_shift, p.weight_lo, p.weight_hi
        draw(p, lanes, packet.noise, bits)
        for j in range(len(weights)):
            updated = np.int64(weights[j]) - ((np.int64(step[j]) * np.int64(x_prev) + bits[j]) >> shift)
            weights[j] = clip(updated, lo, hi)
            saturated += weights[j] != updated
        show_writes(p, trace, cycle + hop(p) + 2 + p.align, address, weights, lanes.held[DELTA_VALID])
    accumulator = lanes.accumulator
    if packet.first:
        accumulator[:] = 0
    if p.saturates:
        lo, hi = p.accumulator_lo, p.accumulator_hi
        for j in range(len(weights)):
            accumulator[j] = clip(accumulator[j] + np.int64(weights[j]) * np.int64(x_cur), lo, hi)
    else:
        for j in range(len(weights)):
            accumulator[j] += np.int64(weights[j]) * np.int64(x_cur)
    if packet.last:
        for k in range(p.lanes):
            for t in range(p.tiles):
                j = k * p.tiles + t
                hold(trace, lanes, cycle + hop(p) + t + p.sum + 1, RESULT, j, accumulator[j])
    return saturated


@compiled_together
def show_writes(p, trace, cycle, address, weights, valid):
    """Show the writes of a row in all lanes that are valid; ``cycle`` is tile 0's."""
    word, bit, mask, pulse = trace.lane_word, trace.lane_bit, trace.lane_mask[DATA], trace.pulse
    enable_word, address_word, data_word = word[ENABLE], word[ADDRESS], word[DATA]
    enable_bit, address_bit, data_bit = bit[ENABLE], bit[ADDRESS], bit[DATA]
    where = np.uint64(address)
    for t in range(p.tiles):
        row = pulse[(cycle + t) & (len(pulse) - 1)]
        for j in range(t, p.neurons_all, p.tiles):
            on = np.uint64(valid[j])
            row[enable_word[j]] ^= on << enable_bit[j]
            row[address_word[j]] ^= (on * where) << address_bit[j]
            row[data_word[j]] ^= (on * (np.uint64(weights[j]) & mask)) << data_bit[j]


@compiled_together
def load(cycle, p, lanes, trace, packet):
    """Write one weight from outside; the bias tile has only the rows of group 0."""
    t, address, weight = packet.tile, packet.address, packet.value
    lane = p.neurons_all if t == p.tiles else packet.lane * p.tiles + t
    if t < p.tiles:
        lanes.bank[address, lane] = weight
    elif 0 <= address - p.output_base < p.classes:
        lanes.bias[address - p.output_base] = weight
    else:
        return
    show_write(trace, cycle + hop(p) + t + 2 + p.align, lane, address, weight)


@compiled_together
def read(cycle, p, lanes, trace, address):
    """Bring a row of weights into the result registers."""
    for k in range(p.lanes):
        for t in range(p.tiles):
            j = k * p.tiles + t
            lanes.accumulator[j] = lanes.bank[address, j]
            hold(trace, lanes, cycle + hop(p) + t + p.sum + 1, RESULT, j, lanes.accumulator[j])
    c = address - p.output_base
    bias = np.int64(lanes.bias[c]) if 0 <= c < p.classes else np.int64(0)
    hold(trace, lanes, cycle + hop(p) + p.tiles + p.sum + 1, RESULT, p.neurons_all, bias)
