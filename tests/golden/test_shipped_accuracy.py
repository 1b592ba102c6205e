"""The accuracies that the shipped configurations promise: final epoch, mean of three seeds, in the integer model."""

from statistics import mean

import pytest
from real_data import real_dataset

from dfarray.configuration import shipped, with_values
from dfarray.golden.experiments.runs import MachineRun, execute

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


def final_accuracies(name: str, data: str, *, integer: bool = True) -> list[float]:
    real_dataset(data)
    seeds = ({"training.seed": seed, "feedback.seed": seed} for seed in (1, 2, 3))
    runs = [MachineRun(data, with_values(shipped(name), values), integer) for values in seeds]
    return [execute(run).test_accuracy[-1] for run in runs]


@pytest.mark.parametrize(
    ("name", "data", "promised"),
    [("mnist", "mnist", 0.98), ("fashion-mnist", "fashion-mnist", 0.885), ("icebreaker", "mnist", 0.955)],
)
def test_integer_accuracy(name, data, promised):
    found = final_accuracies(name, data)
    assert mean(found) >= promised
    assert found[0] >= promised, "the shipped seed"


@pytest.mark.parametrize(("name", "data"), [("mnist", "mnist"), ("fashion-mnist", "fashion-mnist")])
def test_integer_is_as_good_as_float(name, data):
    integer, floating = (mean(final_accuracies(name, data, integer=kind)) for kind in (True, False))
    assert integer >= floating - 0.002
