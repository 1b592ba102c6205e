"""The readout of a small family: one class after the other, a product a bit a cycle."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring

from dfarray.hw.arithmetic import overflows, q_shape, saturate
from dfarray.hw.blocks import block_ram
from dfarray.hw.readout import Readout
from dfarray.hw.serial import SerialProduct
from dfarray.trace import index_bits, partial_width


class SerialReadout(Readout):
    """As :class:`dfarray.hw.readout.Readout`, but for its latency: one memory, one row at most every other cycle.

    A class's sum is read, its kappa multiplied, subtracted, rounded and saturated within ``class_interval`` cycles.
    """

    def elaborate(self, platform):
        m = Module()
        config, formats = self._config, self._config.formats
        classes, groups, every = config.network.classes, len(config.output_groups), config.class_interval
        width = partial_width(config) + (groups - 1).bit_length()
        m.submodules.sums = sums = block_ram(config.array.family, signed(width), classes + 1, latency=1)

        # Rows as they arrive, then classes as they are answered: both end where the next sample's rows begin.
        row, group = Signal(index_bits(classes + 1)), Signal(index_bits(groups))
        scans, beat = Signal(), Signal(range(every))
        arrives, is_gram, last_group = self.partial.valid, Signal(), Signal()
        at_end, next_class = Signal(), Signal()
        total, gram = Signal(signed(width)), Signal(q_shape(config.gram))
        # Every sum begins with the half that its rounding adds in the end.
        gram_shift = 2 * formats.activation.fraction_bits - config.gram.fraction_bits
        logit_shift = formats.product_fraction - formats.logit.fraction_bits
        halves = Mux(is_gram, Const(_half(gram_shift)), Const(_half(logit_shift)))
        m.d.comb += [
            is_gram.eq(row == classes),
            last_group.eq(group == groups - 1),
            at_end.eq(is_gram | (scans & (row == classes - 1))),
            next_class.eq(scans & (beat == every - 1)),
            sums.read_address.eq(row),
            total.eq(Mux(group == 0, Cat(halves, Const(0, 1)).as_signed(), sums.read_data) + self.partial.value),
            sums.write_enable.eq(arrives),
            sums.write_address.eq(row),
            sums.write_data.eq(total),
            self.read_class.eq(row),
        ]
        with m.If(arrives | next_class):
            m.d.sync += row.eq(Mux(at_end, 0, row + 1))
        with m.If(scans):
            m.d.sync += beat.eq(Mux(next_class, 0, beat + 1))
            with m.If(next_class & at_end):
                m.d.sync += scans.eq(0)
        with m.If(arrives & is_gram):
            m.d.sync += [
                group.eq(Mux(last_group, 0, group + 1)),
                scans.eq(last_group),
                gram.eq(saturate(m, _shifted(total, gram_shift), config.gram.width, "wide_gram")),
            ]

        shift = config.correction_shift
        m.submodules.product = product = SerialProduct(
            q_shape(formats.delta), q_shape(config.gram), addend=_half(shift)
        )
        # Nothing to correct: half of nothing is rounded down.
        m.d.comb += [
            product.load.eq(scans & (beat == 0)),
            product.a.eq(self.error),
            product.b.eq(Mux(self.correct, gram, 0)),
            product.shift.eq(Const(0)),
        ]
        logit = _shifted(sums.read_data - _shifted(product.value, shift), logit_shift)
        m.d.sync += [
            self.logit.valid.eq(next_class),
            self.saturated.eq(next_class & overflows(logit, formats.logit.width)),
        ]
        with m.If(next_class):
            m.d.sync += self.logit.value.eq(saturate(m, logit, formats.logit.width, "exact_logit"))
        return m


def _half(bits: int) -> int:
    """What is added before so many bits are dropped, to round half up."""
    return 1 << (bits - 1) if bits > 0 else 0


def _shifted(value: Value, bits: int) -> Value:
    """Drop so many fraction bits, or append them if there are fewer than none to drop."""
    return value >> bits if bits >= 0 else value << -bits


def make_readout(config) -> wiring.Component:
    """The readout that the family wants."""
    return SerialReadout(config) if config.latency.serial else Readout(config)
