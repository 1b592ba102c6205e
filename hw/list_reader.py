"""Reads a list from its first entry on, one a cycle, although its memory answers late."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.hw.waiting_queue import WaitingQueue, optional

READ = 2
"""From the address of an entry to the entry: the memory and its output register."""

AHEAD = READ + 3
"""Entries asked for before they are wanted: enough that one can be taken in every cycle."""


class ListReader(wiring.Component):
    """A queue of the next entries, filled ahead.

    Parameters
    ----------
    shape : data.Layout
        Of an entry.
    addresses, length : int
        Of the memory, and entries of the longest list.
    idle : int
        The address that is read until the first restart: one that is not written meanwhile.

    Attributes
    ----------
    restart : In(1)
        Begin with the first entry of the list; its entries can be taken from :data:`AHEAD` cycles later on.
    first, count : In
        The list's first address and its entries, when ``restart`` is 1 and in the cycle before.
    address, word : Out, In
        ``word`` is the entry at the ``address`` of READ cycles before. Behind the list's end it is of no account.
    head, following, moves : Out
        As of :class:`dfarray.hw.waiting_queue.WaitingQueue`. No entry is valid behind the last one, nor before.
    take : In(1)
        The head is used up.
    """

    def __init__(self, shape, addresses: int, length: int, idle: int):
        self._shape = shape
        super().__init__(
            {
                "restart": In(1),
                "first": In(range(addresses)),
                "count": In(range(length + 1)),
                "address": Out(range(addresses), init=idle),
                "word": In(shape),
                "head": Out(optional(shape)),
                "following": Out(optional(shape)),
                "moves": Out(1),
                "take": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        asked = Signal(range(AHEAD + 1))  # Entries in the queue or on their way.
        left, more = Signal.like(self.count), Signal()
        ask, some, full, following = Signal(), Signal(), Signal(), Signal.like(asked)
        m.d.comb += [ask.eq(more & ~full), following.eq(asked + ask - self.take)]
        m.d.sync += [some.eq(self.count != 0), asked.eq(following), full.eq(following == AHEAD)]
        with m.If(ask):
            m.d.sync += [self.address.eq(self.address + 1), left.eq(left - 1), more.eq(left != 1)]
        way = ask
        for stage in range(READ):
            register = Signal(name=f"on_its_way_{stage}")
            m.d.sync += register.eq(way & ~self.restart)
            way = register
        with m.If(self.restart):
            m.d.sync += [self.address.eq(self.first), left.eq(self.count), more.eq(some), asked.eq(0), full.eq(0)]
        m.submodules.queue = queue = WaitingQueue(self._shape, AHEAD)
        m.d.comb += [
            queue.enter.eq(way),
            queue.word.eq(self.word),
            queue.take.eq(self.take),
            queue.clear.eq(self.restart),
            self.head.eq(queue.head),
            self.following.eq(queue.following),
            self.moves.eq(queue.moves),
        ]
        return m
