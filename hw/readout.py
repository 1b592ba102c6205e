"""The readout: sums of the output rows over the groups, corrected for the pending update, to logits."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import (
    delay,
    fabric_product,
    fabric_product_latency,
    overflows,
    q_shape,
    round_half_up,
    saturate,
)
from dfarray.hw.blocks import block_ram
from dfarray.hw.packets import partial_sum
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
    saturated : Out(1)
        The logit was clipped.
    logit : Out {valid, value}
        The first one READOUT + G cycles after the last group's gram. The lowest there is while not valid.
    """

    def __init__(self, config: Configuration):
        self._config = config
        self.latency = config.readout_latency
        super().__init__(
            {
                "partial": In(partial_sum(config)),
                "start": In(1),
                "correct": In(1),
                "read_class": Out(index_bits(config.network.classes)),
                "error": In(q_shape(config.formats.delta)),
                "saturated": Out(1),
                "logit": Out(data.StructLayout({"valid": 1, "value": q_shape(config.formats.logit)})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, formats = self._config, self._config.formats
        classes, groups = config.network.classes, len(config.output_groups)
        width = partial_width(config) + (groups - 1).bit_length()
        # One memory for the groups to come, one for the logits. One row more than the classes: the gram's reads, too,
        # and nothing unknown may come of it.
        m.submodules.before = before = block_ram(config.array.family, signed(width), classes + 1)
        m.submodules.sums = sums = block_ram(config.array.family, signed(width), classes + 1)

        row, following = Signal(index_bits(classes + 1)), Signal(index_bits(classes + 1))
        after = Signal(index_bits(classes + 1), init=1)
        group, is_gram = Signal(index_bits(groups)), Signal()
        arrives = self.partial.valid
        m.d.comb += following.eq(Mux(arrives, after, row))
        m.d.sync += row.eq(following)
        with m.If(arrives):
            m.d.sync += [after.eq(Mux(after == classes, 0, after + 1)), is_gram.eq(after == classes)]
            with m.If(is_gram):
                m.d.sync += group.eq(group + 1)
        with m.If(delay(m, self.start, 1, "started", reset_less=False)):
            m.d.sync += [row.eq(0), after.eq(1), is_gram.eq(0), group.eq(0)]
        # Read ahead: two cycles later the row arrived a cycle ago. The group before wrote it long ago.
        m.d.comb += before.read_address.eq(following)
        partial = delay(m, self.partial, 1, "arrived", reset_less=False)
        first = delay(m, group == 0, 1, "first_group")
        gram_arrived = delay(m, arrives & is_gram, 1, "gram_arrived", reset_less=False)
        gram = Signal(signed(width), reset_less=True)
        gram_before = delay(m, Mux(first, 0, gram), 1, "gram_before")
        with m.If(gram_arrived):
            m.d.sync += gram.eq(gram_before + partial.value)
        # The first group begins the sums; that is decided a cycle before the addition.
        sum_before = delay(m, Mux(first, 0, before.read_data), 1, "sum_before")
        total = delay(m, sum_before + delay(m, partial.value, 1, "addend"), 1, "total")
        writes = delay(m, partial.valid & ~gram_arrived, 2, "writes", reset_less=False)
        at = delay(m, row, 3, "at")
        for memory in (before, sums):
            m.d.comb += [
                memory.write_enable.eq(writes),
                memory.write_address.eq(at),
                memory.write_data.eq(total),
            ]
        finished = delay(m, arrives & is_gram & (group == groups - 1), 2, "finished", reset_less=False)
        rounded = Signal(q_shape(config.gram), reset_less=True)
        exact = round_half_up(gram, 2 * formats.activation.fraction_bits - config.gram.fraction_bits)
        m.d.sync += rounded.eq(saturate(m, delay(m, exact, 1, "exact_gram"), config.gram.width, "wide_gram"))

        now, index = Signal(name="scans"), Signal(index_bits(classes))
        ends = index == classes - 1
        soon, ahead = Signal(name="scans_soon"), Signal.like(index, name="ahead")
        m.d.comb += soon.eq(finished | (now & ~ends))
        m.d.sync += [now.eq(soon), index.eq(ahead), ahead.eq(Mux(soon & (ahead != classes - 1), ahead + 1, 0))]
        # g comes from far away, so it is read a cycle ahead.
        m.d.comb += [self.read_class.eq(ahead), sums.read_address.eq(index)]
        error = delay(m, self.error, 1, "error")
        # The scan starts 3 cycles after the gram: read, multiply, round, subtract, round, saturate.
        product = fabric_product(m, error, rounded, "product")
        shift = config.correction_shift
        exact_kappa = round_half_up(product, shift) if shift >= 0 else product << -shift
        kappa = delay(m, Mux(self.correct, exact_kappa, 0), 1, "kappa")
        multiplied = 1 + fabric_product_latency(len(rounded)) + 1
        exact_sum = delay(m, sums.read_data, multiplied - sums.latency, "sum")
        lessened = delay(m, exact_sum - kappa, 1, "lessened")
        logit = round_half_up(lessened, formats.product_fraction - formats.logit.fraction_bits)
        exact_logit = delay(m, logit, 1, "logit")
        logit = saturate(m, exact_logit, formats.logit.width, "exact_logit")
        clipped = overflows(exact_logit, formats.logit.width)
        spare = self.latency - 3 - multiplied - 3
        valid = delay(m, now, multiplied + 2 + spare, "logit_valid", reset_less=False)
        m.d.sync += [
            self.logit.value.eq(Mux(valid, delay(m, logit, spare, "spare"), formats.logit.lo)),
            self.logit.valid.eq(valid),
            self.saturated.eq(valid & delay(m, clipped, spare, "clipped")),
        ]
        return m
