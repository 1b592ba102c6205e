"""One training of an experiment: what defines it, and what it measures."""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from dfarray.configuration import Activation, Configuration
from dfarray.golden.convolution import ConvolutionalLearner, architecture_of
from dfarray.golden.datasets import Dataset, load_dataset
from dfarray.golden.draws import Draw, Start, feedback_of, first_weights
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.learner import Learner, angle
from dfarray.golden.optimisers import SGD, Adam
from dfarray.golden.presentation import epoch_samples
from dfarray.golden.reference import FloatNetwork
from dfarray.golden.rules import Rule
from dfarray.golden.training import Epoch, check_fits, train_epochs
from dfarray.schedule import Schedule, scheduled_rate

ANGLE_SAMPLES = 1000
"""Training samples over which angles are taken."""


@dataclass(frozen=True)
class MinibatchRun:
    """A float64 network in minibatches, by any rule.

    Attributes
    ----------
    data : str
        See :func:`dfarray.golden.datasets.load_dataset`.
    hidden : tuple of int
        Widths of the hidden layers; inputs and classes are the data's.
    samples : int or None
        Only the first training samples.
    adam_epsilon : float or None
        Adam with this epsilon; None for plain SGD.
    halvings : int
        Of the schedule ``power-of-two``.
    angles : int
        How often in each epoch the angle to backpropagation's update is taken; 0 for never.
    """

    data: str
    hidden: tuple[int, ...]
    rule: Rule
    seed: int
    rate: float
    epochs: int
    schedule: Schedule = Schedule.LINEAR
    batch: int = 32
    samples: int | None = None
    activation: Activation = Activation.TANH
    start: Start = Start.FAN_IN
    draw: Draw = Draw.BALANCED
    nonzeros: int = 1
    rank: int | None = None
    scale: float = 1.0
    adam_epsilon: float | None = None
    halvings: int = 3
    angles: int = 0


@dataclass(frozen=True)
class MachineRun:
    """The machine's network, one sample at a time: the integer model, or float64 at the same settings."""

    data: str
    config: Configuration
    integer: bool = True
    samples: int | None = None


@dataclass(frozen=True)
class ConvolutionalRun:
    """The paper's convolutional network for a data set, float32, SGD with a linearly falling rate; needs PyTorch."""

    data: str
    rule: Rule
    seed: int
    rate: float
    epochs: int
    batch: int = 32
    samples: int | None = None
    draw: Draw = Draw.PAPER
    nonzeros: int = 1


Run = MinibatchRun | MachineRun | ConvolutionalRun


@dataclass(frozen=True)
class Measured:
    """What a training showed.

    Attributes
    ----------
    test_accuracy : list of float
        After each epoch.
    angles : list of dict
        ``samples`` seen, and degrees between the rule's and backpropagation's updates of all hidden layers (``all``)
        and of each (``layer_1``, …), biases included.
    """

    test_accuracy: list[float]
    angles: list[dict] = field(default_factory=list)


def execute(run: Run) -> Measured:
    """Train and measure; the same run gives the same figures.

    Raises
    ------
    DatasetError
        If the data set is missing or does not fit the network.
    RuntimeError
        If PyTorch is needed and not installed.
    """
    if isinstance(run, MinibatchRun):
        return _minibatches(run)
    if isinstance(run, ConvolutionalRun):
        return _convolutional(run)
    return _integer(run) if run.integer else _float(run)


@lru_cache(maxsize=2)
def _loaded(name: str) -> Dataset:
    return load_dataset(name)


def _minibatches(run: MinibatchRun) -> Measured:
    dataset, rng = _loaded(run.data), np.random.default_rng(run.seed)
    x, labels = dataset.train_x[: run.samples].astype(np.float64), dataset.train_y[: run.samples]
    test_x = dataset.test_x.astype(np.float64)
    layers = (dataset.features, *run.hidden, dataset.classes)
    weights = first_weights(run.start, layers, rng)
    options = {"draw": run.draw, "nonzeros": run.nonzeros, "rank": run.rank, "scale": run.scale}
    feedback = feedback_of(run.rule, layers, rng, **options)
    optimiser = SGD() if run.adam_epsilon is None else Adam(run.adam_epsilon)
    learner = Learner(weights, run.rule, feedback, run.activation, optimiser)
    measured = Measured([])
    # Angles are taken between whole batches.
    stops = [len(x) * part // max(run.angles, 1) // run.batch * run.batch for part in range(max(run.angles, 1))]
    for epoch in range(1, run.epochs + 1):
        rate = scheduled_rate(run.schedule, run.rate, epoch, run.epochs, run.halvings)
        order = rng.permutation(len(x))
        for start, end in zip(stops, [*stops[1:], len(x)], strict=True):
            if run.angles:
                measured.angles.append(_angles(learner, x, labels, (epoch - 1) * len(x) + start))
            learner.train(x[order[start:end]], labels[order[start:end]], rate=rate, batch=run.batch)
        measured.test_accuracy.append(learner.accuracy(test_x, dataset.test_y))
    if run.angles:
        measured.angles.append(_angles(learner, x, labels, run.epochs * len(x)))
    return measured


def _convolutional(run: ConvolutionalRun) -> Measured:
    dataset, rng, measured = _loaded(run.data), np.random.default_rng(run.seed), Measured([])
    x, labels = dataset.train_x[: run.samples], dataset.train_y[: run.samples]
    architecture = architecture_of(run.data, dataset.classes)
    learner = ConvolutionalLearner(architecture, run.rule, run.seed, nonzeros=run.nonzeros, draw=run.draw)
    for epoch in range(1, run.epochs + 1):
        order = rng.permutation(len(x))
        rate = scheduled_rate(Schedule.LINEAR, run.rate, epoch, run.epochs, 0)
        learner.train(x[order], labels[order], rate=rate, batch=run.batch)
        measured.test_accuracy.append(learner.accuracy(dataset.test_x, dataset.test_y))
    return measured


def _angles(learner: Learner, x: np.ndarray, labels: np.ndarray, seen: int) -> dict:
    x, labels = x[:ANGLE_SAMPLES], labels[:ANGLE_SAMPLES]
    own = learner.gradients(x, labels)[:-1]
    true = learner.gradients(x, labels, Rule.BACKPROPAGATION)[:-1]
    each = {f"layer_{layer}": angle([a], [b]) for layer, (a, b) in enumerate(zip(own, true, strict=True), 1)}
    return {"samples": seen, "all": angle(own, true)} | each


def _integer(run: MachineRun) -> Measured:
    dataset = _loaded(run.data)
    check_fits(run.config, dataset)
    found = train_epochs(IntegerNetwork(run.config), dataset, run.config.training.epochs, samples=run.samples)
    return Measured([item.test_accuracy for item in found if isinstance(item, Epoch)])


def _float(run: MachineRun) -> Measured:
    dataset, config, measured = _loaded(run.data), run.config, Measured([])
    check_fits(config, dataset)
    network, epochs = FloatNetwork(config), config.training.epochs
    x, labels = dataset.train_x[: run.samples], dataset.train_y[: run.samples]
    for epoch in range(1, epochs + 1):
        order, sent = epoch_samples(config, epoch, x)
        network.train(sent, labels[order], rate=config.training.rate_in(epoch, epochs).value)
        measured.test_accuracy.append(float((network.predict(dataset.test_x) == dataset.test_y).mean()))
    return measured
