"""Figures that depend on the machine, and those that builds left behind. Commands are run as a user runs them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from benchmarks.figures import Figure

ROOT = Path(__file__).resolve().parents[1]
GOLDEN_REFERENCE = "PyTorch BP 1.5 k/s, BioTorch DFA 1.2 k/s, float numba loop 46 k/s, one machine"


def run(arguments: list[str]) -> dict | str:
    """The JSON of a ``dfarray`` command, or what it said instead, in one line."""
    with tempfile.TemporaryDirectory() as directory:
        figures = Path(directory) / "figures.json"
        script = [sys.executable, "-c", "from dfarray.cli import main; main()", *arguments]
        outputs = ["-o", directory] if arguments[0] == "cosim" else []
        done = subprocess.run(
            [*script, *outputs, "--json", str(figures)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return json.loads(figures.read_text(encoding="utf-8"))
        return " ".join(done.stderr.split()) or f"exit code {done.returncode}"


def golden_figures() -> Iterator[Figure]:
    """Training speed of the integer model."""
    arguments = ["bench", "golden"]
    found = run(arguments)
    value, note = (found["samples_per_second"], "") if isinstance(found, dict) else (None, found)
    command = f"dfarray {' '.join(arguments)}"
    yield Figure("golden integer model", value, "samples/s", ">= 60000", GOLDEN_REFERENCE, command, note)


COSIMULATIONS = (
    ("trace", "digits", "digits", 60, "coreblocks about 9 k/s"),
    ("signature", "digits", "digits", 400, "coreblocks about 9 k/s"),
    ("trace", "mnist", "mnist", 20, "coreblocks about 9 k/s"),
    ("signature", "mnist", "mnist", 100, "coreblocks about 9 k/s"),
)
"""Mode, configuration, data, samples, reference."""


def cosimulation_figures() -> Iterator[Figure]:
    """Cycles a second of RTL and model in lockstep, under Verilator."""
    for mode, name, data, samples, reference in COSIMULATIONS:
        arguments = ["cosim", f"configs/{name}.toml", "--data", data, "--mode", mode, "--samples", str(samples)]
        found = run(arguments)
        value, note = (found["cycles_per_second"], "") if isinstance(found, dict) else (None, found)
        # The goal is the whole trace of a board-sized array.
        goal = ">= 50000" if (mode, name) == ("trace", "mnist") else ""
        command = f"dfarray {' '.join(arguments)}"
        yield Figure(f"co-simulation, {name}, {mode}", value, "cycles/s", goal, reference, command, note)


def build_figures() -> Iterator[Figure]:
    """Median clocks of routed builds; not run again."""
    from dfarray.fpga.boards import BOARDS
    from dfarray.fpga.estimate import measured_clocks

    for board in BOARDS.values():
        clocks, command = measured_clocks(board), f"dfarray build CONFIG --board {board.name} -o DIR"
        note = f"{len(clocks)} builds, docs/results/builds.json" if clocks else "no build in docs/results/builds.json"
        goal = f">= {board.target_mhz:g}"
        value = median(clocks) if clocks else None
        yield Figure(f"routed clock, {board.name}", value, "MHz", goal, "the board's goal", command, note)
