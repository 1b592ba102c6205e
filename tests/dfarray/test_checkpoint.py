"""Files that cannot be resumed are refused, and the message says why."""

import json

import numpy as np
import pytest
from trainings import CONFIG, blobs, session
from typer.testing import CliRunner

from dfarray.checkpoint import Checkpoint, CheckpointError
from dfarray.cli import app
from dfarray.configuration import with_values
from dfarray.files import write_atomically
from dfarray.golden.engine import GoldenEngine
from dfarray.session import Session


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "run.npz"
    session(epochs=1).run(GoldenEngine(CONFIG), save=path)
    return path


def test_what_is_saved_is_loaded(saved, tmp_path):
    checkpoint = Checkpoint.load(saved)
    assert (checkpoint.epoch, checkpoint.done, len(checkpoint.records)) == (2, 0, 1)
    assert checkpoint.place == "the end of epoch 1 of 1"
    checkpoint.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == saved.read_bytes()


def test_the_weights_are_where_other_programs_look_for_them(saved):
    with np.load(saved) as file:
        assert file.files == ["layer_1", "layer_2", "checkpoint"]
        assert [file[name].shape for name in file.files[:2]] == [(7, 7), (3, 8)]
        assert file["layer_1"].dtype == np.int32


def test_every_damaged_byte_is_noticed(saved, tmp_path):
    whole, path = saved.read_bytes(), tmp_path / "run.npz"
    found = Checkpoint.load(saved)
    refused = 0
    for place in range(0, len(whole), 13):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            same = Checkpoint.load(path)
        except CheckpointError:
            refused += 1
        else:
            # Bytes of the container that carry nothing: a date, an attribute.
            assert all(np.array_equal(a, b) for a, b in zip(same.weights, found.weights, strict=True))
            assert (same.noise_state, same.run, same.records) == (found.noise_state, found.run, found.records)
    assert refused > len(whole) / 13 / 2


@pytest.mark.parametrize("length", [0, 1, 100, -1, -30, -200])
def test_a_file_that_was_cut_off(length, saved, tmp_path):
    path = tmp_path / "run.npz"
    path.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match=rf"^{path}: damaged"):
        Checkpoint.load(path)


def edited(saved, path, **changes):
    """The file with other contents, as an editor of .npz files would write it."""
    with np.load(saved) as file:
        arrays = {name: file[name] for name in file.files}
    described = json.loads(str(arrays["checkpoint"])) | changes.pop("described", {})
    np.savez(path, allow_pickle=False, **(arrays | changes | {"checkpoint": np.array(json.dumps(described))}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layer_1": np.zeros((7, 7), dtype=np.int32)}, "its contents do not have the digest it was saved with"),
        ({"described": {"noise_state": 1}}, "its contents do not have the digest it was saved with"),
        ({"described": {"version": 2}}, "a checkpoint of version 2; this dfarray reads 1"),
        ({"described": {"format": "something"}}, "not a checkpoint, but an .npz of layer_1, layer_2"),
    ],
)
def test_a_file_that_was_edited(changes, message, saved, tmp_path):
    edited(saved, tmp_path / "run.npz", **changes)
    with pytest.raises(CheckpointError, match=message):
        Checkpoint.load(tmp_path / "run.npz")


def test_weights_without_a_checkpoint(tmp_path):
    np.savez(tmp_path / "weights.npz", layer_1=np.zeros((2, 2)))
    with pytest.raises(
        CheckpointError, match=r"not a checkpoint, but an \.npz of layer_1; dfarray train --save writes"
    ):
        Checkpoint.load(tmp_path / "weights.npz")


def test_an_object_that_would_be_executed_is_not(tmp_path):
    np.savez(tmp_path / "evil.npz", checkpoint=np.array([print], dtype=object))
    with pytest.raises(CheckpointError, match=r"evil\.npz: damaged, or not a checkpoint"):
        Checkpoint.load(tmp_path / "evil.npz")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (session(epochs=2), "--epochs is 1 there, 2 here"),
        (session(epochs=1, every=30), "--checkpoint-every is 25 there, 30 here"),
        (session(epochs=1, samples=164), "--samples is 120 there, 123 here"),
        (Session(CONFIG, blobs(160, seed=1), 1, every=25), r"of other data: blobs with digest .*, not blobs with"),
        (
            session(epochs=1, config=with_values(CONFIG, {"training.seed": 6})),
            "of another configuration: training.seed is 5 there, 6 here",
        ),
    ],
)
def test_another_run(other, message, saved):
    with pytest.raises(CheckpointError, match=message):
        other.run(GoldenEngine(other.config), resume=saved)


def test_the_hard_blocks_may_be_others(saved):
    config = with_values(CONFIG, {"array.family": "ecp5"})
    assert session(epochs=1, config=config).run(GoldenEngine(config), resume=saved).speeds == {}


def test_messages_of_the_command(saved):
    arguments = ["train", "configs/digits.toml", "--data", "digits", "--resume"]
    done = CliRunner().invoke(app, [*arguments, "nowhere.npz"])
    assert done.exit_code == 2
    assert "nowhere.npz: no such checkpoint; without --resume the training starts anew" in done.stderr
    done = CliRunner().invoke(app, [*arguments, str(saved)])
    assert done.exit_code == 2
    assert "of another configuration: array.bank_rows is " in done.stderr


def test_a_file_is_whole_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "sub" / "file"
    write_atomically(path, b"old")

    def fails(handle):
        raise OSError("no space left")

    monkeypatch.setattr("dfarray.files.os.fsync", fails)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
