"""The readout: sums of the output rows over the groups, corrected for the pending update, to logits."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, q_shape, round_half_up, saturate
from dfarray.hw.blocks import Multiplier
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
        The first one READOUT = 8 cycles after the last group's gram.
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
        finished = delay(m, arrives & is_gram & (group == groups - 1), 2, "finished", reset_less=False)
        rounded = Signal(q_shape(config.gram), reset_less=True)
        exact = round_half_up(gram, 2 * formats.activation.fraction_bits - config.gram.fraction_bits)
        m.d.sync += rounded.eq(saturate(m, exact, config.gram.width, "exact_gram"))

        scanning, index = Signal(), Signal(index_bits(classes))
        now = finished | scanning
        ends = index == classes - 1
        m.d.sync += [scanning.eq(now & ~ends), index.eq(Mux(now & ~ends, index + 1, 0))]
        m.d.comb += [self.read_class.eq(index), read.addr.eq(index)]
        m.submodules.multiplier = product = Multiplier(q_shape(formats.delta), q_shape(config.gram), 3)
        m.d.comb += [product.a.eq(self.error), product.b.eq(rounded)]
        shift = config.correction_shift
        kappa = round_half_up(product.product, shift) if shift >= 0 else product.product << -shift
        exact_sum = delay(m, read.data, 3, "sum")
        lessened = Signal.like(exact_sum - kappa, reset_less=True)
        m.d.sync += lessened.eq(exact_sum - Mux(self.correct, kappa, 0))
        logit = round_half_up(lessened, formats.product_fraction - formats.logit.fraction_bits)
        # The scan's first cycle is 2 cycles after the gram, its logit 6 cycles later.
        m.d.sync += [
            self.logit.value.eq(saturate(m, logit, formats.logit.width, "exact_logit")),
            self.logit.valid.eq(delay(m, now, 5, "logit_valid", reset_less=False)),
        ]
        return m
