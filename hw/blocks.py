"""Hard blocks: the weight bank and the multiplier, with the latencies of the chosen family."""

from amaranth.hdl import Module, Shape, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.hw.arithmetic import delay
from dfarray.trace import index_bits


class WeightBank(wiring.Component):
    """One read and one write a cycle; a row is never read in the cycle that writes it.

    Parameters
    ----------
    shape : Shape
        Of one weight.
    depth : int
        Rows, 1 or more.
    init : iterable of int
        Contents after configuration, shorter than ``depth`` is padded with 0.
    latency : int
        Cycles from ``read_address`` to ``read_data``, 1 or more.

    Attributes
    ----------
    read_address, read_data : In, Out
        ``read_data`` is the row addressed ``latency`` cycles ago.
    write_enable, write_address, write_data : In
        Written at the end of the cycle.

    Raises
    ------
    ValueError
        If ``depth`` or ``latency`` is not positive.
    """

    def __init__(self, shape, depth, init=(), latency=1):
        if depth < 1 or latency < 1:
            raise ValueError(f"Weight bank depth and latency must be positive, not {depth!r} and {latency!r}")
        self._shape, self._depth, self._init, self.latency = Shape.cast(shape), depth, list(init), latency
        address = index_bits(depth)
        super().__init__(
            {
                "read_address": In(address),
                "read_data": Out(self._shape),
                "write_enable": In(1),
                "write_address": In(address),
                "write_data": In(self._shape),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(shape=self._shape, depth=self._depth, init=self._init)
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(self.read_address),
            self.read_data.eq(delay(m, read.data, self.latency - 1, "output")),
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]
        return m


class Multiplier(wiring.Component):
    """Signed product with registers before, inside and after, as many as ``latency`` asks for.

    Parameters
    ----------
    a, b : Shape
        Signed operands.
    latency : int
        Cycles from operands to product, 1 or more: one output register, then an input register, then
        pipeline registers. None has a reset, so that synthesis can put them into the hard block.

    Attributes
    ----------
    a, b : In
    product : Out(signed(a.width + b.width))

    Raises
    ------
    ValueError
        If an operand is unsigned or ``latency`` is not positive.
    """

    def __init__(self, a, b, latency):
        a, b = Shape.cast(a), Shape.cast(b)
        if not (a.signed and b.signed):
            raise ValueError(f"Multiplier operands must be signed, not {a!r} and {b!r}")
        if latency < 1:
            raise ValueError(f"Multiplier latency must be positive, not {latency!r}")
        self.latency = latency
        super().__init__({"a": In(a), "b": In(b), "product": Out(Shape(a.width + b.width, signed=True))})

    def elaborate(self, platform):
        m = Module()
        before = 1 if self.latency >= 2 else 0
        a, b = delay(m, self.a, before, "a"), delay(m, self.b, before, "b")
        product = Signal.like(self.product, name="raw_product")
        m.d.comb += [
            product.eq(a * b),
            self.product.eq(delay(m, product, self.latency - before, "product")),
        ]
        return m


def weight_bank(family, shape, depth, init, latency):
    """The family's weight bank."""
    return WeightBank(shape, depth, init, latency)


def multiplier(family, a, b, latency):
    """The family's multiplier."""
    return Multiplier(a, b, latency)
