"""Runs a test of the register bench on a built design: the samples and weights that it plays."""

import numpy as np

from dfarray.configuration import Configuration
from dfarray.sim import harness, simulators
from dfarray.sim.job import INDEX_SHIFT, LAST, Job, Phase, sample_words

TESTCASES = ("registers", "refused_rows", "out_of_turn", "framing", "restless")


def good_samples(config: Configuration, rng, samples: int, *, events: bool) -> list[np.ndarray]:
    """The words of each sample."""
    activation, network = config.formats.activation, config.network
    x = rng.integers(activation.lo + 1, activation.hi + 1, (samples, network.inputs))
    x[rng.random(x.shape) < 0.3] = 0
    words, ends = sample_words(x, rng.integers(0, network.classes, samples), events=events)
    return np.split(words, ends[:-1])


def transfers(*indices: int) -> np.ndarray:
    """A sample's words with the value 7, whatever the indices."""
    words = np.array(indices, dtype=np.uint64) << INDEX_SHIFT | np.uint64(7)
    words[-1] |= LAST
    return words


def samples_of(testcase: str, config: Configuration) -> list[np.ndarray]:
    """What the bench's test expects to be played."""
    rng, inputs = np.random.default_rng(1), config.network.inputs
    dense = good_samples(config, rng, 12, events=False)
    if testcase == "framing":
        (event,) = good_samples(config, rng, 1, events=True)
        wrong_dense = [transfers(*range(inputs - 1)), transfers(*range(inputs + 3))]
        # The second one ends where a counter of its transfers would have come round to the last index.
        around = 1 << inputs.bit_length()
        mixed = [transfers(inputs - 1, 0, 1), transfers(inputs - 1, *around * [0])]
        wrong_events = [transfers(0, 3, 2), transfers(1, 1, 4), transfers(0, inputs)]
        return [*wrong_dense, dense[0], *mixed, *wrong_events, event]
    if testcase == "restless":
        # Wrong whenever they meet the other setting.
        sparse = good_samples(config, rng, 120, events=True)
        return [sample for pair in zip(10 * dense, sparse, strict=True) for sample in pair]
    return dense


def run(testcase: str, config: Configuration, weights, simulator: str, verilog, build, directory) -> Job:
    """Run one test.

    Parameters
    ----------
    weights : list of int arrays
        Of the generated Verilog.
    verilog, build : Path
        Of the design, as :func:`dfarray.sim.cosim.prepare` returns them.
    directory : Path
        For the job's files.

    Raises
    ------
    SimulationError
        If it fails; :class:`dfarray.sim.simulators.BenchError` if the design does.
    """
    gaps = 40 if testcase == "restless" else 0
    job = Job(
        directory=directory / "run",
        verilog_directory=verilog,
        config=config,
        weights=weights,
        phases=(Phase(4, True, config.training.rate),),
        expected_cycles=100,
        gaps={"sample_gaps": gaps, "result_gaps": gaps, "weight_gaps": gaps},
    )
    rng, inputs = np.random.default_rng(2), config.network.inputs
    path = job.save(np.zeros((4, inputs), dtype=np.int64), np.zeros(4, dtype=np.int64))
    samples = samples_of(testcase, config)
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
    return job
