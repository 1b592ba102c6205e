"""Reads a list from its first entry on, one a cycle, although its memory answers late."""

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.trace import index_bits

READ = 3
"""From the address of a word to the word: the memory, its output register, and one behind the choice of a bank."""

AHEAD = READ + 3
"""Entries asked for before they are wanted: enough that one can be taken in every cycle."""


class ListReader(wiring.Component):
    """A queue of the next entries, filled ahead.

    Parameters
    ----------
    shape : data.Layout
        Of an entry.
    length : int
        Of the longest list.

    Attributes
    ----------
    restart : In(1)
        Begin again with the first entry; the head is known :data:`AHEAD` cycles later at the latest.
    count : In
        Entries of the list; holds while it is read.
    address, word : Out, In
        ``word`` is the entry at the ``address`` of READ cycles before.
    head : Out {valid, entry}
        The next entry; not valid behind the last one.
    take : In(1)
        Go on to the next entry.
    exhausted : Out(1)
        Every entry has been taken.
    """

    def __init__(self, shape, length: int):
        self._shape, self._length = shape, length
        places = index_bits(length + 1)
        super().__init__(
            {
                "restart": In(1),
                "count": In(places),
                "address": Out(places),
                "word": In(shape),
                "head": Out(data.StructLayout({"valid": 1, "entry": shape})),
                "take": In(1),
                "exhausted": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = Shape.cast(self._shape).width
        asked = Signal(range(AHEAD + 1))  # Entries in the queue or on their way.
        held = Signal(range(AHEAD + 1))
        left = Signal.like(self.count)
        ask, arrives, fresh = Signal(), Signal(), Signal(init=1)
        m.d.comb += ask.eq(~fresh & (asked < AHEAD) & (self.address != self.count))
        with m.If(ask):
            m.d.sync += self.address.eq(self.address + 1)
        m.d.sync += asked.eq(asked + ask - self.take)
        way = ask
        for stage in range(READ):
            register = Signal(name=f"on_its_way_{stage}")
            m.d.sync += register.eq(way & ~self.restart)
            way = register
        m.d.comb += arrives.eq(way)

        queue = [Signal(width, name=f"queue_{place}") for place in range(AHEAD)]
        m.d.sync += held.eq(held + arrives - self.take)
        for place, entry in enumerate(queue):
            following = queue[place + 1] if place + 1 < AHEAD else entry
            with m.If(arrives & (held == place + self.take)):
                m.d.sync += entry.eq(self.word)
            with m.Elif(self.take):
                m.d.sync += entry.eq(following)
        with m.If(self.take):
            m.d.sync += left.eq(left - 1)
        # The count is that of the new list from the cycle after the restart on.
        m.d.sync += fresh.eq(self.restart)
        with m.If(fresh):
            m.d.sync += [left.eq(self.count), self.exhausted.eq(self.count == 0)]
        with m.Elif(self.take):
            m.d.sync += self.exhausted.eq(left == 1)
        with m.If(self.restart):
            m.d.sync += [self.address.eq(0), asked.eq(0), held.eq(0)]
        m.d.sync += self.head.valid.eq(~self.restart & ((held + arrives - self.take) != 0))
        m.d.comb += self.head.entry.eq(queue[0])
        return m
