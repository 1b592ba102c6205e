"""A cocotb bench for the register port and for everything a host can do out of turn; the scoreboard watches it all."""

import os
import random
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

from dfarray.configuration import Rounding
from dfarray.register_map import MAGIC, Access, configuration_crc, register_map
from dfarray.sim.bench_training import PERIOD_NS, Bench
from dfarray.sim.job import Job

SLAVE_ERROR = 2


async def _started(dut) -> Bench:
    bench = Bench(dut, Job.load(Path(os.environ["DFARRAY_JOB"])))
    await bench.start()
    return bench


async def _cycles(count: int):
    await Timer(count * PERIOD_NS, "ns")


async def _until_idle(bench: Bench) -> int:
    """Wait until nothing is waiting or under way; returns STATUS."""
    for _ in range(200):
        if not (status := await bench.read("STATUS")) & 1:
            return status
        await _cycles(bench.job.expected_cycles)
    raise AssertionError("the accelerator stays busy")


@cocotb.test()
async def registers(dut):
    """Reset values, read-back, byte strobes, refusals."""
    bench = await _started(dut)
    config = bench.job.config
    assert await bench.read("ID") == MAGIC
    assert await bench.read("CONFIGURATION") == configuration_crc(config)
    for register in register_map(config):
        if register.access is Access.READ_WRITE or register.name == "NOISE":
            assert await bench.read(register.name) == register.reset, register.name
    # A generator at 0 would stay there.
    stochastic = config.training.rounding is Rounding.STOCHASTIC
    for seed, state in ((0xDEADBEEF, 0xDEADBEEF), (0, 1)):
        await bench.write("SEED", seed=seed)
        await _until_idle(bench)
        assert await bench.read("NOISE") == (state if stochastic else 0)
    for register in register_map(config):
        mask = sum(((1 << item.width) - 1) << item.low for item in register.fields)
        response = await bench.bus.write(register.offset, (0xFFFFFFFF).to_bytes(4, "little"))
        if register.access is Access.READ_WRITE:
            assert response.resp == 0
            assert await bench.read(register.name) == mask, register.name
        elif register.access is Access.READ_ONLY:
            assert response.resp == SLAVE_ERROR, register.name
    await bench.bus.write(bench.registers["LEARNING_RATE"].offset + 1, b"\x00")
    assert await bench.read("LEARNING_RATE") == 0x00FF, "only the strobed byte changes"
    await bench.bus.write(bench.registers["SEED"].offset + 1, b"\x00")
    assert await bench.read("SEED") == (0xFFFF00FF if stochastic else 0), "only the strobed byte changes"
    for offset in (max(register.offset for register in register_map(config)) + 4, 0x2C, 0xFC, 0x1FC):
        assert (await bench.bus.write(offset, bytes(4))).resp == SLAVE_ERROR
        assert (await bench.bus.read(offset, 4)).resp == SLAVE_ERROR
    await bench.finish()


@cocotb.test()
async def refused_rows(dut):
    """A load or dump of no row, or beyond the bank, is refused and says so."""
    bench = await _started(dut)
    rows = bench.job.config.array.bank_rows
    for first, count, refused in ((0, 0, True), (rows, 1, True), (1, rows, True), (rows - 1, 1, False)):
        await bench.write("ROW_FIRST", row=first)
        await bench.write("ROW_COUNT", rows=count)
        await bench.write("COMMAND", dump=1)
        await _cycles(400)
        assert await bench.read("STATUS") == refused << 2, (first, count)
    await bench.finish()


@cocotb.test()
async def out_of_turn(dut):
    """Commands, seeds and settings in mid sweep, and partial loads."""
    bench = await _started(dut)
    ends, config = bench.job.sample_ends, bench.job.config
    row_words = config.array.tiles * config.array.lanes + 1
    dut.sample_budget.value = int(ends[1])
    await _cycles(config.network.inputs + 8)
    await bench.write("SEED", seed=0)
    await bench.write("LEARNING_RATE", mantissa=200, exponent=4)
    await bench.write("COMMAND", flush=1)
    await bench.write("CONTROL", train=0)
    await bench.write("COMMAND", flush=1, dump=1)
    await bench.until(dut.results_done, 2)
    await bench.until(dut.weights_done, row_words * config.bank_rows_used)
    assert await bench.read("SAMPLES_LOW") == 2
    assert await bench.read("FRAMING_ERRORS_LOW") == 0
    await bench.write("CONTROL", train=1)
    await bench.write("ROW_FIRST", row=1)
    await bench.write("ROW_COUNT", rows=2)
    await bench.write("COMMAND", load=1, dump=1)
    dut.weight_budget.value = 2 * row_words
    dut.sample_budget.value = int(ends[3])
    await bench.until(dut.results_done, 4)
    assert await _until_idle(bench) == 0b010, "idle, an update pending"
    await bench.write("COMMAND", flush=1)
    assert await _until_idle(bench) == 0
    noise = await bench.read("NOISE")
    await bench.finish()
    assert noise == (bench.scoreboard.model.noise_state if config.training.rounding is Rounding.STOCHASTIC else 0)


@cocotb.test()
async def framing(dut):
    """Samples that break off, go on too long, or name a wrong input are not answered; the next good one is."""
    bench = await _started(dut)
    ends = bench.job.sample_ends
    # The sample file: two that are wrong if dense and a good one; two of which the first transfer is an event and the
    # others are dense; then as events three wrong ones and a good one.
    dut.sample_budget.value = int(ends[2])
    await bench.until(dut.results_done, 1)
    assert await bench.read("FRAMING_ERRORS_LOW") == 2
    for mixed in (3, 4):
        await bench.write("CONTROL", train=1, events=1)
        dut.sample_budget.value = int(ends[mixed - 1]) + 1
        await _cycles(20)
        await bench.write("CONTROL", train=1, events=0)
        dut.sample_budget.value = int(ends[mixed])
        await _cycles(60)
        assert await bench.read("FRAMING_ERRORS_LOW") == mixed
    await bench.write("CONTROL", train=1, events=1)
    dut.sample_budget.value = int(ends[8])
    await bench.until(dut.results_done, 2)
    assert await bench.read("FRAMING_ERRORS_LOW") == 7
    assert await bench.read("SAMPLES_LOW") == 2
    await bench.finish()


@cocotb.test()
async def restless(dut):
    """A host that writes whatever it likes, whenever it likes, while samples and weights come and go."""
    bench = await _started(dut)
    draw, config = random.Random(1), bench.job.config
    dut.sample_budget.value = int(bench.job.sample_ends[-1])
    dut.weight_budget.value = 1 << 20
    await bench.write("ROW_COUNT", rows=1)
    for _ in range(160):
        name = draw.choice(("CONTROL", "CONTROL", "LEARNING_RATE", "FREEZE", "SEED", "ROW_FIRST", "COMMAND", "COMMAND"))
        if name == "CONTROL":
            await bench.write(name, train=int(draw.random() < 0.75), events=draw.getrandbits(1))
        elif name == "LEARNING_RATE":
            await bench.write(name, mantissa=draw.randrange(256), exponent=draw.randrange(4, 12))
        elif name == "FREEZE":
            await bench.write(name, layers=draw.getrandbits(len(config.network.layers) - 1))
        elif name == "SEED":
            await bench.write(name, seed=draw.getrandbits(32))
        elif name == "ROW_FIRST":
            await bench.write(name, row=draw.randrange(config.bank_rows_used))
        else:
            await bench.write(name, **{draw.choice(("flush", "load", "dump")): 1})
        await _cycles(draw.choice((1, 3, 10, 40, 150)))
        bench.check()
    await bench.finish()
    assert int(dut.results_done.value) > 20
    assert await bench.read("FRAMING_ERRORS_LOW") > 0
