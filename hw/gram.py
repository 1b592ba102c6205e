"""The gram: scalar product of two samples' presynaptic activations."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, q_shape, round_half_up, saturate


class GramAccumulator(wiring.Component):
    """Sums products from ``one * one`` on, the bias input's.

    Attributes
    ----------
    valid, a, b : In
        One pair a cycle.
    clear : In(1)
        Start again; products still on their way are dropped.
    total : Out(gram)
        Rounded and saturated, 5 cycles after the last pair.

    Latency: 5 cycles.
    """

    latency = 5

    def __init__(self, config: Configuration):
        self._config = config
        activation = q_shape(config.formats.activation)
        super().__init__(
            {
                "valid": In(1),
                "a": In(activation),
                "b": In(activation),
                "clear": In(1),
                "total": Out(q_shape(config.gram)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        formats, gram = self._config.formats, self._config.gram
        a, b = delay(m, self.a, 1, "a"), delay(m, self.b, 1, "b")
        product = delay(m, a * b, 2, "product")
        arrives = self.valid
        for stage in range(3):
            register = Signal(name=f"arrives_{stage}")
            m.d.sync += register.eq(arrives & ~self.clear)
            arrives = register
        pairs = max(self._config.network.layers[:-1]) + 1
        total = Signal(signed(1 + (pairs * formats.activation.lo**2).bit_length()), init=formats.activation.one**2)
        with m.If(self.clear):
            m.d.sync += total.eq(formats.activation.one**2)
        with m.Elif(arrives):
            m.d.sync += total.eq(total + product)
        rounded = round_half_up(total, 2 * formats.activation.fraction_bits - gram.fraction_bits)
        m.d.sync += self.total.eq(saturate(m, rounded, gram.width, "exact_total"))
        return m
