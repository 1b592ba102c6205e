"""The gram: scalar product of two samples' presynaptic activations."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import fabric_product, fabric_product_latency, q_shape, saturate


class GramAccumulator(wiring.Component):
    """Sums products from ``one * one`` on, the bias input's.

    Attributes
    ----------
    valid, a, b : In
        One pair a cycle.
    clear : In(1)
        Start again; products still on their way are dropped.
    total : Out(gram)
        Rounded and saturated, ``latency`` cycles after the last pair.
    """

    def __init__(self, config: Configuration):
        self._config = config
        self.latency = fabric_product_latency(config.formats.activation.width) + 2
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
        product = fabric_product(m, self.a, self.b, "product")
        arrives = self.valid
        for stage in range(fabric_product_latency(len(self.b))):
            register = Signal(name=f"arrives_{stage}")
            m.d.sync += register.eq(arrives & ~self.clear)
            arrives = register
        pairs = max(self._config.network.layers[:-1]) + 1
        dropped = 2 * formats.activation.fraction_bits - gram.fraction_bits
        # The half that rounds is there from the first.
        empty = formats.activation.one**2 + ((1 << dropped) >> 1)
        total = Signal(signed(2 + (pairs * formats.activation.lo**2).bit_length()), init=empty)
        with m.If(self.clear):
            m.d.sync += total.eq(empty)
        with m.Elif(arrives):
            m.d.sync += total.eq(total + product)
        m.d.sync += self.total.eq(saturate(m, total >> dropped, gram.width, "exact_total"))
        return m
