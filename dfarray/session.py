"""A training that can be interrupted anywhere and resumed, the same for every engine."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from dfarray.checkpoint import Checkpoint, EpochRecord, Run
from dfarray.configuration import Configuration
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import Dataset
from dfarray.golden.presentation import epoch_samples
from dfarray.learning_rate import LearningRate


class Engine(Protocol):
    """What trains: the integer model, the simulated RTL, a board.

    A new engine has the configuration's initial weights and seed. Two engines that are told the same end with the same
    weights and noise state, bit for bit.
    """

    def load(self, weights: list[np.ndarray], noise_state: int) -> None:
        """Take weight codes and the state of the rounding noise (0: none, rounding is nearest); nothing is pending."""
        ...

    def train(
        self, x: np.ndarray, labels: np.ndarray, *, rate: LearningRate, progress: Callable[[int], object]
    ) -> np.ndarray:
        """Learn samples in order: activation codes (samples, n_0) and labels; returns the answers (samples,)."""
        ...

    def flush(self) -> None:
        """Apply what is pending. Training goes on from there without a correction for it."""
        ...

    def predict(self, x: np.ndarray, *, progress: Callable[[int], object]) -> np.ndarray:
        """Answer samples without learning, after a flush."""
        ...

    @property
    def weights(self) -> list[np.ndarray]:
        """Weight codes, as they are after a flush: list of int32 arrays (n_l, 1 + n_{l-1})."""
        ...

    @property
    def noise_state(self) -> int:
        """Of the rounding noise, as it is after a flush; 0 if rounding is nearest."""
        ...


@dataclass(frozen=True)
class Session:
    """A training from its start, or a checkpoint, to its end.

    Attributes
    ----------
    config : Configuration
    dataset : Dataset
    epochs : int
    samples : int or None
        Only so many of the training samples.
    every : int
        Besides the ends of epochs, the engine is flushed, and a checkpoint saved, whenever so many more samples of an
        epoch are learnt. Part of what is computed, saved or not: after a flush no update is corrected for, so the next
        sample rounds differently. 0: only at the ends of epochs.
    """

    config: Configuration
    dataset: Dataset
    epochs: int
    samples: int | None = None
    every: int = 0

    def run(
        self,
        engine: Engine,
        *,
        resume: Path | None = None,
        save: Path | None = None,
        progress: Callable[[str, int], None] = lambda text, done: None,
    ) -> "Finished":
        """Train, from ``resume`` if it is given, and keep ``save`` at the latest place from which to go on.

        Parameters
        ----------
        engine : Engine
            New.
        progress : callable(text, samples done)
            Training samples of all epochs.

        Raises
        ------
        CheckpointError
            If ``resume`` cannot be read, or is of another run.
        """
        x, test_x = (quantize_inputs(self.config, part) for part in (self._train_x, self.dataset.test_x))
        labels = self.dataset.train_y[: len(x)]
        described = self._described(x, test_x, labels) if resume or save else None
        epoch, done, right, records = 1, 0, 0, []
        if resume is not None and described is not None:
            start = Checkpoint.load(resume)
            start.check(resume, described)
            engine.load(start.weights, start.noise_state)
            epoch, done, right, records = start.epoch, start.done, start.right, list(start.records)
        speeds: dict[int, float] = {}

        def keep() -> None:
            engine.flush()
            if save is not None and described is not None:
                state = (epoch, done, right, engine.noise_state, tuple(records), engine.weights)
                Checkpoint(described, *state).save(save)

        if resume is not None:
            keep()
        while epoch <= self.epochs:
            order, sent = epoch_samples(self.config, epoch, x)
            rate, seconds, began = self.config.training.rate_in(epoch, self.epochs), 0.0, done
            shown = f"epoch {epoch}" + (f", test {100 * records[-1].test_accuracy:.2f} %" if records else "")
            while done < len(order):
                stop = min(len(order), done + self.every - done % self.every) if self.every else len(order)
                before, finished = time.perf_counter(), (epoch - 1) * len(order) + done
                part = labels[order[done:stop]]
                answers = engine.train(
                    sent[done:stop],
                    part,
                    rate=rate,
                    progress=lambda count, shown=shown, finished=finished: progress(shown, finished + count),
                )
                seconds += time.perf_counter() - before
                right, done = right + int((answers == part).sum()), stop
                keep()
            if seconds:
                speeds[epoch] = (done - began) / seconds
            tested = engine.predict(test_x, progress=lambda count: None)
            accuracy = float((tested == self.dataset.test_y).mean())
            records.append(EpochRecord(epoch, len(order), right / len(order), accuracy))
            epoch, done, right = epoch + 1, 0, 0
            keep()
        return Finished(engine.weights, records, speeds)

    @property
    def _train_x(self) -> np.ndarray:
        return self.dataset.train_x[: self.samples]

    def _described(self, x, test_x, labels) -> Run:
        return Run(
            configuration=self.config.model_dump(mode="json"),
            data=data_digest(x, labels, test_x, self.dataset.test_y),
            data_name=self.dataset.name,
            epochs=self.epochs,
            samples=len(x),
            every=self.every,
        )


@dataclass(frozen=True)
class Finished:
    """A training at its end.

    Attributes
    ----------
    weights : list of int32 arrays (n_l, 1 + n_{l-1})
    records : list of EpochRecord
        Of all epochs, also those before the latest resumption.
    speeds : dict of epoch to float
        Training samples a second, of epochs trained since.
    """

    weights: list[np.ndarray]
    records: list[EpochRecord]
    speeds: dict[int, float]


def data_digest(x: np.ndarray, labels: np.ndarray, test_x: np.ndarray, test_labels: np.ndarray) -> str:
    """SHA-256 of training and test samples: activation codes and labels."""
    found = hashlib.sha256()
    for array in (x, labels, test_x, test_labels):
        found.update(str(array.shape).encode())
        found.update(np.ascontiguousarray(array, dtype="<i4").tobytes())
    return found.hexdigest()
