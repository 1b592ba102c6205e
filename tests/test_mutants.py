"""The quickest of `make mutants`, and that every mutant of it has its place."""

import dataclasses
import shutil
import sys

import pytest
from mutants import catalogue, golden, runs, verilog
from mutants.__main__ import main
from mutants.runs import Found
from register_bench import TESTCASES

needs_icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")

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
    "events before a look counted again",
)
"""One of every kind."""

VERILOG = """\
module \\top.lane_3 (a, b);
  (* src = "hw/lane.py:1 & 2" *)
  reg [7:0] r = 8'h00;
  output x;
  wire x;
  output y;
  wire y;
  output [7:0] z;
  wire [7:0] z;
  wire alias;
  wire \\$1 ;
  wire [3:0] word;
  reg output_row = 1'h0;
  assign alias = r | a;
  assign x = a & b;
  assign y = ~ word[2];
  assign z = r;
  assign \\$1  = a == b;
  assign step[1] = \\$1 ;
  assign \\step.last  = step[1];
  always @(posedge clk)
    r <= next;
  always @(posedge clk)
    output_row <= \\$1 ;
  always @* begin
    next = r + 8'hff;
    if (rst) begin
      next = s ? a : 8'h07;
    end
  end
    memory[3] = 8'h11;
  \\top.lane_3.part  part (
    .first(step),
    .unread(output_row),
    .word(word)
  );
endmodule
module \\top.lane_3.part (first, unread, word);
  output [3:0] word;
  wire [3:0] word;
  assign word[1] = first & unread;
  assign word[2] = first[1] ^ first[0];
endmodule
"""


def test_every_mutant_has_its_place():
    for mutant in (*(m.edit for m in catalogue.MUTANTS.values()), *golden.MUTANTS.values()):
        assert mutant.apply()
    assert len(catalogue.MUTANTS) >= 60


def test_every_run_is_there():
    assert {m.run for m in catalogue.MUTANTS.values()} <= {*runs.CASES, *TESTCASES, runs.COUNTERS}
    assert {m.run for m in golden.MUTANTS.values()} <= {*runs.CASES}


@needs_icarus
def test_a_run_that_finds_fault_with_the_true_design(tmp_path, monkeypatch, capsys):
    """It would find every mutant, too."""
    found = Found("small", "bias is 3, not 2")
    monkeypatch.setattr(runs, "judge", lambda *_: found)
    name = next(name for name, mutant in catalogue.MUTANTS.items() if mutant.run == "small")
    monkeypatch.setattr(sys, "argv", ["mutants", name, "--kind", "hardware", "--output", str(tmp_path / "mutants")])
    assert main() == 1
    assert "small finds fault with the design as it is: bias is 3" in capsys.readouterr().out


@needs_icarus
@pytest.mark.parametrize("name", QUICK)
def test_mutant_is_found(name, tmp_path):
    mutant = catalogue.MUTANTS[name]
    with runs.mutated(mutant.edit):
        edited = runs.generated(mutant.run, tmp_path / "generated")
    found = runs.judge(mutant.run, edited, tmp_path)
    assert found.signal == mutant.signal, found


@needs_icarus
def test_golden_data_is_compared(tmp_path):
    """RTL and golden model with one weight that is another."""
    edited = runs.generated("small", tmp_path / "true")
    case = dataclasses.replace(runs.CASES["small"], load=False)
    job = runs.cases.prepare(case, tmp_path, edited)
    job.weights[0][1, 2] += 1
    program = runs.cases.build(job, tmp_path / "icarus")
    played = runs.cases.play(job, program, runs.cases.orders_of(case, job))
    assert played.mismatch is not None


def test_drawn_mutants():
    found = verilog.places(VERILOG)
    assert {place.module for place in found} == {"lane", "part"}
    changes = {(place.operator, place.after.strip()) for place in found}
    assert changes == {
        ("& becomes |", "assign x = a | b;"),
        ("~ dropped", "assign y = word[2];"),
        ("assignment dropped", "/* r <= next; */;"),
        ("+ becomes -", "next = r - 8'hff;"),
        ("constant off by one", "next = r + 8'h0;"),
        ("reset value off by one", "next = s ? a : 8'h8;"),
        ("choice swapped", "next = s ? 8'h07 : a;"),
        ("condition inverted", "if (!(rst)) begin"),
        ("== becomes !=", "assign \\$1  = a != b;"),
        ("^ becomes |", "assign word[2] = first[1] | first[0];"),
    }
    assert {place.target for place in found if "!=" in place.after} == {"output_row|step.last"}
    chosen = verilog.sample(VERILOG, 5, 1)
    assert len(set(chosen)) == 5
    assert chosen == verilog.sample(VERILOG, 5, 1) != verilog.sample(VERILOG, 5, 2)
    edited = verilog.apply(VERILOG, chosen[0])
    assert len([1 for a, b in zip(VERILOG.split("\n"), edited.split("\n"), strict=True) if a != b]) == 1
    with pytest.raises(LookupError, match="line"):
        verilog.apply(VERILOG.replace(chosen[0].before, ""), chosen[0])
