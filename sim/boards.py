"""A board's top level as a compiled program: Verilator and a C++ main around the Verilog that a board is built from."""

import hashlib
from pathlib import Path

from dfarray.configuration import Configuration
from dfarray.fpga.boards import Board, Family, Loader
from dfarray.fpga.pinout import Pin, leds
from dfarray.fpga.top import TOP, BoardTop
from dfarray.hw.generate import verilog_of
from dfarray.initial_weights import preset_weights
from dfarray.sim import simulators
from dfarray.sim.cells import cell_models
from dfarray.sim.harness import CONTENTS, reading_contents
from dfarray.sim.simplify import simplify, write_contents

CYCLES_PER_BIT = 4
"""As few as the UART allows, so that a byte takes no more cycles than it must."""

VIRTUAL = Board(
    name="virtual",
    device="simulation",
    family=Family.ICE40,
    place_and_route=(),
    # About as fast as it is simulated: what takes a tenth of a second on a board does so here.
    oscillator_mhz=1.0,
    target_mhz=1.0,
    pins={"button": Pin(""), **leds([Pin("")] * 3)},
    loader=Loader(""),
    baud=1_000_000 // CYCLES_PER_BIT,
)
"""The simulation as a board: its clock is the oscillator's, without a PLL."""

WRAPPER, PROGRAM = "dfarray_virtual", "virtual"

_HERE = Path(__file__).parent


def virtual_program(config: Configuration, directory: Path) -> Path:
    """Compile the virtual board; a build of identical text is used again.

    Returns
    -------
    Path : the executable; it must be started in its directory.

    Raises
    ------
    SimulationError
    """
    top = BoardTop(VIRTUAL, config, preset_weights(config), VIRTUAL.target_mhz)
    text, _ = verilog_of(top, top.ports(), TOP)
    widths = {name: (len(value), direction) for name, (value, direction) in top.ports().items()}
    return compile_program(text, TOP, widths, config.array.family, _HERE / "virtual.cpp", directory)


def compile_program(
    text: str, top: str, ports: dict[str, tuple[int, str]], family: str, main: Path, directory: Path
) -> Path:
    """Compile Verilog, with a wrapper that fills its memories, and a C++ main.

    Parameters
    ----------
    ports : dict of name to (width, "i" or "o")
    family : str
        Whose hard blocks are simulated.
    main : Path
        Includes ``Vdfarray_virtual.h``.
    """
    simulators.require("verilator")
    text, contents = simplify(text, top)
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    source, wrapper = directory / "simulated.v", directory / "wrapper.v"
    source.write_text(text, encoding="utf-8")
    write_contents(contents, directory / CONTENTS)
    wrapper.write_text(_wrapper(top, ports, reading_contents(contents)), encoding="utf-8")
    sources = [source, wrapper, *cell_models(family), main]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()
    stamp, program = directory / "sources.sha256", directory / PROGRAM
    if not (program.exists() and stamp.exists() and stamp.read_text() == digest):
        stamp.unlink(missing_ok=True)
        simulators.build_program(sources, WRAPPER, directory, PROGRAM)
        stamp.write_text(digest)
    return program


def _wrapper(top: str, ports: dict[str, tuple[int, str]], statements: list[str]) -> str:
    directions = {"i": "input", "o": "output"}
    declared = ",\n  ".join(f"{directions[way]} [{width - 1}:0] {name}" for name, (width, way) in ports.items())
    connected = ", ".join(f".{name}({name})" for name in ports)
    filled = "\n    ".join(statements)
    contents = f"  initial begin\n    {filled}\n  end\n" if statements else ""
    return f"module {WRAPPER}(\n  {declared}\n);\n  {top} dut({connected});\n{contents}endmodule\n"
