"""What a benchmark reports, and those figures that follow from the configuration and are the same everywhere."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration, shipped, with_values
from dfarray.estimating import sent_codes
from dfarray.golden.datasets import DatasetError
from dfarray.throughput import dense_pace, event_pace
from dfarray.timetable import WARM_UP, event_work, sample_cycles

BASELINES = Path(__file__).with_name("baselines.json")
"""Values of the deterministic figures, by name; tests/test_benchmarks.py holds them."""


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes
    ----------
    name, unit : str
    value : float or None
        None if it was not measured; ``note`` says why.
    goal : str
        A comparison with a number, such as ">= 95"; empty without one.
    reference : str
        What others reach, or what it is to be compared with.
    command : str
        That measures it alone.
    note : str
    """

    name: str
    value: float | None
    unit: str
    goal: str = ""
    reference: str = ""
    command: str = ""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is; None without a goal or a value."""
        if self.value is None or not self.goal:
            return None
        relation, limit = self.goal.split()
        return {">=": self.value >= float(limit), "<=": self.value <= float(limit), "<": self.value < float(limit)}[
            relation
        ]


def network(layers: list[int], tiles: int, lanes: int, *, zero_skipping: bool = True) -> Configuration:
    """The shipped MNIST configuration on another network and array."""
    values = {
        "network.layers": layers,
        "array.tiles": tiles,
        "array.lanes": lanes,
        "array.bank_rows": 2048,
        "array.zero_skipping": zero_skipping,
    }
    return with_values(shipped("mnist"), values)


DENSE = (([784, 150, 10], 15, 5, ">= 95"), ([784, 100, 10], 10, 5, ">= 90"), ([64, 60, 10], 6, 5, ">= 90"))
"""Layers, tiles, lanes and the goal of the utilisation in per cent."""

BENCH = "python -m benchmarks --only cycles"


def deterministic_figures() -> Iterator[Figure]:
    """Cycles and utilisation of a steady stream; :mod:`dfarray.timetable` equals the cycle model, and that the RTL."""
    for layers, tiles, lanes, goal in DENSE:
        pace = dense_pace(network(layers, tiles, lanes))
        title = f"{'-'.join(map(str, layers))} on {tiles * lanes} lanes, dense"
        yield Figure(f"{title}: cycles", pace.cycles_per_sample, "cycles/sample", command=BENCH)
        reference = "EILE: about 100 % while training, batch 1 to 32"
        yield Figure(f"{title}: utilisation", 100 * pace.utilisation, "%", goal, reference, BENCH)
    yield _without_zeros()


def _without_zeros() -> Figure:
    """Events without a zero among them, against a machine that cannot skip."""
    config = network([784, 150, 10], 15, 5)
    events = sample_cycles(config, event_work(np.ones((WARM_UP + 13, 784), dtype=np.int64))).total
    dense = sample_cycles(network([784, 150, 10], 15, 5, zero_skipping=False)).total
    reference = "array.zero_skipping = false"
    return Figure("784-150-10, no zeros: loss by skipping", 100 * (events / dense - 1), "%", "< 1", reference, BENCH)


def mnist_figures() -> Iterator[Figure]:
    """Cycles with the zeros of MNIST skipped; deterministic, but MNIST must be here."""
    config = shipped("mnist")
    names = ("cycles", "share of dense cycles", "utilisation")
    title, command = "MNIST, 784-150-10 on 75 lanes, zeros skipped", "dfarray estimate configs/mnist.toml --data mnist"
    try:
        x, _ = sent_codes(config, "mnist")
    except DatasetError:
        note = "MNIST is not here: make data"
        yield from (Figure(f"{title}: {name}", None, "", command=command, note=note) for name in names)
        return
    events, dense = event_pace(config, x, event_work(x)), dense_pace(config)
    share = events.cycles_per_sample / dense.cycles_per_sample
    note = f"first {len(x)} samples"
    yield Figure(f"{title}: {names[0]}", events.cycles_per_sample, "cycles/sample", command=command, note=note)
    yield Figure(f"{title}: {names[1]}", share, "of dense", "<= 0.45", "no zeros skipped: 1", command, note)
    yield Figure(f"{title}: {names[2]}", 100 * events.utilisation, "%", command=command, note=note)


def baselines() -> dict[str, float]:
    """The stored values."""
    return json.loads(BASELINES.read_text(encoding="utf-8"))


def store_baselines(figures: list[Figure]) -> None:
    """Write what is measured now, and keep the others."""
    values = baselines() if BASELINES.exists() else {}
    values |= {figure.name: round(figure.value, 9) for figure in figures if figure.value is not None}
    BASELINES.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
