"""Saturation, rounding and products equal their definitions for all inputs, at every width that is used.

Source of the definitions: docs/architecture.md section 2.
"""

import sys

from amaranth.hdl import Assert, Cat, Const, Cover, Mux, Signal, signed

from dfarray.hw.arithmetic import (
    adder_tree,
    aligned,
    fabric_product,
    overflow_registered,
    requantize,
    round_half_up,
    saturate,
    saturate_registered,
    skewed,
    skewed_sum,
)

from .harness import Harness, free, past
from .mutation import Edit
from .runner import Proof
from .widths import widths_in_use


class _Datapath(Harness):
    """Registers of data have no reset; what comes out depends on the inputs of some cycles before and nothing else."""

    resets = False


def clipped(value, width):
    """By comparison."""
    lo, hi = -(1 << (width - 1)), (1 << (width - 1)) - 1
    return Mux(value > hi, hi, Mux(value < lo, lo, value))


class Saturation(_Datapath):
    """``saturate``, ``saturate_registered`` and ``overflow_registered`` clip."""

    def check(self, m):
        for wide, width in widths_in_use()["saturate"]:
            value = free(m, signed(wide), f"value_{wide}_{width}")
            result = saturate(m, value, width, f"exact_{wide}_{width}")
            m.d.comb += Assert(result == clipped(value, width), f"saturate {wide} to {width}")
            if wide > width:
                self._corners(m, value, width)
        for wide, width in widths_in_use()["saturate_registered"]:
            value = free(m, signed(wide), f"registered_{wide}_{width}")
            result = saturate_registered(m, value, width, f"r_{wide}_{width}")
            before = past(m, value, name=f"registered_{wide}_{width}")
            age = past(m, Const(1), name=f"age_registered_{wide}_{width}")
            m.d.comb += Assert(~age | (result == clipped(before, width)), f"saturate_registered {wide} to {width}")
        for wide, width in widths_in_use()["overflow_registered"]:
            value = free(m, signed(wide), f"overflow_{wide}_{width}")
            fits, negative, low = overflow_registered(m, value, width, f"o_{wide}_{width}")
            before = past(m, value, name=f"overflow_{wide}_{width}")
            age = past(m, Const(1), name=f"age_{wide}_{width}")
            right = (fits == (before == clipped(before, width))) & (negative == (before < 0)) & (low == before[:width])
            m.d.comb += Assert(~age | right, f"overflow_registered {wide} to {width}")

    def _corners(self, m, value, width):
        lo, hi = -(1 << (width - 1)), (1 << (width - 1)) - 1
        m.d.comb += [Cover(value == corner) for corner in (lo - 1, lo, hi, hi + 1)]


class Rounding(_Datapath):
    """``round_half_up`` gives the nearest value, the greater one of two; ``requantize`` that, or the very value."""

    def check(self, m):
        for wide, bits in widths_in_use()["round_half_up"]:
            value = free(m, signed(wide), f"value_{wide}_{bits}")
            self._nearest(m, value, round_half_up(value, bits), bits, f"round_half_up {wide} by {bits}")
            self._nearest(m, value, requantize(value, bits + 3, 3), bits, f"requantize {wide} by {bits}")
            m.d.comb += Assert(
                requantize(value, 3, bits + 3) == Cat(Const(0, bits), value).as_signed(),
                f"requantize {wide} by -{bits}",
            )

    @staticmethod
    def _nearest(m, value, rounded, bits, what):
        half = 1 << bits >> 1
        error = (rounded << bits) - value
        m.d.comb += Assert((error <= half) & (error > -half) if bits else error == 0, what)
        if bits:
            m.d.comb += [Cover(error == half), Cover(error == 1 - half)]


class NegatedRounding(_Datapath):
    """Minus p rounded half up is ~p rounded half up: how a tile applies the sign of b."""

    def check(self, m):
        for wide, bits in widths_in_use()["round_half_up"]:
            if bits:
                value = free(m, signed(wide), f"value_{wide}_{bits}")
                m.d.comb += [
                    Assert(round_half_up(~value, bits) == -round_half_up(value, bits), f"{wide} by {bits}"),
                    Cover((value & ((1 << bits) - 1)) == 1 << bits >> 1),
                ]


class ProductTerms(_Datapath):
    """``fabric_product`` adds, for each base-4 digit of b, that digit times a, a cycle later; the digits are b."""

    def check(self, m):
        for a_width, b_width in widths_in_use()["fabric_product"]:
            name = f"{a_width}_{b_width}"
            a, b = free(m, signed(a_width), f"a_{name}"), free(m, signed(b_width), f"b_{name}")
            terms = self._terms(m, a, b, name)
            digits = 0
            for index, term in enumerate(terms):
                low = 2 * index
                digit = b[low : low + 2]
                multiples = [0, a, 2 * a, 3 * a]
                if low + 2 >= b_width:
                    digit = digit.as_signed()
                    multiples = [0, a, -2 * a, -a] if len(digit) == 2 else [0, -a]
                digits = digits + (digit << low)
                chosen = Signal(signed(a_width + 2), name=f"digit_{name}_{index}")
                for value, multiple in enumerate(multiples):
                    with m.If(digit.as_unsigned() == value):
                        m.d.comb += chosen.eq(multiple)
                before = past(m, chosen, name=f"digit_{name}_{index}")
                age = past(m, Const(1), name=f"age_{name}_{index}")
                m.d.comb += Assert(~age | (term == (before << low)), f"digit {index} of {a_width} x {b_width}")
            m.d.comb += [Assert(digits == b), Cover((a == -(1 << (a_width - 1))) & (b == -(1 << (b_width - 1))))]

    @staticmethod
    def _terms(m, a, b, name):
        """What ``fabric_product`` has its adder tree add."""
        given = []
        hardware = sys.modules[fabric_product.__module__]
        tree = hardware.adder_tree
        hardware.adder_tree = lambda m, values, name: given.extend(values) or sum(values)
        try:
            fabric_product(m, a, b, name)
        finally:
            hardware.adder_tree = tree
        return given


class AdderTree(_Datapath):
    """``adder_tree`` is the sum, ceil(log2(values)) cycles later."""

    def check(self, m):
        for count, width in widths_in_use()["adder_tree"]:
            values = [free(m, signed(width), f"value_{count}_{width}_{index}") for index in range(count)]
            exact = Signal(signed(width + count), name=f"sum_{count}_{width}")
            m.d.comb += exact.eq(sum(values))
            latency = (count - 1).bit_length()
            before = past(m, exact, latency, name=f"sum_{count}_{width}")
            result = adder_tree(m, values, f"tree_{count}_{width}")
            m.d.comb += [Assert(result == before, f"sum of {count} values of {width} bits"), Cover(result == -1)]


class SkewedSum(_Datapath):
    """``skewed_sum`` adds or subtracts, aligned again as many cycles later as there are parts."""

    def check(self, m):
        for width, parts, minus in widths_in_use()["skewed_sum"]:
            name = f"{width}_{parts}_{minus}"
            a, b = (free(m, signed(width), f"{operand}_{name}") for operand in "ab")
            exact = Signal(signed(width), name=f"exact_{name}")
            m.d.comb += exact.eq(a - b if minus else a + b)
            before = past(m, exact, parts, name=f"exact_{name}")
            words = (skewed(m, value, parts, f"{operand}_{name}") for operand, value in (("x", a), ("y", b)))
            passed = skewed_sum(m, *words, parts, f"sum_{name}", minus=minus)
            result = aligned(m, passed, parts, f"whole_{name}")
            age = past(m, Const(1), parts, name=f"age_{name}")
            m.d.comb += [Assert(~age | (result == before), f"skewed sum {name}"), Cover(age & (result == -1))]


_NO_FEEDBACK = "no feedback: what comes out depends on the inputs {} cycles before and on nothing else"

PROOFS = [
    Proof(
        "saturation clips, at all widths used",
        "Saturation",
        3,
        (
            Edit(
                "arithmetic",
                "return Mux(top.all() | ~top.any(), exact[:width], limit)",
                "return Mux(top.all() | ~top[1:].any(), exact[:width], limit)",
            ),
            Edit(
                "arithmetic",
                "fits.eq(~(top[:-1] ^ top[-1].replicate(len(top) - 1)).any())",
                "fits.eq(~(top[1:-1] ^ top[-1].replicate(len(top) - 2)).any())",
            ),
            Edit(
                "arithmetic",
                "limit = Cat((~negative).replicate(len(low) - 1), negative)",
                "limit = Cat(negative.replicate(len(low) - 1), negative)",
            ),
        ),
        method="bounded",
        cover=1,
        why=_NO_FEEDBACK.format(1),
    ),
    Proof(
        "rounding gives the nearest value, the greater of two",
        "Rounding",
        1,
        (
            Edit(
                "arithmetic",
                "return (value + (1 << (bits - 1))) >> bits if bits else value",
                "return (value + (1 << (bits - 1)) - 1) >> bits if bits else value",
            ),
            Edit(
                "arithmetic",
                "return value << (to_fraction - from_fraction)",
                "return value << (to_fraction - from_fraction + 1)",
            ),
        ),
        method="bounded",
        cover=1,
        why=_NO_FEEDBACK.format(0),
    ),
    Proof(
        "minus p rounded is ~p rounded",
        "NegatedRounding",
        1,
        (
            Edit(
                "arithmetic",
                "return (value + (1 << (bits - 1))) >> bits if bits else value",
                "return value >> bits if bits else value",
            ),
        ),
        method="bounded",
        cover=1,
        why=_NO_FEEDBACK.format(0),
    ),
    Proof(
        "a product's terms are the digits of b times a",
        "ProductTerms",
        2,
        (
            Edit("arithmetic", "top = low + 2 >= len(b)", "top = low + 4 >= len(b)"),
            Edit("arithmetic", "Mux(b[low + 1], a, 0) << 1 if high", "Mux(b[low + 1], a, 0) if high"),
        ),
        method="bounded",
        cover=1,
        why=_NO_FEEDBACK.format(1),
    ),
    Proof(
        "the adder tree adds",
        "AdderTree",
        6,
        (
            Edit(
                "arithmetic",
                "sum(values[k : k + 2]) for k in range(0, len(values), 2)",
                "sum(values[k : k + 2]) for k in range(0, len(values) - 1, 2)",
            ),
        ),
        method="bounded",
        cover=6,
        first=5,
        why=_NO_FEEDBACK.format("at most 5"),
    ),
    Proof(
        "a sum in parts is the sum",
        "SkewedSum",
        4,
        (
            Edit("arithmetic", "        carry = Cat(carries)\n", "        carry = None\n"),
            Edit("arithmetic", "Const(0) if minus else carry", "carry"),
            Edit("arithmetic", "delay(m, value[part], count - 1 - k,", "delay(m, value[part], 0,"),
        ),
        method="bounded",
        cover=3,
        why=_NO_FEEDBACK.format("at most 2"),
    ),
]
