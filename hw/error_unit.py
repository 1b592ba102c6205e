"""The error unit: logits in, results out, and learning-rate-scaled errors g_c for the feedback network."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, ErrorKind
from dfarray.hw.arithmetic import delay, fabric_product, is_less, overflows, q_shape, saturate_registered
from dfarray.hw.blocks import lut_ram
from dfarray.hw.context import output_context
from dfarray.hw.serial_errors import SerialSoftmaxErrors, SerialSquaredErrors, scaled_error
from dfarray.hw.softmax import SoftmaxErrors, SquaredErrors
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
        C logits, class 0 first. While none is valid, the lowest there is.
    results : Out stream of result_word
        C transfers a sample.
    saturated : Out(1)
        A g was clipped.
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

    Latency: ``latency`` cycles from the last logit to ``idle``.
    """

    def __init__(self, config: Configuration):
        self._config = config
        softmax = config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
        self._serial = config.latency.serial
        if self._serial:
            self._source = SerialSoftmaxErrors(config) if softmax else SerialSquaredErrors(config)
        else:
            self._source = SoftmaxErrors(config) if softmax else SquaredErrors(config)
        self.latency = config.error_latency
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
                "saturated": Out(1),
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
        # Both come late in their cycle, and only ``idle`` needs them in it.
        self._started = delay(m, self.start, 1, "started", reset_less=False)
        if self._serial:
            given = context
            with m.If(self.start):
                m.d.sync += context.eq(self.context)
        else:
            given = delay(m, self.context, 1, "given_context")
            with m.If(self._started):
                m.d.sync += context.eq(given)
        settings = context.settings
        m.d.comb += [self.correct.eq(context.correct), self.bank.eq(context.parity)]
        m.submodules.source = source = self._source
        logit = q_shape(config.formats.logit)
        m.submodules.logits = logits = lut_ram(config.array.family, logit, config.network.classes)
        m.submodules.answers = answers = lut_ram(config.array.family, logit, config.network.classes)
        complete, largest, prediction = self._receive(m, (logits, answers))
        self._send_results(m, answers, complete, prediction, given.settings.train)
        m.d.comb += [
            source.start.eq(complete & settings.train),
            source.largest.eq(largest),
            source.label.eq(settings.label),
            source.logit.eq(logits.read_data),
            logits.read_address.eq(source.read_class),
        ]
        if self._serial:
            self._scale_serially(m, settings.mantissa, settings.exponent)
        else:
            self._scale(m, settings.mantissa, settings.exponent)
        self._keep(m)
        return m

    def _receive(self, m, memories):
        """Store logits and find the largest; ``complete`` strobes in the cycle of the last one."""
        classes = self._config.network.classes
        count, prediction = Signal(index_bits(classes)), Signal(index_bits(classes))
        lowest = self._config.formats.logit.lo
        largest = Signal(q_shape(self._config.formats.logit), init=lowest)
        complete, at_last = Signal(), Signal()
        m.d.comb += complete.eq(self.logit.valid & at_last)
        for memory in memories:
            m.d.comb += [
                memory.write_enable.eq(self.logit.valid),
                memory.write_address.eq(count),
                memory.write_data.eq(self.logit.value),
            ]
        with m.If(self.logit.valid):
            m.d.sync += [count.eq(Mux(at_last, 0, count + 1)), at_last.eq(count == classes - 2)]
        if self._serial:
            with m.If(self.logit.valid & ((count == 0) | (self.logit.value > largest))):
                m.d.sync += [largest.eq(self.logit.value), prediction.eq(count)]
            return complete, largest, prediction
        # The first class is the prediction unless another's logit is larger than the lowest there is, which is shown
        # while no logit is valid. Logits come from far away, and the largest is wanted two cycles after the last.
        arrived, number = delay(m, self.logit.value, 1, "arrived"), delay(m, count, 1, "arrived_class")
        # Whether the one that arrives is larger is found out as it comes, with either outcome for the one before.
        larger, coming = Signal(name="arrived_is_larger"), self.logit.value
        m.d.sync += larger.eq(Mux(larger, is_less(arrived, coming), is_less(largest, coming)))
        with m.If(self._started):
            m.d.sync += [largest.eq(lowest), prediction.eq(0)]
        with m.Elif(larger):
            m.d.sync += [largest.eq(arrived), prediction.eq(number)]
        return complete, largest, prediction

    def _send_results(self, m, logits, complete, prediction, trains):
        classes = self._config.network.classes
        sending, at_last = Signal(), Signal()
        index, following = Signal(index_bits(classes)), Signal(index_bits(classes))
        after = Signal(index_bits(classes), init=1)
        results_pending, errors_pending = Signal(), Signal()
        payload = self.results.payload
        transfer = Signal()
        m.d.comb += [
            transfer.eq(self.results.valid & self.results.ready),
            following.eq(Mux(transfer, after, index)),
            logits.read_address.eq(following),
            payload.logit.eq(logits.read_data),
            payload.prediction.eq(prediction),
            payload.last.eq(at_last),
            self.idle.eq(~(results_pending | errors_pending)),
        ]
        m.d.sync += [index.eq(following), sending.eq(complete)]
        with m.If(transfer):
            m.d.sync += [after.eq(after + 1), at_last.eq(after == classes - 1)]
        with m.If(sending):
            m.d.sync += self.results.valid.eq(1)
        with m.If(transfer & payload.last):
            m.d.sync += [self.results.valid.eq(0), results_pending.eq(0), index.eq(0), after.eq(1), at_last.eq(0)]
        with m.If(self.write_enable & (self.write_class == classes - 1)):
            m.d.sync += errors_pending.eq(0)
        with m.If(self.start):
            m.d.sync += results_pending.eq(1)
        # Results are pending for longer than this comes late.
        with m.If(self._started):
            m.d.sync += errors_pending.eq(trains)

    def _scale_serially(self, m, mantissa, exponent):
        """g_c at the end of the frame of e_c."""
        source, scales = self._source, Signal()
        scaled, clipped = scaled_error(m, self._config, source, mantissa, exponent)
        writes = source.ends & scales
        m.d.sync += [self.write_enable.eq(writes), self.saturated.eq(writes & clipped)]
        with m.If(source.ends):
            m.d.sync += [
                scales.eq(0),
                self.write_class.eq(source.error_class),
                self.write_value.eq(scaled),
            ]
        with m.If(source.valid):
            m.d.sync += scales.eq(1)

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
        # One for the shifter that it is beside.
        remaining = delay(m, amount[:3], 1, "remaining")
        wide = delay(m, product + Cat(half, Const(0, 1)).as_signed(), 1, "with_half")
        coarse = delay(m, wide >> Cat(Const(0, 3), amount[3:]), 1, "coarse")
        scaled = delay(m, coarse >> remaining, 1, "fine")
        m.d.sync += [
            self.write_enable.eq(delay(m, source.valid, SCALE - 1, "scaled_valid", reset_less=False)),
            self.write_class.eq(delay(m, source.error_class, SCALE - 1, "scaled_class")),
        ]
        width = len(self.write_value)
        clipped = delay(m, overflows(scaled, width), 1, "clipped")
        m.d.comb += [
            self.write_value.eq(saturate_registered(m, scaled, width, "saturated")),
            self.saturated.eq(self.write_enable & clipped),
        ]

    def _keep(self, m):
        """A copy of g for each of its readers, and whether a bank's are complete."""
        config = self._config
        for index, reader in enumerate(self.read):
            m.submodules[f"scaled_errors_{index}"] = memory = lut_ram(
                config.array.family, self.write_value.shape(), 2 << len(self.write_class)
            )
            m.d.comb += [
                memory.write_enable.eq(self.write_enable),
                memory.write_address.eq(Cat(self.write_class, self.bank)),
                memory.write_data.eq(self.write_value),
                memory.read_address.eq(Cat(reader.read_class, reader.bank)),
                reader.error.eq(memory.read_data),
            ]
        completed = self.write_enable & (self.write_class == config.network.classes - 1)
        for bank in range(2):
            with m.If(self.clear_ready[bank]):
                m.d.sync += self.ready[bank].eq(0)
            with m.If(completed & (self.bank == bank)):
                m.d.sync += self.ready[bank].eq(1)
