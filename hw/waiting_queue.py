"""A short queue that shows two entries: who uses one up can have compared the next one already."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


def optional(shape) -> data.StructLayout:
    """An entry, and whether there is one."""
    return data.StructLayout({"valid": 1, "entry": shape})


class WaitingQueue(wiring.Component):
    """A shift register of entries. An entry is ``following`` for a cycle at least before it is ``head``.

    What enters in a cycle is ``following`` in the next one and ``head`` in the one after, if the queue is empty. In a
    full one a place is free again when the next cycle shows it: a queue of ``depth`` must not be sent more.

    Parameters
    ----------
    shape : data.Layout
        Of an entry.
    depth : int
        Places, 2 or more.

    Attributes
    ----------
    enter, word : In
        An entry enters at the end of the cycle.
    take : In(1)
        The head, which is valid, is used up.
    clear : In(1)
        The queue is empty from the next cycle on.
    head, following : Out(optional(shape))
        The next entry, and the one behind it.
    moves : Out(1)
        At the end of the cycle ``following`` becomes ``head``, valid or not.
    occupied : Out(depth)
        A bit for each place.
    """

    def __init__(self, shape, depth: int):
        self._shape, self._depth = shape, depth
        super().__init__(
            {
                "enter": In(1),
                "word": In(shape),
                "take": In(1),
                "clear": In(1),
                "head": Out(optional(shape)),
                "following": Out(optional(shape)),
                "moves": Out(1),
                "occupied": Out(depth),
            }
        )

    def elaborate(self, platform):
        m = Module()
        places = [Signal(self._shape, name=f"place_{k}", reset_less=True) for k in range(self._depth)]
        valid = self.occupied
        m.d.comb += [
            self.moves.eq(self.take | ~valid[0]),
            self.head.valid.eq(valid[0]),
            self.head.entry.eq(places[0]),
            self.following.valid.eq(valid[1]),
            self.following.entry.eq(places[1]),
        ]
        with m.If(self.moves):
            m.d.sync += [places[0].eq(places[1]), valid[0].eq(valid[1])]
        for k in range(1, self._depth):
            # Every free place takes what comes, valid or not: then its choice needs no more than one register.
            behind, moved = (places[k + 1], valid[k + 1]) if k + 1 < self._depth else (self.word, Const(0))
            with m.If(self.take | ~valid[0] | ~valid[k]):
                m.d.sync += places[k].eq(Mux(moved, behind, self.word))
            # The first free place, not the head's.
            first = k == 1
            with m.If(self.moves):
                m.d.sync += valid[k].eq(moved | (self.enter & (first | valid[k])))
            with m.Elif(self.enter & (first | valid[k - 1])):
                m.d.sync += valid[k].eq(1)
        with m.If(self.clear):
            m.d.sync += valid.eq(0)
        return m
