"""The machinery of `make verify`, and the accelerators that cover most of what its whole set does."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from verify import __main__ as verify
from verify import runs
from verify.case import Case
from verify.coverage import POINTS, ROUNDED, rounding
from verify.space import VALUES, drawn, place

LINES = verify.fast()
"""Chosen so that together they meet as many points of the coverage as they can."""


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_accelerator(line, tmp_path):
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")
    result = runs.run(Case.parse(line), tmp_path)
    assert not result.fault, f"{result.fault}\n{verify.repeat(line)}"
    assert result.cycles > 500
    assert {key.rpartition(": ")[0] for key in result.met if not key.startswith("table ")} <= {*POINTS}


def test_a_case_is_its_line():
    for case in verify.draw(60, 3):
        assert Case.parse(case.line()) == case
        assert "\n" not in case.line()
        command = shlex.split(verify.repeat(case.line()))
        assert Case.parse(command[2].removeprefix("ONLY=")) == case


@pytest.mark.parametrize(
    "line", ["", "{}", "[1]", '{"run":{"phases":[]}}', '{"network":{"layers":[1]},"run":{"phases":[]}}']
)
def test_what_is_no_case_is_refused(line, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["verify", "--only", line or "x"])
    assert verify.main() == 2
    assert "--only: " in capsys.readouterr().err


def test_the_same_seed_draws_the_same():
    assert verify.draw(20, 5) == verify.draw(20, 5) != verify.draw(20, 6)


def test_a_drawn_set_is_kept(monkeypatch, tmp_path):
    drawn = verify.drawn_before(20, 5, tmp_path)
    monkeypatch.setattr(verify, "draw", None)
    assert verify.drawn_before(20, 5, tmp_path) == drawn


def test_most_of_the_space_is_drawn():
    cases = verify.draw(240, 1)
    assert len(cases) >= 200
    counts, met, holes = drawn(cases)
    assert set(place(cases[0])) == set(VALUES)
    assert all(count >= 5 for counter in counts.values() for count in counter.values()), counts
    assert len(holes) < 0.04 * len(met), holes


def test_a_failure_shrinks_to_what_it_needs(monkeypatch, tmp_path):
    """Of a machine that fails with two hidden layers and stochastic rounding no more than that is left."""

    def run(case: Case, build: Path) -> runs.Result:
        wrong = len(case.config.network.layers) > 3 and case.config.training.rounding == "stochastic"
        return runs.Result(case.line(), "wrong" if wrong else "", 1, 1, 0, {})

    monkeypatch.setattr(verify, "run", run)
    failed = runs.Result(verify.draw(5, 1)[-1].line(), "wrong", 1, 1, 0, {})
    smallest = Case.parse(verify.shrink(failed, 200, 1, tmp_path).line)
    assert smallest.config.network.layers == (1, 1, 1, 2)
    assert smallest.config.array.tiles == smallest.config.array.lanes == 1
    assert smallest.config.array.family == "generic"
    assert smallest.restless == 0


def test_results_are_kept(monkeypatch, tmp_path):
    case = verify.draw(5, 1)[-1]
    directory = runs.directory_of(case, tmp_path)
    directory.mkdir()
    kept = runs.Result(case.line(), "", 17, 2, 0.5, {"operation: READ": 3})
    (directory / "result.json").write_text(json.dumps(vars(kept)))
    monkeypatch.setattr(runs, "simulate", None)
    assert runs.run(case, tmp_path) == kept


def test_rounding_is_told_as_it_is():
    exact = np.array([0, 1, 2, 3, 4, 6, -1, -2, -6])
    told = {name: exact[when].tolist() for name, when in rounding(exact, 2).items()}
    assert tuple(told) == ROUNDED
    assert told == {
        "down": [1],
        "up": [3, -1],
        "half, positive": [2, 6],
        "half, negative": [-2, -6],
        "exact": [0, 4],
        "to zero": [1, -1, -2],
    }
    assert rounding(exact, 0)["exact"].all()
