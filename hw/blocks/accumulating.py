"""Multipliers that subtract or accumulate: of a multiplier and adders, for families whose block has none that fit."""

from collections.abc import Callable

from amaranth.hdl import Module, Mux, Shape
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.hw.arithmetic import saturate
from dfarray.hw.blocks.generic import Multiplier


class MultiplySubtract(wiring.Component):
    """``minuend - a * b``, two cycles after the operands.

    Parameters
    ----------
    a, b : Shape
        Signed operands.
    difference : Shape
        Signed; no difference is wider.
    multiply : function (a, b)
        A :class:`dfarray.hw.blocks.generic.Multiplier` of one cycle.

    Attributes
    ----------
    a, b : In
    minuend, enable : In
        A cycle after the operands; without ``enable`` the difference stays.
    difference : Out
        A cycle later.
    """

    def __init__(self, a: Shape, b: Shape, difference: Shape, multiply: Callable[[Shape, Shape], Multiplier]):
        self._operands, self._multiply = (a, b), multiply
        super().__init__(
            {"a": In(a), "b": In(b), "minuend": In(difference), "enable": In(1), "difference": Out(difference)}
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier = multiplier = self._multiply(*self._operands)
        m.d.comb += [multiplier.a.eq(self.a), multiplier.b.eq(self.b)]
        with m.If(self.enable):
            m.d.sync += self.difference.eq(self.minuend - multiplier.product)
        return m


class MultiplyAccumulate(wiring.Component):
    """Sums products, each two cycles after its operands.

    Parameters
    ----------
    a, b : Shape
        Signed operands.
    total : Shape
        Signed.
    clipped : int or None
        Width to which sums are clipped that ask for it; None if none has to be.
    multiply : function (a, b)
        A :class:`dfarray.hw.blocks.generic.Multiplier` of one cycle.

    Attributes
    ----------
    a, b : In
    clear : In(1)
        In the next cycle the total is 0; with the operands of the first product.
    add : In(1)
        A cycle after the operands: their product is added.
    clips : In(1)
        With ``add``.
    total : Out
        A cycle after ``add``, until the next one or ``clear``.
    """

    def __init__(
        self, a: Shape, b: Shape, total: Shape, clipped: int | None, multiply: Callable[[Shape, Shape], Multiplier]
    ):
        self._operands, self._clipped, self._multiply = (a, b), clipped, multiply
        super().__init__({"a": In(a), "b": In(b), "clear": In(1), "add": In(1), "clips": In(1), "total": Out(total)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.multiplier = multiplier = self._multiply(*self._operands)
        m.d.comb += [multiplier.a.eq(self.a), multiplier.b.eq(self.b)]
        total = self.total + multiplier.product
        if self._clipped is not None:
            total = Mux(self.clips, saturate(m, total, self._clipped, "wide_total"), total)
        with m.If(self.add | self.clear):
            m.d.sync += self.total.eq(Mux(self.clear, 0, total))
        return m
