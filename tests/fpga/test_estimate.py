"""Resources without tools, against a synthesis; `dfarray estimate` as a user runs it."""

import json

import pytest
from command import dfarray

from dfarray.configuration import Configuration, shipped, with_values
from dfarray.fpga import estimate
from dfarray.fpga.boards import BOARDS, Family, board_named
from dfarray.fpga.memories import INFERRED, MemoryShape, block_rams
from dfarray.throughput import bottleneck, dense_pace

ULX3S = board_named("ulx3s-85f")


def on_ulx3s(**changes):
    values = {key.replace("__", "."): value for key, value in changes.items()}
    return estimate.on_board(with_values(shipped("ulx3s"), values), ULX3S)


def test_figures_of_the_synthesis_of_75_lanes():
    """784-150-10 on 15 tiles of 5 lanes; what yosys 0.70 made of every memory.

    It had 153 multipliers, and block RAM for dumped weights and for two lists of each input; adders, LUT RAM and one
    list of pairs have replaced them since.
    """
    config = on_ulx3s()
    needs = estimate.needs(config, ULX3S)
    assert (needs["multipliers"].used, needs["DP16KD"].used) == (150, 180)
    assert (needs["luts"].used, needs["flip_flops"].used) == (46_361, 63_861)
    assert block_rams(config, Family.ECP5) == {
        "weight banks": 150,
        "bias bank": 1,
        "tanh tables": 15,
        "pair lists": 4,
        "row lists": 6,
        "exponential table": 1,
        "reciprocal table": 1,
    }
    assert not estimate.exceeded(needs)
    assert estimate.tightest(needs) == "multipliers"


@pytest.mark.parametrize(
    ("memory", "blocks"),
    [
        # What went where in that synthesis, where all were inferred: histories, derivatives, logits, errors, sums and
        # topology into LUTs.
        (MemoryShape("history", 1, 16, 18), 0),
        (MemoryShape("derivatives", 1, 32, 9), 0),
        (MemoryShape("logits", 1, 10, 13, reads=2), 0),
        (MemoryShape("scaled errors", 1, 32, 18, reads=3), 0),
        (MemoryShape("topology", 1, 150, 5, written=False), 0),
        (MemoryShape("dump FIFO", 1, 75, 18), 1),
        (MemoryShape("tanh table", 1, 256, 17, written=False), 1),
        (MemoryShape("row list", 1, 784, 28), 2),
    ],
)
def test_small_memories_take_no_block_ram(memory, blocks):
    assert INFERRED[Family.ECP5].blocks(memory) == blocks


def test_inferred_banks_take_as_many_blocks_as_the_family_s_own():
    generic = with_values(shipped("ulx3s"), {"array.family": "generic"})
    # All but the bias bank, which is too small for one.
    assert sum(block_rams(generic, Family.ECP5).values()) == 178


def test_a_deep_ice40_bank_is_spram():
    board = board_named("icebreaker")
    needs = estimate.needs(estimate.on_board(shipped("icebreaker"), board), board)
    assert (needs["multipliers"].used, needs["SPRAM"].used) == (8, 4)
    assert (needs["RAM40"].used, needs["luts"].used, needs["flip_flops"].used) == (29, 4_404, 2_171)
    assert not estimate.exceeded(needs)


@pytest.mark.parametrize("tiles", [15, 16, 40])
def test_what_does_not_fit_is_told_with_what_would(tiles):
    config = on_ulx3s(array__tiles=tiles)
    excess = estimate.exceeded(estimate.needs(config, ULX3S))
    assert bool(excess) == (tiles > 15)
    assert all(f"{10 * tiles} of 156, {10 * tiles - 156} too many" in line for line in excess[:1])
    assert estimate.most_tiles(config, ULX3S) == 15


def test_fewer_tiles_need_deeper_banks():
    """38 tiles of 2 lanes hold the 150 neurons in two passes, and a tanh table each; fewer need three."""
    config = on_ulx3s(array__tiles=75, array__lanes=2)
    fitting = estimate.most_tiles(config, ULX3S)
    assert fitting < 38
    changed = with_values(config, {"array.tiles": fitting, "array.bank_rows": 2385})
    assert changed.bank_rows_used == 2385
    assert not estimate.exceeded(estimate.needs(changed, ULX3S))


def test_another_board_s_family_is_refused():
    with pytest.raises(ValueError, match="tangnano20k has the hard blocks of 'gowin'"):
        estimate.on_board(with_values(shipped("digits"), {"array.family": "ecp5"}), board_named("tangnano20k"))


def test_every_board_has_its_device():
    assert {board.device for board in BOARDS.values()} == set(estimate.DEVICES)


def test_the_clock_is_the_median_of_measured_builds(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate, "BUILDS", tmp_path / "builds.json")
    assert estimate.clock(ULX3S) == (ULX3S.target_mhz, "goal, not measured")
    builds = [{"board": "ulx3s-85f", "fmax_mhz": fmax} for fmax in (160.0, 171.0, 175.0)]
    estimate.BUILDS.write_text(json.dumps([*builds, {"board": "icebreaker", "fmax_mhz": 30.0}]))
    assert estimate.clock(ULX3S) == (171.0, "median of 3 builds")


def test_measured_builds_are_as_estimated():
    """Multipliers and block RAMs exactly, LUTs and flip-flops within 15 %."""
    builds = json.loads(estimate.BUILDS.read_text())
    assert len({(build["board"], build["seed"]) for build in builds}) == len(builds) >= 3
    for build in builds:
        board = board_named(build["board"])
        config = Configuration.model_validate(build["configuration"])
        needs = estimate.needs(estimate.on_board(config, board), board)
        assert needs["multipliers"].used == build["multipliers"]["used"]
        assert needs[estimate.DEVICES[board.device].block_ram].used == build["block_rams"]["used"]
        assert needs["luts"].used == pytest.approx(build["luts"]["used"], rel=0.15)
        assert needs["flip_flops"].used == pytest.approx(build["flip_flops"], rel=0.15)
        assert build["cycles_per_sample"] == dense_pace(estimate.on_board(config, board)).cycles_per_sample
        assert build["timing_met"] == (build["fmax_mhz"] >= build["target_mhz"])


def test_what_limits():
    pace = dense_pace(on_ulx3s())
    rates = pace.samples_per_second(170.0)
    assert rates == {"array": 170e6 / 1595, "input_stream": 170e6 / 796, "uart": 300_000 / (784 + 4 * 9)}
    assert bottleneck(rates) == "uart"
    assert bottleneck({"array": 3.0, "input_stream": 5.0, "uart": 9.0}) == "array"
    assert bottleneck({"array": 3.0, "input_stream": 3.0, "uart": 9.0}) == "input_stream"


CONFIG = """
[network]
layers = [64, 24, 10]
[array]
tiles = {tiles}
lanes = 3
bank_rows = 256
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "net.toml").write_text(CONFIG.format(tiles=4))
    (tmp_path / "wide.toml").write_text(CONFIG.format(tiles=12))
    return tmp_path


def said(done):
    return " ".join(done.stderr.split())


def test_figures_as_json(project):
    arguments = ["net.toml", "--board", "tangnano20k", "--data", "digits", "--mhz", "40", "--json", "figures.json"]
    done = dfarray("estimate", *arguments, cwd=project)
    assert done.returncode == 0, done.stderr
    figures = json.loads((project / "figures.json").read_text())
    dense, events, board = figures["dense"], figures["events"], figures["board"]
    assert figures["multipliers"] == board["resources"]["multipliers"]["used"] == 24
    parts = dense["rows"] + dense["activations"] + dense["outputs"] + dense["waiting"]
    assert parts == dense["cycles_per_sample"]
    assert dense["samples_per_second"]["array"] == 40e6 / dense["cycles_per_sample"]
    assert events["cycles_per_sample"] <= dense["cycles_per_sample"]
    assert events["rows"] < dense["rows"]
    assert events["limited_by"] == "uart"
    assert (board["fits"], board["configured_family"], figures["family"]) == (True, "generic", "gowin")
    assert board["not_modelled"]


def test_without_a_board_there_are_cycles_alone(project):
    done = dfarray("estimate", "net.toml", "--json", "figures.json", cwd=project)
    assert done.returncode == 0, done.stderr
    figures = json.loads((project / "figures.json").read_text())
    assert "board" not in figures
    assert "samples_per_second" not in figures["dense"]
    assert figures["events"] is None


def test_too_small_a_board_is_exit_code_1(project):
    done = dfarray("estimate", "wide.toml", "--board", "tangnano20k", "--json", "figures.json", cwd=project)
    assert done.returncode == 1
    assert "multipliers: 72 of 48, 24 too many" in said(done)
    assert "at most 5 tiles of 3 lanes would fit" in said(done)
    assert json.loads((project / "figures.json").read_text())["board"]["fits"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["net.toml", "--board", "arty"], "board must be one of"),
        (["nothing.toml"], "nothing.toml: cannot be read"),
        (["net.toml", "--data", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_bad_input_is_exit_code_2(arguments, message, project):
    done = dfarray("estimate", *arguments, cwd=project)
    assert done.returncode == 2
    assert message in said(done)
