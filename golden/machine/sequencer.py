"""What starts in IDLE, loading and dumping: section 4.3."""

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine import collector
from dfarray.golden.machine import intake as samples
from dfarray.golden.machine import lanes as rows
from dfarray.golden.machine.packets import new_packet
from dfarray.golden.machine.registers import INFER, INFINITE, NULL, OUTPUT, SWEEP, TRAIN
from dfarray.trace import OPERATIONS, STATES

LOAD, READ = OPERATIONS["LOAD"], OPERATIONS["READ"]
IDLE, SWEEPING, LOADING, DUMPING = (STATES[name] for name in ("IDLE", "SWEEP", "LOAD", "DUMP"))


@compiled_together
def quiet(s, p):
    """Whether nothing is under way; seen in the next cycle."""
    return (
        s.state == IDLE and not s.activate and not s.output and not s.error_busy and s.cycle - s.last_packet > p.settle
    )


@compiled_together
def unanswered(s, slots, contexts):
    """Whether an ACTIVATE waits, or the first output row of a sample."""
    return s.activate or (s.output and s.output_row == 0 and slots[contexts[OUTPUT].slot].group == 0)


@compiled_together
def idle(s, p, contexts, intake, hidden, pins, at_rest, held_up):
    """The first of the rules of IDLE that applies; ``held_up``: the sample before is :func:`unanswered`."""
    commands = s.flush_waits or s.load_waits or s.dump_waits
    pending = s.u or s.v
    if s.seed_waits or commands:
        if not at_rest:
            return
        if pending:
            start(s, contexts, hidden, NULL)
        elif s.seed_waits:
            s.seed_waits, s.noise = 0, pins.seed if pins.seed else 1
        elif s.flush_waits:
            s.flush_waits = 0
        else:
            s.state = LOADING if s.load_waits else DUMPING
            if s.load_waits:
                s.load_waits = 0
            else:
                s.dump_waits = 0
            s.row_first, s.row_count, s.place = pins.row_first, pins.row_count, 0
        return
    if s.complete_at > s.cycle or s.cycle - s.last_load <= p.align or (held_up and not p.lists):
        return
    if (not pins.train and pending) or (s.u and not s.v):
        start(s, contexts, hidden, NULL)
        return
    start(s, contexts, hidden, TRAIN if pins.train else INFER)
    context = contexts[SWEEP]
    context.freeze, context.label = pins.freeze, s.label
    context.mantissa, context.exponent = pins.mantissa, pins.exponent
    samples.take(s, intake)


@compiled_together
def start(s, contexts, hidden, kind):
    """A sweep starts."""
    context = contexts[SWEEP]
    context.kind, context.u, context.v, context.parity, context.noise = kind, s.u, s.v, s.parity, s.noise
    context.freeze_u, context.freeze_v, context.freeze = s.freeze_u, s.freeze_v, 0
    s.state = SWEEPING
    s.received = s.available = 0
    hidden.entries[:] = 0
    hidden.gram[:] = 0
    hidden.complete_from[:] = INFINITE


@compiled_together
def load(s, p, lanes, trace, chains, pins):
    """One transfer is one packet: lane by lane its tiles, the bias tile behind those of lane 0."""
    if not pins.weights_valid:
        return
    packet = new_packet(s, p, chains)
    s.last_load = s.cycle
    packet.op, packet.address, packet.value = LOAD, s.row_first + s.row, pins.weights_data
    if s.place <= p.tiles:
        packet.tile, packet.lane = s.place, 0
    else:
        packet.tile, packet.lane = (s.place - 1) % p.tiles, (s.place - 1) // p.tiles
    rows.load(s.cycle, p, lanes, trace, packet)
    s.place += 1
    if s.place > p.neurons_all:
        s.place = 0
        next_row(s)


@compiled_together
def dump(s, p, lanes, trace, chains):
    """Read a row once the one before is transferred."""
    if s.untransferred or s.collecting or s.cycle <= s.collector_until:
        return
    packet = new_packet(s, p, chains)
    packet.op, packet.address, packet.x_cur, packet.first, packet.last = READ, s.row_first + s.row, 1, 1, 1
    rows.read(s.cycle, p, lanes, trace, packet.address)
    collector.collect(s, p, collector.WEIGHT, 0, p.lanes)
    s.untransferred = p.neurons_all + 1


@compiled_together
def next_row(s):
    """A row is loaded or dumped; after the last one the sequencer is idle."""
    s.row += 1
    if s.row >= s.row_count:
        s.row, s.state = 0, IDLE
