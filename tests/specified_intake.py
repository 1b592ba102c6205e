"""docs/architecture.md section 4.4 in plain Python: frames of transfers, the queue A, and the merge into lists."""

from collections import deque
from dataclasses import dataclass

from dfarray.configuration import Configuration
from dfarray.latency import ACCEPT, DISCARD, MERGE_END, REOPEN

INFINITE = 10**9


@dataclass
class Transfer:
    """One that waits in A."""

    index: int
    value: int
    last: int
    usable_from: int


class SpecifiedIntake:
    """The incoming sample, and what is kept of the samples before.

    ``lists`` and ``grams`` are those of the samples taken, the latest last; ``pairs`` is the latest one's pair list.
    """

    def __init__(self, config: Configuration):
        self.inputs, self.zero_skipping = config.network.inputs, config.array.zero_skipping
        self.waiting, self.every = config.waiting, config.merge_interval
        self.lists_all = not self.zero_skipping and config.latency.serial
        self.pairs = [(i, 0, 0) for i in range(self.inputs)] if self.lists_all else []
        self.lists: list[list[tuple[int, int, int]]] = [list(self.pairs), list(self.pairs)]
        self.grams = [0, 0]
        self.queue: deque[Transfer] = deque()
        self.open_from, self.label = 0, 0
        self.previous_index, self.discarded_from = -1, INFINITE
        self.wrong, self.taken = False, -INFINITE
        self.begin()

    def begin(self) -> None:
        """No transfer of the incoming sample is merged."""
        self.exhausted, self.complete_from, self.step_from = False, INFINITE, 0
        self.before = deque(self.pairs)
        self.new_pairs: list[tuple[int, int, int]] = []
        self.new_list: list[tuple[int, int, int]] = []
        self.new_gram = 0

    def complete(self, cycle: int) -> bool:
        return cycle >= self.complete_from or cycle == self.taken + 1

    def step(self, cycle: int) -> bool:
        """What happens before this cycle's transfer; returns ``samples.ready``."""
        if cycle == self.discarded_from:
            self.discarded_from = INFINITE
            self.queue.clear()
            self.begin()
        ready = cycle >= self.open_from and len(self.queue) < self.waiting
        usable = self.queue and cycle >= self.queue[0].usable_from
        if (usable or self.exhausted) and self.complete_from == INFINITE and cycle >= self.step_from:
            self.step_from = cycle + self.every
            self.merge(cycle)
        return ready

    def merge(self, cycle: int) -> None:
        index_a = INFINITE if self.exhausted else self.queue[0].index
        index_pair = self.before[0][0] if self.before else INFINITE
        i = min(index_a, index_pair)
        if i == INFINITE:
            self.complete_from = cycle + MERGE_END
            return
        x = x_newer = x_older = 0
        if index_a == i:
            a = self.queue.popleft()
            x, self.exhausted = a.value, bool(a.last)
        if index_pair == i:
            _, x_older, x_newer = self.before.popleft()
        if x_older or x or (index_a == i and not self.zero_skipping) or self.lists_all:
            self.new_list.append((i, x_older, x))
        if x_newer or x or self.lists_all:
            self.new_pairs.append((i, x_newer, x))
        self.new_gram += x * x_newer

    def transfer(self, cycle: int, pins: dict[str, int]) -> None:
        last, events = pins["samples.last"], pins["settings.events"]
        index = pins["samples.index"] if events else self.previous_index + 1
        if not self.wrong:
            dense_ends = index == self.inputs - 1
            self.wrong = index >= self.inputs or (index <= self.previous_index if events else dense_ends != bool(last))
            if self.wrong:
                self.discarded_from = cycle + DISCARD + 1
        # Of a discarded frame only what is transferred before it is discarded waits for a while.
        if not self.wrong or cycle < self.discarded_from < INFINITE:
            self.queue.append(Transfer(index, pins["samples.value"], last, cycle + ACCEPT))
        self.previous_index = index
        if last:
            self.label = pins["samples.label"]
            self.open_from = cycle + REOPEN if self.wrong else INFINITE
            self.wrong, self.previous_index = False, -1

    def take(self, cycle: int) -> None:
        self.pairs = self.new_pairs
        self.lists = [self.lists[-1], self.new_list]
        self.grams = [self.grams[-1], self.new_gram]
        self.taken, self.open_from = cycle, cycle + 2
        self.begin()
