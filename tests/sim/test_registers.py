"""The register port, and a host that does not wait its turn."""

import json

import numpy as np
import pytest
from accelerators import accelerator

from dfarray.initial_weights import initial_weights
from dfarray.sim import harness, simulators
from dfarray.sim.cosim import prepare
from dfarray.sim.job import INDEX_SHIFT, LAST, Job, Phase, sample_words
from dfarray.sim.simulators import available_simulators

INPUTS, CLASSES = 5, 3


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    directory = tmp_path_factory.mktemp("registers")
    config = accelerator([INPUTS, 6, CLASSES], 3, 2, rounding="stochastic", error="softmax-cross-entropy")
    simulator = available_simulators()[-1]
    return config, simulator, *prepare(config, initial_weights(config), simulator, directory)


def good_samples(rng, samples: int, *, events: bool):
    """The words of each sample."""
    x = rng.integers(-255, 256, (samples, INPUTS))
    x[rng.random(x.shape) < 0.3] = 0
    words, ends = sample_words(x, rng.integers(0, CLASSES, samples), events=events)
    return np.split(words, ends[:-1])


def transfers(*indices: int) -> np.ndarray:
    """A sample's words with the value 7, whatever the indices."""
    words = np.array(indices, dtype=np.uint64) << INDEX_SHIFT | np.uint64(7)
    words[-1] |= LAST
    return words


def samples_of(testcase: str) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    dense = good_samples(rng, 12, events=False)
    if testcase == "framing":
        (event,) = good_samples(rng, 1, events=True)
        wrong_dense = [transfers(*range(INPUTS - 1)), transfers(*range(INPUTS + 3))]
        mixed = transfers(INPUTS - 1, 0, 1)
        wrong_events = [transfers(0, 3, 2), transfers(1, 1, 4), transfers(0, INPUTS, 4, 1)]
        return [*wrong_dense, dense[0], mixed, *wrong_events, event]
    if testcase == "restless":
        # Wrong whenever they meet the other setting.
        sparse = good_samples(rng, 120, events=True)
        return [sample for pair in zip(10 * dense, sparse, strict=True) for sample in pair]
    return dense


@pytest.mark.parametrize("testcase", ["registers", "refused_rows", "out_of_turn", "framing", "restless"])
def test_register_bench(testcase, built, tmp_path):
    config, simulator, verilog, build = built
    weights = initial_weights(config)
    gaps = 40 if testcase == "restless" else 0
    job = Job(
        directory=tmp_path / "run",
        verilog_directory=verilog,
        config=config,
        weights=weights,
        phases=(Phase(4, True, config.training.rate),),
        expected_cycles=100,
        gaps={"sample_gaps": gaps, "result_gaps": gaps, "weight_gaps": gaps},
    )
    rng = np.random.default_rng(2)
    path = job.save(np.zeros((4, INPUTS), dtype=np.int64), np.zeros(4, dtype=np.int64))
    samples = samples_of(testcase)
    (job.directory / "samples.bin").write_bytes(np.concatenate(samples).astype(">u8").tobytes())
    np.save(job.directory / "sample_ends.npy", np.cumsum([len(sample) for sample in samples]))
    codes = rng.integers(-1000, 1000, 5000) & 0xFFFFFFFF
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
