"""Samples in: transfers, and their merge with the samples before into a row list (section 4.4)."""

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine.registers import INFINITE
from dfarray.latency import ACCEPT, DISCARD, MERGE_END, REOPEN


@compiled_together
def begin(s, intake):
    """Nothing waits, nothing is merged."""
    bank = s.sample & 3
    s.used = s.transferred
    s.used_up = s.next_pair = s.merge_from = 0
    s.complete_at = INFINITE
    intake.paired[bank] = intake.listed[bank] = intake.gram[bank] = 0


@compiled_together
def take(s, intake):
    """The complete sample's sweep starts."""
    s.sample += 1
    s.open_from, s.complete_until = s.cycle + 2, s.cycle + 1
    begin(s, intake)


@compiled_together
def ready(s, p):
    """Whether a transfer can be made in this cycle."""
    return s.open_from <= s.cycle and s.transferred - s.used < p.waiting


@compiled_together
def complete(s):
    """Whether the incoming sample shows complete; it may be taken if it has not been."""
    return s.complete_at <= s.cycle or s.cycle <= s.complete_until


@compiled_together
def step(s, p, intake):
    """Merge, if there is something to merge; discard, if it turns out to have been wrong."""
    waits = s.used < s.transferred and intake.waiting[s.used % p.waiting, 3] + ACCEPT <= s.cycle
    if s.complete_at == INFINITE and (waits or s.used_up) and s.cycle >= s.merge_from:
        s.merge_from = s.cycle + p.merge_interval
        merge(s, p, intake)
    if s.cycle == s.discard_at:
        s.discard_at = INFINITE
        begin(s, intake)


@compiled_together
def merge(s, p, intake):
    """One step of the merge."""
    bank, before = s.sample & 3, (s.sample - 1) & 3
    head, pair = intake.waiting[s.used % p.waiting], intake.pairs[before, min(s.next_pair, p.inputs - 1)]
    first, second = INFINITE if s.used_up else head[0], INFINITE
    if s.next_pair < intake.paired[before]:
        second = pair[0]
    elif s.used_up:
        s.complete_at = s.cycle + MERGE_END
        return
    older = newer = current = 0
    used = first <= second
    if second <= first:
        older, newer = pair[1], pair[2]
        s.next_pair += 1
    if used:
        current = head[1]
        s.used, s.used_up = s.used + 1, head[2]
    i = min(first, second)
    if older != 0 or current != 0 or (used and not p.zero_skipping) or not p.lists:
        row = intake.rows[bank, intake.listed[bank]]
        row[0], row[1], row[2] = i, older, current
        intake.listed[bank] += 1
    if newer != 0 or current != 0 or not p.lists:
        pair = intake.pairs[bank, intake.paired[bank]]
        pair[0], pair[1], pair[2] = i, newer, current
        intake.paired[bank] += 1
    intake.gram[bank] += current * newer


@compiled_together
def transfer(s, p, intake, pins):
    """A word of the sample stream is transferred."""
    if not s.dropping:
        if pins.events:
            index = pins.index
            wrong = index < s.next_index or index >= p.inputs
        else:
            index = s.next_index
            wrong = index >= p.inputs or (index == p.inputs - 1) != (pins.last != 0)
        s.next_index = index + 1
        if wrong:
            s.dropping, s.discard_at = 1, s.cycle + DISCARD
            s.framing_errors += 1
        wait(s, p, intake, index, pins)
    elif s.discard_at != INFINITE:
        wait(s, p, intake, 0, pins)
    if pins.last:
        s.open_from = s.cycle + REOPEN if s.dropping else INFINITE
        s.label, s.dropping, s.next_index = pins.label, 0, 0


@compiled_together
def wait(s, p, intake, index, pins):
    """The transfer joins the queue."""
    place = intake.waiting[s.transferred % p.waiting]
    place[0], place[1], place[2], place[3] = index, pins.value, pins.last, s.cycle
    s.transferred += 1
