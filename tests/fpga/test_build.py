"""The flow, with stand-ins for the tools."""

import hashlib
import json
import sys

import fake_tools as fake
import pytest
from accelerators import accelerator
from fake_tools import fake_tools

from dfarray.fpga import build as building
from dfarray.fpga.boards import BOARDS, Family
from dfarray.fpga.build import MiscompiledError, OverfullError, build
from dfarray.fpga.flows import FLOWS
from dfarray.fpga.pinout import Pin
from dfarray.fpga.toolchain import Tool
from dfarray.initial_weights import initial_weights

CONFIG = accelerator([3, 4, 2], 2, 1)


def built(board, directory, **options):
    return build(CONFIG, initial_weights(CONFIG), BOARDS[board], directory, **options)


@pytest.fixture
def stand_ins(monkeypatch):
    monkeypatch.setattr(building, "find_tools", fake_tools)


@pytest.mark.usefixtures("stand_ins")
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


@pytest.mark.usefixtures("stand_ins")
def test_a_met_clock(tmp_path):
    figures = built("ulx3s-85f", tmp_path, mhz=80)
    assert (figures["target_mhz"], figures["timing_met"]) == (80.0, True)
    assert figures["samples_per_second"] is None


@pytest.mark.usefixtures("stand_ins")
def test_an_overfull_device(tmp_path):
    with pytest.raises(
        OverfullError,
        match=r"iCE40UP5K-SG48 of icebreaker is too small: ICESTORM_DSP: 14 of 8, 6 too many; at most 1 of 2 lanes",
    ):
        built("icebreaker", tmp_path)
    assert not (tmp_path / "build.json").exists()


def test_an_earlier_bitstream_does_not_survive_a_failed_build(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "find_tools", fake_tools)
    built("ulx3s-85f", tmp_path)
    assert (tmp_path / "board.bit").exists()
    monkeypatch.setattr(building, "find_tools", lambda names, native: [Tool(name, ("false",), "0") for name in names])
    with pytest.raises(RuntimeError, match="yosys failed"):
        built("ulx3s-85f", tmp_path)
    assert not (tmp_path / "board.bit").exists()
    assert not (tmp_path / "build.json").exists()


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_every_pin_is_constrained(board):
    flow = FLOWS[board.family]
    text = flow.constrain(board, board.pins)
    for port, pin in board.pins.items():
        lines = [line for line in text.splitlines() if f'"{port}"' in line or f" {port} " in line]
        assert any(pin.site in line for line in lines)
        if board.family is not Family.ICE40:
            assert all(any(f"{name}={value}" in line for line in lines) for name, value in pin.attributes.items())


def test_constraints_of_each_family():
    pins = {"clk": Pin("G2", {"IO_TYPE": "LVCMOS33"}), "uart_rx": Pin("M1", {"IO_TYPE": "LVCMOS33", "PULLMODE": "UP"})}
    assert FLOWS[Family.ECP5].constrain(BOARDS["ulx3s-85f"], pins) == (
        'LOCATE COMP "clk" SITE "G2";\nIOBUF PORT "clk" IO_TYPE=LVCMOS33;\n'
        'LOCATE COMP "uart_rx" SITE "M1";\nIOBUF PORT "uart_rx" IO_TYPE=LVCMOS33 PULLMODE=UP;\n'
        'FREQUENCY PORT "clk" 25 MHZ;\n'
    )
    pins = {"clk": Pin("35"), "uart_rx": Pin("6", {"PULLUP": "1"})}
    assert FLOWS[Family.ICE40].constrain(BOARDS["icebreaker"], pins) == (
        "set_io clk 35\nset_io -pullup yes uart_rx 6\nset_frequency clk 12\n"
    )
    pins = {"leds[0]": Pin("10", {"IO_TYPE": "LVCMOS33"})}
    assert FLOWS[Family.GOWIN].constrain(BOARDS["tangnano9k"], pins) == (
        'IO_LOC "leds[0]" 10;\nIO_PORT "leds[0]" IO_TYPE=LVCMOS33;\n'
    )


def test_each_gowin_board_names_its_chip():
    flow = FLOWS[Family.GOWIN]
    assert "synth_gowin -family gw1n " in flow.yosys_script(BOARDS["tangnano9k"], 1, 1)
    assert "synth_gowin -family gw2a " in flow.yosys_script(BOARDS["tangnano20k"], 1, 1)
    assert flow.pack_arguments(BOARDS["tangnano9k"])[:2] == ["-d", "GW1N-9C"]


@pytest.mark.usefixtures("stand_ins")
def test_warnings_are_listed_once_each_and_expected_ones_are_not(tmp_path):
    figures = built("ulx3s-85f", tmp_path)
    (warning,) = figures["warnings"]
    assert warning == {
        "tool": "yosys",
        "text": "Wire top.lane_0.product_1 has an unprocessed 'init' attribute.",
        "count": 2,
    }
    assert "unprocessed 'init' attribute. (2 times)" in (tmp_path / "report.txt").read_text()


def changed_synthesis(monkeypatch, line):
    monkeypatch.setattr(fake, "SYNTHESIS_LOG", fake.SYNTHESIS_LOG + line + "\n")
    monkeypatch.setattr(building, "find_tools", fake_tools)


def test_a_netlist_that_is_another_design_is_refused(tmp_path, monkeypatch):
    changed_synthesis(
        monkeypatch,
        "Warning: Driver-driver conflict for \\product_2 [0] between cell $1.O and constant 1'0 in top: Resolved using "
        "constant.",
    )
    with pytest.raises(MiscompiledError, match=r"would compute wrongly, yosys: Driver-driver conflict .*'ecp5'"):
        built("ulx3s-85f", tmp_path)
    assert not (tmp_path / "build.json").exists()


@pytest.mark.usefixtures("stand_ins")
def test_the_report_of_a_build(tmp_path):
    built("ulx3s-85f", tmp_path, seed=7)
    text = (tmp_path / "report.txt").read_text()
    assert "ulx3s-85f, LFE5U-85F-6BG381C, 2 lanes, seed 7" in text
    assert "clock 80.52 MHz of 170 MHz aimed at: missed" in text
    assert "MULT18X18D" in text
    assert "5.1 %" in text


@pytest.mark.usefixtures("stand_ins")
def test_digests_are_those_of_the_files(tmp_path):
    figures = built("ulx3s-85f", tmp_path)
    assert set(figures["sha256"]) == {"board.bit", "pins.lpf", "top.v", "netlist.json"}
    for name, digest in figures["sha256"].items():
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest


def test_a_build_that_is_interrupted_leaves_no_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(building, "find_tools", fake_tools)
    built("ulx3s-85f", tmp_path)

    def interrupt(step, done):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        built("ulx3s-85f", tmp_path, progress=interrupt)
    assert not (tmp_path / "build.json").exists()
    assert not (tmp_path / "board.bit").exists()


def test_a_placer_that_would_try_for_ever_is_ended(tmp_path, monkeypatch):
    def tools(names, *, native):
        yosys, _, packer = fake_tools(names)
        log = (fake.SAMPLES / "nextpnr-ice40-overfull.log").read_text()
        script = f"import time; print({log!r}, flush=True); time.sleep(300)"
        return yosys, Tool("nextpnr-ice40", (sys.executable, "-c", script), "0"), packer

    monkeypatch.setattr(building, "find_tools", tools)
    with pytest.raises(OverfullError, match=r"ICESTORM_DSP: 14 of 8, 6 too many"):
        built("icebreaker", tmp_path)


@pytest.mark.usefixtures("stand_ins")
def test_an_overfull_device_names_boards_with_room(tmp_path):
    with pytest.raises(OverfullError) as raised:
        built("icebreaker", tmp_path)
    others = str(raised.value).partition("the design as it is would fit ")[2].split(", ")
    assert "ulx3s-85f" in others
    assert "icebreaker" not in others


@pytest.mark.usefixtures("stand_ins")
def test_generated_files_are_reproducible(tmp_path):
    for name in ("first", "second"):
        built("ulx3s-85f", tmp_path / name)
    for name in ("top.il", "yosys.ys", "pins.lpf", "build.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes(), name
