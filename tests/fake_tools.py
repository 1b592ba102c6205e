"""Stand-ins for the tools, which answer with committed samples."""

import sys
from pathlib import Path

from dfarray.fpga.toolchain import Tool

SAMPLES = Path(__file__).parent / "fpga" / "samples"

SYNTHESIS_LOG = """1. Executing RTLIL frontend.
Warning: Wire top.lane_0.product_1 has an unprocessed 'init' attribute.
Warning: Wire top.lane_1.product_1 has an unprocessed 'init' attribute.
Lexer warning: The SystemVerilog keyword `bit' (at /share/abc9_map.v:1) is not recognized.
End of script.
"""

PROMISE = "Info: Max frequency for clock 'clk': 80.52 MHz (FAIL at 170.00 MHz)"

_NETLIST = """{"modules": {"board": {"attributes": {"top": "1"}, "ports": {}, "cells": {
  "q": {"type": "TRELLIS_FF", "connections": {}, "port_directions": {}}
}}}}"""


def fake_tools(names, *, native: bool = False) -> tuple[Tool, ...]:
    """Stand-ins for all tools of a flow."""
    return tuple(map(fake_tool, names))


def fake_tool(name: str) -> Tool:
    """A tool that writes what the next step reads."""
    if name == "yosys":
        files = {"netlist.json": _NETLIST, "top.v": "module top; endmodule", "synthesis.log": SYNTHESIS_LOG}
        script = f"for name, text in {files!r}.items(): open(name, 'w').write(text)"
    elif name == "nextpnr-ecp5":
        script = (
            f"import shutil; print({PROMISE!r}); shutil.copy({str(SAMPLES / 'nextpnr-ecp5.json')!r}, 'nextpnr.json')"
        )
    elif name == "nextpnr-ice40":
        script = f"print(open({str(SAMPLES / 'nextpnr-ice40-overfull.log')!r}).read()); raise SystemExit(1)"
    else:
        script = "open('board.bit', 'w').write('bits')"
    return Tool(name, (sys.executable, "-c", script), f"fake-{name} 1")
