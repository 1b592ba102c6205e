"""A product made a bit a cycle, for what is needed once in many cycles."""

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class SerialProduct(wiring.Component):
    """Adds and shifts right; the product can be shifted further.

    Parameters
    ----------
    a, b : Shape
        Operands, ``a`` signed.
    left : int
        The product is shifted left by so many bits.
    addend : int
        Added to the product before it is shifted; fewer bits than ``a``, not negative.

    Attributes
    ----------
    load, b : In
        Begin with this operand.
    a : In
        Held from the cycle after ``load`` until the product is there.
    shift : In(1)
        Shift the finished product right.
    running : Out(1)
        In the ``len(b)`` cycles after ``load``.
    value : Out(signed)
        ``(a * b + addend) << left``, shifted.
    half : Out(1)
        The bit that was shifted out last.

    Raises
    ------
    ValueError
        If ``a`` is unsigned, or ``addend`` negative or too wide.
    """

    def __init__(self, a, b, left: int = 0, addend: int = 0):
        self._a, self._b, self._left, self._addend = Shape.cast(a), Shape.cast(b), left, addend
        if not self._a.signed:
            raise ValueError(f"Operand a must be signed, not {a!r}")
        if not 0 <= addend < 1 << (self._a.width - 1):
            raise ValueError(f"Addend must be 0 to {(1 << (self._a.width - 1)) - 1}, not {addend!r}")
        super().__init__(
            {
                "load": In(1),
                "a": In(a),
                "b": In(b),
                "shift": In(1),
                "running": Out(1),
                "value": Out(signed(self._a.width + 1 + self._b.width + left)),
                "half": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits, left = self._b.width, self._left
        high, low = Signal(signed(self._a.width + 1)), Signal(bits + left)
        to_do = Signal(range(bits + 1))
        negative = (to_do == 1) if self._b.signed else Const(0)  # The sign bit of b.
        chosen = Mux(self.running & low[left], self.a, 0) ^ (negative & low[left]).replicate(self._a.width)
        term = chosen[: self._a.width].as_signed()
        total = Signal(signed(self._a.width + 1))
        m.d.comb += [
            total.eq(high + term + (negative & low[left])),
            self.value.eq(Cat(low, high)),
        ]
        with m.If(self.running | self.shift):
            m.d.sync += [high.eq(total >> 1), low.eq(Cat(low[1:], total[0]))]
        with m.If(self.running):
            m.d.sync += [to_do.eq(to_do - 1), self.running.eq(to_do != 1)]
            if left:
                m.d.sync += low[left - 1].eq(0)
        with m.Elif(self.shift):
            m.d.sync += self.half.eq(low[0])
        with m.If(self.load):
            m.d.sync += [
                high.eq(self._addend),
                low.eq(Cat(Const(0, left), self.b)),
                to_do.eq(bits),
                self.running.eq(1),
                self.half.eq(0),
            ]
        return m
