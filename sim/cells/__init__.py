"""Behavioural models of the hard blocks, for simulation only: the tools ship none, or empty ones.

Written from the vendors' documents, and only for the modes that :mod:`dfarray.hw.blocks` uses: any other parameter or
tied pin ends the simulation. What the documents leave open is unknown (X), which a design must not depend on; Verilator
has no X and reads a conspicuous constant instead.
"""

from pathlib import Path

_MODELS = {"generic": (), "ecp5": ("ecp5.v",), "ice40up5k": ("ice40up5k.v",), "gowin": ("gowin.v",)}


def cell_models(family: str) -> list[Path]:
    """The Verilog files to simulate a family's generated Verilog with.

    Raises
    ------
    ValueError
        If the family is unknown.
    """
    if family not in _MODELS:
        raise ValueError(f"Family must be one of {', '.join(_MODELS)}, not {family!r}")
    return [Path(__file__).with_name(name) for name in _MODELS[family]]
