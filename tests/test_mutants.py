"""The quickest of `make mutants`, and that every mutant of it has its place."""

import dataclasses
import shutil

import pytest
from mutants import catalogue, golden, runs, verilog

QUICK = (
    "update added",
    "output rows do not update",
    "correction dropped",
    "bias tile silent",
    "a weight is read before it is written",
    "a row is left out though its update matters",
    "noise advances twice",
    "shadows before corrections",
    "weights wrap around",
    "a serial product a bit short",
)
"""One of every kind."""

VERILOG = """\
module \\top.lane_3 (a, b);
  (* src = "hw/lane.py:1 & 2" *)
  reg [7:0] r = 8'h00;
  output x, y;
  wire x;
  wire y;
  wire alias;
  assign alias = r | a;
  assign x = a & b;
  assign y = ~ c;
  always @(posedge clk)
    r <= next;
  always @* begin
    next = r + 8'hff;
    if (rst) begin
      next = s ? a : 8'h07;
    end
  end
    memory[3] = 8'h11;
endmodule
"""


def test_every_mutant_has_its_place():
    for mutant in (*(m.edit for m in catalogue.MUTANTS.values()), *golden.MUTANTS.values()):
        assert mutant.apply()
    assert len(catalogue.MUTANTS) >= 60


def test_every_run_is_there():
    assert {m.run for m in catalogue.MUTANTS.values()} <= {*runs.CASES, *runs.TESTCASES}
    assert {m.run for m in golden.MUTANTS.values()} <= {*runs.CASES}


@pytest.mark.parametrize("run", runs.CASES)
def test_true_design_passes(run, tmp_path):
    """What finds mutants finds nothing in the design as it is."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")
    found = runs.judge(run, runs.generated(run, tmp_path / "generated"), tmp_path)
    assert not found.fault


@pytest.mark.parametrize("name", QUICK)
def test_mutant_is_found(name, tmp_path):
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")
    mutant = catalogue.MUTANTS[name]
    with runs.mutated(mutant.edit):
        edited = runs.generated(mutant.run, tmp_path / "generated")
    found = runs.judge(mutant.run, edited, tmp_path)
    assert found.signal == mutant.signal, found


def test_golden_data_is_compared(tmp_path):
    """RTL and golden model with one weight that is another."""
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")
    edited = runs.generated("small", tmp_path / "true")
    case = dataclasses.replace(runs.CASES["small"], load=False)
    job = runs.cases.prepare(case, tmp_path, edited)
    job.weights[0][1, 2] += 1
    program = runs.cases.build(job, tmp_path / "icarus")
    played = runs.cases.play(job, program, runs.cases.orders_of(case, job))
    assert played.mismatch is not None


def test_drawn_mutants():
    found = verilog.places(VERILOG)
    assert {place.module for place in found} == {"lane"}
    changes = {(place.operator, place.after.strip()) for place in found}
    assert changes == {
        ("& becomes |", "assign x = a | b;"),
        ("~ dropped", "assign y = c;"),
        ("assignment dropped", "/* r <= next; */;"),
        ("+ becomes -", "next = r - 8'hff;"),
        ("constant off by one", "next = r + 8'h0;"),
        ("reset value off by one", "next = s ? a : 8'h8;"),
        ("choice swapped", "next = s ? 8'h07 : a;"),
        ("condition inverted", "if (!(rst)) begin"),
    }
    chosen = verilog.sample(VERILOG, 5, 1)
    assert len(set(chosen)) == 5
    assert chosen == verilog.sample(VERILOG, 5, 1) != verilog.sample(VERILOG, 5, 2)
    edited = verilog.apply(VERILOG, chosen[0])
    assert len([1 for a, b in zip(VERILOG.split("\n"), edited.split("\n"), strict=True) if a != b]) == 1
    with pytest.raises(LookupError, match="line"):
        verilog.apply(VERILOG.replace("a & b", "b & a").replace("r", "q"), chosen[0])
