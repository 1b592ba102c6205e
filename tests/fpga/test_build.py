"""The flow, with stand-ins for the tools."""

import json

import pytest
from accelerators import accelerator
from fake_tools import fake_tool

from dfarray.fpga import build as building
from dfarray.fpga.boards import BOARDS
from dfarray.fpga.build import OverfullError, build
from dfarray.fpga.flows import FLOWS
from dfarray.fpga.toolchain import Tool
from dfarray.initial_weights import initial_weights

CONFIG = accelerator([3, 4, 2], 2, 1)


def built(board, directory, **options):
    return build(CONFIG, initial_weights(CONFIG), BOARDS[board], directory, **options)


@pytest.fixture
def fake_tools(monkeypatch):
    monkeypatch.setattr(building, "find_tool", fake_tool)


@pytest.mark.usefixtures("fake_tools")
def test_figures(tmp_path):
    steps = []
    figures = built(
        "ulx3s-85f", tmp_path, seed=7, cycles_per_sample=100, progress=lambda step, done: steps.append((step, done))
    )
    assert json.loads((tmp_path / "build.json").read_text()) == figures
    assert (figures["board"], figures["device"], figures["seed"]) == ("ulx3s-85f", "LFE5U-85F-6BG381C", 7)
    assert (figures["fmax_mhz"], figures["target_mhz"], figures["timing_met"]) == (80.52, 170.0, False)
    assert figures["multipliers"] == {"used": 8, "available": 156}
    assert figures["block_rams"] == {"used": 4, "available": 208}
    assert figures["luts"] == {"used": 2765, "available": 83640}
    assert figures["flip_flops"] == 1
    assert figures["lanes"] == 2
    assert figures["samples_per_second"] == pytest.approx(805_200, abs=1)
    assert figures["critical_path"]["delay_ns"] == pytest.approx(12.42, abs=0.01)
    assert figures["tools"]["yosys"] == "fake-yosys 1"
    for name in ("verilog", "constraints", "netlist", "bitstream"):
        assert name in figures
    assert [done for _, done in steps] == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("fake_tools")
def test_a_met_clock(tmp_path):
    figures = built("ulx3s-85f", tmp_path, mhz=80)
    assert (figures["target_mhz"], figures["timing_met"]) == (80.0, True)
    assert figures["samples_per_second"] is None


@pytest.mark.usefixtures("fake_tools")
def test_an_overfull_device(tmp_path):
    with pytest.raises(
        OverfullError,
        match=r"iCE40UP5K-SG48 of icebreaker is too small: ICESTORM_DSP: 14 of 8, 6 too many; at most 1 of 2 lanes",
    ):
        built("icebreaker", tmp_path)
    assert not (tmp_path / "build.json").exists()


def test_an_earlier_bitstream_does_not_survive_a_failed_build(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "find_tool", fake_tool)
    built("ulx3s-85f", tmp_path)
    assert (tmp_path / "board.bit").exists()
    monkeypatch.setattr(building, "find_tool", lambda name, native: Tool(name, ("false",), "0"))
    with pytest.raises(RuntimeError, match="yosys failed"):
        built("ulx3s-85f", tmp_path)
    assert not (tmp_path / "board.bit").exists()
    assert not (tmp_path / "build.json").exists()


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_every_pin_is_constrained(board):
    flow = FLOWS[board.family]
    text = flow.constrain(board)
    for port, pin in board.pins.items():
        line = next(line for line in text.splitlines() if port in line)
        assert pin in line


@pytest.mark.usefixtures("fake_tools")
def test_generated_files_are_reproducible(tmp_path):
    for name in ("first", "second"):
        built("ulx3s-85f", tmp_path / name)
    for name in ("top.il", "yosys.ys", "pins.lpf", "build.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
