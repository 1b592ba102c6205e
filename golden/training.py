"""Training the integer model over epochs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from dfarray.configuration import Configuration
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import Dataset, DatasetError
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.presentation import epoch_samples

PORTION = 2000
"""Samples between two progress reports."""


@dataclass(frozen=True)
class Epoch:
    """One pass over the training set.

    Attributes
    ----------
    epoch : int
        From 1.
    samples : int
    train_accuracy : float
        Of the answers given while learning.
    test_accuracy : float
        After the epoch.
    samples_per_second : float
        Training alone.
    """

    epoch: int
    samples: int
    train_accuracy: float
    test_accuracy: float
    samples_per_second: float


def check_fits(config: Configuration, dataset: Dataset) -> None:
    """Refuse a data set that does not belong to the network.

    Raises
    ------
    DatasetError
        If the features differ from the inputs or there are more classes than outputs.
    """
    if dataset.features != config.network.inputs:
        raise DatasetError(
            f"{dataset.name} has {dataset.features} features a sample, the network {config.network.inputs} inputs"
        )
    if dataset.classes > config.network.classes:
        raise DatasetError(
            f"{dataset.name} has {dataset.classes} classes, the network {config.network.classes} outputs"
        )


def train_epochs(
    network: IntegerNetwork, dataset: Dataset, epochs: int, *, samples: int | None = None
) -> Iterator[int | Epoch]:
    """Train the integer model.

    Parameters
    ----------
    network : IntegerNetwork
        Learns in place.
    samples : int or None
        Only so many of the training samples.

    Yields
    ------
    int
        Samples of the running epoch done so far, every :data:`PORTION`.
    Epoch
        At the end of each epoch.
    """
    config = network.config
    x = quantize_inputs(config, dataset.train_x[:samples])
    test_x = quantize_inputs(config, dataset.test_x)
    labels = dataset.train_y[:samples]
    # Compile before the clock runs; a copy learns, so nothing changes.
    IntegerNetwork(config, network.weights).train(x[:1], labels[:1])
    for epoch in range(1, epochs + 1):
        order, sent = epoch_samples(config, epoch, x)
        rate = config.training.rate_in(epoch, epochs)
        right, seconds = 0, 0.0
        for start in range(0, len(order), PORTION):
            part = order[start : start + PORTION]
            portion, answers = sent[start : start + PORTION], labels[part]
            begin = time.perf_counter()
            logits = network.train(portion, answers, rate=rate)
            seconds += time.perf_counter() - begin
            right += int((logits.argmax(axis=1) == answers).sum())
            yield start + len(part)
        accuracy = float((network.predict(test_x) == dataset.test_y).mean())
        yield Epoch(epoch, len(x), right / len(x), accuracy, len(x) / seconds)
