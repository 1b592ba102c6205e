"""The activation function and its derivative, one value a cycle."""

import math

from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Activation, Configuration
from dfarray.hw.arithmetic import clipped, delay, overflow_registered, overflows, q_shape, requantize, saturate
from dfarray.hw.blocks import block_ram


def tanh_table(config: Configuration) -> list[tuple[int, int]]:
    """(activation, derivative) codes for every magnitude of a pre-activation; docs/architecture.md section 2."""
    formats = config.formats
    step, one = 2.0**-formats.preactivation.fraction_bits, 1 << formats.activation.fraction_bits
    table = []
    for magnitude in range(1 << (formats.preactivation.width - 1)):
        value = min(math.floor(math.tanh(magnitude * step) * one + 0.5), formats.activation.hi)
        table.append((value, one - ((value * value + one // 2) >> formats.activation.fraction_bits)))
    return table


class ActivationUnit(wiring.Component):
    """f(z) and f'(z) of a hidden neuron, after ``latency`` cycles.

    They are 5: saturate, magnitude, table, its output register, sign; or for a small family 2: magnitude, table.

    Parameters
    ----------
    config : Configuration
    width : int
        Of ``exact``.

    Attributes
    ----------
    exact : In(signed(width))
        The pre-activation with its fraction bits, before saturation.
    saturated : Out(1)
        The pre-activation was clipped; ``found`` cycles after it.
    value : Out(activation)
    derivative : Out(unsigned), 0 to 1.0 with the activation's fraction bits.
    """

    def __init__(self, config: Configuration, width: int):
        self._config = config
        self.latency, self.found = (2, 0) if config.latency.serial else (5, 1)
        formats = config.formats
        super().__init__(
            {
                "exact": In(signed(max(width, formats.preactivation.width))),
                "saturated": Out(1),
                "value": Out(q_shape(formats.activation)),
                "derivative": Out(unsigned(formats.activation.fraction_bits + 1)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self._config.network.activation is Activation.TANH:
            self._tanh(m)
        else:
            self._piecewise_linear(m)
        return m

    def _tanh(self, m):
        config, table = self._config, tanh_table(self._config)
        value_bits = max(value.bit_length() for value, _ in table)
        derivative_bits = len(self.derivative)
        init = [value | derivative << value_bits for value, derivative in table]
        width = config.formats.preactivation.width
        serial = config.latency.serial
        if serial:
            low = saturate(m, self.exact, width, "z")
            below_zero, limited = low[-1], low[-1] & ~low[:-1].any()
            m.d.comb += self.saturated.eq(overflows(self.exact, width))
        else:
            fits, below_zero, low = overflow_registered(m, self.exact, width, "z")
            limited = ~fits | delay(m, self.exact[-1] & ~self.exact[: width - 1].any(), 1, "z_is_lowest")
            m.d.comb += self.saturated.eq(~fits)
        magnitude = Signal(width - 1)
        m.submodules.table = memory = block_ram(
            config.array.family, unsigned(value_bits + derivative_bits), len(init), init, 1 if serial else 2
        )
        address = Signal.like(memory.read_address, reset_less=True)
        m.d.comb += [
            magnitude.eq(Mux(below_zero, -low, low)),
            memory.read_address.eq(address),
        ]
        # The most negative number's magnitude is one more than the table has.
        m.d.sync += address.eq(magnitude | limited.replicate(width - 1))
        negative = delay(m, below_zero, 2 if serial else 3, "negative")
        entry = memory.read_data
        positive = entry[:value_bits]
        answers = [
            # Minus p is ~p + 1; an adder alone, where a choice behind one would be a level more.
            self.value.eq((positive ^ negative.replicate(len(self.value))) + negative),
            self.derivative.eq(entry[value_bits:]),
        ]
        if serial:
            m.d.comb += answers
        else:
            m.d.sync += answers

    def _piecewise_linear(self, m):
        formats = self._config.formats
        relu = self._config.network.activation is Activation.RELU
        fmt, fraction = formats.activation, formats.preactivation.fraction_bits
        low, high = (0, fmt.hi) if relu else (-fmt.one, fmt.one)
        width = formats.preactivation.width
        if self._config.latency.serial:
            z, spent = saturate(m, self.exact, width, "limited_z"), 0
            m.d.comb += self.saturated.eq(overflows(self.exact, width))
        else:
            found = overflow_registered(m, self.exact, width, "limited_z")
            z, spent = delay(m, clipped(*found), 1, "z"), 2
            m.d.comb += self.saturated.eq(~found[0])
        slope = z > 0 if relu else (z < (1 << fraction)) & (z > -(1 << fraction))
        scaled = requantize(z, fraction, fmt.fraction_bits)
        value, derivative = Signal.like(self.value), Signal.like(self.derivative)
        m.d.comb += [
            value.eq(Mux(scaled > high, high, Mux(scaled < low, low, scaled))),
            derivative.eq(Mux(slope, Const(1 << fmt.fraction_bits), 0)),
            self.value.eq(delay(m, value, self.latency - spent, "value")),
            self.derivative.eq(delay(m, derivative, self.latency - spent, "derivative")),
        ]
