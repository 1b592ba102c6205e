"""Running the compiled loop of ``loop.cpp``: the simulator on one core, the golden model behind a pipe on another."""

import fcntl
import subprocess
import time
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import IO

import numpy as np

from dfarray.event_counters import whole_counts
from dfarray.register_map import register_map
from dfarray.sim.job import Job, Mode
from dfarray.sim.scoreboard import MismatchError, SignatureScoreboard, TraceScoreboard
from dfarray.sim.simulators import LOOP, BenchError, SimulationError
from dfarray.sim.trace_file import TraceReader, layout_of
from dfarray.trace_layout import WORD

CHUNK = 8192
"""Cycles the golden model takes at a time."""

PIPE_BYTES = 1 << 20
"""So much may wait for the model before the simulator has to."""

STALL_SAMPLES, LEAST_CYCLES = 64, 4096
"""The run is given up if for so many samples' cycles, of at least so many, nothing is counted."""

NEVER = (1 << 64) - 1

HANGS = 3
"""Exit code of the loop if the accelerator does not go on."""


def steps(job: Job) -> list[str]:
    """What the loop shall do, for :func:`play` in ``loop.cpp``; the same as :mod:`dfarray.sim.bench_training`."""
    registers = {register.name: register for register in register_map(job.config)}

    def write(name: str, **fields: int) -> str:
        return f"write {registers[name].offset} {registers[name].pack(**fields)}"

    def count_macs(results: int) -> list[str]:
        names = ("MACS_HIGH", "MACS_LOW", "MACS_HIGH")
        return [f"await results {results}", *(f"read {name} {registers[name].offset}" for name in names)]

    found = [f"gaps {name} {gaps}" for name, gaps in job.gaps.items()]
    if job.seed is not None:
        found.append(write("SEED", seed=job.seed))
    if job.load_weights:
        found += [write("COMMAND", load=1), f"weights {job.image_words}", f"await loaded {job.image_words}"]
    played = 0
    for phase in job.phases:
        played += phase.samples
        found += [
            write("CONTROL", train=int(phase.train), events=int(job.events)),
            write("LEARNING_RATE", mantissa=phase.rate.mantissa, exponent=phase.rate.exponent),
            write("FREEZE", layers=phase.freeze),
            f"samples {job.sample_ends[played - 1]}",
        ]
        if played == job.phases[0].samples and job.window is not None:
            found += [step for results in job.window for step in count_macs(results)]
        found.append(f"await results {played}")
    if job.dump:
        found += [
            write("COMMAND", dump=1),
            f"await dumped {job.image_words}",
            f"read NOISE {registers['NOISE'].offset}",
        ]
    return found


def run(build: Path, job: Job, *, record_cycles: int = 0) -> None:
    """Run a job; the golden model follows and compares every cycle: the signature, or in trace mode every signal.

    Parameters
    ----------
    build : Path
        Of :func:`dfarray.sim.simulators.build_loop`.
    job : Job
        Saved.
    record_cycles : int
        In signature mode, so many first cycles leave their trace, too.

    Raises
    ------
    MismatchError
        At the first cycle that differs; it names the first differing signal.
    SimulationError
        If the loop fails. Then, as after an interruption, none of the job's results are left.
    """
    layout, tracing = layout_of(job.manifest), job.mode is Mode.TRACE
    scoreboard = (TraceScoreboard if tracing else SignatureScoreboard)(job.config, job.weights, layout)
    traced = NEVER if tracing else record_cycles
    options = [f"+trace={job.trace_path}", f"+trace_until={traced}"] if traced else []
    trace = TraceReader(job.trace_path, layout)
    began = time.perf_counter()
    try:
        with closing(_records(build, job, layout.signed_words, options)) as chunks:
            for records in chunks:
                for compared in trace.chunks(CHUNK) if tracing else [records]:
                    scoreboard.follow(compared)
        for compared in trace.chunks(CHUNK) if tracing else []:
            scoreboard.follow(compared)
        scoreboard.finish()
        job.save_outcome({"seconds": time.perf_counter() - began} | _outcome(job) | scoreboard.figures())
    except MismatchError as error:
        raise error if tracing else _explained(build, job, error.first.cycle) from None
    except BaseException:
        job.discard()
        raise


def _explained(build: Path, job: Job, cycle: int) -> MismatchError:
    """Run up to a cycle again, trace it, and find what differs."""
    layout = layout_of(job.manifest)
    scoreboard = TraceScoreboard(job.config, job.weights, layout)
    options = [f"+trace={job.trace_path}", f"+trace_from={cycle}", f"+trace_until={cycle + 1}", f"+stop_at={cycle + 1}"]
    with closing(_records(build, job, layout.signed_words, options)) as chunks:
        for records in chunks:
            inputs, _ = layout.unpack_inputs(records[: cycle - scoreboard.cycles])
            scoreboard.model.advance_signature(inputs)
            scoreboard.cycles += len(inputs)
    try:
        scoreboard.follow(TraceReader(job.trace_path, layout).read_packed(1))
        scoreboard.finish()
    except MismatchError as error:
        return error
    raise SimulationError(f"the signature of cycle {cycle} differs, but not when the run is repeated")


def _records(build: Path, job: Job, words: int, options: list[str]) -> Generator[np.ndarray]:
    """Start the loop and read what it writes: uint64 (cycles, words)."""
    plan, log, size = job.directory / "steps.txt", job.directory / "loop.log", words * WORD // 8
    plan.write_text("\n".join(steps(job)) + "\n", encoding="utf-8")
    command = [str(build / LOOP), f"+steps={plan}", f"+outcome={_outcome_path(job)}"]
    command += [f"+patience={STALL_SAMPLES * max(LEAST_CYCLES, job.expected_cycles)}", *job.stream_plusargs, *options]
    with log.open("wb") as errors:
        loop = subprocess.Popen(command, cwd=build, stdout=subprocess.PIPE, stderr=errors)
        assert loop.stdout is not None
        try:
            _widen(loop.stdout)
            while data := loop.stdout.read(CHUNK * size):
                yield np.frombuffer(data[: len(data) // size * size], dtype=np.uint64).reshape(-1, words)
        except BaseException:  # Also if nobody wants the rest.
            loop.kill()
            raise
        finally:
            loop.stdout.close()
            loop.wait()
    if loop.returncode:
        reason = log.read_text(encoding="utf-8", errors="replace").strip()
        error = BenchError if loop.returncode == HANGS else SimulationError
        raise error(f"{reason or f'the compiled loop ended with {loop.returncode}'} (log: {log})")


def _widen(pipe: IO[bytes]) -> None:
    try:
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (AttributeError, OSError):  # Not Linux, or more than a user may have: slower, nothing else.
        return


def _outcome_path(job: Job) -> Path:
    return job.directory / "outcome.txt"


def _outcome(job: Job) -> dict:
    read: dict[str, list[tuple[int, int]]] = {}
    for line in _outcome_path(job).read_text(encoding="utf-8").splitlines():
        name, cycle, value = line.split()
        read.setdefault(name, []).append((int(cycle), int(value)))
    macs = whole_counts("MACS", read.get("MACS_HIGH", []), read.get("MACS_LOW", []))
    noise = [value for _, value in read.get("NOISE", [])]
    return {"cycles": read["cycles"][0][0], "macs": macs, "noise": noise}
