"""A cocotb bench for the register port and for everything a host can do out of turn; the scoreboard watches it all."""

import os
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

from dfarray.register_map import MAGIC, Access, configuration_crc, register_map
from dfarray.sim.bench_training import PERIOD_NS, Bench
from dfarray.sim.job import Job

SLAVE_ERROR = 2


@cocotb.test()
async def registers(dut):
    """Reset values, read-back, byte strobes, refusals."""
    bench = Bench(dut, Job.load(Path(os.environ["DFARRAY_JOB"])))
    await bench.start()
    config = bench.job.config
    assert await bench.read("ID") == MAGIC
    assert await bench.read("CONFIGURATION") == configuration_crc(config)
    for register in register_map(config):
        if register.access is Access.READ_WRITE:
            assert await bench.read(register.name) == register.reset, register.name
    for register in register_map(config):
        mask = sum(((1 << item.width) - 1) << item.low for item in register.fields)
        response = await bench.bus.write(register.offset, (0xFFFFFFFF).to_bytes(4, "little"))
        if register.access is Access.READ_WRITE:
            assert response.resp == 0
            assert await bench.read(register.name) == mask, register.name
        elif register.access is Access.READ_ONLY:
            assert response.resp == SLAVE_ERROR, register.name
    await bench.bus.write(bench.registers["SEED"].offset + 1, b"\x00")
    assert await bench.read("SEED") == 0xFFFF00FF, "only the strobed byte changes"
    for offset in (0x34, 0xFC):
        assert (await bench.bus.write(offset, bytes(4))).resp == SLAVE_ERROR
        assert (await bench.bus.read(offset, 4)).resp == SLAVE_ERROR
    await bench.finish()


@cocotb.test()
async def refused_rows(dut):
    """A load or dump of no row, or beyond the bank, is refused and says so."""
    bench = Bench(dut, Job.load(Path(os.environ["DFARRAY_JOB"])))
    await bench.start()
    rows = bench.job.config.array.bank_rows
    for first, count, refused in ((0, 0, True), (rows, 1, True), (1, rows, True), (rows - 1, 1, False)):
        await bench.write("ROW_FIRST", row=first)
        await bench.write("ROW_COUNT", rows=count)
        await bench.write("COMMAND", dump=1)
        await Timer(400 * PERIOD_NS, "ns")
        assert await bench.read("STATUS") == refused << 2, (first, count)
    await bench.finish()


@cocotb.test()
async def out_of_turn(dut):
    """Commands, seeds and settings in mid sweep, framing errors, and partial loads."""
    bench = Bench(dut, Job.load(Path(os.environ["DFARRAY_JOB"])))
    await bench.start()
    inputs = bench.job.config.network.inputs
    lanes = bench.job.config.array.tiles * bench.job.config.array.lanes
    # The sample file starts with a short sample and one that is too long; neither is answered.
    dut.sample_budget.value = (inputs - 1) + (inputs + 3) + 2 * inputs
    await Timer((inputs + 8) * PERIOD_NS, "ns")
    await bench.write("SEED", seed=0)
    await bench.write("LEARNING_RATE", mantissa=200, exponent=4)
    await bench.write("COMMAND", flush=1)
    await bench.write("CONTROL", train=0)
    await bench.write("COMMAND", flush=1, dump=1)
    await bench.until(dut.results_done, 2)
    await bench.until(dut.weights_done, lanes * bench.job.config.bank_rows_used)
    assert await bench.read("FRAMING_ERRORS") == 2
    assert await bench.read("SAMPLES") == 2
    await bench.write("CONTROL", train=1)
    await bench.write("ROW_FIRST", row=1)
    await bench.write("ROW_COUNT", rows=2)
    await bench.write("COMMAND", load=1, dump=1)
    dut.weight_budget.value = 2 * lanes
    dut.sample_budget.value = (inputs - 1) + (inputs + 3) + 4 * inputs
    await bench.until(dut.results_done, 4)
    assert await bench.read("STATUS") == 0b010, "idle, an update pending"
    await bench.write("COMMAND", flush=1)
    await Timer(40 * bench.job.expected_cycles * PERIOD_NS, "ns")
    assert await bench.read("STATUS") == 0
    assert 0 < await bench.read("BUSY_CYCLES") < int(dut.cycle.value)
    await bench.finish()
