"""Cycles and utilisation must not change unnoticed; the machine-readable benchmark is complete."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure, baselines, deterministic_figures, mnist_figures

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("measure", [deterministic_figures, mnist_figures])
def test_deterministic_figures_are_those_stored(measure):
    stored = baselines()
    for figure in measure():
        if figure.value is None:
            pytest.skip(figure.note)
        assert figure.value == pytest.approx(stored[figure.name], abs=1e-8), (
            f"{figure.name}: {figure.value}, stored {stored[figure.name]}. If that is meant: "
            f"python -m benchmarks --update-baselines, and say in the commit why"
        )


def test_nothing_stored_is_stale():
    assert set(baselines()) == {figure.name for figure in (*deterministic_figures(), *mnist_figures())}


def test_goals_of_utilisation():
    """784-150-10, 784-100-10 and 64-60-10 reach theirs, and no zeros cost nothing."""
    assert [figure.name for figure in deterministic_figures() if figure.reached is False] == []


@pytest.mark.parametrize(
    ("value", "goal", "reached"),
    [(95, ">= 95", True), (94, ">= 95", False), (0.4, "<= 0.45", True), (1, "< 1", False), (3, "", None)],
)
def test_goals_are_compared(value, goal, reached):
    assert Figure("", value, "", goal).reached is reached


def test_results_for_machines(tmp_path):
    results = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--only", "cycles", "--only", "builds", "--json", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    figures = json.loads(results.read_text())["figures"]
    assert {"name", "value", "unit", "goal", "reference", "command"} <= set(figures[0])
    first = next(item for item in figures if item["name"] == "784-150-10 on 75 lanes, dense: cycles")
    assert first["value"] == 1595
    assert "utilisation" in done.stdout
