"""yosys' JSON netlist: what is in it, and where nextpnr shall put some of it."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from dfarray.fpga.carry import absorb


class Netlist:
    """The cells of the top module.

    Parameters
    ----------
    path : Path
        Written by yosys.
    """

    def __init__(self, path: Path):
        self._path = path
        self._contents = json.loads(path.read_text(encoding="utf-8"))
        self._top = next(
            module for module in self._contents["modules"].values() if int(str(module["attributes"].get("top", "0")), 2)
        )
        self._cells = self._top["cells"]

    def count(self) -> Counter[str]:
        """Cells by type."""
        return Counter(cell["type"] for cell in self._cells.values())

    def named(self, kind: str) -> list[str]:
        """Names of the cells of a type."""
        return [name for name, cell in self._cells.items() if cell["type"] == kind]

    def absorb(self) -> int:
        """Move LUTs into the carry cells behind them, see :func:`dfarray.fpga.carry.absorb`; how many."""
        kept = frozenset(bit for port in self._top["ports"].values() for bit in port["bits"] if isinstance(bit, int))
        return absorb(self._cells, kept)

    def place(self, sites: Mapping[str, str]) -> None:
        """Tell nextpnr the sites (BELs) of some cells."""
        for name, bel in sites.items():
            self._cells[name].setdefault("attributes", {})["BEL"] = bel

    def write(self) -> None:
        """Into the file it came from."""
        self._path.write_text(json.dumps(self._contents), encoding="utf-8")
