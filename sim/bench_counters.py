"""A cocotb bench that reads event counters in mid-training and at rest; ``readings.json`` has what they showed."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.triggers import Timer

from dfarray.event_counters import EVENT_COUNTERS
from dfarray.sim.bench_training import PERIOD_NS, Bench
from dfarray.sim.job import Job

READINGS = "readings.json"


@cocotb.test()
async def counters(dut):
    """Samples that train, freeze, are inferred and train again, at every pace; then a flush, a dump and rest."""
    bench = Bench(dut, Job.load(Path(os.environ["DFARRAY_JOB"])))
    await bench.start()
    draw, ends, readings = random.Random(3), bench.job.sample_ends, []
    quarter = len(ends) // 4
    for part, settings in enumerate(
        ({}, {"FREEZE": {"layers": 1}}, {"CONTROL": {"train": 0}}, {"CONTROL": {"train": 1}})
    ):
        for register, fields in settings.items():
            await bench.write(register, **fields)
        for played in range(part * quarter + 1, (part + 1) * quarter + 1):
            dut.sample_budget.value = int(ends[played - 1])
            if draw.random() < 0.5:
                await Timer(draw.randrange(200) * PERIOD_NS, "ns")
            name = draw.choice(list(EVENT_COUNTERS))
            readings.append((name, *await bench.read_counter(name)))
            if draw.random() < 0.3:
                await bench.until(dut.results_done, played)
        await bench.until(dut.results_done, (part + 1) * quarter)
    await bench.write("COMMAND", flush=1, dump=1)
    await bench.until(dut.weights_done, bench.job.image_words)
    while await bench.read("STATUS"):
        await Timer(bench.job.expected_cycles * PERIOD_NS, "ns")
    for name in EVENT_COUNTERS:
        readings.append((name, *await bench.read_counter(name)))
    await bench.finish()
    (bench.job.directory / READINGS).write_text(json.dumps(readings))
