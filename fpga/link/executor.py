"""Carries frames out, one after the other, and answers each."""

from enum import IntEnum

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.fpga.link.protocol import (
    COUNTER_BITS,
    COUNTERS,
    CRC_BYTES,
    PAGE_SHIFT,
    VERSION,
    Command,
    LinkParameters,
    Status,
    weight_bytes,
)
from dfarray.fpga.link.samples import SampleFeeder, sample_stream, stream_of
from dfarray.hw.arithmetic import q_shape
from dfarray.hw.registers import RegisterBus
from dfarray.line import label_bytes, logit_bytes
from dfarray.trace import index_bits


class Source(IntEnum):
    """Where the bits of a reply come from."""

    WORK = 0
    """What a register's reading, or a digest, has left in ``work``."""
    HELLO = 1
    COUNTER = 2
    PREDICTION = 3
    LOGIT = 4
    WEIGHT = 5
    STATUS = 6
    """And the frame's number."""
    CHECK = 7


class Executor(wiring.Component):
    """A frame's command, and its reply; docs/host-interface.md says what each does.

    Bits pass one by one through one register of 32 bits, ``work``, and the CRC: at a UART's pace that is soon enough,
    and takes less logic than bytes would. What is offered waits until its bits have passed.

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
    slot, begin, data, write, finish, filled, send, sending, occupied
        Of :class:`dfarray.fpga.link.replies.ReplyStore`.
    counters : In
        ``COUNTER_BITS`` each, see :data:`dfarray.fpga.link.protocol.COUNTERS`.
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
                "filled": In(range(parameters.slot_bytes)),
                "counters": In(COUNTER_BITS * len(COUNTERS)),
                "samples": Out(sample_stream(config)),
                "results": In(stream_of(logit=q_shape(formats.logit), prediction=classes, last=1)),
                "weights_in": Out(weight),
                "weights_out": In(weight),
                "registers": Out(RegisterBus()),
            }
        )
        self._feeder = SampleFeeder(config)
        # The argument is behind the command, and that behind the number, as they come in.
        names = ("sequence", "command", "argument", "expected")
        self._sequence, self._command, self._argument, self._expected = (
            Signal(8, name=name, reset_less=True) for name in names
        )
        self._nonce = Signal(16, reset_less=True)
        self._left = Signal(8)  # Bytes of the frame that were not taken yet, the CRC's too.
        self._at_end = Signal()  # Of the payload.
        self._status = Signal(8)
        # ``index`` counts the bits that ``work`` takes in; it is 0 when none come.
        self._work, self._index, self._source = Signal(32, reset_less=True), Signal(5), Signal(Source, reset_less=True)
        self._hidden = Signal()  # Bits go to the CRC alone.
        self._shifts, self._shifted = Signal(), Signal()
        self._fails = Signal()  # Strobe: what the frame asks for cannot be done.
        self._whole = Signal()  # A byte of the reply is in ``work``.
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
        self._bit = bit = Signal()
        m.d.comb += bit.eq(self._bits()[self._source])
        m.d.comb += [
            feeder.layout.eq(self._command[3:6]),
            feeder.last.eq(self._command[6]),
            feeder.label.eq(self._argument),
            feeder.head.eq(self.head),
            feeder.head_valid.eq(self.head_valid),
            feeder.at_end.eq(self._at_end),
            feeder.last_byte.eq(self._left == CRC_BYTES + 1),
            self._at_end.eq(self._left == CRC_BYTES),
            self.data.eq(self._work[24:]),
            # What comes out of the CRC shifts it.
            check.data.eq(bit ^ (self._source == Source.CHECK)),
            self.slot.eq(self._sequence),
            bus.address.eq(address),
            bus.write.eq(~self._command[0]),
            bus.data.eq(self._work),
            bus.strobe.eq(0b1111),
            self.weights_in.data.eq(self._work[32 - 8 * weight_bytes(self._config) :]),
            self.working.eq(1),
        ]
        with m.If(self._shifts | bus.beat):
            halves = Cat(self._work[len(bus.word) :], bus.word)
            m.d.sync += self._work.eq(Mux(bus.beat, halves, Cat(self._work[1:], self._shifted)))
        with m.If(self._fails):
            m.d.sync += self._status.eq(Status.REFUSED)
        with m.If(self.timeout & ~self.give_up):
            m.d.sync += self._status.eq(Status.TIMEOUT)
        with m.If(self.send):
            m.d.sync += self._status.eq(Status.OK)
        with m.If(self._shifts):
            m.d.sync += self._index.eq(self._index + 1)
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

    def _bits(self):
        """The bit of each source at ``index``."""
        config, parameters, results = self._config, self._parameters, self.results
        sizes = (parameters.buffer_bytes, parameters.slot_bytes, parameters.slots)
        hello = bytes([VERSION, *(size.bit_length() - 1 for size in sizes)])
        facts = [round(100 * parameters.mhz), parameters.baud // 100]
        counts = Cat(self.counters, Const(0, (8 - len(COUNTERS)) * COUNTER_BITS))
        index, word = self._index, self._argument[2:5]
        told = Cat(Const(fact, 16) for fact in facts).bit_select(Cat(index[:4], ~word[0]), 1) & ~index[4]
        count = counts.bit_select(Cat(index[:3], word), 1) & ~index[3:].any()
        of_source = {
            Source.WORK: self._work[0],
            Source.HELLO: Const(int.from_bytes(hello, "little"), 32).bit_select(self._index, 1),
            Source.COUNTER: Mux(word >= len(COUNTERS), told, count),
            Source.PREDICTION: _serial(results.prediction, label_bytes(config), self._index),
            Source.LOGIT: _serial(results.logit, logit_bytes(config), self._index),
            Source.WEIGHT: _serial(self.weights_out.data, weight_bytes(config), self._index),
            Source.STATUS: _serial(Cat(self._status, self._sequence), 2, self._index),
            Source.CHECK: self._check.crc[0],
        }
        return Array(of_source[source] for source in Source)

    def _room(self, size):
        """Whether the reply's payload, behind COBS' byte, has room for so many bytes more."""
        return self.filled <= 1 + self._parameters.reply_bytes - size

    def _shift(self, m, value):
        m.d.comb += [self._shifts.eq(1), self._shifted.eq(value)]

    def _emit(self, m, source):
        """The bits of a source go into the reply."""
        m.d.sync += self._source.eq(source)
        m.next = "EMIT"

    def _refuse(self, status):
        """Nothing is carried out; the reply carries the number that is expected."""
        return [self._status.eq(status), self._sequence.eq(self._expected)]

    def _wait(self, m, moves):
        """Wait for the accelerator, not for ever. Returns what is true when it is given up."""
        m.d.comb += [self._waits.eq(1), self._moves.eq(moves)]
        with m.If(self._expired):
            m.d.comb += self.timeout.eq(1)
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
            with m.If(self.available):
                m.d.comb += self.take.eq(1)
                m.d.sync += self._left.eq(self.head)
                m.next = "HEADER"
            with m.Elif(self._damaged):
                m.d.sync += [*self._refuse(Status.DAMAGED), self._damaged.eq(self.damaged)]
                m.next = "BEGIN"
        with m.State("HEADER"), m.If(self.head_valid):
            m.d.comb += self.take.eq(1)
            m.d.sync += [
                self._sequence.eq(self._command),
                self._command.eq(self._argument),
                self._argument.eq(self.head),
                self._index.eq(self._index + 1),
            ]
            with m.If(self._index == 2):
                m.d.sync += self._index.eq(0)
                m.next = "DISPATCH"
        with m.State("DISPATCH"):
            behind = Signal(8)
            following = self._sequence + 1
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
                        self._expected.eq(following),
                    ]
            with m.Elif(~self.session):
                m.d.comb += self.unexpected.eq(1)
                m.d.sync += self._refuse(Status.NO_SESSION)
            with m.Elif(behind == 0):
                m.d.sync += self._expected.eq(following)
            with m.Else():
                m.d.comb += self.unexpected.eq(1)
                m.next = "SKIP"
                with m.If(behind >= self._parameters.slots):
                    m.d.sync += self._refuse(Status.UNEXPECTED)
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
            m.next = "REST"
            with m.If(~self._status[7]), m.Switch(self._command[:3]):
                with m.Case(Command.HELLO):
                    m.d.comb += [self._feeder.discard.eq(1), self.greets.eq(1)]
                    m.next = "DISCARD"
                with m.Case(Command.READ):
                    m.next = "REGISTER"
                    with m.If(self._argument[7] & ~self._command[PAGE_SHIFT]):
                        self._emit(m, Source.COUNTER)
                with m.Case(Command.WRITE):
                    m.next = "GATHER"
                with m.Case(Command.SAMPLE):
                    m.d.comb += self._feeder.start.eq(1)
                    m.next = "SAMPLE"
                with m.Case(Command.RESULT):
                    m.next = "PREDICTION"
                with m.Case(Command.LOAD, Command.DUMP, Command.DIGEST):
                    m.next = "AGAIN"
        with m.State("AGAIN"):
            # The next word of a command.
            m.next = "REST"
            with m.Switch(self._command[:3]):
                with m.Case(Command.LOAD), m.If(~self._at_end):
                    m.next = "GATHER"
                with m.Case(Command.DUMP):
                    m.d.sync += self._argument.eq(self._argument - 1)
                    with m.If(self._argument.any() & self._room(weight_bytes(self._config))):
                        m.next = "WEIGHT_OUT"
                with m.Case(Command.DIGEST):
                    m.d.sync += self._hidden.eq(1)
                    m.next = "WEIGHT_OUT"
        with m.State("GATHER"):
            write = self._command[:3] == Command.WRITE
            with m.If(self._at_end):
                m.d.comb += self._fails.eq(1)
                m.d.sync += self._index.eq(0)
                m.next = "REST"
            with m.Elif(self.head_valid):
                self._shift(m, self.head.bit_select(self._index[:3], 1))
                with m.If(self._index[:3] == 7):
                    m.d.comb += self.take.eq(1)
                    with m.If(self._index[3:] == Mux(write, 4, weight_bytes(self._config)) - 1):
                        m.d.sync += self._index.eq(0)
                        m.next = "WEIGHT_IN"
                        with m.If(write):
                            m.next = "REGISTER"

    def _registers(self, m):
        bus = self.registers
        with m.State("REGISTER"):
            m.d.comb += bus.valid.eq(1)
            with m.If(bus.done):
                with m.If(bus.refused):
                    m.d.comb += self._fails.eq(1)
                m.next = "REST"
                with m.If(~bus.write):
                    self._emit(m, Source.WORK)

    def _answer(self, m):
        feeder, results = self._feeder, self.results
        with m.State("SAMPLE"):
            m.d.comb += self.take.eq(feeder.take)
            m.d.comb += feeder.stop.eq(self._wait(m, feeder.transfers | feeder.take))
            with m.If(feeder.failed):
                m.d.comb += self._fails.eq(1)
            with m.If(~feeder.busy):
                m.next = "REST"
                with m.If(self._command[7] & (self._status == Status.OK)):
                    m.next = "PREDICTION"
        with m.State("PREDICTION"):
            # It is offered with class 0, which stays.
            gives_up = self._wait(m, results.valid)
            with m.If(results.valid):
                self._emit(m, Source.PREDICTION)
            with m.Elif(gives_up):
                m.next = "REST"
        with m.State("LOGIT"):
            gives_up = self._wait(m, results.valid)
            with m.If(results.valid & ~self._whole):
                m.next = "ANSWERED"
                with m.If(self._room(logit_bytes(self._config))):
                    self._emit(m, Source.LOGIT)
            with m.Elif(gives_up):
                m.next = "REST"
        with m.State("ANSWERED"):
            m.d.comb += results.ready.eq(1)
            m.next = "LOGIT"
            with m.If(results.last):
                m.next = "REST"

    def _weights(self, m):
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
                self._emit(m, Source.WEIGHT)
            with m.Elif(~self.busy | gives_up):
                m.next = "REST"
                with m.If(self._hidden):
                    self._emit(m, Source.CHECK)
                with m.Elif(~gives_up):
                    m.d.comb += self._fails.eq(1)
        with m.State("DUMPED"):
            m.d.comb += self.weights_out.ready.eq(1)
            m.next = "AGAIN"
        with m.State("DIGESTED"):
            # The digest is in ``work``; the reply's own check begins.
            m.d.comb += self._check.start.eq(1)
            m.d.sync += self._hidden.eq(0)
            self._emit(m, Source.WORK)

    def _hello(self, m):
        """What an earlier session left is brought to an end."""
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
                self._emit(m, Source.HELLO)

    def _reply(self, m):
        config, whole = self._config, self._whole
        lengths = {Source.PREDICTION: label_bytes(config), Source.LOGIT: logit_bytes(config), Source.STATUS: 2}
        lengths[Source.WEIGHT] = weight_bytes(config)
        last = Array(lengths.get(source, 4) - 1 for source in Source)[self._source]
        following = {
            Source.PREDICTION: "LOGIT",
            Source.LOGIT: "ANSWERED",
            Source.WEIGHT: "DUMPED",
            Source.STATUS: "EMIT",
            Source.CHECK: "CLOSE",
        }
        m.d.sync += whole.eq(0)
        m.d.comb += self.write.eq(whole & ~self._hidden)
        with m.State("EMIT"):
            m.d.comb += self._check.valid.eq(1)
            self._shift(m, self._bit)
            with m.If(self._index[:3] == 7):
                m.d.sync += whole.eq(1)
                with m.If(self._index[3:] == last):
                    m.d.sync += self._index.eq(0)
                    m.next = "REST"
                    for source, state in following.items():
                        with m.If(self._source == source):
                            m.next = state
                    with m.If(self._source == Source.STATUS):
                        m.d.sync += self._source.eq(Source.CHECK)
                    with m.If(self._hidden & (self._source == Source.CHECK)):
                        m.next = "DIGESTED"
        with m.State("REST"):
            # What the command has not used; then the reply's end.
            with m.If(self._left == 0):
                self._emit(m, Source.STATUS)
            with m.Elif(self.head_valid):
                m.d.comb += self.take.eq(1)
        with m.State("CLOSE"):
            # The last byte is being written.
            m.next = "FINISH"
        with m.State("FINISH"):
            m.d.comb += self.finish.eq(1)
            m.next = "CLOSING"
        with m.State("CLOSING"):
            m.next = "SEND"
        with m.State("SEND"), m.If(~self.sending):
            m.d.comb += self.send.eq(1)
            m.next = "IDLE"


def _serial(value, size, index):
    """Bit ``index`` of a value that is extended to so many bytes."""
    value = Value.cast(value)
    extended = value.as_signed() if value.shape().signed else Cat(value, Const(0, 1)).as_signed()
    return Cat(extended[k] if k < len(extended) else extended[-1] for k in range(8 * size)).bit_select(index, 1)
