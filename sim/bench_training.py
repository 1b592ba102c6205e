"""The cocotb bench behind ``dfarray cosim`` and ``dfarray train --engine rtl``: stimuli only.

It reads a job (see :mod:`dfarray.sim.job`), drives the registers, lets the test bench play the samples, and asks the
scoreboard about every recorded cycle.
"""

import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from dfarray.register_map import register_map
from dfarray.sim.job import Job, Phase
from dfarray.sim.scoreboard import MismatchError, Scoreboard, save_mismatch

PERIOD_NS = 10
STALL_LIMIT = 64
"""Polls without a result or a weight after which the run is given up."""


class Bench:
    """Registers by name, and waiting that checks what was recorded meanwhile."""

    def __init__(self, dut, job: Job):
        self.dut, self.job = dut, job
        self.registers = {register.name: register for register in register_map(job.config)}
        self.scoreboard: Scoreboard | None = None
        self.result_cycles: list[int] = []
        if job.trace_samples:
            self.scoreboard = Scoreboard(job.config, job.weights, job.manifest, job.trace_path)
        self._poll = 256 * max(1, job.expected_cycles // 256)

    async def start(self):
        """Clock, reset, and the register port."""
        dut = self.dut
        Clock(dut.clk, PERIOD_NS, "ns").start()
        for name in ("sample_budget", "weight_budget"):
            getattr(dut, name).value = 0
        for name, gaps in self.job.gaps.items():
            getattr(dut, name).value = gaps
        dut.trace_enable.value = int(self.scoreboard is not None)
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

    async def until(self, counter, target: int):
        """Wait for a counter of the test bench to reach ``target``."""
        stalled, last = 0, -1
        while (now := int(counter.value)) < target:
            stalled = stalled + 1 if now == last else 0
            assert stalled < STALL_LIMIT, f"{counter._name} stays at {now} of {target}: the accelerator hangs"
            last = now
            await Timer(self._poll * PERIOD_NS, "ns")
            self.check()

    def check(self):
        """Compare everything recorded so far."""
        if self.scoreboard is None:
            return
        assert int(self.dut.unknown_seen.value) == 0, "an architectural signal was unknown (X) after reset"
        try:
            self.scoreboard.check()
        except MismatchError as error:
            save_mismatch(error, self.job.mismatch_path)
            raise

    async def finish(self):
        """Record until the file is flushed, and check the rest."""
        if self.scoreboard is not None and int(self.dut.trace_enable.value):
            await Timer(512 * PERIOD_NS, "ns")
            self.check()
        self.job.save_outcome(
            cycles_checked=self.scoreboard.cycles if self.scoreboard else 0,
            signals_per_cycle=self.scoreboard.signals_per_cycle if self.scoreboard else 0,
            cycles=int(self.dut.cycle.value),
            first_result_cycle=int(self.dut.first_result_cycle.value),
            result_cycles=self.result_cycles,
        )


@cocotb.test()
async def train(dut):
    """Play all phases, then flush and read the weights back."""
    job = Job.load(Path(os.environ["DFARRAY_JOB"]))
    bench = Bench(dut, job)
    await bench.start()
    if job.load_weights:
        await bench.write("COMMAND", load=1)
        dut.weight_budget.value = job.image_words
        await bench.until(dut.weights_played, job.image_words)
    played = 0
    for phase in job.phases:
        await _configure(bench, phase)
        start, played = played, played + phase.samples
        dut.sample_budget.value = int(job.sample_ends[played - 1])
        if start <= job.trace_samples < played:
            await bench.until(dut.results_done, job.trace_samples)
            await _stop_tracing(bench)
        await bench.until(dut.results_done, played)
        bench.result_cycles.append(int(dut.last_result_cycle.value))
    if job.dump:
        await bench.write("COMMAND", dump=1)
        await bench.until(dut.weights_done, job.image_words)
    await bench.finish()


async def _configure(bench: Bench, phase: Phase):
    await bench.write("CONTROL", train=int(phase.train), events=int(bench.job.events))
    await bench.write("LEARNING_RATE", mantissa=phase.rate.mantissa, exponent=phase.rate.exponent)
    await bench.write("FREEZE", layers=phase.freeze)


async def _stop_tracing(bench: Bench):
    if int(bench.dut.trace_enable.value):
        await Timer(512 * PERIOD_NS, "ns")
        bench.check()
        bench.dut.trace_enable.value = 0
