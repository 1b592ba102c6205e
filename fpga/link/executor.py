"""Carries frames out, one after the other, and answers each."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.fpga.link.protocol import (
    COUNTERS,
    PAGE_SHIFT,
    VERSION,
    Command,
    LinkParameters,
    Status,
    weight_bytes,
)
from dfarray.fpga.link.samples import SampleFeeder, sample_stream, stream_of
from dfarray.hw.arithmetic import q_shape
from dfarray.hw.registers import AxiLite
from dfarray.line import label_bytes, logit_bytes
from dfarray.trace import index_bits

AGAIN, REST, CHECK, CLOSE = range(4)
"""Where to go on when bytes have been sent."""


class Executor(wiring.Component):
    """A frame's command, and its reply; docs/host-interface.md says what each does.

    Bits pass one by one through one register of 32 bits, ``work``, and the CRC: at a UART's pace that is soon enough,
    and takes less logic than bytes would.

    Attributes
    ----------
    available, head, head_valid, take
        Of :class:`dfarray.fpga.link.receiver.FrameReceiver`.
    damaged : In(1)
        Strobe: a frame was not taken in.
    partial : In(1)
        A frame is coming in.
    received : In(1)
        Strobe: a byte of it came.
    give_up : Out(1)
        Strobe: none has come for too long.
    slot, begin, data, write, finish, spare, send, sending, occupied
        Of :class:`dfarray.fpga.link.replies.ReplyStore`.
    counters : In
        16 bits each, see :data:`dfarray.fpga.link.protocol.COUNTERS`.
    unexpected, timeout : Out(1)
        Strobes for the last two of them.
    greets : Out(1)
        Strobe: a session begins.
    samples, results, weights_in, weights_out, registers
        To the accelerator.
    busy : In(1)
        The accelerator works, or has something waiting.
    session, working : Out(1)
        A host has said hello; a frame is under way.
    """

    def __init__(self, config: Configuration, parameters: LinkParameters):
        self._config, self._parameters = config, parameters
        formats, classes = config.formats, index_bits(config.network.classes)
        weight = stream_of(data=q_shape(formats.weight))
        inputs = ["available", "head_valid", "damaged", "partial", "received", "sending", "occupied", "busy"]
        outputs = [
            "take",
            "give_up",
            "begin",
            "write",
            "finish",
            "send",
            "unexpected",
            "timeout",
            "greets",
            "session",
            "working",
        ]
        super().__init__(
            dict.fromkeys(inputs, In(1))
            | dict.fromkeys(outputs, Out(1))
            | {
                "head": In(8),
                "data": Out(8),
                "slot": Out(range(parameters.slots)),
                "spare": In(range(parameters.slot_bytes)),
                "counters": In(16 * len(COUNTERS)),
                "samples": Out(sample_stream(config)),
                "results": In(stream_of(logit=q_shape(formats.logit), prediction=classes, last=1)),
                "weights_in": Out(weight),
                "weights_out": In(weight),
                "registers": Out(AxiLite()),
            }
        )
        self._feeder = SampleFeeder(config)
        self._sequence, self._expected, self._nonce = Signal(8), Signal(8), Signal(16)
        self._command, self._argument = Signal(8), Signal(8)
        self._left = Signal(8)  # Bytes of the frame that were not taken yet.
        # Of a refusal the reply carries the number that is expected.
        self._status, self._refuses = Signal(8), Signal()
        self._work, self._bit, self._count, self._after = Signal(32), Signal(3), Signal(2), Signal(2)
        self._hidden = Signal()  # Bits go to the CRC alone.
        self._answered, self._answer_ends = Signal(), Signal()
        self._waits, self._moves, self._expired = Signal(), Signal(), Signal()

    def elaborate(self, platform):
        m = Module()
        m.submodules.feeder = feeder = self._feeder
        m.submodules.check = self._check = check = catalog.CRC32_ISO_HDLC(data_width=1).create()
        self._damaged = Signal()
        with m.If(self.damaged):
            m.d.sync += self._damaged.eq(1)
        with m.If(self.take):
            m.d.sync += self._left.eq(self._left - 1)
        # What waits for the accelerator, or for the rest of a frame, is given up in the end.
        patience = Signal(self._parameters.watchdog_bits + 1)
        m.d.comb += self._expired.eq(patience[-1])
        m.d.sync += patience.eq(Mux(self._waits & ~self._moves & ~self._expired, patience + 1, 0))
        bus, address = self.registers, Cat(self._argument, self._command[PAGE_SHIFT])
        m.d.comb += [
            feeder.layout.eq(self._command[3:6]),
            feeder.last.eq(self._command[6]),
            feeder.label.eq(self._argument),
            feeder.head.eq(self.head),
            feeder.head_valid.eq(self.head_valid),
            feeder.left.eq(self._left),
            self.data.eq(self._work[:8]),
            check.data.eq(self._work[0]),
            self.slot.eq(Mux(self._refuses, self._expected, self._sequence)),
            bus.awaddr.eq(address),
            bus.araddr.eq(address),
            bus.wdata.eq(self._work),
            bus.wstrb.eq(0b1111),
            bus.bready.eq(1),
            self.weights_in.data.eq(self._work[32 - 8 * weight_bytes(self._config) :]),
            self.working.eq(1),
        ]
        wiring.connect(m, feeder.samples, wiring.flipped(self.samples))
        with m.FSM():
            self._accept(m)
            self._begin(m)
            self._registers(m)
            self._answer(m)
            self._weights(m)
            self._hello(m)
            self._reply(m)
        return m

    def _shift(self, value):
        return [self._work.eq(Cat(self._work[1:], value)), self._bit.eq(self._bit + 1)]

    def _emit(self, count, after):
        """So many bytes of ``work`` go into the reply."""
        return [self._count.eq(count - 1), self._bit.eq(0), self._after.eq(after)]

    def _wait(self, m, moves):
        """Wait for the accelerator, not for ever. Returns what is true when it is given up."""
        m.d.comb += [self._waits.eq(1), self._moves.eq(moves)]
        with m.If(self._expired):
            m.d.comb += self.timeout.eq(1)
            m.d.sync += self._status.eq(Status.TIMEOUT)
        return self._expired

    def _accept(self, m):
        """A frame's first three bytes, and whether it is carried out."""
        opcode = self._command[:3]
        with m.State("IDLE"):
            m.d.comb += [
                self.working.eq(0),
                self._waits.eq(self.partial),
                self._moves.eq(self.received),
                self.give_up.eq(self._expired),
                self.timeout.eq(self._expired),
            ]
            m.d.sync += [self._refuses.eq(0), self._status.eq(Status.OK), self._answered.eq(0)]
            with m.If(self.available):
                m.d.comb += self.take.eq(1)
                m.d.sync += self._left.eq(self.head)
                m.next = "SEQUENCE"
            with m.Elif(self._damaged):
                m.d.sync += [
                    self._left.eq(0),
                    self._refuses.eq(1),
                    self._status.eq(Status.DAMAGED),
                    self._damaged.eq(self.damaged),
                ]
                m.next = "BEGIN"
        steps = (("SEQUENCE", self._sequence), ("COMMAND", self._command), ("ARGUMENT", self._argument))
        for (name, target), following in zip(steps, ("COMMAND", "ARGUMENT", "DISPATCH"), strict=True):
            with m.State(name), m.If(self.head_valid):
                m.d.comb += self.take.eq(1)
                m.d.sync += target.eq(self.head)
                m.next = following
        with m.State("DISPATCH"):
            behind = Signal(8)
            nonce = Cat(self._sequence, self._argument)
            m.d.comb += behind.eq(self._expected - self._sequence)
            m.next = "BEGIN"
            with m.If(opcode == Command.HELLO):
                with m.If(self.session & (nonce == self._nonce)):
                    m.next = "SKIP"  # The same session's.
                with m.Else():
                    m.d.sync += [
                        self.session.eq(1),
                        self._nonce.eq(nonce),
                        self._expected.eq(self._sequence + 1),
                    ]
            with m.Elif(~self.session):
                m.d.comb += self.unexpected.eq(1)
                m.d.sync += [self._refuses.eq(1), self._status.eq(Status.NO_SESSION)]
            with m.Elif(behind == 0):
                m.d.sync += self._expected.eq(self._expected + 1)
            with m.Else():
                m.d.comb += self.unexpected.eq(1)
                m.next = "SKIP"
                with m.If(behind >= self._parameters.slots):
                    m.d.sync += [self._refuses.eq(1), self._status.eq(Status.UNEXPECTED)]
                    m.next = "BEGIN"
        with m.State("SKIP"):
            # A frame that has been carried out: its reply is still there.
            with m.If(self._left == 0):
                m.next = "SEND"
            with m.Elif(self.head_valid):
                m.d.comb += self.take.eq(1)

    def _begin(self, m):
        # What a refusal left in this slot may still be on its way out.
        with m.State("BEGIN"), m.If(~self.occupied):
            m.d.comb += [self.begin.eq(1), self._check.start.eq(1)]
            m.d.sync += self._bit.eq(0)
            m.next = "REST"
            with m.If(~self._refuses), m.Switch(self._command[:3]):
                with m.Case(Command.HELLO):
                    m.d.comb += [self._feeder.discard.eq(1), self.greets.eq(1)]
                    m.d.sync += self._work.eq(0)
                    m.next = "DISCARD"
                with m.Case(Command.READ):
                    m.next = "READ_ADDRESS"
                    with m.If(self._argument[7] & ~self._command[PAGE_SHIFT]):
                        m.next = "READ_COUNTER"
                with m.Case(Command.WRITE):
                    m.d.sync += self._count.eq(4 - 1)
                    m.next = "GATHER"
                with m.Case(Command.SAMPLE):
                    m.d.comb += self._feeder.start.eq(1)
                    m.next = "SAMPLE"
                with m.Case(Command.RESULT):
                    m.next = "RESULT"
                with m.Case(Command.LOAD, Command.DUMP, Command.DIGEST):
                    m.next = "AGAIN"
        with m.State("AGAIN"):
            # The next word of a command.
            m.d.sync += self._bit.eq(0)
            m.next = "REST"
            with m.Switch(self._command[:3]):
                with m.Case(Command.SAMPLE, Command.RESULT), m.If(~self._answer_ends):
                    m.next = "RESULT"
                with m.Case(Command.LOAD):
                    m.d.sync += self._count.eq(weight_bytes(self._config) - 1)
                    with m.If(self._left != 0):
                        m.next = "GATHER"
                with m.Case(Command.DUMP):
                    m.d.sync += self._argument.eq(self._argument - 1)
                    with m.If(self._argument.any() & (self.spare >= weight_bytes(self._config))):
                        m.next = "WEIGHT_OUT"
                with m.Case(Command.DIGEST):
                    m.d.sync += self._hidden.eq(1)
                    m.next = "WEIGHT_OUT"
        with m.State("GATHER"):
            with m.If(self._left == 0):
                m.d.sync += self._status.eq(Status.REFUSED)
                m.next = "REST"
            with m.Elif(self.head_valid):
                m.d.sync += self._shift(self.head.bit_select(self._bit, 1))
                with m.If(self._bit == 7):
                    m.d.comb += self.take.eq(1)
                    m.d.sync += self._count.eq(self._count - 1)
                    with m.If(self._count == 0):
                        m.next = "WEIGHT_IN"
                        with m.If(self._command[:3] == Command.WRITE):
                            m.next = "WRITE"

    def _registers(self, m):
        bus = self.registers
        with m.State("WRITE"):
            m.d.comb += [bus.awvalid.eq(1), bus.wvalid.eq(1)]
            with m.If(bus.awready):
                m.next = "WRITTEN"
        with m.State("WRITTEN"), m.If(bus.bvalid):
            with m.If(bus.bresp[1]):
                m.d.sync += self._status.eq(Status.REFUSED)
            m.next = "REST"
        with m.State("READ_ADDRESS"):
            m.d.comb += bus.arvalid.eq(1)
            with m.If(bus.arready):
                m.next = "READ"
        with m.State("READ"):
            m.d.comb += bus.rready.eq(1)
            with m.If(bus.rvalid):
                with m.If(bus.rresp[1]):
                    m.d.sync += self._status.eq(Status.REFUSED)
                m.d.sync += [self._work.eq(bus.rdata), *self._emit(4, REST)]
                m.next = "EMIT"
        with m.State("READ_COUNTER"):
            facts = [round(100 * self._parameters.mhz), self._parameters.baud // 100]
            words = Array([*(self.counters.word_select(k, 16) for k in range(len(COUNTERS))), *facts])
            m.d.sync += [self._work.eq(words[self._argument[2:5]]), *self._emit(4, REST)]
            m.next = "EMIT"

    def _answer(self, m):
        feeder, results = self._feeder, self.results
        with m.State("SAMPLE"):
            m.d.comb += self.take.eq(feeder.take)
            m.d.comb += feeder.stop.eq(self._wait(m, feeder.transfers | feeder.take))
            with m.If(feeder.failed):
                m.d.sync += self._status.eq(Status.REFUSED)
            with m.If(~feeder.busy):
                m.next = "REST"
                with m.If(self._command[7] & (self._status == Status.OK)):
                    m.next = "RESULT"
        with m.State("RESULT"):
            # First what was predicted, with class 0 still waiting.
            gives_up = self._wait(m, results.valid)
            with m.If(results.valid):
                m.d.comb += results.ready.eq(self._answered)
                m.d.sync += [self._answered.eq(1), self._answer_ends.eq(self._answered & results.last)]
                m.next = "AGAIN"
                with m.If(~self._answered):
                    m.d.sync += [
                        self._work.eq(results.prediction),
                        *self._emit(label_bytes(self._config), AGAIN),
                    ]
                    m.next = "EMIT"
                with m.Elif(self.spare >= logit_bytes(self._config)):
                    m.d.sync += [
                        self._work.eq(results.logit),
                        *self._emit(logit_bytes(self._config), AGAIN),
                    ]
                    m.next = "EMIT"
            with m.Elif(gives_up):
                m.next = "REST"

    def _weights(self, m):
        n = weight_bytes(self._config)
        with m.State("WEIGHT_IN"):
            gives_up = self._wait(m, self.weights_in.ready)
            m.d.comb += self.weights_in.valid.eq(1)
            with m.If(self.weights_in.ready):
                m.next = "AGAIN"
            with m.Elif(gives_up):
                m.next = "REST"
        with m.State("WEIGHT_OUT"):
            out = self.weights_out
            gives_up = self._wait(m, out.valid)
            with m.If(out.valid):
                m.d.comb += out.ready.eq(1)
                m.d.sync += [self._work.eq(out.data), *self._emit(n, AGAIN)]
                m.next = "EMIT"
            with m.Elif(~self.busy | gives_up):
                m.d.sync += [self._hidden.eq(0), *self._emit(4, REST)]
                m.next = "REST"
                with m.If(self._hidden):
                    m.d.comb += self._check.start.eq(1)
                    m.d.sync += self._work.eq(self._check.crc)
                    m.next = "EMIT"
                with m.Elif(~gives_up):
                    m.d.sync += self._status.eq(Status.REFUSED)

    def _hello(self, m):
        """What an earlier session left is brought to an end."""
        parameters = self._parameters
        with m.State("DISCARD"):
            feeder = self._feeder
            m.d.comb += feeder.stop.eq(self._wait(m, feeder.transfers))
            with m.If(~feeder.busy):
                m.next = "DRAIN"
        with m.State("DRAIN"):
            streams = (self.results, self.weights_out, self.weights_in)
            m.d.comb += [self.results.ready.eq(1), self.weights_out.ready.eq(1), self.weights_in.valid.eq(1)]
            gives_up = self._wait(m, Cat(stream.valid & stream.ready for stream in streams).any())
            with m.If(~self.busy | gives_up):
                sizes = (parameters.buffer_bytes, parameters.slot_bytes, parameters.slots)
                facts = [VERSION, *(size.bit_length() - 1 for size in sizes)]
                m.d.sync += [self._work.eq(Const(int.from_bytes(bytes(facts), "little"), 32)), *self._emit(4, REST)]
                m.next = "EMIT"

    def _reply(self, m):
        with m.State("EMIT"):
            m.d.comb += [self.write.eq((self._bit == 0) & ~self._hidden), self._check.valid.eq(1)]
            m.d.sync += self._shift(0)
            with m.If(self._bit == 7):
                m.d.sync += self._count.eq(self._count - 1)
                with m.If(self._count == 0):
                    for code, following in enumerate(("AGAIN", "REST", "CHECK", "CLOSE")):
                        with m.If(self._after == code):
                            m.next = following
        with m.State("REST"):
            # What the command has not used; then the reply's end.
            with m.If(self._left == 0):
                number = Mux(self._refuses, self._expected, self._sequence)
                m.d.sync += [self._work.eq(Cat(self._status, number)), *self._emit(2, CHECK)]
                m.next = "EMIT"
            with m.Elif(self.head_valid):
                m.d.comb += self.take.eq(1)
        with m.State("CHECK"):
            m.d.sync += [self._work.eq(self._check.crc), *self._emit(4, CLOSE)]
            m.next = "EMIT"
        with m.State("CLOSE"):
            m.d.comb += self.finish.eq(1)
            m.next = "CLOSING"
        with m.State("CLOSING"):
            m.next = "SEND"
        with m.State("SEND"), m.If(~self.sending):
            m.d.comb += self.send.eq(1)
            m.next = "IDLE"
