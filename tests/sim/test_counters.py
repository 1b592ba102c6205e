"""Every event counter shows what the cycle model predicts, in mid-training too; a design that miscounts is found."""

import json

import numpy as np
import pytest
from accelerators import accelerator
from edited_hardware import generate_edited

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
    """Weights of every size, so that some saturate."""
    rng, fmt = np.random.default_rng(2), config.formats.weight
    return [rng.integers(fmt.lo, fmt.hi + 1, w.shape).astype(np.int32) for w in initial_weights(config)]


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


def check(job, readings):
    """Compare each reading with the model, and find that everything was counted."""
    at_rest = readings[-len(EVENT_COUNTERS) :]
    exact = [(name, look - LAGS[name] + 1, value) for name, look, value in readings if name in LAGS]
    # At rest nothing but the time without work goes on.
    exact += [(name, look, value) for name, look, value in at_rest if name != "INPUT_WAITS"]
    loose = [(name, max(0, look - LONGEST), look, value) for name, look, value in readings if name not in LAGS]
    model = predicted(job, [stop for _, stop, _ in exact] + [stop for _, *stops, _ in loose for stop in stops])
    wrong = [(name, stop, model[stop][name], value) for name, stop, value in exact if model[stop][name] != value]
    assert not wrong, "\n".join(f"{name} after {stop} cycles: expected {e}, got {got}" for name, stop, e, got in wrong)
    for name, early, late, value in loose:
        assert model[early][name] <= value <= model[late][name], (name, early, late)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_counters_are_what_the_cycle_model_predicts(name, tmp_path):
    config = CONFIGURATIONS[name]
    job, readings = counted(config, tmp_path)
    check(job, readings)
    never = {"FRAMING_ERRORS"} | (set() if config.lists else {"SKIPPED_ROWS"})
    for counter, _, value in readings[-len(EVENT_COUNTERS) :]:
        # Formats this narrow saturate; which deltas are 0 is chance.
        assert counter == "ZERO_DELTAS" or (value == 0) == (counter in never), f"{counter} is {value}"


MUTANTS = {
    "events before a look counted again": ("event_counters", "Mux(looks, 0, count)", "count", "SAMPLES"),
    "events of the cycle of a look lost": (
        "event_counters",
        "Mux(looks, 0, count) + self.amounts[name]",
        "Mux(looks, 0, count + self.amounts[name])",
        "BUSY_CYCLES",
    ),
    "bias tile's saturations lost": ("bias_tile", "+ lane.saturated", "", "WEIGHT_SATURATIONS"),
    "weights that nearly saturate counted": (
        "lane",
        "overflows(difference, formats.weight.width)",
        "overflows(difference, formats.weight.width - 1)",
        "WEIGHT_SATURATIONS",
    ),
    "deltas of corrections counted": ("tile", "strobe & ~correction, 1", "strobe, 1", "ZERO_DELTAS"),
    "every blocked last row waits for activations": ("sequencer", "(last & lacks_errors)", "0", "ERROR_WAITS"),
    "the bias row counted as skipped": (
        "sequencer",
        "self._fan_in - self.row, 0",
        "self._fan_in - self.row + 1, 0",
        "SKIPPED_ROWS",
    ),
    "results that are taken counted as waiting": (
        "core",
        "(results.valid & ~results.ready)",
        "results.valid",
        "HOST_WAITS",
    ),
}
"""Edits of hw/ and a counter that shows them, or the beginning of its name."""


QUICK = "events before a look counted again"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == QUICK else pytest.mark.slow) for name in MUTANTS]
)
def test_a_design_that_miscounts_is_found(name, tmp_path):
    *edit, counter = MUTANTS[name]
    config = CONFIGURATIONS["generic, two hidden layers"]
    generate_edited(*edit, config, all_over(config), tmp_path / "mutant")
    job, readings = counted(config, tmp_path, tmp_path / "mutant")
    with pytest.raises(AssertionError, match=counter):
        check(job, readings)
