"""Output errors of a small family, one class after the other: a frame of ``class_interval`` cycles each.

In a frame a class's error is made; in the next one it is scaled, while that of the next class is made.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib.wiring import Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, overflows, q_shape, requantize, saturate
from dfarray.hw.blocks import block_ram, lut_ram
from dfarray.hw.serial import SerialProduct
from dfarray.hw.softmax import ErrorSource, exponential_table, reciprocal_table
from dfarray.trace import index_bits


class _SerialSource(ErrorSource):
    """Attributes as of :class:`dfarray.hw.softmax.ErrorSource`; an error holds for a frame.

    Attributes
    ----------
    valid : Out(1)
        In the first cycle of the error's frame.
    ends : Out(1)
        In the last cycle of a frame.
    """

    def __init__(self, config: Configuration):
        super().__init__(config, {"ends": Out(1)})

    def _frames(self, m, begin):
        """Classes frame after frame from the cycle after ``begin``, and one frame more: (class, first cycle)."""
        every, classes = self._config.class_interval, self._classes
        active, index, beat = Signal(), Signal(index_bits(classes + 1)), Signal(range(every))
        first = Signal()
        m.d.comb += [first.eq(active & (beat == 0)), self.ends.eq(active & (beat == every - 1))]
        with m.If(active):
            m.d.sync += beat.eq(Mux(self.ends, 0, beat + 1))
        m.d.sync += self.valid.eq(self.ends & (index != classes))
        with m.If(self.ends):
            m.d.sync += [index.eq(index + 1), self.error_class.eq(index)]
            with m.If(index == classes):
                m.d.sync += [active.eq(0), index.eq(0)]
        with m.If(begin):
            m.d.sync += active.eq(1)
        return index, first

    def _subtract_target(self, m, value, index):
        one = 1 << self._config.formats.error.fraction_bits
        difference = value - Mux(index == self.label, Const(one), Const(0))
        with m.If(self.ends):
            m.d.sync += self.error.eq(saturate(m, difference, len(self.error), "wide_difference"))


class SerialSquaredErrors(_SerialSource):
    """e_c = z_c - y_c; the first frame begins a cycle after ``start``."""

    def elaborate(self, platform):
        m = Module()
        formats = self._config.formats
        index, _ = self._frames(m, self.start)
        m.d.comb += self.read_class.eq(index)
        scaled = requantize(self.logit, formats.logit.fraction_bits, formats.error.fraction_bits)
        self._subtract_target(m, scaled, index)
        return m


class SerialSoftmaxErrors(_SerialSource):
    """e_c = softmax(z)_c - y_c from tables; the first frame begins C + 5 cycles after ``start``."""

    def elaborate(self, platform):
        m = Module()
        config, classes = self._config, self._classes
        family, fraction = config.array.family, config.formats.error.fraction_bits
        m.submodules.exponentials = powers = lut_ram(family, unsigned(fraction + 1), classes)
        table = exponential_table(config)
        m.submodules.exponential_table = entry = block_ram(family, unsigned(fraction + 1), len(table), table, 1)
        active, number = self._scan(m, self.start, "exponential")
        distance = delay(m, self.largest - self.logit, 1, "distance")
        total, summed = Signal(fraction + classes.bit_length()), Signal()
        stored = Signal.like(number, name="stored")
        m.d.comb += [
            self.read_class.eq(number),
            entry.read_address.eq(Mux(distance >= len(table), len(table) - 1, distance)),
            powers.write_enable.eq(delay(m, active, 3, "exponential_valid", reset_less=False)),
            powers.write_address.eq(stored),
            powers.write_data.eq(entry.read_data),
        ]
        m.d.sync += summed.eq(powers.write_enable & (stored == classes - 1))
        with m.If(self.start):
            m.d.sync += [total.eq(0), stored.eq(0)]
        with m.Elif(powers.write_enable):
            m.d.sync += [total.eq(total + entry.read_data), stored.eq(stored + 1)]

        places, inverse = self._reciprocal(m, total)
        index, first = self._frames(m, summed)
        m.submodules.product = product = SerialProduct(signed(fraction + 2), unsigned(len(inverse)))
        left = Signal.like(places)
        m.d.comb += [
            powers.read_address.eq(index),
            product.load.eq(first),
            product.a.eq(powers.read_data),
            product.b.eq(inverse),
            product.shift.eq(~product.running & (left != 0)),
        ]
        with m.If(first):
            m.d.sync += left.eq(places)
        with m.Elif(product.shift):
            m.d.sync += left.eq(left - 1)
        # The product has r + 1 fraction bits; the highest of them rounds.
        bits = len(inverse)
        self._subtract_target(m, product.value[bits:].as_signed() + product.value[bits - 1], index)
        return m

    def _reciprocal(self, m, total):
        """By how much the sum is more than 1.xxx; and 1 / 1.xxx a cycle later."""
        fraction = self._config.formats.error.fraction_bits
        r = min(fraction, 10)
        positions = range(len(total) - fraction)
        places, mantissa = Signal(positions), Signal(r)
        for position in positions:
            top = fraction + position
            with m.If(total[top]):
                m.d.comb += [places.eq(position), mantissa.eq(total[top - r : top])]
        table = reciprocal_table(r)
        m.submodules.reciprocal_table = inverse = block_ram(
            self._config.array.family, unsigned(r + 1), len(table), table, 1
        )
        m.d.comb += inverse.read_address.eq(mantissa)
        return places, inverse.read_data


def scaled_error(m, config: Configuration, source: _SerialSource, mantissa, exponent):
    """g_c = e_c times the learning rate, and whether it was clipped, at the end of the frame of e_c."""
    have, want = config.formats.error.fraction_bits, config.formats.delta.fraction_bits
    left, right = max(0, want - have), max(0, have - want)
    m.submodules.scale = product = SerialProduct(q_shape(config.formats.error), unsigned(len(mantissa)), left)
    places = Signal(range(32 + right))
    m.d.comb += [
        product.load.eq(source.valid),
        product.a.eq(source.error),
        product.b.eq(mantissa),
        product.shift.eq(~product.running & (places != 0)),
    ]
    with m.If(source.valid):
        m.d.sync += places.eq(exponent + right)
    with m.Elif(product.shift):
        m.d.sync += places.eq(places - 1)
    # Rounding is added to a number that is one bit too wide already, or clipped anyway.
    width = config.formats.delta.width
    low = Signal(signed(width + 1), name="low")
    rounded, clipped = Signal(signed(width + 1), name="rounded"), Signal(name="clipped")
    m.d.comb += [
        low.eq(product.value),
        rounded.eq(low + product.half),
        clipped.eq(overflows(product.value, width + 1) | overflows(rounded, width)),
    ]
    limit = Cat((~product.value[-1]).replicate(width - 1), product.value[-1])
    return Mux(clipped, limit, rounded[:width]).as_signed(), clipped
