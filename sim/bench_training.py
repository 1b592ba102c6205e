"""The cocotb bench behind ``dfarray cosim`` and ``dfarray train --engine rtl``: stimuli only.

It reads a job (see :mod:`dfarray.sim.job`), drives the registers, lets the test bench play the samples, and asks the
scoreboard about every recorded cycle.
"""

import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import First, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from dfarray.event_counters import whole_counts
from dfarray.register_map import register_map
from dfarray.sim.job import Job, Mode, Phase
from dfarray.sim.scoreboard import MismatchError, SignatureScoreboard, TraceScoreboard, save_mismatch
from dfarray.sim.trace_file import TraceReader, layout_of

PERIOD_NS = 10
STALL_LIMIT = 64
"""Polls without a result or a weight after which the run is given up."""

CHUNK = 4096
"""Cycles compared at a time."""


class Bench:
    """Registers by name, and waiting while what was recorded is compared on another core."""

    def __init__(self, dut, job: Job):
        self.dut, self.job = dut, job
        self.registers = {register.name: register for register in register_map(job.config)}
        layout = layout_of(job.manifest)
        tracing = job.mode is Mode.TRACE
        kind, path = (TraceScoreboard, job.trace_path) if tracing else (SignatureScoreboard, job.signature_path)
        self.scoreboard = kind(job.config, job.weights, layout)
        self._reader = TraceReader(path, layout, self.scoreboard.record_words)
        self._worker = ThreadPoolExecutor(1)
        self._comparison: Future[None] | None = None
        self._poll = 256 * max(1, job.expected_cycles // 256)
        self._noise: list[int] = []
        self._macs: list[tuple[int, int]] = []

    async def start(self):
        """Clock, reset, and the register port."""
        dut = self.dut
        self._began = time.perf_counter()
        Clock(dut.clk, PERIOD_NS, "ns").start()
        for name in ("sample_budget", "weight_budget"):
            getattr(dut, name).value = 0
        for name, gaps in self.job.gaps.items():
            getattr(dut, name).value = gaps
        dut.trace_enable.value = int(self.job.mode is Mode.TRACE)
        dut.signature_enable.value = int(self.job.mode is Mode.SIGNATURE)
        dut.rst.value = 1
        self.bus: Any = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "registers_"), dut.clk, dut.rst)
        await Timer(10 * PERIOD_NS, "ns")
        dut.rst.value = 0
        await Timer(2 * PERIOD_NS, "ns")

    async def write(self, name: str, **fields: int):
        """Write a register; its other fields become zero."""
        register = self.registers[name]
        response = await self.bus.write_dword(register.offset, register.pack(**fields))
        assert response is None or response.resp == 0, f"writing {name} answered {response}"

    async def read(self, name: str) -> int:
        """Read a register's word."""
        return await self.bus.read_dword(self.registers[name].offset)

    async def read_counter(self, name: str) -> tuple[int, int]:
        """The cycle in which a counter was looked at, and its value."""
        read = {"HIGH": [], "LOW": []}
        for half in ("HIGH", "LOW", "HIGH"):
            value = await self.read(f"{name}_{half}")
            read[half].append((int(self.dut.read_cycle.value), value))
        (found,) = whole_counts(name, read["HIGH"], read["LOW"])
        return found

    async def read_noise(self):
        """Keep the state of the rounding noise for the outcome."""
        self._noise.append(await self.read("NOISE"))

    async def until(self, counter, target: int):
        """Wait for a counter of the test bench to reach ``target``, or a little longer."""
        await self._count(counter, target, lambda: Timer(self._poll * PERIOD_NS, "ns"), STALL_LIMIT)

    async def count_macs(self, results: int):
        """Read the counter of multiply-accumulates right after a result."""
        moved = self.dut.results_done.value_change
        await self._count(
            self.dut.results_done, results, lambda: First(moved, Timer(self._poll * PERIOD_NS, "ns")), STALL_LIMIT
        )
        self._macs.append(await self.read_counter("MACS"))

    async def _count(self, counter, target: int, trigger, limit: int):
        stalled, last = 0, -1
        while (now := int(counter.value)) < target:
            stalled = stalled + 1 if now == last else 0
            assert stalled < limit, f"{counter._name} stays at {now} of {target}: the accelerator hangs"
            last = now
            await trigger()
            self.check()

    def check(self):
        """Compare what was recorded so far, unless the last comparison is still under way; tell its mismatch."""
        assert int(self.dut.unknown_seen.value) == 0, "an architectural signal was unknown (X) after reset"
        if self._comparison is None or self._comparison.done():
            self._settle()
            self._comparison = self._worker.submit(self._compare)

    def _compare(self):
        for records in self._reader.chunks(CHUNK):
            self.scoreboard.follow(records)

    def _settle(self):
        if self._comparison is not None:
            try:
                self._comparison.result()
            except MismatchError as error:
                save_mismatch(error, self.job.mismatch_path)
                raise

    async def finish(self):
        """Record until the file is flushed, and check the rest."""
        await Timer(512 * PERIOD_NS, "ns")
        self._settle()
        self.check()
        self._comparison = self._worker.submit(self.scoreboard.finish)
        self._settle()
        figures = {"cycles": int(self.dut.cycle.value), "seconds": time.perf_counter() - self._began}
        figures |= {"macs": self._macs, "noise": self._noise}
        self.job.save_outcome(figures | self.scoreboard.figures())


@cocotb.test()
async def train(dut):
    """Play all phases, then flush and read the weights back."""
    job = Job.load(Path(os.environ["DFARRAY_JOB"]))
    bench = Bench(dut, job)
    await bench.start()
    if job.seed is not None:
        await bench.write("SEED", seed=job.seed)
    if job.load_weights:
        await bench.write("COMMAND", load=1)
        dut.weight_budget.value = job.image_words
        await bench.until(dut.weights_played, job.image_words)
    played = 0
    for phase in job.phases:
        await _configure(bench, phase)
        played += phase.samples
        dut.sample_budget.value = int(job.sample_ends[played - 1])
        if phase is job.phases[0] and job.window is not None:
            for results in job.window:
                await bench.count_macs(results)
        await bench.until(dut.results_done, played)
    if job.dump:
        await bench.write("COMMAND", dump=1)
        await bench.until(dut.weights_done, job.image_words)
        await bench.read_noise()
    await bench.finish()


async def _configure(bench: Bench, phase: Phase):
    await bench.write("CONTROL", train=int(phase.train), events=int(bench.job.events))
    await bench.write("LEARNING_RATE", mantissa=phase.rate.mantissa, exponent=phase.rate.exponent)
    await bench.write("FREEZE", layers=phase.freeze)
