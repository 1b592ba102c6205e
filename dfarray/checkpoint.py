"""Checkpoints: a training between two samples, with nothing pending; every engine writes and reads the same file."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration, Rounding
from dfarray.files import write_atomically

FORMAT, VERSION = "dfarray-checkpoint", 1

_DESCRIPTION = "checkpoint"

_IMMATERIAL = ("array.family",)
"""Keys that change no weight."""


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and why."""


@dataclass(frozen=True)
class EpochRecord:
    """A finished epoch.

    Attributes
    ----------
    epoch : int
        From 1.
    samples : int
    train_accuracy, test_accuracy : float
        Of the answers given while learning; after the epoch.
    """

    epoch: int
    samples: int
    train_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Run:
    """What is trained: the same for all checkpoints of a training, however often it is interrupted.

    Attributes
    ----------
    configuration : dict
        As :meth:`dfarray.configuration.Configuration.model_dump` in JSON.
    data : str
        SHA-256 of the samples as they are sent, see :func:`dfarray.session.data_digest`.
    data_name : str
        For messages.
    epochs, samples : int
        Samples an epoch.
    every : int
        The machine is flushed after so many samples of an epoch, and at its end; 0: only at its end.
    """

    configuration: dict
    data: str
    data_name: str
    epochs: int
    samples: int
    every: int


@dataclass(frozen=True)
class Checkpoint:
    """Everything that a training needs to go on.

    Attributes
    ----------
    run : Run
    epoch, done : int
        The running epoch (``run.epochs`` + 1 at the end), and how many of its samples are learnt.
    right : int
        How many of those were answered right.
    noise_state : int
        G of the stochastic rounding; 0 if rounding is nearest.
    records : tuple of EpochRecord
        Finished epochs.
    weights : list of int32 arrays (n_l, 1 + n_{l-1})
        Codes, after a flush.
    """

    run: Run
    epoch: int
    done: int
    right: int
    noise_state: int
    records: tuple[EpochRecord, ...]
    weights: list[np.ndarray]

    @property
    def place(self) -> str:
        """Where the training stands, for messages."""
        if self.epoch > self.run.epochs:
            return f"the end of epoch {self.run.epochs} of {self.run.epochs}"
        return f"epoch {self.epoch} of {self.run.epochs}, sample {self.done:,} of {self.run.samples:,}"

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all: .npz with ``layer_1``, ``layer_2``, …, and the rest as JSON.

        Equal checkpoints make equal files, whatever engine they come from.
        """
        arrays = _arrays(self.weights)
        described = {"format": FORMAT, "version": VERSION, **_rest(self)}
        described["digest"] = _digest(described, arrays)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays, **{_DESCRIPTION: np.array(json.dumps(described))})
        write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> "Checkpoint":
        """Read a file back.

        Raises
        ------
        CheckpointError
            If it is not there, damaged, not a checkpoint, or of another version.
        """
        if not path.exists():
            raise CheckpointError(f"{path}: no such checkpoint; without --resume the training starts anew")
        try:
            if not zipfile.is_zipfile(path):
                raise ValueError("it is no zip archive")
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, NotImplementedError) as error:
            raise CheckpointError(f"{path}: damaged, or not a checkpoint ({error or type(error).__name__})") from None
        except Exception as error:  # zlib's own, which has no common base.
            raise CheckpointError(f"{path}: damaged ({error})") from None
        return _parsed(path, arrays)

    def check(self, path: Path, run: Run) -> None:
        """Refuse to go on with another run than this is of.

        Raises
        ------
        CheckpointError
            It names the first thing that differs.
        """
        mine, other = dict(_flat(self.run.configuration)), dict(_flat(run.configuration))
        for key in sorted(mine.keys() | other.keys()):
            if key not in _IMMATERIAL and mine.get(key) != other.get(key):
                raise CheckpointError(
                    f"{path}: of another configuration: {key} is {mine.get(key)!r} there, {other.get(key)!r} here"
                )
        for name, value, there in (
            ("--epochs", run.epochs, self.run.epochs),
            ("--samples", run.samples, self.run.samples),
            ("--checkpoint-every", run.every, self.run.every),
        ):
            if value != there:
                raise CheckpointError(f"{path}: {name} is {there} there, {value} here; a run keeps it to its end")
        if run.data != self.run.data:
            raise CheckpointError(
                f"{path}: of other data: {self.run.data_name} with digest {self.run.data[:12]}…, "
                f"not {run.data_name} with {run.data[:12]}…"
            )


def noise_of(config: Configuration, state: int) -> int:
    """G as a checkpoint and the register NOISE have it: 0 if rounding is nearest."""
    return state if config.training.rounding is Rounding.STOCHASTIC else 0


def _arrays(weights: list[np.ndarray]) -> dict[str, np.ndarray]:
    return {f"layer_{layer}": np.ascontiguousarray(array, dtype="<i4") for layer, array in enumerate(weights, 1)}


def _rest(checkpoint: Checkpoint) -> dict:
    return {
        "run": asdict(checkpoint.run),
        "epoch": checkpoint.epoch,
        "done": checkpoint.done,
        "right": checkpoint.right,
        "noise_state": checkpoint.noise_state,
        "records": [asdict(record) for record in checkpoint.records],
    }


def _digest(described: dict, arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 of all that is in the file."""
    found = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.shape} {array.dtype.str}".encode())
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def _parsed(path: Path, arrays: dict[str, np.ndarray]) -> Checkpoint:
    text = arrays.pop(_DESCRIPTION, None)
    try:
        described = json.loads(str(text)) if text is not None and text.ndim == 0 else None
    except ValueError:
        described = None
    if not isinstance(described, dict) or described.get("format") != FORMAT:
        contents = ", ".join(arrays) or "nothing"
        raise CheckpointError(f"{path}: not a checkpoint, but an .npz of {contents}; dfarray train --save writes one")
    if described.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: a checkpoint of version {described.get('version')}; this dfarray reads {VERSION}"
        )
    digest = described.pop("digest", None)
    if digest != _digest(described, arrays):
        raise CheckpointError(f"{path}: damaged: its contents do not have the digest it was saved with")
    try:
        run = Run(**described["run"])
        checkpoint = Checkpoint(
            run=run,
            epoch=described["epoch"],
            done=described["done"],
            right=described["right"],
            noise_state=described["noise_state"],
            records=tuple(EpochRecord(**record) for record in described["records"]),
            weights=[arrays[f"layer_{layer}"] for layer in range(1, len(arrays) + 1)],
        )
        shapes = [(n, m + 1) for m, n in pairwise(run.configuration["network"]["layers"])]
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path}: not as dfarray writes checkpoints ({error})") from None
    if [array.shape for array in checkpoint.weights] != shapes:
        raise CheckpointError(f"{path}: its weights do not have the shapes {shapes}")
    return checkpoint


def _flat(values: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", list(value) if isinstance(value, (list, tuple)) else value
