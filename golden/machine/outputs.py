"""What follows a slot in its tiles: activations, and an output group's rows and grams (section 4.1)."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine.integers import clip, kappa, rounded
from dfarray.golden.machine.lanes import draw, hold, hop, show_write, show_writes
from dfarray.golden.machine.registers import (
    ACTIVATION,
    GRAM_ACTIVATION,
    KAPPA,
    PARTIAL_VALID,
    PARTIAL_VALUE,
    RESULT,
    UPDATE_ACTIVATION,
)


@compiled_together
def activate(cycle, p, lanes, trace, packet, neurons):
    """Turn a slot's sums into activations, corrected for the pending update; returns how many sums saturated."""
    saturated = np.int64(0)
    slot, bank = packet.slot, packet.parity
    latest, before = lanes.history[0, slot], lanes.history[1, slot]
    for k in range(p.lanes):
        for t in range(p.tiles):
            j, h = k * p.tiles + t, cycle + hop(p) + t
            corrected = packet.first and lanes.shadow_valid[1, j]
            less = kappa(np.int64(lanes.shadow[1, j]), packet.value, p) if corrected else np.int64(0)
            lanes.shadow_valid[1, j] = 0
            hold(trace, lanes, h + p.multiply + 2, KAPPA, j, less)
            a = np.int64(0)
            if j < neurons:
                exact = rounded(lanes.held[RESULT, j] - less, p.z_shift)
                z = clip(exact, p.z_lo, p.z_hi) - p.z_lo
                saturated += exact != z + p.z_lo
                a, lanes.slope[bank, slot, j] = lanes.functions[0, z], lanes.functions[1, z]
            shown = h + p.correct + p.activated + k
            hold(trace, lanes, shown, ACTIVATION, j, a)
            hold(trace, lanes, shown, GRAM_ACTIVATION, j, latest[j])
            hold(trace, lanes, shown - p.early, UPDATE_ACTIVATION, j, before[j])
            before[j], latest[j] = latest[j], a
    return saturated


@compiled_together
def output_row(cycle, p, lanes, trace, packet, fused, group):
    """One class of an output group, OUT or OUT_FUSED: the sum over all tiles, and how many weights saturated."""
    bits, products = lanes.scratch[0], lanes.scratch[1]
    weights, activation, x_prev = lanes.bank[packet.address], lanes.held[ACTIVATION], lanes.held[UPDATE_ACTIVATION]
    delta, shift, lo, hi = packet.value, p.update_shift, p.weight_lo, p.weight_hi
    c, saturated = packet.address - p.output_base, np.int64(0)
    if fused:
        draw(p, lanes, packet.noise, bits)
        for j in range(p.neurons_all):
            updated = weights[j] - ((delta * x_prev[j] + bits[j]) >> shift)
            weights[j] = clip(updated, lo, hi)
            saturated += weights[j] != updated
        show_writes(p, trace, cycle + hop(p) + 2 + p.align, packet.address, weights, lanes.every)
        if group == 0:
            updated = lanes.bias[c] - ((delta * p.one + bits[p.neurons_all]) >> shift)
            lanes.bias[c] = clip(updated, lo, hi)
            saturated += lanes.bias[c] != updated
            written = cycle + hop(p) + p.tiles + 2 + p.align
            show_write(trace, written, p.neurons_all, packet.address, np.int64(lanes.bias[c]))
    if not packet.last:
        return np.int64(0), saturated
    for j in range(p.neurons_all):
        products[j] = weights[j] * activation[j]
    products[p.neurons_all] = lanes.bias[c] * p.one if group == 0 else 0
    return show_partials(cycle, p, trace, products), saturated


@compiled_together
def gram_row(cycle, p, lanes, trace, last, group):
    """Sum the products of a group's latest two activations over all tiles."""
    if not last:
        return np.int64(0)
    products, activation, before = lanes.scratch[1], lanes.held[ACTIVATION], lanes.held[GRAM_ACTIVATION]
    for j in range(p.neurons_all):
        products[j] = activation[j] * before[j]
    products[p.neurons_all] = p.one * p.one if group == 0 else 0
    return show_partials(cycle, p, trace, products)


@compiled_together
def show_partials(cycle, p, trace, products):
    """Show every tile's partial register, the sum of the tiles up to it; returns the last one."""
    total, pulse = np.int64(0), trace.pulse
    word, bit, mask = trace.tile_word, trace.tile_bit, trace.tile_mask
    for t in range(p.tiles + 1):
        if t < p.tiles:
            for k in range(p.lanes):
                total += products[k * p.tiles + t]
        else:
            total += products[p.neurons_all]
        row = (cycle + hop(p) + t + p.sum + p.tree) & (len(pulse) - 1)
        pulse[row, word[PARTIAL_VALID, t]] ^= np.uint64(1) << bit[PARTIAL_VALID, t]
        pulse[row, word[PARTIAL_VALUE, t]] ^= (np.uint64(total) & mask[PARTIAL_VALUE]) << bit[PARTIAL_VALUE, t]
    return total
