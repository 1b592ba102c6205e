"""The inferred memory and multiplier, and the ports and checks that every family shares."""

from amaranth.hdl import Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.hw.arithmetic import delay, one_of
from dfarray.trace import index_bits

LUT_RAM_BLOCK = 16
"""Rows of an ECP5's and of a Gowin's block of LUT RAM."""


class BlockRam(wiring.Component):
    """A memory with one read and one write a cycle; a row is never read in the cycle that writes it.

    A read that breaks this rule returns unspecified data: the old row here, anything from a hard block.

    Parameters
    ----------
    shape : ShapeLike
        Of one row.
    depth : int
        Rows, 1 or more.
    init : iterable of int
        Contents after configuration, codes; shorter than ``depth`` is padded with 0.
    latency : int
        Cycles from ``read_address`` to ``read_data``, by default and at least ``shortest_latency``; each further
        cycle is a fabric register without reset behind the block.

    Attributes
    ----------
    read_address, read_data : In, Out
        ``read_data`` is the row addressed ``latency`` cycles ago.
    write_enable, write_address, write_data : In
        Written at the end of the cycle.
    shortest_latency : int
        Registers inside the block.

    Raises
    ------
    ValueError
        If ``depth`` is not positive, ``init`` longer than ``depth``, or ``latency`` less than ``shortest_latency``.
    """

    shortest_latency = 1

    def __init__(self, shape, depth, init=(), latency=None):
        init = [int(row) for row in init]
        latency = self.shortest_latency if latency is None else latency
        if depth < 1:
            raise ValueError(f"Memory depth must be positive, not {depth!r}")
        if len(init) > depth:
            raise ValueError(f"Memory of {depth} rows cannot hold the {len(init)} rows of init")
        if latency < self.shortest_latency:
            raise ValueError(f"Memory latency must be {self.shortest_latency} or more, not {latency!r}")
        self._shape, self._depth, self._init, self.latency = Shape.cast(shape), depth, init, latency
        self._attributes: dict[str, str] = {}  # For the tools: how to map an inferred memory.
        address = index_bits(depth)
        super().__init__(
            {
                "read_address": In(address),
                "read_data": Out(shape),
                "write_enable": In(1),
                "write_address": In(address),
                "write_data": In(shape),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=unsigned(self._shape.width),
            depth=self._depth,
            init=codes(self._init, self._shape.width),
            attrs=self._attributes,
        )
        read, write = memory.read_port(), memory.write_port()
        m.d.comb += [
            read.addr.eq(self.read_address),
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
        ]
        self._output(m, read.data)
        return m

    def _output(self, m: Module, block_output: Value):
        """Connect what the block reads, ``shortest_latency`` cycles after its address, to ``read_data``."""
        m.d.comb += self.read_data.eq(delay(m, block_output, self.latency - self.shortest_latency, "output"))


class LutRam(BlockRam):
    """A shallow memory of LUTs: LUT RAM, or logic if it has initial contents, which make it a table.

    Without the attribute yosys may choose a block RAM, and leaves that one's output register out. LUT RAM comes in
    blocks of :data:`LUT_RAM_BLOCK` rows: each has its output register in front of the choice among them.
    """

    def __init__(self, shape, depth, init=(), latency=None):
        super().__init__(shape, depth, init, latency)
        self._attributes = {"ram_style": "logic" if self._init else "distributed"}

    def elaborate(self, platform):
        if self._init or self._depth <= LUT_RAM_BLOCK:
            return super().elaborate(platform)
        m = Module()
        bits = index_bits(LUT_RAM_BLOCK)
        chosen, rows = [], []
        for block, first in enumerate(range(0, self._depth, LUT_RAM_BLOCK)):
            part = BlockRam(unsigned(self._shape.width), min(LUT_RAM_BLOCK, self._depth - first))
            part._attributes = self._attributes
            m.submodules[f"block_{block}"] = part
            m.d.comb += [
                part.read_address.eq(self.read_address[:bits]),
                part.write_enable.eq(self.write_enable & (self.write_address[bits:] == block)),
                part.write_address.eq(self.write_address[:bits]),
                part.write_data.eq(self.write_data),
            ]
            chosen.append(delay(m, self.read_address[bits:] == block, 1, f"chosen_{block}"))
            rows.append(part.read_data)
        # Of two, the choice leaves room in a carry cell for what the row may be added to.
        self._output(m, Mux(chosen[1], rows[1], rows[0]) if len(rows) == 2 else one_of(chosen, rows))
        return m


def codes(values, width: int) -> list[int]:
    """Unsigned codes of integers of ``width`` bits."""
    return [value & ((1 << width) - 1) for value in values]


class Multiplier(wiring.Component):
    """Signed product with registers before, inside and after, as many as ``latency`` asks for.

    Parameters
    ----------
    a, b : Shape
        Signed operands.
    latency : int
        Cycles from operands to product, by default and at least ``shortest_latency``. Inferred: one output register,
        then an input register, then pipeline registers. Hard block: its own registers, then fabric registers behind
        and before it in turn. None has a reset, so that synthesis can put them into the hard block.

    Attributes
    ----------
    a, b : In
    product : Out(signed(a.width + b.width))
    shortest_latency : int
        Registers inside the block.
    block, widest : str, int or None
        The hard block's name and the widest operand it takes; None if inferred.

    Raises
    ------
    ValueError
        If an operand is unsigned or wider than ``widest``, or ``latency`` less than ``shortest_latency``.
    """

    shortest_latency = 1
    block: str | None = None
    widest: int | None = None

    def __init__(self, a, b, latency=None):
        a, b = Shape.cast(a), Shape.cast(b)
        latency = self.shortest_latency if latency is None else latency
        if not (a.signed and b.signed):
            raise ValueError(f"Multiplier operands must be signed, not {a!r} and {b!r}")
        for name, operand in (("a", a), ("b", b)):
            if self.widest is not None and operand.width > self.widest:
                raise ValueError(
                    f"Multiplier operand {name} must be at most {self.widest} bits wide for {self.block}, "
                    f"not {operand.width}; operands have the formats weight, activation, delta and gram"
                )
        if latency < self.shortest_latency:
            raise ValueError(f"Multiplier latency must be {self.shortest_latency} or more, not {latency!r}")
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


class HardMultiplier(Multiplier):
    """A multiplier whose product comes from one DSP block with all its registers in use.

    A family names the block and instantiates it in ``_instance``; operands are sign-extended to its width.
    """

    widest: int

    def elaborate(self, platform):
        m = Module()
        a = Signal(Shape(self.widest, signed=True), name="block_a")
        b = Signal(Shape(self.widest, signed=True), name="block_b")
        product = Signal(Shape(2 * self.widest, signed=True), name="block_product")
        fabric = self.latency - self.shortest_latency
        before = fabric // 2
        m.d.comb += [a.eq(delay(m, self.a, before, "a")), b.eq(delay(m, self.b, before, "b"))]
        m.submodules.block = self._instance(a, b, product)
        narrow = product[: len(self.product)].as_signed()
        m.d.comb += self.product.eq(delay(m, narrow, fabric - before, "product"))
        return m

    def _instance(self, a: Signal, b: Signal, product: Signal):
        raise NotImplementedError
