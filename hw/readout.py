"""The readout: sums of the output rows over the groups, corrected for the pending update, to logits."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import (
    delay,
    fabric_product,
    fabric_product_latency,
    q_shape,
    round_half_up,
    saturate,
)
from dfarray.hw.packets import partial_sum
from dfarray.latency import READOUT
from dfarray.trace import index_bits, partial_width


class Readout(wiring.Component):
    """Takes C class rows and a gram row a group, and gives C logits.

    Attributes
    ----------
    partial : In(partial_sum)
        At the chains' exit.
    start : In(1)
        An answered sample begins.
    correct : In(1)
        Held from ``start``: subtract kappa.
    read_class : Out
    error : In(delta)
        V's g of the ``read_class`` of the cycle before.
    logit : Out {valid, value}
        The first one READOUT = 13 cycles after the last group's gram.
    """

    latency = READOUT

    def __init__(self, config: Configuration):
        self._config = config
        super().__init__(
            {
                "partial": In(partial_sum(config)),
                "start": In(1),
                "correct": In(1),
                "read_class": Out(index_bits(config.network.classes)),
                "error": In(q_shape(config.formats.delta)),
                "logit": Out(data.StructLayout({"valid": 1, "value": q_shape(config.formats.logit)})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, formats = self._config, self._config.formats
        classes, groups = config.network.classes, len(config.output_groups)
        width = partial_width(config) + (groups - 1).bit_length()
        # One more than the classes: the gram's row reads, too, and nothing unknown may come of it.
        m.submodules.sums = sums = Memory(shape=signed(width), depth=classes + 1, init=[])
        before, write, read = sums.read_port(), sums.write_port(), sums.read_port()

        row, group = Signal(index_bits(classes + 1)), Signal(index_bits(groups))
        arrives = self.partial.valid
        is_gram = row == classes
        with m.If(self.start):
            m.d.sync += [row.eq(0), group.eq(0)]
        with m.Elif(arrives):
            m.d.sync += row.eq(Mux(is_gram, 0, row + 1))
            with m.If(is_gram):
                m.d.sync += group.eq(group + 1)
        m.d.comb += before.addr.eq(row)
        partial = delay(m, self.partial, 1, "arrived", reset_less=False)
        at, first = delay(m, row, 1, "at"), delay(m, group == 0, 1, "first_group")
        gram_arrived = delay(m, arrives & is_gram, 1, "gram_arrived", reset_less=False)
        total = Signal(signed(width))
        gram = Signal(signed(width), reset_less=True)
        m.d.comb += [
            total.eq(Mux(first, 0, Mux(gram_arrived, gram, before.data)) + partial.value),
            write.en.eq(partial.valid & ~gram_arrived),
            write.addr.eq(at),
            write.data.eq(total),
        ]
        with m.If(gram_arrived):
            m.d.sync += gram.eq(total)
        finished = delay(m, arrives & is_gram & (group == groups - 1), 3, "finished", reset_less=False)
        rounded = Signal(q_shape(config.gram), reset_less=True)
        exact = round_half_up(gram, 2 * formats.activation.fraction_bits - config.gram.fraction_bits)
        m.d.sync += rounded.eq(saturate(m, delay(m, exact, 1, "exact_gram"), config.gram.width, "wide_gram"))

        scanning, index = Signal(), Signal(index_bits(classes))
        now = finished | scanning
        ends = index == classes - 1
        m.d.sync += [scanning.eq(now & ~ends), index.eq(Mux(now & ~ends, index + 1, 0))]
        m.d.comb += [self.read_class.eq(index), read.addr.eq(index)]
        # The scan starts 3 cycles after the gram: read, multiply, round, subtract, round, saturate.
        product = fabric_product(m, self.error, rounded, "product")
        shift = config.correction_shift
        kappa = delay(m, round_half_up(product, shift) if shift >= 0 else product << -shift, 1, "kappa")
        multiplied = 1 + fabric_product_latency(len(rounded)) + 1
        exact_sum = delay(m, read.data, multiplied - 1, "sum")
        lessened = delay(m, exact_sum - Mux(self.correct, kappa, 0), 1, "lessened")
        logit = round_half_up(lessened, formats.product_fraction - formats.logit.fraction_bits)
        logit = saturate(m, delay(m, logit, 1, "logit"), formats.logit.width, "exact_logit")
        spare = READOUT - 3 - multiplied - 3
        m.d.sync += [
            self.logit.value.eq(delay(m, logit, spare, "spare")),
            self.logit.valid.eq(delay(m, now, multiplied + 2 + spare, "logit_valid", reset_less=False)),
        ]
        return m
