"""The error unit: logits in, results out, and learning-rate-scaled errors g_c for the feedback network."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, ErrorKind
from dfarray.hw.arithmetic import delay, fabric_product, q_shape, saturate
from dfarray.hw.context import output_context
from dfarray.hw.softmax import SoftmaxErrors, SquaredErrors
from dfarray.latency import error_latency
from dfarray.trace import index_bits

SCALE = 8
"""Cycles from e_c to g_c: multiply (4), add half, shift by eights, by ones, saturate."""


def result_word(config: Configuration) -> data.StructLayout:
    """One logit; ``prediction`` is valid in every word of a sample."""
    return data.StructLayout(
        {"logit": q_shape(config.formats.logit), "prediction": index_bits(config.network.classes), "last": 1}
    )


class ErrorUnit(wiring.Component):
    """Output error of one sample after the other; keeps g of two, a bank for each parity.

    Attributes
    ----------
    start : In(1)
        A sample's output rows start; ``context`` is latched.
    context : In(output_context)
    logit : In {valid, value}
        C logits, class 0 first.
    results : Out stream of result_word
        C transfers a sample.
    idle : Out(1)
        Results are delivered and, for a training sample, the errors are complete.
    correct, bank : Out(1)
        Latched from the context: whether the sums are corrected, and the sample's own bank.
    clear_ready : In(2)
        Strobe: the bank's g belong to no sample any more.
    ready : Out(2)
        Whether a bank's g are complete.
    read : three of {read_class, bank} In, {error} Out
        g of the ``read_class`` of the cycle before.

    Latency: :func:`dfarray.latency.error_latency` from the last logit to ``idle``.
    """

    def __init__(self, config: Configuration):
        self._config = config
        softmax = config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
        self._source = SoftmaxErrors(config) if softmax else SquaredErrors(config)
        self.latency = error_latency(config.network.classes, softmax)
        bits = index_bits(config.network.classes)
        delta = q_shape(config.formats.delta)
        self.write_enable = Signal()
        self.write_class = Signal(bits)
        self.write_value = Signal(delta)
        reader = wiring.Signature({"read_class": In(bits), "bank": In(1), "error": Out(delta)})
        super().__init__(
            {
                "start": In(1),
                "context": In(output_context(config)),
                "logit": In(data.StructLayout({"valid": 1, "value": q_shape(config.formats.logit)})),
                "results": Out(stream.Signature(result_word(config))),
                "idle": Out(1),
                "correct": Out(1),
                "bank": Out(1),
                "clear_ready": In(2),
                "ready": Out(2),
                "read": Out(reader).array(3),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        context = Signal.like(self.context)
        with m.If(self.start):
            m.d.sync += context.eq(self.context)
        settings = context.settings
        m.d.comb += [self.correct.eq(context.correct), self.bank.eq(context.parity)]
        m.submodules.logits = logits = Memory(
            shape=q_shape(config.formats.logit), depth=config.network.classes, init=[]
        )
        m.submodules.source = source = self._source
        complete, largest, prediction = self._receive(m, logits.write_port())
        self._send_results(m, logits.read_port(), complete, prediction)
        read = logits.read_port()
        m.d.comb += [
            source.start.eq(complete & settings.train),
            source.largest.eq(largest),
            source.label.eq(settings.label),
            source.logit.eq(read.data),
            read.addr.eq(source.read_class),
        ]
        self._scale(m, settings.mantissa, settings.exponent)
        return m

    def _receive(self, m, write):
        """Store logits and find the largest; ``complete`` strobes in the cycle of the last one."""
        classes = self._config.network.classes
        count, prediction = Signal(index_bits(classes)), Signal(index_bits(classes))
        largest = Signal(q_shape(self._config.formats.logit))
        complete = Signal()
        m.d.comb += [
            write.en.eq(self.logit.valid),
            write.addr.eq(count),
            write.data.eq(self.logit.value),
            complete.eq(self.logit.valid & (count == classes - 1)),
        ]
        with m.If(self.logit.valid):
            m.d.sync += count.eq(Mux(complete, 0, count + 1))
            with m.If((count == 0) | (self.logit.value > largest)):
                m.d.sync += [largest.eq(self.logit.value), prediction.eq(count)]
        return complete, largest, prediction

    def _send_results(self, m, read, complete, prediction):
        classes = self._config.network.classes
        sending, index, following = Signal(), Signal(index_bits(classes)), Signal(index_bits(classes))
        results_pending, errors_pending = Signal(), Signal()
        payload = self.results.payload
        transfer = Signal()
        m.d.comb += [
            transfer.eq(self.results.valid & self.results.ready),
            following.eq(Mux(transfer, index + 1, index)),
            read.addr.eq(following),
            payload.logit.eq(read.data),
            payload.prediction.eq(prediction),
            payload.last.eq(index == classes - 1),
            self.idle.eq(~(results_pending | errors_pending)),
        ]
        m.d.sync += [index.eq(following), sending.eq(complete)]
        with m.If(sending):
            m.d.sync += self.results.valid.eq(1)
        with m.If(transfer & payload.last):
            m.d.sync += [self.results.valid.eq(0), results_pending.eq(0), index.eq(0)]
        with m.If(self.write_enable & (self.write_class == classes - 1)):
            m.d.sync += errors_pending.eq(0)
        with m.If(self.start):
            m.d.sync += [results_pending.eq(1), errors_pending.eq(self.context.settings.train)]

    def _scale(self, m, mantissa, exponent):
        """g_c = e_c times the learning rate, :data:`SCALE` cycles after e_c."""
        config, source = self._config, self._source
        have, want = config.formats.error.fraction_bits, config.formats.delta.fraction_bits
        left, right = max(0, want - have), max(0, have - want)
        factor = Cat(mantissa, Const(0, 1)).as_signed()
        product = fabric_product(m, source.error, factor, "product") << left
        width = len(product)
        # From a shift by the whole width on, nothing is left. Amount and half hold for the whole sample.
        amount, wanted = Signal(range(width + 1), reset_less=True), exponent + right
        half = Signal(width, reset_less=True)
        m.d.sync += [amount.eq(Mux(wanted > width, width, wanted)), half.eq((Const(1) << amount) >> 1)]
        wide = delay(m, product + Cat(half, Const(0, 1)).as_signed(), 1, "with_half")
        coarse = delay(m, wide >> Cat(Const(0, 3), amount[3:]), 1, "coarse")
        scaled = delay(m, coarse >> amount[:3], 1, "fine")
        m.d.sync += [
            self.write_enable.eq(delay(m, source.valid, SCALE - 1, "scaled_valid", reset_less=False)),
            self.write_class.eq(delay(m, source.error_class, SCALE - 1, "scaled_class")),
            self.write_value.eq(saturate(m, scaled, len(self.write_value), "scaled")),
        ]
        class_bits = len(self.write_class)
        m.submodules.scaled_errors = memory = Memory(shape=self.write_value.shape(), depth=2 << class_bits, init=[])
        write = memory.write_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(Cat(self.write_class, self.bank)),
            write.data.eq(self.write_value),
        ]
        for reader in self.read:
            port = memory.read_port()
            m.d.comb += [port.addr.eq(Cat(reader.read_class, reader.bank)), reader.error.eq(port.data)]
        completed = self.write_enable & (self.write_class == config.network.classes - 1)
        for bank in range(2):
            with m.If(self.clear_ready[bank]):
                m.d.sync += self.ready[bank].eq(0)
            with m.If(completed & (self.bank == bank)):
                m.d.sync += self.ready[bank].eq(1)
