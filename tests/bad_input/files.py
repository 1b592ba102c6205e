"""Files and directories that are not as they must be: checkpoints, outputs, interrupted work."""

import errno
import json
from pathlib import Path

import numpy as np

from bad_input.case import Case, Preparation, configured, written

_TRAIN = "train net.toml --data blobs.npz -o out"


def _checkpoint(then: Preparation | None = None, *options: str) -> Preparation:
    """``kept.npz`` is the checkpoint of an earlier run; ``then`` something changes."""

    def prepare(directory, patch):
        from typer.testing import CliRunner

        from dfarray.cli import app

        done = CliRunner().invoke(app, [*_TRAIN.split(), "--save", "kept.npz", "--epochs", "2", *options])
        assert done.exit_code == 0, done.output
        if then is not None:
            then(directory, patch)

    return prepare


def _other_data(directory, patch):
    with np.load(directory / "blobs.npz") as arrays:
        np.savez(directory / "other.npz", x=1 - arrays["x"], y=arrays["y"])


def _flipped(directory, patch):
    path = directory / "kept.npz"
    with np.load(path) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    found["layer_1"] = found["layer_1"] + 1
    np.savez(path, **found)


def _later_version(directory, patch):
    path = directory / "kept.npz"
    with np.load(path) as arrays:
        found = {name: arrays[name] for name in arrays.files}
    described = json.loads(str(found["checkpoint"])) | {"version": 99}
    found["checkpoint"] = np.array(json.dumps(described))
    np.savez(path, **found)


def _full(directory, patch):
    """Every file that is written as text finds the disk full."""

    def write(path, *arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    patch.setattr(Path, "write_text", write)


def _interrupted(module: str, name: str) -> Preparation:
    def prepare(directory, patch):
        def interrupt(*arguments, **options):
            raise KeyboardInterrupt

        patch.setattr(f"{module}.{name}", interrupt)

    return prepare


def _half_built(directory, patch):
    (directory / "out").mkdir()
    (directory / "out" / "board.bit").write_bytes(b"half")


def _locked(directory, patch):
    from filelock import FileLock

    # Held until the lock object is gone: with the attribute, after the test.
    lock = FileLock(directory / "out.csv.lock")
    lock.acquire()
    patch.setattr("dfarray.sweeping.held", lock, raising=False)


CASES = [
    Case(
        "no such checkpoint",
        f"{_TRAIN} --resume nothing.npz",
        "error: nothing.npz: no such checkpoint; without --resume the training starts anew",
    ),
    Case(
        "a damaged checkpoint",
        f"{_TRAIN} --resume kept.npz",
        "error: kept.npz: damaged, or not a checkpoint (it is no zip archive)",
        prepare=written("kept.npz", b"half"),
    ),
    Case(
        "weights that are no checkpoint",
        f"{_TRAIN} --resume blobs.npz",
        "error: blobs.npz: not a checkpoint, but an .npz of x, y; dfarray train --save writes one",
    ),
    Case(
        "a checkpoint that was changed",
        f"{_TRAIN} --resume kept.npz",
        "error: kept.npz: damaged: its contents do not have the digest it was saved with",
        prepare=_checkpoint(_flipped),
    ),
    Case(
        "a checkpoint of a later version",
        f"{_TRAIN} --resume kept.npz",
        "error: kept.npz: a checkpoint of version 99; this dfarray reads 1",
        prepare=_checkpoint(_later_version),
    ),
    Case(
        "a checkpoint of another configuration",
        f"{_TRAIN} --resume kept.npz",
        "error: kept.npz: of another configuration: array.tiles is 4 there, 3 here",
        prepare=_checkpoint(configured(array__tiles="3")),
    ),
    Case(
        "a checkpoint of other data",
        f"{_TRAIN.replace('blobs', 'other')} --resume kept.npz",
        "error: kept.npz: of other data: blobs.npz with digest 5c019e3e2984…, not other.npz with 10eda5db1cd8…",
        prepare=_checkpoint(_other_data),
    ),
    Case(
        "a checkpoint of more epochs",
        f"{_TRAIN} --resume kept.npz --epochs 3",
        "error: kept.npz: --epochs is 2 there, 3 here; a run keeps it to its end",
        prepare=_checkpoint(),
    ),
    Case("the output is a file", "generate net.toml -o blobs.npz", "error: blobs.npz: File exists"),
    Case("the output lies below a file", "generate net.toml -o blobs.npz/out", "error: blobs.npz/out: Not a directory"),
    Case("the output may not be written", "generate net.toml -o /sys/out", "error: /sys/out: Operation not permitted"),
    Case("the disk is full: figures", "costs 6-8-3 --json /dev/full", "error: /dev/full: No space left on device"),
    Case(
        "the disk is full: Verilog",
        "generate net.toml -o out",
        "error: out/accelerator.v: No space left on device",
        prepare=_full,
    ),
    Case("the disk is full: checkpoint", f"{_TRAIN} --save /sys/kept.npz", "error: /sys/kept.npz: Permission denied"),
    Case("Ctrl-C", "generate net.toml -o out", "interrupted", 130, _interrupted("dfarray.hw.generate", "generate")),
    Case(
        "Verilog that is not there",
        "cosim net.toml --data blobs.npz --verilog nowhere",
        "error: nowhere/manifest.json: No such file or directory",
    ),
    Case(
        "Verilog whose manifest is damaged",
        "cosim net.toml --data blobs.npz --verilog out",
        "error: out/manifest.json: not what dfarray generate writes (Expecting property name enclosed in double quotes: line 1 column 2 (char 1))",
        prepare=written("out/manifest.json", "{"),
    ),
    Case("a build that is not there", "flash out", "error: out: no such directory; run dfarray build … -o out"),
    Case(
        "a build that was interrupted",
        "flash out",
        "error: out: not a finished build, it has no build.json; run dfarray build … -o out",
        prepare=_half_built,
    ),
    Case(
        "a build that another program wrote",
        "flash out",
        "error: out/build.json: not what dfarray build writes ('board'); run dfarray build … -o out",
        prepare=written("out/build.json", "{}"),
    ),
    Case(
        "another sweep writes the same results",
        "sweep net.toml --data blobs.npz -s seed=1 -o out.csv",
        "error: out.csv: another sweep is writing it",
        prepare=_locked,
    ),
]
