"""Epochs, and records that say what happened."""

import numpy as np
import pytest
from accelerators import accelerator

from dfarray.golden import training
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import Dataset, DatasetError
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.presentation import sample_order

CONFIG = accelerator([6, 5, 3], 3, 2, error="softmax-cross-entropy")


def toy(features=6, classes=3, samples=90) -> Dataset:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (samples, features)).astype(np.float32), np.arange(samples) % classes
    x[np.arange(samples), y] = 1
    return Dataset("toy", x, y, x[:30], y[:30], classes)


def test_epochs_are_what_their_records_say(monkeypatch):
    monkeypatch.setattr(training, "PORTION", 40)
    dataset, network, by_hand = toy(), IntegerNetwork(CONFIG), IntegerNetwork(CONFIG)
    items = list(training.train_epochs(network, dataset, 2))
    assert [item for item in items if isinstance(item, int)] == [40, 80, 90] * 2
    records = [item for item in items if isinstance(item, training.Epoch)]
    x, test_x = quantize_inputs(CONFIG, dataset.train_x), quantize_inputs(CONFIG, dataset.test_x)
    for epoch, record in enumerate(records, 1):
        order = sample_order(CONFIG, epoch, 90)
        logits = by_hand.train(x[order], dataset.train_y[order])
        assert (record.epoch, record.samples) == (epoch, 90)
        assert record.train_accuracy == (logits.argmax(axis=1) == dataset.train_y[order]).mean()
        assert record.test_accuracy == (by_hand.predict(test_x) == dataset.test_y).mean()
        assert record.samples_per_second > 0
    assert all((a == b).all() for a, b in zip(network.weights, by_hand.weights, strict=True))
    assert records[1].train_accuracy > records[0].train_accuracy


def test_only_the_first_samples_if_asked():
    *_, record = training.train_epochs(IntegerNetwork(CONFIG), toy(), 1, samples=20)
    assert isinstance(record, training.Epoch)
    assert record.samples == 20


@pytest.mark.parametrize(
    ("dataset", "message"),
    [(toy(features=5), "toy has 5 features a sample, the network 6"), (toy(classes=4), "toy has 4 classes")],
)
def test_data_that_does_not_fit_is_refused(dataset, message):
    with pytest.raises(DatasetError, match=message):
        training.check_fits(CONFIG, dataset)
    training.check_fits(CONFIG, toy(classes=2))
