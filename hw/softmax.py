"""Output errors e_c from stored logits: softmax cross-entropy, or squared error.

Source: docs/architecture.md sections 2 and 4.5.
"""

import math

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import (
    delay,
    fabric_product,
    fabric_product_latency,
    q_shape,
    requantize,
    saturate,
)
from dfarray.hw.blocks import block_ram, lut_ram
from dfarray.trace import index_bits


def exponential_table(config: Configuration) -> list[int]:
    """exp(-i 2**-fl) with the error's fraction bits, zero-padded to a power of two; the last entry is zero."""
    step, one = 2.0**-config.formats.logit.fraction_bits, 1 << config.formats.error.fraction_bits
    table = []
    while not table or table[-1]:
        table.append(math.floor(math.exp(-len(table) * step) * one + 0.5))
    return table + [0] * ((1 << (len(table) - 1).bit_length()) - len(table))


def reciprocal_table(mantissa_bits: int) -> list[int]:
    """1 / (1 + (k + 1/2) 2**-r) with r + 1 fraction bits, r = ``mantissa_bits``."""
    r = mantissa_bits
    return [(1 << (2 * r + 2)) // ((1 << (r + 1)) + 2 * k + 1) for k in range(1 << r)]


class ErrorSource(wiring.Component):
    """Turns the logits of one sample into errors, one class a cycle, class 0 first.

    Parameters
    ----------
    config : Configuration
    more : dict or None
        Further ports.

    Attributes
    ----------
    start : In(1)
        In the cycle of the last logit.
    largest, label : In
        Held until the last error is out.
    read_class, logit : Out, In
        Reads the stored logits, one cycle.
    valid, error_class, error : Out
    """

    def __init__(self, config: Configuration, more=None):
        self._config = config
        self._classes = config.network.classes
        bits = index_bits(self._classes)
        logit = q_shape(config.formats.logit)
        super().__init__(
            {
                "start": In(1),
                "largest": In(logit),
                "label": In(bits),
                "read_class": Out(bits),
                "logit": In(logit),
                "valid": Out(1),
                "error_class": Out(bits),
                "error": Out(q_shape(config.formats.error)),
            }
            | (more or {})
        )

    def _scan(self, m, start, name):
        """Walk the classes from the cycle after ``start``: (walking, class)."""
        active, index = Signal(name=f"{name}_active"), Signal(index_bits(self._classes), name=f"{name}_class")
        with m.If(active):
            m.d.sync += index.eq(Mux(index == self._classes - 1, 0, index + 1))
            with m.If(index == self._classes - 1):
                m.d.sync += active.eq(0)
        with m.If(start):
            m.d.sync += active.eq(1)
        return active, index

    def _subtract_target(self, m, value, class_before):
        """Two cycles: subtract, saturate; ``class_before`` is the value's, a cycle before it."""
        one = 1 << self._config.formats.error.fraction_bits
        is_label = delay(m, class_before == self.label, 1, "is_label")
        difference = delay(m, value - Mux(is_label, Const(one), Const(0)), 1, "difference")
        m.d.sync += self.error.eq(saturate(m, difference, len(self.error), "wide_difference"))


class SquaredErrors(ErrorSource):
    """e_c = z_c - y_c; ``latency`` = 5 cycles from ``start`` to class 0."""

    latency = 5

    def elaborate(self, platform):
        m = Module()
        formats = self._config.formats
        active, index = self._scan(m, self.start, "scan")
        class_before = delay(m, index, 1, "scan_index")
        m.d.comb += [
            self.read_class.eq(index),
            self.valid.eq(delay(m, active, 4, "scan_valid", reset_less=False)),
            self.error_class.eq(delay(m, class_before, 3, "error_class")),
        ]
        scaled = delay(m, requantize(self.logit, formats.logit.fraction_bits, formats.error.fraction_bits), 1, "scaled")
        self._subtract_target(m, scaled, class_before)
        return m


class SoftmaxErrors(ErrorSource):
    """e_c = softmax(z)_c - y_c from tables; ``latency`` = C + 18 cycles from ``start`` to class 0."""

    def __init__(self, config: Configuration):
        super().__init__(config)
        self.latency = self._classes + 18
        self._fraction = config.formats.error.fraction_bits
        self._mantissa_bits = min(self._fraction, 10)

    def elaborate(self, platform):
        m = Module()
        m.submodules.exponentials = exponentials = lut_ram(
            self._config.array.family, unsigned(self._fraction + 1), self._classes
        )
        total, summed = self._exponentials(m, exponentials)
        shift, inverse = self._reciprocal(m, total)

        # The scan starts three cycles after the sum, when the reciprocal is about to be there.
        active, index = self._scan(m, delay(m, summed, 2, "normalised", reset_less=False), "probability")
        m.d.comb += exponentials.read_address.eq(index)
        power, factor = (Cat(value, Const(0, 1)).as_signed() for value in (exponentials.read_data, inverse))
        product = fabric_product(m, power, factor, "product")
        multiply = fabric_product_latency(len(factor))
        half = delay(m, Const(1 << self._mantissa_bits) << shift, 1, "half")
        rounded = delay(m, product + half, 1, "rounded")
        probability = delay(m, rounded >> shift >> (self._mantissa_bits + 1), 1, "probability")
        spare = 4 - multiply
        probability = delay(m, probability, spare, "spare")
        steps = 1 + multiply + 2 + spare
        class_before = delay(m, index, steps - 1, "probability_index")
        m.d.comb += [
            self.valid.eq(delay(m, active, steps + 2, "probability_valid", reset_less=False)),
            self.error_class.eq(delay(m, class_before, 3, "error_class")),
        ]
        self._subtract_target(m, probability, class_before)
        return m

    def _exponentials(self, m, store):
        """Store X_c = exp(z_c - max z); their sum, and a strobe when it is complete."""
        table = exponential_table(self._config)
        m.submodules.exponential_table = entry = block_ram(
            self._config.array.family, unsigned(self._fraction + 1), len(table), table, 2
        )
        active, index = self._scan(m, self.start, "exponential")
        distance = delay(m, self.largest - self.logit, 1, "distance")
        clipped = Signal(range(len(table)), reset_less=True)
        power = entry.read_data
        m.d.comb += [
            self.read_class.eq(index),
            entry.read_address.eq(clipped),
            store.write_enable.eq(delay(m, active, 5, "exponential_valid", reset_less=False)),
            store.write_address.eq(delay(m, index, 5, "exponential_index")),
            store.write_data.eq(power),
        ]
        total = Signal(self._fraction + self._classes.bit_length())
        summed = Signal()
        m.d.sync += [
            clipped.eq(Mux(distance >= len(table), len(table) - 1, distance)),
            summed.eq(store.write_enable & (store.write_address == self._classes - 1)),
        ]
        # Long before the first one is added.
        with m.If(delay(m, self.start, 1, "begun", reset_less=False)):
            m.d.sync += total.eq(0)
        with m.Elif(store.write_enable):
            m.d.sync += total.eq(total + power)
        return total, summed

    def _reciprocal(self, m, total):
        """Normalise the sum to 1.xxx 2**shift; the shift, and 1 / 1.xxx four cycles later."""
        r, fraction = self._mantissa_bits, self._fraction
        positions = range(len(total) - fraction)
        shift, mantissa = Signal(positions, reset_less=True), Signal(r, reset_less=True)
        for position in positions:
            top = fraction + position
            with m.If(total[top]):
                m.d.sync += [shift.eq(position), mantissa.eq(total[top - r : top])]
        table = reciprocal_table(r)
        m.submodules.reciprocal_table = inverse = block_ram(
            self._config.array.family, unsigned(max(table).bit_length()), len(table), table, 2
        )
        m.d.comb += inverse.read_address.eq(mantissa)
        # A block RAM is seldom near what it feeds.
        return shift, delay(m, inverse.read_data, 1, "inverse")
