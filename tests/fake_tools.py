"""Stand-ins for the tools, which answer with committed samples."""

import sys
from pathlib import Path

from dfarray.fpga.toolchain import Tool

SAMPLES = Path(__file__).parent / "fpga" / "samples"

_NETLIST = '{"modules": {"board": {"attributes": {"top": "1"}, "cells": {"q": {"type": "TRELLIS_FF"}}}}}'


def fake_tool(name: str, *, native: bool = False) -> Tool:
    """A tool that writes what the next step reads."""
    if name == "yosys":
        script = f"open('netlist.json', 'w').write({_NETLIST!r})"
    elif name == "nextpnr-ecp5":
        script = f"import shutil; shutil.copy({str(SAMPLES / 'nextpnr-ecp5.json')!r}, 'nextpnr.json')"
    elif name == "nextpnr-ice40":
        script = f"print(open({str(SAMPLES / 'nextpnr-ice40-overfull.log')!r}).read()); raise SystemExit(1)"
    else:
        script = "open('board.bit', 'w').write('bits')"
    return Tool(name, (sys.executable, "-c", script), f"fake-{name} 1")
