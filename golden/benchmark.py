"""How fast the golden models train, beside what else trains such a network on one core."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np

from dfarray.configuration import Configuration, Rounding, with_values
from dfarray.golden import peers
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import Dataset
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.reference import FloatNetwork

OWN_SAMPLES, PEER_SAMPLES = 20_000, 1_000


@dataclass(frozen=True)
class Contender:
    """Something that trains, one sample at a time.

    Attributes
    ----------
    name : str
    samples : int
        A round trains on.
    train : callable
        Trains on them.
    """

    name: str
    samples: int
    train: Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Samples a second: the median round, the slowest and the fastest."""

    samples_per_second: float
    slowest: float
    fastest: float


def contenders(config: Configuration, dataset: Dataset) -> list[Contender]:
    """The integer model as configured and with the other rounding, float64, and the installed peers."""
    codes, labels = quantize_inputs(config, dataset.train_x[:OWN_SAMPLES]), dataset.train_y[:OWN_SAMPLES]
    found = []
    for rounding in sorted(Rounding, key=lambda kind: kind is not config.training.rounding):
        network = IntegerNetwork(with_values(config, {"training.rounding": rounding}))
        found.append(
            Contender(f"integer, {rounding} rounding", len(codes), lambda network=network: network.train(codes, labels))
        )
    x, network = dataset.train_x[:OWN_SAMPLES].astype(np.float64), FloatNetwork(config)
    found.append(Contender("float64, numba", len(x), lambda: network.train(x, labels)))
    few, their_labels = dataset.train_x[:PEER_SAMPLES], labels[:PEER_SAMPLES]
    for name, train in peers.installed(config, few, their_labels).items():
        found.append(Contender(name, len(few), train))
    return found


def measure(competing: list[Contender], rounds: int) -> Iterator[int | dict[str, Timing]]:
    """Time rounds in turn, so that a busy moment of the machine slows all of them.

    Yields
    ------
    int
        Rounds done.
    dict of name to Timing
        At the end.
    """
    speeds: dict[str, list[float]] = {one.name: [] for one in competing}
    for one in competing:
        one.train()  # Compiles, and warms caches.
    for done in range(1, rounds + 1):
        for one in competing:
            begin = time.perf_counter()
            one.train()
            speeds[one.name].append(one.samples / (time.perf_counter() - begin))
        yield done
    yield {name: Timing(median(found), min(found), max(found)) for name, found in speeds.items()}
