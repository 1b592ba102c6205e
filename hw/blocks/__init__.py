"""Hard blocks: the weight bank and the multiplier, one module for each FPGA family.

The family decides what a block is made of and how many cycles it takes (:data:`dfarray.latency.FAMILIES`), never what
it computes. :class:`WeightBank` and :class:`Multiplier` are the inferred ones, which any tool can map.
"""

from types import ModuleType

from dfarray.hw.blocks import ecp5, generic, gowin, ice40up5k
from dfarray.hw.blocks.generic import Multiplier, WeightBank

__all__ = ["Multiplier", "WeightBank", "multiplier", "weight_bank"]

_FAMILIES = {"generic": generic, "ecp5": ecp5, "ice40up5k": ice40up5k, "gowin": gowin}


def weight_bank(family: str, shape, depth: int, init, latency: int) -> WeightBank:
    """A weight bank made of the family's block RAM; parameters as :class:`WeightBank`.

    Raises
    ------
    ValueError
        If the family is unknown, or its block RAM cannot do what is asked for.
    """
    return _module(family).WeightBank(shape, depth, init, latency)


def multiplier(family: str, a, b, latency: int) -> Multiplier:
    """A multiplier made of the family's DSP block; parameters as :class:`Multiplier`.

    Raises
    ------
    ValueError
        If the family is unknown, or an operand is wider than its DSP block takes.
    """
    return _module(family).Multiplier(a, b, latency)


def _module(family: str) -> ModuleType:
    if family not in _FAMILIES:
        raise ValueError(f"Family must be one of {', '.join(_FAMILIES)}, not {family!r}")
    return _FAMILIES[family]
