"""Replies: kept whole, encoded as they go onto the line, so that one can be repeated without doing anything again."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.fpga.link.protocol import DELIMITER, LinkParameters


class ReplyStore(wiring.Component):
    """Encodes a reply by COBS into its slot; sends slots.

    COBS replaces a zero by the distance to the next one, so a zero is written where the one before is to be, and the
    memory needs one write a byte.

    Attributes
    ----------
    slot : In
        Where is written, and what is sent.
    begin : In(1)
        Strobe: a reply begins.
    data, write : In
        Its next byte.
    finish : In(1)
        Strobe: no more bytes; two cycles later the slot may be sent.
    filled : Out
        Bytes there are, COBS' one too.
    send : In(1)
        Strobe, while ``sending`` is 0.
    sending, occupied : Out(1)
        A slot is being sent; it is the one at ``slot``.
    out, out_valid, out_ready : Out, Out, In
        Bytes for the line.
    """

    def __init__(self, parameters: LinkParameters):
        self._parameters = parameters
        super().__init__(
            {
                "slot": In(range(parameters.slots)),
                "begin": In(1),
                "data": In(8),
                "write": In(1),
                "finish": In(1),
                "filled": Out(range(parameters.slot_bytes)),
                "send": In(1),
                "sending": Out(1),
                "occupied": Out(1),
                "out": Out(8),
                "out_valid": Out(1),
                "out_ready": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        parameters = self._parameters
        m.submodules.memory = memory = Memory(shape=8, depth=parameters.slots * parameters.slot_bytes, init=[])
        write, read = memory.write_port(), memory.read_port()
        place, terminates = self.filled, Signal()
        # Where the last zero was; inverted, as an adder takes what is subtracted.
        code_inverted = Signal(range(parameters.slot_bytes))
        closes = Signal()  # A group of COBS ends.
        m.d.comb += [
            closes.eq(self.finish | (self.write & (self.data == 0))),
            write.en.eq(self.write | self.finish | terminates),
            write.addr.eq(Cat(Mux(closes, ~code_inverted, place), self.slot)),
            write.data.eq(
                Mux(closes, (place + code_inverted + 1)[: len(place)], Mux(terminates, DELIMITER, self.data))
            ),
        ]
        m.d.sync += terminates.eq(self.finish)
        with m.If(self.begin):
            m.d.sync += [place.eq(1), code_inverted.eq(~0)]
        with m.If(self.write):
            m.d.sync += place.eq(place + 1)
            with m.If(self.data == 0):
                m.d.sync += code_inverted.eq(~place)

        sent_slot, sent, fetched = Signal.like(self.slot), Signal.like(place, name="sent"), Signal()
        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(Cat(sent, sent_slot)),
            self.out.eq(read.data),
            self.out_valid.eq(self.sending & fetched),
            self.occupied.eq(self.sending & (sent_slot == self.slot)),
        ]
        m.d.sync += fetched.eq(self.sending & ~(self.out_valid & self.out_ready))
        with m.If(self.send):
            m.d.sync += [self.sending.eq(1), sent.eq(0), sent_slot.eq(self.slot), fetched.eq(0)]
        with m.If(self.out_valid & self.out_ready):
            m.d.sync += sent.eq(sent + 1)
            with m.If(self.out == DELIMITER):
                m.d.sync += self.sending.eq(0)
        return m
