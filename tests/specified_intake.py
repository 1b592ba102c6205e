"""docs/architecture.md section 4.4 in plain Python: transfers, register A, and the merge into row lists."""

from dataclasses import dataclass

from dfarray.latency import MERGE_END, MERGE_START

INFINITE = 10**9


@dataclass
class Waiting:
    """Register A."""

    index: int
    value: int
    last: int


class SpecifiedIntake:
    """The incoming sample, and what is kept of the samples before.

    ``lists`` and ``grams`` are those of the samples taken, the latest last; so is ``own``.
    """

    def __init__(self, inputs: int, zero_skipping: bool):
        self.inputs, self.zero_skipping = inputs, zero_skipping
        self.own: list[list[tuple[int, int]]] = [[], []]
        self.lists: list[list[tuple[int, int, int]]] = [[], []]
        self.grams = [0, 0]
        self.closed = self.discarding = False
        self.label = 0
        self.begin(-1)

    def begin(self, cycle: int) -> None:
        """A sample is awaited, the one before being taken, or the same being discarded."""
        self.from_cycle = cycle + MERGE_START
        self.waiting: Waiting | None = None
        self.exhausted, self.complete_from, self.previous_index = False, INFINITE, -1
        self.older, self.before = list(self.own[-2]), list(self.own[-1])
        self.new_own: list[tuple[int, int]] = []
        self.new_list: list[tuple[int, int, int]] = []
        self.new_gram = 0

    def complete(self, cycle: int) -> bool:
        return cycle >= self.complete_from

    def step(self, cycle: int) -> bool:
        """Merge, if there is something to; returns ``samples.ready``."""
        a, used = self.waiting, False
        if cycle >= self.from_cycle and self.complete_from == INFINITE and (a or self.exhausted):
            used = self.merge(cycle, a)
        return not self.closed and (used or not a)

    def merge(self, cycle: int, a: Waiting | None) -> bool:
        if not a and not self.older:
            self.complete_from = cycle + MERGE_END
            return False
        heads = (
            a.index if a else INFINITE,
            *(queue[0][0] if queue else INFINITE for queue in (self.older, self.before)),
        )
        i = min(heads)
        used = heads[0] == i
        x = a.value if a and used else 0
        x_older = self.older.pop(0)[1] if heads[1] == i else 0
        x_before = self.before.pop(0)[1] if heads[2] == i else 0
        self.new_gram += x * x_before
        if x or x_older or (used and not self.zero_skipping):
            self.new_list.append((i, x_older, x))
        if a and used:
            if x or not self.zero_skipping:
                self.new_own.append((i, x))
            self.waiting, self.exhausted = None, bool(a.last)
        return used

    def transfer(self, cycle: int, pins: dict[str, int]) -> None:
        last = pins["samples.last"]
        if self.discarding:
            self.discarding = not last
            return
        index = pins["samples.index"] if pins["settings.events"] else self.previous_index + 1
        wrong = index >= self.inputs or index <= self.previous_index
        if not pins["settings.events"]:
            wrong = wrong or (index == self.inputs - 1) != bool(last)
        if wrong:
            self.begin(cycle)
            self.discarding = not last
            return
        self.waiting, self.previous_index = Waiting(index, pins["samples.value"], last), index
        if last:
            self.closed, self.label = True, pins["samples.label"]

    def take(self, cycle: int) -> None:
        self.own = [self.own[-1], self.new_own]
        self.lists = [self.lists[-1], self.new_list]
        self.grams = [self.grams[-1], self.new_gram]
        self.closed = False
        self.begin(cycle)
