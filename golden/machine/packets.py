"""The three kinds of packets of a sweep, when they may be decided and what they set going: section 4.3."""

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine import collector, outputs
from dfarray.golden.machine import errors as error_unit
from dfarray.golden.machine import lanes as rows
from dfarray.golden.machine.feedback import request
from dfarray.golden.machine.integers import gram_code, next_state, row_word
from dfarray.golden.machine.registers import (
    ACTIVATE,
    CORRECTION,
    INFINITE,
    NULL,
    OUTPUT,
    SWEEP,
    TRAIN,
)
from dfarray.trace import OPERATIONS, STATES

FORWARD, FUSED, OUT, OUT_FUSED = (OPERATIONS[name] for name in ("FORWARD", "FUSED", "OUT", "OUT_FUSED"))
ACTIVATE_OPERATION, GRAM = OPERATIONS["ACTIVATE"], OPERATIONS["GRAM"]
IDLE = STATES["IDLE"]


@compiled_together
def new_packet(s, p, chains):
    """The packet decided now, to be filled in."""
    s.last_packet = s.cycle
    return chains.packets[(s.cycle + p.fetch) & (len(chains.packets) - 1)]


@compiled_together
def output_allowed(s, p, slots, contexts):
    """Whether the next output row may be decided."""
    first = s.output_row == 0 and slots[contexts[OUTPUT].slot].group == 0
    return s.cycle >= s.output_from and not (first and s.error_was_busy)


@compiled_together
def send_output(s, p, slots, contexts, lanes, trace, errors, chains):
    """An output row, or after them the group's gram."""
    context = contexts[OUTPUT]
    slot, c, answered = slots[context.slot], s.output_row, context.kind != NULL
    last_group = context.slot == p.slots - 1
    if c == 0 and slot.group == 0 and answered:
        error_unit.start(s, contexts, errors)
    packet = new_packet(s, p, chains)
    packet.last = answered
    packet.address = slot.output_base + c
    s.output_row += 1
    if c == p.classes:
        packet.op, packet.address = GRAM, 0
        s.output_gram += outputs.gram_row(s.cycle, p, lanes, trace, answered, slot.group)
        s.output = s.output_row = 0
        if last_group and answered:
            error_unit.finish(s, p, context, errors)
        return
    fused = context.u and not context.freeze_u >> p.hidden_layers & 1
    packet.op = OUT_FUSED if fused else OUT
    if fused:
        packet.value = errors.g[context.parity, c]
        packet.noise = row_word(context.noise, packet.address) if p.stochastic else 0
    s.macs += slot.neurons * ((1 if answered else 0) + (1 if fused else 0))
    total, saturated = outputs.output_row(s.cycle, p, lanes, trace, packet, fused, slot.group)
    errors.sums[c] += total
    s.weight_saturations += saturated


@compiled_together
def activate_allowed(s, p, contexts):
    """Whether the waiting ACTIVATE may be decided in the next cycle; what it waits for is seen in this one."""
    collecting = s.collecting or s.cycle <= s.collector_until
    settled = s.cycle + 1 - s.last_end > p.align
    corrected = s.corrected or not contexts[ACTIVATE].correct
    outputs = s.output and not (s.output_row == p.classes and s.cycle % p.interval == 0)
    return s.activate and settled and not outputs and not collecting and corrected


@compiled_together
def send_activate(s, p, slots, contexts, lanes, trace, chains):
    """An ACTIVATE; it asks for the next one's corrections, and its words are collected or its outputs are next."""
    context = contexts[ACTIVATE]
    number = context.slot
    slot = slots[number]
    packet = new_packet(s, p, chains)
    packet.op, packet.slot, packet.parity, packet.first = ACTIVATE_OPERATION, number, context.parity, context.correct
    packet.value = context.gram if context.correct else 0
    s.activation_saturations += outputs.activate(s.cycle, p, lanes, trace, packet, slot.neurons)
    trains = context.kind == TRAIN
    if number + 1 < p.slots:
        pending = trains and context.v and not context.freeze_v >> (slots[number + 1].layer - 1) & 1
        request(s, CORRECTION, number + 1, int(pending), 1 - context.parity)
    else:
        pending = trains and not context.freeze & 1
        request(s, CORRECTION, 0, int(pending), context.parity)
    if slot.group >= 0:
        s.output, s.output_row, s.output_from = 1, 0, s.cycle + p.output_wait
        contexts[OUTPUT] = context
    else:
        collector.collect(s, p, collector.HIDDEN, number, slot.active_lanes)
    s.activate, s.last_activate = 0, s.cycle


@compiled_together
def decide_row(s, p, slots, contexts, intake, hidden, lanes, trace, errors, chains):
    """The next hidden row, if nothing holds it up."""
    number, row, context = s.slot, s.row, contexts[SWEEP]
    slot = slots[number]
    layer, last_slot = slot.layer, number == p.slots - 1
    learns = context.u and not context.freeze_u >> (layer - 1) & 1
    if layer == 1:
        sample = s.sample - 1 - (context.kind == NULL and context.v)
        entries, entry = intake.listed[sample & 3], intake.rows[sample & 3, max(row - 1, 0)]
        last = row == entries
    else:
        below = layer - 2
        complete = hidden.complete_from[below] <= s.cycle
        entries = hidden.entries[below]
        if not complete:
            entries = s.available  # The layers before are complete, the ones behind have none.
            for earlier in range(below):
                entries -= hidden.entries[earlier]
            if entries <= row:
                s.activation_waits += 1
                return
        last, entry = complete and row == entries, hidden.rows[hidden.starts[below] + max(row - 1, 0)]
    undelivered = learns and not (s.was_delivered and s.last_first < s.cycle - 2)
    if row == 0 and (undelivered or s.cycle - chains.row_at[number] <= p.align + 2):
        s.error_waits += 1
        return
    # A serial family's lanes keep a slot's sums nowhere else.
    if row == 0 and p.activation_wait and (s.activate or s.output or s.cycle - s.last_activate < p.activation_wait):
        s.error_waits += 1
        return
    if last:
        if s.activate or s.activate_before or s.cycle - s.last_activate < p.lanes:
            s.activation_waits += 1
            return
        if last_slot and s.u and errors.ready_from[context.parity] >= s.cycle:
            s.error_waits += 1
            return
    packet = new_packet(s, p, chains)
    packet.op, packet.first, packet.last, packet.address = FUSED if s.u else FORWARD, row == 0, last, slot.base
    if row == 0:
        packet.x_prev = packet.x_cur = p.one
    else:
        packet.address, packet.x_prev, packet.x_cur = slot.base + 1 + entry[0], entry[1], entry[2]
        if layer == 1 and context.kind == NULL:
            packet.x_prev, packet.x_cur = entry[2], 0
        s.macs += slot.neurons * ((1 if context.kind != NULL else 0) + (1 if learns else 0))
    if s.u and p.stochastic:
        packet.noise = row_word(context.noise, packet.address)
    s.weight_saturations += rows.hidden_row(s.cycle, p, lanes, trace, packet, s.u)
    chains.row_at[number] = s.cycle
    if row == 0:
        s.last_first = s.cycle
        ask_for_deltas(s, p, slots, context)
    s.row += 1
    if last:
        end_slot(s, p, contexts, intake, hidden, errors, slot)


@compiled_together
def ask_for_deltas(s, p, slots, context):
    """The first row of a slot asks for the next one's deltas, a cycle later."""
    number = s.slot + 1
    s.asks = 1
    if number < p.slots:
        pending = context.u and not context.freeze_u >> (slots[number].layer - 1) & 1
        s.asked_slot, s.asked_pending, s.asked_bank = number, int(pending), context.parity
    else:
        pending = context.v and not context.freeze_v & 1
        s.asked_slot, s.asked_pending, s.asked_bank = 0, int(pending), 1 - context.parity


@compiled_together
def end_slot(s, p, contexts, intake, hidden, errors, slot):
    """The last row of a slot: its ACTIVATE waits; after the last slot the generations move on."""
    context = contexts[SWEEP]
    contexts[ACTIVATE] = context
    waiting = contexts[ACTIVATE]
    correct = context.v and context.kind == TRAIN and not context.freeze_v >> (slot.layer - 1) & 1
    total = intake.gram[(s.sample - 1) & 3] if slot.layer == 1 else hidden.gram[slot.layer - 2]
    waiting.slot, waiting.correct = s.slot, int(correct)
    s.skipped_rows += slot.fan_in - (s.row - 1)  # One of the rows was the bias.
    waiting.gram = gram_code(total + p.one * p.one, p)
    s.activate, s.row, s.last_end = 1, 0, s.cycle
    s.slot += 1
    if s.slot < p.slots:
        return
    s.slot, s.state = 0, IDLE
    if context.u:
        s.noise = next_state(s.noise)
    trains = context.kind == TRAIN
    s.u, s.freeze_u = s.v, s.freeze_v
    s.v, s.freeze_v = int(trains), context.freeze
    if trains:
        errors.ready_from[context.parity] = INFINITE
    s.parity = 1 - s.parity
