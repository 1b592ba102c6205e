"""Plays orders to a design under Icarus without cocotb, whose start takes longer than a small design's whole run.

The trace is compared with the golden cycle model while it is recorded, as in every co-simulation.
"""

import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np

from dfarray.register_map import ADDRESS_BITS, register_map
from dfarray.sim import harness, simulators
from dfarray.sim.cells import cell_models
from dfarray.sim.job import Job
from dfarray.sim.scoreboard import Mismatch, MismatchError, TraceScoreboard
from dfarray.sim.simplify import simplify, write_contents
from dfarray.sim.trace_file import TraceReader, layout_of

_HERE = Path(__file__).parent
CHUNK = 4096
"""Cycles compared at a time."""


class Order(IntEnum):
    """What ``player.v`` does; it has the same numbers.

    WRITE and READ a register; GAPS of samples, results, weights and the register port, a byte each; how many SAMPLES'
    transfers and WEIGHTS may be played so far; wait for so many RESULTS, words PLAYED or DUMPED, samples' transfers
    TAKEN; let CYCLES pass; wait until STATUS says IDLE; RESET, after which samples and weights are played, and results
    and weights recorded, from their files' begin. The golden model knows of no second reset: a run with one is
    launched, not played.
    """

    END = 0
    WRITE = 1
    READ = 2
    GAPS = 3
    SAMPLES = 4
    WEIGHTS = 5
    RESULTS = 6
    PLAYED = 7
    DUMPED = 8
    CYCLES = 9
    RESET = 10
    IDLE = 11
    TAKEN = 12


class Orders:
    """A list of orders under construction, registers by name.

    Parameters
    ----------
    job : Job
    """

    def __init__(self, job: Job):
        self._registers = {register.name: register for register in register_map(job.config)}
        self.words: list[tuple[int, int, int]] = []

    def add(self, order: Order, value: int = 0) -> None:
        """Any order but WRITE and READ."""
        self.words.append((order, value, 0))

    def write(self, name: str, **fields: int) -> None:
        """Write a register; its other fields become zero."""
        register = self._registers[name]
        self.words.append((Order.WRITE, register.offset, register.pack(**fields)))

    def read_back(self) -> None:
        """Read the register that was written last."""
        self.words.append((Order.READ, self.words[-1][1], 0))

    def read(self, name: str) -> None:
        """Read a register: (offset, value) is in what was told."""
        self.words.append((Order.READ, self._registers[name].offset, 0))


@dataclass(frozen=True)
class Played:
    """What a run showed.

    Attributes
    ----------
    fault : str
        The first difference, or what went wrong; empty if nothing.
    mismatch : Mismatch or None
        The first difference, if it is one of a signal.
    cycles, signals : int
        Compared cycles, and signals in each of them.
    seconds : float
    read : list of (offset, value)
        Registers in the order in which they were read.
    counters : dict of str to int
        What the golden cycle model counted, by the counter's name.
    """

    fault: str
    mismatch: Mismatch | None
    cycles: int
    signals: int
    seconds: float
    read: list[tuple[int, int]]
    counters: dict[str, int]


def build(job: Job, directory: Path) -> Path:
    """Compile the design of the job's Verilog; returns the program for :func:`play`.

    Raises
    ------
    SimulationError
        If Icarus does not accept it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    text = (job.verilog_directory / job.manifest["verilog"]).read_text(encoding="utf-8")
    simple, contents = simplify(text, job.manifest["top"])
    source = directory / "simulated.v"
    source.write_text(simple, encoding="utf-8")
    write_contents(contents, directory / harness.CONTENTS)
    sources = [source, *cell_models(job.config.array.family), harness.write_harness(job.manifest, contents, directory)]
    program, log = directory / "player.vvp", directory / "build.log"
    status = next(register.offset for register in register_map(job.config) if register.name == "STATUS")
    parameters = [f"-Pplayer.ADDRESS_BITS={ADDRESS_BITS}", f"-Pplayer.STATUS={status}"]
    command = ["iverilog", "-g2012", *parameters, "-s", "player", "-o", program, *sources, _HERE / "player.v"]
    with log.open("w") as output:
        done = subprocess.run(list(map(str, command)), stdout=output, stderr=subprocess.STDOUT, cwd=directory)
    if done.returncode:
        raise simulators.SimulationError(f"Icarus does not accept the Verilog; its log is {log}")
    return program


def launch(job: Job, program: Path, orders: Sequence[tuple[int, int, int]]) -> subprocess.Popen:
    """Start a simulation; what it tells and records is in the job's directory."""
    path = job.directory / "orders.bin"
    path.write_bytes(np.array([*orders, (Order.END, 0, 0)], dtype=">u4").tobytes())
    told_path(job).unlink(missing_ok=True)
    command = [shutil.which("vvp") or "vvp", str(program), f"+orders={path}", f"+told={told_path(job)}", *job.plusargs]
    with (job.directory / "run.log").open("w") as log:
        return subprocess.Popen(command, cwd=program.parent, stdout=log, stderr=subprocess.STDOUT)


def told_path(job: Job) -> Path:
    """What the simulation says: registers read, and last ``end``."""
    return job.directory / "told.txt"


def play(job: Job, program: Path, orders: Sequence[tuple[int, int, int]]) -> Played:
    """Run the orders, comparing every cycle."""
    began, layout, told = time.perf_counter(), layout_of(job.manifest), told_path(job)
    scoreboard = TraceScoreboard(job.config, job.weights, layout)
    reader = TraceReader(job.trace_path, layout)
    fault, mismatch = "", None
    simulation = launch(job, program, orders)
    try:
        running = True
        while running:
            try:
                simulation.wait(0.2)
                running = False
            except subprocess.TimeoutExpired:
                pass
            for records in reader.chunks(CHUNK):
                scoreboard.follow(records)
        scoreboard.finish()
    except MismatchError as error:
        fault, mismatch = str(error.first), error.first
    finally:
        simulation.kill()
        simulation.wait()
    lines = told.read_text().splitlines() if told.exists() else []
    read = [(int(line.split()[1]), int(line.split()[2])) for line in lines if line.startswith("read")]
    if not fault:
        complaints = [line for line in lines if line.split()[0] not in ("read", "end")]
        if "unknown" in complaints:
            fault = "an architectural signal was unknown (X) after reset"
        elif complaints or not lines or lines[-1] != "end":
            fault = complaints[0] if complaints else "the simulation ended early"
    return Played(
        fault,
        mismatch,
        scoreboard.cycles,
        scoreboard.figures()["signals_per_cycle"],
        time.perf_counter() - began,
        read,
        scoreboard.model.counters,
    )
