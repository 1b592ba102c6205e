"""The activation function and its derivative, one value a cycle."""

import math

from amaranth.hdl import Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Activation, Configuration
from dfarray.hw.arithmetic import delay, q_shape, requantize


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
    """f(z) and f'(z) of a hidden neuron, ``latency`` = 4 cycles: magnitude, table, its output register, sign.

    Attributes
    ----------
    z : In(preactivation)
    value : Out(activation)
    derivative : Out(unsigned), 0 to 1.0 with the activation's fraction bits.
    """

    latency = 4

    def __init__(self, config: Configuration):
        self._config = config
        formats = config.formats
        super().__init__(
            {
                "z": In(q_shape(formats.preactivation)),
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
        table = tanh_table(self._config)
        value_bits = max(value.bit_length() for value, _ in table)
        derivative_bits = len(self.derivative)
        init = [value | derivative << value_bits for value, derivative in table]
        m.submodules.table = memory = Memory(shape=unsigned(value_bits + derivative_bits), depth=len(init), init=init)
        port = memory.read_port()
        negative = Signal()
        magnitude = Signal(signed(len(self.z) + 1))
        m.d.comb += [
            magnitude.eq(Mux(self.z < 0, -self.z, self.z)),
            negative.eq(delay(m, self.z < 0, 3, "negative")),
        ]
        address = Signal.like(port.addr, reset_less=True)
        m.d.sync += address.eq(Mux(magnitude >= len(init), len(init) - 1, magnitude))
        m.d.comb += port.addr.eq(address)
        entry = delay(m, port.data, 1, "entry")
        positive = entry[:value_bits]
        m.d.sync += [
            self.value.eq(Mux(negative, -positive, positive)),
            self.derivative.eq(entry[value_bits:]),
        ]

    def _piecewise_linear(self, m):
        formats = self._config.formats
        relu = self._config.network.activation is Activation.RELU
        fmt, fraction = formats.activation, formats.preactivation.fraction_bits
        low, high = (0, fmt.hi) if relu else (-fmt.one, fmt.one)
        slope = self.z > 0 if relu else (self.z < (1 << fraction)) & (self.z > -(1 << fraction))
        scaled = requantize(self.z, fraction, fmt.fraction_bits)
        value, derivative = Signal.like(self.value), Signal.like(self.derivative)
        m.d.comb += [
            value.eq(Mux(scaled > high, high, Mux(scaled < low, low, scaled))),
            derivative.eq(Mux(slope, Const(1 << fmt.fraction_bits), 0)),
            self.value.eq(delay(m, value, self.latency, "value")),
            self.derivative.eq(delay(m, derivative, self.latency, "derivative")),
        ]
