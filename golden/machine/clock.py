"""The machine's clock: cycle by cycle from the inputs to the packed trace and its signature."""

import numpy as np

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine import collector, feedback, packets, sequencer
from dfarray.golden.machine import errors as error_unit
from dfarray.golden.machine import intake as samples
from dfarray.trace import STATES

IDLE, SWEEPING, LOADING, DUMPING = (STATES[name] for name in ("IDLE", "SWEEP", "LOAD", "DUMP"))


@compiled_together
def run(inputs, records, signatures, machine):
    """Advance by as many cycles as there are inputs.

    Parameters
    ----------
    inputs : int64 array (cycles, input signals)
    records : uint64 array (cycles, words), or with no rows if the packed trace is not wanted
    signatures : uint64 array (cycles,), or empty
    machine : Machine
    """
    s, p, pins, shown = machine.state[0], machine.parameters[0], machine.pins[0], machine.shown[0]
    pin_values, signals, slots, contexts = machine.pin_values, machine.shown_values, machine.slots, machine.contexts
    lanes, trace, errors = machine.lanes, machine.trace, machine.errors
    intake, hidden, chains = machine.intake, machine.hidden, machine.chains
    packets_ahead, words_ahead, exits, record = chains.packets, chains.feedback, chains.exits, trace.record
    for n in range(len(inputs)):
        for i in range(len(pin_values)):
            pin_values[i] = inputs[n, i]
        for i in range(len(signals)):
            signals[i] = 0
        cycle = s.cycle
        # What shows in this cycle.
        if s.walking or s.shadow_waits or s.correction_waits:
            feedback.walk(s, p, slots, errors, words_ahead)
        if s.error_busy:
            error_unit.step(s, p, contexts, errors, shown)
        if s.collecting and s.token_at == cycle:
            collector.token(s, p, slots, lanes, trace, chains.exits, shown)
        show_packet(packets_ahead[cycle & (len(packets_ahead) - 1)], shown)
        word = words_ahead[cycle & (len(words_ahead) - 1)]
        if word.op:
            show_word(word, shown)
            feedback.at_head(s, p, lanes, trace, word)
            word.op = 0
        if s.done_at == cycle:
            feedback.walk_done(s)
        ready = samples.ready(s, p)
        loads = s.state == LOADING and cycle % p.interval == 0
        offered = s.words_out % len(chains.offered)
        offers = s.words_out < s.words_in and chains.offered_from[offered] <= cycle
        show_registers(s, shown)
        shown.samples_ready, shown.samples_complete = int(ready), int(samples.complete(s))
        shown.weights_in_ready, shown.weights_out_valid = int(loads), int(offers)
        if offers:
            shown.weights_out_data = chains.offered[offered]
        pack(trace, signals, cycle)
        if len(records):
            for w in range(len(record)):
                records[n, w] = record[w]
        sign(trace)
        if len(signatures):
            signatures[n] = trace.signature[0]
        count(s, shown, pins)
        # What follows in the next one.
        samples.step(s, p, intake)
        was, at_rest = s.state, s.was_quiet
        s.was_quiet = sequencer.quiet(s, p)
        activate, delivered, busy = s.activate, s.delivered, s.error_busy
        activates, held_up = packets.activate_allowed(s, p, contexts), sequencer.unanswered(s, slots, contexts)
        if s.asks:
            s.asks = 0
            feedback.request(s, feedback.SHADOW, s.asked_slot, s.asked_pending, s.asked_bank)
        if cycle % p.interval == 0:
            if was == LOADING:
                sequencer.load(s, p, lanes, trace, chains, pins)
            elif was == DUMPING:
                sequencer.dump(s, p, lanes, trace, chains)
            elif s.output and packets.output_allowed(s, p, slots, contexts):
                packets.send_output(s, p, slots, contexts, lanes, trace, errors, chains)
            elif s.activate and s.activate_next:
                activates = False
                packets.send_activate(s, p, slots, contexts, lanes, trace, chains)
            elif was == SWEEPING:
                packets.decide_row(s, p, slots, contexts, intake, hidden, lanes, trace, errors, chains)
        if was == IDLE:
            sequencer.idle(s, p, contexts, intake, hidden, pins, at_rest, held_up)
        s.available += s.arrived
        s.arrived = 0
        if exits[cycle & (len(exits) - 1), 0]:
            collector.leave(s, p, hidden, chains)
        if pins.valid and ready:
            samples.transfer(s, p, intake, pins)
        if shown.results_valid and pins.results_ready:
            s.result += 1
        if s.word_left:
            s.untransferred -= 1
            if s.untransferred == 0:
                sequencer.next_row(s)
        s.word_left = int(offers and pins.weights_ready)
        s.words_out += s.word_left
        s.seed_waits |= pins.seed_strobe
        s.flush_waits |= pins.flush
        s.load_waits |= pins.load
        s.dump_waits |= pins.dump
        s.activate_next, s.activate_before, s.was_delivered, s.error_was_busy = activates, activate, delivered, busy
        s.cycle += 1


@compiled_together
def count(s, shown, pins):
    """Events of this cycle that its state and what it shows tell of."""
    asked = s.seed_waits or s.flush_waits or s.load_waits or s.dump_waits
    something = asked or shown.samples_complete
    if s.state != IDLE or not s.was_quiet or something:
        s.busy_cycles += 1
    if s.state == IDLE and not something:
        s.input_waits += 1
    unread = shown.results_valid and not pins.results_ready
    if unread or (shown.weights_out_valid and not pins.weights_ready):
        s.host_waits += 1
    if shown.results_valid and shown.results_last and pins.results_ready:
        s.samples += 1


@compiled_together
def show_registers(s, shown):
    """Fill in the sequencer's registers."""
    shown.sequencer_state, shown.sequencer_slot, shown.sequencer_row = s.state, s.slot, s.row
    shown.sequencer_pending_u, shown.sequencer_pending_v, shown.sequencer_parity = s.u, s.v, s.parity
    shown.sequencer_activate, shown.sequencer_output = s.activate, s.output
    shown.sequencer_output_row = s.output_row
    shown.sequencer_delivered, shown.sequencer_corrected = s.delivered, s.corrected
    shown.collector_busy = int(s.collecting or s.cycle <= s.collector_until)
    shown.activations_received, shown.activations_available = s.received, s.available


@compiled_together
def show_packet(packet, shown):
    """Fill in the head of the broadcast chain, and free the packet's place."""
    if not packet.op:
        return
    shown.broadcast_op, shown.broadcast_address, shown.broadcast_value = packet.op, packet.address, packet.value
    shown.broadcast_x_prev, shown.broadcast_x_cur = packet.x_prev, packet.x_cur
    shown.broadcast_first, shown.broadcast_last = packet.first, packet.last
    shown.broadcast_tile, shown.broadcast_lane = packet.tile, packet.lane
    shown.broadcast_slot, shown.broadcast_parity = packet.slot, packet.parity
    shown.broadcast_noise = packet.noise
    packet.op = packet.address = packet.value = packet.x_prev = packet.x_cur = packet.first = packet.last = 0
    packet.tile = packet.lane = packet.slot = packet.parity = packet.noise = 0


@compiled_together
def show_word(word, shown):
    """Fill in the head of the feedback chain."""
    shown.feedback_op, shown.feedback_index, shown.feedback_slot = word.op, word.index, word.slot
    shown.feedback_bank, shown.feedback_correction = word.bank, word.correction
    shown.feedback_count, shown.feedback_value = word.count, word.value


@compiled_together
def pack(trace, signals, cycle):
    """Put this cycle's record together."""
    held, row = trace.held, cycle & (len(trace.change) - 1)
    change, pulse, record = trace.change[row], trace.pulse[row], trace.record
    for w in range(len(record)):
        held[w] ^= change[w]
        record[w] = held[w] ^ pulse[w]
        change[w] = 0
        pulse[w] = 0
    word, bit, mask = trace.head_word, trace.head_bit, trace.head_mask
    for i in range(len(word)):
        record[word[i]] |= (np.uint64(signals[i]) & mask[i]) << bit[i]


@compiled_together
def sign(trace):
    """Clock the signature register."""
    s, record, rotate = trace.signature[0], trace.record, trace.rotate
    folded = np.uint64(0)
    for w in range(len(record)):
        folded ^= (record[w] << rotate[w]) | ((record[w] >> np.uint64(1)) >> (np.uint64(63) - rotate[w]))
    feedback_bits = np.uint64(0x1B) if s >> np.uint64(63) else np.uint64(0)
    trace.signature[0] = (s << np.uint64(1)) ^ feedback_bits ^ folded
