"""Samples in: transfers, and their merge with the samples before into a row list (section 4.4)."""

from dfarray.golden.compilation import compiled_together
from dfarray.golden.machine.registers import INFINITE
from dfarray.latency import MERGE_END, MERGE_START


@compiled_together
def begin(s, intake):
    """Wait for the first transfer of a sample, anew or again."""
    bank = s.sample & 3
    s.waiting = s.used_up = s.merged = s.next_index = s.older_at = s.previous_at = 0
    s.complete_at = INFINITE
    s.merge_from = s.cycle + MERGE_START
    intake.owned[bank] = intake.listed[bank] = intake.gram[bank] = 0


@compiled_together
def take(s, intake):
    """The complete sample's sweep starts."""
    s.sample += 1
    s.closed = 0
    begin(s, intake)


@compiled_together
def merge(s, p, intake):
    """One step of the merge; returns whether register A is used up in this cycle."""
    bank, older, previous = s.sample & 3, (s.sample - 2) & 3, (s.sample - 1) & 3
    first, second, third = s.index if s.waiting else INFINITE, INFINITE, INFINITE
    if s.older_at < intake.owned[older]:
        second = intake.own[older, s.older_at, 0]
    elif s.used_up:
        s.merged, s.complete_at = 1, s.cycle + MERGE_END
        return 0
    if s.previous_at < intake.owned[previous]:
        third = intake.own[previous, s.previous_at, 0]
    i = min(first, second, third)
    current = before = 0
    used = first == i
    if used:
        current = s.value
        s.waiting, s.used_up = 0, s.last
        if current != 0 or not p.zero_skipping:
            intake.own[bank, intake.owned[bank], 0], intake.own[bank, intake.owned[bank], 1] = i, current
            intake.owned[bank] += 1
    if second == i:
        before = intake.own[older, s.older_at, 1]
        s.older_at += 1
    if third == i:
        intake.gram[bank] += current * intake.own[previous, s.previous_at, 1]
        s.previous_at += 1
    if current != 0 or before != 0 or (used and not p.zero_skipping):
        row = intake.rows[bank, intake.listed[bank]]
        row[0], row[1], row[2] = i, before, current
        intake.listed[bank] += 1
    return int(used)


@compiled_together
def transfer(s, p, intake, pins):
    """A word of the sample stream is transferred."""
    if s.discarding:
        s.discarding = 1 - pins.last
        return
    if pins.events:
        index = pins.index
        wrong = index < s.next_index or index >= p.inputs
    else:
        index = s.next_index
        wrong = index >= p.inputs or (index == p.inputs - 1) != (pins.last != 0)
    if wrong:
        s.discarding = 1 - pins.last
        begin(s, intake)
        return
    s.waiting, s.index, s.value, s.last, s.next_index = 1, index, pins.value, pins.last, index + 1
    if pins.last:
        s.closed, s.label = 1, pins.label
