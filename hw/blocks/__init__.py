"""Hard blocks: memories and the multiplier, one module for each FPGA family.

The family decides what a block is made of and how many cycles it takes (:data:`dfarray.latency.FAMILIES`), never what
it computes. :class:`BlockRam` and :class:`Multiplier` are the inferred ones, which any tool can map.
"""

from collections.abc import Mapping

from amaranth.hdl import Shape

from dfarray.hw.blocks import ecp5, generic, gowin, ice40up5k
from dfarray.hw.blocks.generic import BlockRam, LutRam, Multiplier

__all__ = [
    "LUT_RAM_ROWS",
    "BlockRam",
    "LutRam",
    "Multiplier",
    "block_ram",
    "lut_ram",
    "multiplier",
    "multiply_accumulate",
    "multiply_subtract",
    "weight_bank",
]

LUT_RAM_ROWS = 64
"""Rows up to which :func:`block_ram` takes LUTs where the family has LUT RAM; a block has a thousand."""

_BLOCK_RAMS = {
    "generic": generic.BlockRam,
    "ecp5": ecp5.BlockRam,
    # A RAM40 has no output register that inference would leave out, and yosys shapes it best.
    "ice40up5k": generic.BlockRam,
    "gowin": gowin.BlockRam,
}
_WEIGHT_BANKS = {**_BLOCK_RAMS, "ice40up5k": ice40up5k.weight_bank}
_MULTIPLIERS = {
    "generic": generic.Multiplier,
    "ecp5": ecp5.Multiplier,
    "ice40up5k": ice40up5k.Multiplier,
    "gowin": gowin.Multiplier,
}
_WITH_LUT_RAM = ("ecp5", "gowin")


def block_ram(family: str, shape, depth: int, init=(), latency: int = 2) -> BlockRam:
    """A memory of the family's block RAM, read through its output register; a shallow one is of LUTs.

    Parameters as :class:`BlockRam`. One with initial contents is a table: where it is shallow it is never written.

    Raises
    ------
    ValueError
        If the family is unknown, or its block RAM cannot do what is asked for.
    """
    if depth <= LUT_RAM_ROWS:
        return lut_ram(family, shape, depth, init, latency)
    return _of(_BLOCK_RAMS, family)(shape, depth, init, latency)


def lut_ram(family: str, shape, depth: int, init=(), latency: int = 1) -> BlockRam:
    """A memory that may answer after one cycle: of LUTs where the family has LUT RAM, however deep; else inferred.

    Parameters as :class:`BlockRam`. One with initial contents is a table and never written.

    Raises
    ------
    ValueError
        If the family is unknown.
    """
    inferred = LutRam if family in _WITH_LUT_RAM else _of(_BLOCK_RAMS, family)
    return inferred(shape, depth, init, latency)


def weight_bank(family: str, shape, depth: int, init, latency: int) -> BlockRam:
    """A memory of the family's block RAM, or of an iCE40's SPRAM; parameters as :class:`BlockRam`.

    Raises
    ------
    ValueError
        If the family is unknown, or its block RAM cannot do what is asked for.
    """
    return _of(_WEIGHT_BANKS, family)(shape, depth, init, latency)


def multiplier(family: str, a, b, latency: int) -> Multiplier:
    """A multiplier made of the family's DSP block; parameters as :class:`Multiplier`.

    Raises
    ------
    ValueError
        If the family is unknown, or an operand is wider than its DSP block takes.
    """
    return _of(_MULTIPLIERS, family)(a, b, latency)


def multiply_subtract(family: str, a: Shape, b: Shape, difference: Shape):
    """``minuend - a * b`` in the family's DSP block, as :class:`dfarray.hw.blocks.accumulating.MultiplySubtract`.

    Raises
    ------
    ValueError
        If the family's block does not subtract, or an operand is wider than it takes.
    """
    return _of({"ice40up5k": ice40up5k.multiply_subtract}, family)(a, b, difference)


def multiply_accumulate(family: str, a: Shape, b: Shape, total: Shape, clipped: int | None):
    """A sum of products in the family's DSP block, as :class:`dfarray.hw.blocks.accumulating.MultiplyAccumulate`.

    Raises
    ------
    ValueError
        If the family's block does not add, or an operand is wider than it takes.
    """
    return _of({"ice40up5k": ice40up5k.multiply_accumulate}, family)(a, b, total, clipped)


def _of(components: Mapping, family: str):
    if family not in components:
        raise ValueError(f"Family must be one of {', '.join(components)}, not {family!r}")
    return components[family]
