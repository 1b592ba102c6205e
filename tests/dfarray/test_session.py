"""InterruptedRunError and resumed anywhere, a training ends with the same file, byte for byte."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from trainings import CONFIG, blobs, session
from typer.testing import CliRunner

from dfarray.checkpoint import Checkpoint
from dfarray.cli import app
from dfarray.configuration import with_values
from dfarray.golden.engine import GoldenEngine
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.noise import next_state
from dfarray.golden.training import Epoch, train_epochs

TESTS = Path(__file__).parent.parent


class InterruptedRunError(Exception):
    """Stands for whatever ends a process."""


class Fragile(GoldenEngine):
    """Breaks off in the midst of its n-th call, after the samples before it have been learnt."""

    def __init__(self, calls: int):
        super().__init__(CONFIG)
        self._calls = calls

    def train(self, x, labels, **options):
        self._calls -= 1
        if self._calls < 0:
            super().train(x[: len(x) // 2], labels[: len(x) // 2], **options)
            raise InterruptedRunError
        return super().train(x, labels, **options)

    def predict(self, x, **options):
        self._calls -= 1
        if self._calls < 0:
            raise InterruptedRunError
        return super().predict(x, **options)


@pytest.fixture
def quick(monkeypatch):
    """Leave out what only a power failure would show, and takes a disk long."""
    monkeypatch.setattr("dfarray.files.os.fsync", lambda handle: None)


def finished(path, **options):
    plan = session(**options)
    plan.run(GoldenEngine(CONFIG), save=path)
    return path.read_bytes()


def test_checkpoints_at_the_ends_of_epochs_change_nothing(tmp_path):
    """Without --checkpoint-every the run is that of before: there the test set flushes anyway."""
    plan = session(every=0)
    done = plan.run(GoldenEngine(CONFIG), save=tmp_path / "run.npz")
    network = IntegerNetwork(CONFIG)
    epochs = [item for item in train_epochs(network, plan.dataset, 3) if isinstance(item, Epoch)]
    for expected, got in zip(network.weights, done.weights, strict=True):
        assert np.array_equal(expected, got)
    assert [epoch.train_accuracy for epoch in epochs] == [record.train_accuracy for record in done.records]
    assert [epoch.test_accuracy for epoch in epochs] == [record.test_accuracy for record in done.records]
    assert Checkpoint.load(tmp_path / "run.npz").noise_state == network.noise_state


def test_the_saved_state_is_the_flushed_one(tmp_path):
    """The checkpoint's noise is as far on as the updates in its weights: one step a sample."""
    path, plan = tmp_path / "run.npz", session(epochs=1)
    with pytest.raises(InterruptedRunError):
        plan.run(Fragile(2), save=path)
    kept, state = Checkpoint.load(path), CONFIG.training.seed
    for _ in range(50):
        state = next_state(state)
    assert (kept.epoch, kept.done, kept.noise_state) == (1, 50, state)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("every", [0, 25, 40])
def test_every_place_of_interruption(every, tmp_path):
    expected = finished(tmp_path / "whole.npz", every=every)
    calls = 3 * (-(-120 // every) if every else 1) + 3
    path = tmp_path / "run.npz"
    for call in range(calls):
        path.unlink(missing_ok=True)
        with pytest.raises(InterruptedRunError):
            session(every=every).run(Fragile(call), save=path)
        assert path.exists() == (call > 0)
        session(every=every).run(GoldenEngine(CONFIG), resume=path if path.exists() else None, save=path)
        assert path.read_bytes() == expected, f"interrupted in call {call}"


def test_interrupted_again_and_again(tmp_path):
    """Never more than two steps at a time."""
    expected, path = finished(tmp_path / "whole.npz"), tmp_path / "run.npz"
    with pytest.raises(InterruptedRunError):
        session().run(Fragile(2), save=path)
    for _ in range(40):
        try:
            session().run(Fragile(2), resume=path, save=path)
            break
        except InterruptedRunError:
            continue
    assert path.read_bytes() == expected


def test_the_flush_is_part_of_the_run(tmp_path):
    """Saved or not, --checkpoint-every decides the weights, and another N gives others."""
    saved, unsaved, other = tmp_path / "saved.npz", tmp_path / "unsaved.npz", tmp_path / "other.npz"
    session().run(GoldenEngine(CONFIG), save=saved)
    weights = session().run(GoldenEngine(CONFIG)).weights
    session(every=1).run(GoldenEngine(CONFIG), save=other)
    for one, two in zip(weights, Checkpoint.load(saved).weights, strict=True):
        assert np.array_equal(one, two)
    assert any(not np.array_equal(a, b) for a, b in zip(weights, Checkpoint.load(other).weights, strict=True))
    assert not unsaved.exists()


def test_nearest_rounding_has_no_noise(tmp_path):
    config = with_values(CONFIG, {"training.rounding": "nearest"})
    path = tmp_path / "run.npz"
    session(config=config, epochs=1).run(GoldenEngine(config), save=path)
    assert Checkpoint.load(path).noise_state == 0


def test_a_finished_run_has_nothing_left_to_do(tmp_path):
    expected = finished(tmp_path / "whole.npz")
    done = session().run(GoldenEngine(CONFIG), resume=tmp_path / "whole.npz", save=tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == expected
    assert (len(done.records), done.speeds) == (3, {})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_random_moments(tmp_path):
    """SIGKILL, many times, also while the file is being written."""
    expected, path = finished(tmp_path / "whole.npz", epochs=12), tmp_path / "run.npz"
    command = [sys.executable, TESTS / "trainings.py", path, "12"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 5
    assert path.read_bytes() == expected


SMALL = """
[network]
layers = [6, 7, 3]
[array]
tiles = 3
lanes = 2
bank_rows = 64
[training]
rounding = "stochastic"
"""


@pytest.mark.usefixtures("quick")
def test_ctrl_c_says_where_it_stands_and_the_resumed_command_ends_alike(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.toml").write_text(SMALL)
    data = blobs(400)
    np.savez(tmp_path / "blobs.npz", x=data.train_x, y=data.train_y)
    train = ["train", "net.toml", "--data", "blobs.npz"]
    run = ["--epochs", "60", "--checkpoint-every", "100", "--save"]
    whole = CliRunner().invoke(app, [*train, *run, "whole.npz"])
    assert whole.exit_code == 0, whole.stderr
    command = [*train, *run, "run.npz"]
    # Slowed down, not to end before it is interrupted; and it listens, also if the tests run in the background.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import time; from dfarray.checkpoint import Checkpoint; save = Checkpoint.save\n"
        "Checkpoint.save = lambda self, path: (save(self, path), time.sleep(0.05))\n"
        "from dfarray.cli import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as training:
        deadline = time.monotonic() + 120
        while not (tmp_path / "run.npz").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        training.send_signal(signal.SIGINT)
        _, said = training.communicate(timeout=60)
    assert training.returncode == 130
    assert "run.npz is at epoch " in said
    assert "go on with --resume run.npz" in said
    assert Checkpoint.load(tmp_path / "run.npz").epoch <= 60
    # Epochs and N are the checkpoint's.
    done = CliRunner().invoke(app, [*train, "--resume", "run.npz", "--save", "run.npz"])
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "run.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
