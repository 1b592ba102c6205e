"""Reads the event counters in mid-training and at rest, and compares them with the cycle model's."""

import json

import numpy as np
from accelerators import accelerator

from dfarray.event_counters import EVENT_COUNTERS
from dfarray.golden.cycle import CycleModel
from dfarray.initial_weights import initial_weights
from dfarray.latency import COUNTED
from dfarray.sim import bench_counters, harness, simulators
from dfarray.sim.cosim import prepare
from dfarray.sim.job import Job, Phase
from dfarray.sim.simulators import available_simulators
from dfarray.sim.trace_file import TraceReader, layout_of

SAMPLES = 24

LAGS = {
    "SAMPLES": 2,
    "FRAMING_ERRORS": 4,
    "BUSY_CYCLES": 2,
    "HOST_WAITS": 2,
    "INPUT_WAITS": 3,
    "ERROR_WAITS": 3,
    "ACTIVATION_WAITS": 3,
    "SKIPPED_ROWS": 3,
    "MACS": COUNTED,
}
"""A look in cycle v finds what happened up to cycle v less so many: docs/architecture.md section 4.7."""

LONGEST = 400
"""By then everything that a decided packet brings about has been counted."""

NARROW = {"weight": "Q0.9", "preactivation": "Q1.6", "logit": "Q0.5", "delta": "Q-3.12"}
"""Formats that saturate."""

CONFIGURATIONS = {
    "generic, two hidden layers": accelerator([6, 5, 4, 3], 3, 1, rounding="stochastic", formats=NARROW),
    "ecp5, softmax": accelerator([6, 9, 3], 2, 2, family="ecp5", error="softmax-cross-entropy", formats=NARROW),
    "ice40up5k, dense": accelerator(
        [6, 5, 3],
        1,
        2,
        nonzeros=2,
        family="ice40up5k",
        zero_skipping=False,
        formats=NARROW | {"activation": "Q0.7", "gram": "Q5.5"},
    ),
}


def all_over(config):
    """Weights of every size, and the largest output biases, so that some saturate."""
    rng, fmt = np.random.default_rng(2), config.formats.weight
    weights = [rng.integers(fmt.lo, fmt.hi + 1, w.shape).astype(np.int32) for w in initial_weights(config)]
    weights[-1][:, 0] = fmt.hi
    return weights


def counted(config, directory, verilog=None):
    """Run the bench; what was read, as (name, cycle of the look, value)."""
    rng, weights = np.random.default_rng(1), all_over(config)
    simulator = available_simulators()[-1]
    verilog, build = prepare(config, weights, simulator, directory, verilog)
    job = Job(
        directory=directory / "run",
        verilog_directory=verilog,
        config=config,
        weights=weights,
        phases=(Phase(SAMPLES, True, config.training.rate),),
        expected_cycles=100,
        gaps={"sample_gaps": 60, "result_gaps": 120, "weight_gaps": 30},
    )
    x = rng.integers(config.formats.activation.lo, config.formats.activation.hi + 1, (SAMPLES, config.network.inputs))
    x[rng.random(x.shape) < 0.5] = 0
    path = job.save(x, rng.integers(0, config.network.classes, SAMPLES))
    simulators.run(
        simulator,
        harness.TOP,
        build,
        "dfarray.sim.bench_counters",
        testcase="counters",
        plusargs=job.plusargs,
        environment={"DFARRAY_JOB": str(path)},
    )
    return job, json.loads((job.directory / bench_counters.READINGS).read_text())


def predicted(job, cycles):
    """The model's counters after so many cycles each."""
    layout = layout_of(job.manifest)
    records = np.concatenate(list(TraceReader(job.trace_path, layout).chunks(1 << 16)))
    inputs, _ = layout.unpack_inputs(records)
    model, found, done = CycleModel(job.config, job.weights), {}, 0
    for stop in sorted(set(cycles)):
        model.advance_signature(inputs[done:stop])
        found[stop], done = model.counters, stop
    return found


def miscounted(job, readings):
    """Which readings are not the model's, as (name, cycles, expected, got)."""
    at_rest = readings[-len(EVENT_COUNTERS) :]
    exact = [(name, look - LAGS[name] + 1, value) for name, look, value in readings if name in LAGS]
    # At rest nothing but the time without work goes on.
    exact += [(name, look, value) for name, look, value in at_rest if name != "INPUT_WAITS"]
    loose = [(name, max(0, look - LONGEST), look, value) for name, look, value in readings if name not in LAGS]
    model = predicted(job, [stop for _, stop, _ in exact] + [stop for _, *stops, _ in loose for stop in stops])
    wrong = [(name, stop, model[stop][name], value) for name, stop, value in exact if model[stop][name] != value]
    return wrong + [
        (name, late, model[late][name], value)
        for name, early, late, value in loose
        if not model[early][name] <= value <= model[late][name]
    ]
