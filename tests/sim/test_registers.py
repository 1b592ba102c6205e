"""The register port, and a host that does not wait its turn."""

import json

import numpy as np
import pytest
from accelerators import accelerator

from dfarray.initial_weights import initial_weights
from dfarray.sim import harness, simulators
from dfarray.sim.cosim import prepare
from dfarray.sim.job import LAST, Job, Phase
from dfarray.sim.simulators import available_simulators


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    directory = tmp_path_factory.mktemp("registers")
    config = accelerator([5, 6, 3], 3, 2, rounding="stochastic", error="softmax-cross-entropy")
    simulator = available_simulators()[-1]
    return config, simulator, *prepare(config, initial_weights(config), simulator, directory)


@pytest.mark.parametrize("testcase", ["registers", "refused_rows", "out_of_turn"])
def test_register_bench(testcase, built, tmp_path):
    config, simulator, verilog, build = built
    weights = initial_weights(config)
    job = Job(
        directory=tmp_path / "run",
        verilog_directory=verilog,
        config=config,
        weights=weights,
        phases=(Phase(4, True, config.training.rate),),
        trace_samples=4,
        expected_cycles=100,
    )
    rng = np.random.default_rng(1)
    path = job.save(rng.integers(0, 255, (4, 5)), rng.integers(0, 3, 4))
    whole = np.fromfile(job.directory / "samples.bin", dtype=">u4")
    short, long = whole[:4].copy(), np.tile(whole[:4] & ~np.uint32(LAST), 2)
    short[-1] |= LAST
    long[-1] |= LAST
    (job.directory / "samples.bin").write_bytes(np.concatenate([short, long, whole]).astype(">u4").tobytes())
    codes = rng.integers(-1000, 1000, 2 * 6) & 0xFFFFFFFF
    (job.directory / "weights.bin").write_bytes(codes.astype(">u4").tobytes())
    simulators.run(
        simulator,
        harness.TOP,
        build,
        "dfarray.sim.bench_registers",
        testcase=testcase,
        plusargs=job.plusargs,
        environment={"DFARRAY_JOB": str(path)},
    )
    outcome = json.loads((job.directory / "outcome.json").read_text())
    assert outcome["cycles_checked"] > 500
