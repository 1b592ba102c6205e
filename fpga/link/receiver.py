"""Takes frames in: decodes COBS, checks length and CRC, and shows what has passed, whole frames only."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.fpga.link.protocol import CRC_BYTES, DELIMITER

LEAST_BYTES = 3 + CRC_BYTES
"""Of a frame: sequence number, command, argument, CRC."""

LONGEST = 255
"""What the byte in which a frame's length is kept can hold; a frame of more is a bad one."""


class FrameReceiver(wiring.Component):
    """A ring of checked frames, each its length and then its bytes, the CRC's too.

    A frame that is too short or too long, breaks COBS' rules, does not fit the ring or has a wrong CRC leaves nothing
    behind. Whatever came before it, a frame is received if a delimiter precedes it.

    Parameters
    ----------
    depth : int
        Bytes of the ring, a power of two.

    Attributes
    ----------
    data, valid : In
        A byte; at least 10 cycles from one to the next.
    broken : In(1)
        Strobe: a byte was lost.
    give_up : In(1)
        Strobe: the frame under way will not be ended.
    partial : Out(1)
        A frame is under way.
    bad, overrun : Out(1)
        Strobe: a frame was not taken, for want of room or for any other reason.
    available : Out(1)
        A frame is there.
    head, head_valid : Out
        Its next byte; ``head_valid`` is 0 in the cycle after ``take``.
    take : In(1)
        Go on to the next byte.
    """

    def __init__(self, depth: int):
        self._depth = depth
        super().__init__(
            {
                "data": In(8),
                "valid": In(1),
                "broken": In(1),
                "give_up": In(1),
                "partial": Out(1),
                "bad": Out(1),
                "overrun": Out(1),
                "available": Out(1),
                "head": Out(8),
                "head_valid": Out(1),
                "take": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=self._depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        # Frames are read from ``first`` to ``end``; the place at ``end`` is for the length of the one coming in, whose
        # bytes go to ``place`` and behind.
        first, end = (Signal(range(self._depth), name=name) for name in ("first", "end"))
        place = Signal(range(self._depth), init=1)
        m.submodules.check = check = catalog.CRC32_ISO_HDLC(data_width=1).create()
        # Bytes that remain until the next code byte; a code byte has come; something was wrong.
        remaining, coded, wrong, full = Signal(8), Signal(), Signal(), Signal()
        length = Signal(8)
        # A byte on its way into the CRC, with a 1 behind it that tells how far it is.
        shifted = Signal(9)
        checks = shifted[1:].any()
        ends, accepts, emits, emitted = Signal(), Signal(), Signal(), Signal(8)

        is_code = remaining == 0
        # A ring that is full looks like an empty one, so one place stays free.
        room = place != first
        lacks = full | ~room
        m.d.comb += [
            ends.eq((self.valid & (self.data == DELIMITER)) | self.give_up),
            accepts.eq(
                ends & ~self.give_up & is_code & ~wrong & ~lacks & check.match_detected & (length >= LEAST_BYTES)
            ),
            self.partial.eq(coded | wrong),
            self.bad.eq(ends & self.partial & ~accepts & ~lacks),
            self.overrun.eq(ends & self.partial & lacks),
            # Between two groups of COBS there was a zero.
            emits.eq(self.valid & ~ends & ~(is_code & ~coded)),
            emitted.eq(Mux(is_code, 0, self.data)),
        ]
        with m.If(self.broken):
            m.d.sync += wrong.eq(1)
        with m.If(self.valid & ~ends):
            m.d.sync += [coded.eq(1), remaining.eq(Mux(is_code, self.data, remaining) - 1)]
        with m.If(emits):
            m.d.sync += [length.eq(length + 1), shifted.eq(Cat(emitted, 1))]
            with m.If(length == LONGEST):
                m.d.sync += wrong.eq(1)
            with m.If(~room):
                m.d.sync += full.eq(1)
        with m.Elif(checks):
            m.d.sync += shifted.eq(shifted >> 1)
        with m.If(ends):
            m.d.sync += [
                remaining.eq(0),
                coded.eq(0),
                wrong.eq(0),
                full.eq(0),
                length.eq(0),
            ]
        with m.If(ends | (emits & room)):
            m.d.sync += place.eq(Mux(ends & ~accepts, end, place) + 1)
        with m.If(accepts):
            m.d.sync += end.eq(place)
        m.d.comb += [
            check.start.eq(ends),
            check.valid.eq(checks),
            check.data.eq(shifted[0]),
            write.en.eq(accepts | (emits & room)),
            write.addr.eq(Mux(accepts, end, place)),
            write.data.eq(Mux(accepts, length, emitted)),
            read.en.eq(1),
            read.addr.eq(first),
            self.head.eq(read.data),
        ]

        # A frame's length was written in the cycle before ``end`` moved, so it has been read when ``there`` follows.
        there = Signal()
        m.d.sync += [self.head_valid.eq(~self.take), there.eq(first != end)]
        m.d.comb += self.available.eq(there & self.head_valid)
        with m.If(self.take):
            m.d.sync += first.eq(first + 1)
        return m
