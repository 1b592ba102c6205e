"""The utilisation that docs/architecture.md section 6 promises, counted in the cycle model; exact: none gets lost."""

import numpy as np
import pytest
from accelerators import accelerator

from dfarray.configuration import shipped, with_values
from dfarray.golden.steady import SETTLED, mean_cycles, steady_cycles


def paper_cycles(config) -> int:
    """Section 6: every slot's rows and its ACTIVATE, every group's output rows and its gram."""
    slots = sum(item.rows + 1 for item in config.passes)
    return slots + len(config.output_groups) * (config.network.classes + 1)


@pytest.mark.parametrize(
    ("layers", "tiles", "lanes", "cycles", "promised"),
    [
        ([784, 150, 10], 15, 5, 1595, 0.95),
        ([784, 100, 10], 10, 5, 1595, 0.90),
        # Fewer rows than the latency from one sample's activations to the next one's corrections.
        ([64, 60, 10], 6, 5, 163, 0.907),
    ],
)
def test_dense_rows(layers, tiles, lanes, cycles, promised):
    config = with_values(
        shipped("mnist"),
        {"network.layers": layers, "array.tiles": tiles, "array.lanes": lanes, "array.bank_rows": 2048},
    )
    counted = steady_cycles(config)
    assert counted == cycles
    if layers[0] == 784:
        assert counted - paper_cycles(config) in (0, 1)
    assert config.utilisation(counted) >= promised


def sparse_images(rng, samples: int, inputs: int) -> np.ndarray:
    """Like MNIST: a fifth of the inputs, most of them the same ones in every image."""
    place = np.arange(inputs)
    likely = np.clip(0.75 - np.abs(place % 28 - 14) / 14, 0, 1) * (np.abs(place // 28 - 14) < 11)
    return np.where(rng.random((samples, inputs)) < likely, rng.integers(1, 256, (samples, inputs)), 0)


def test_zero_skipping_saves_the_rows_of_zeros():
    """A row is sent if the input is nonzero in this sample or in the one before the last; the host sends events."""
    config = with_values(shipped("mnist"), {"array.zero_skipping": True})
    rng = np.random.default_rng(7)
    x = sparse_images(rng, SETTLED + 12, config.network.inputs)
    assert 0.15 < (x != 0).mean() < 0.25
    sent = ((x[2:] != 0) | (x[:-2] != 0)).sum(axis=1)
    slots, groups = len(config.passes), len(config.output_groups)
    assert (slots, groups) == (2, 2)
    expected = slots * (sent + 2) + groups * (config.network.classes + 1)
    cycles = mean_cycles(config, x, rng.integers(0, 10, len(x)))
    # The last sample's sweep only starts; starts are one cycle later here and there.
    assert 0 <= cycles - expected[SETTLED - 2 : -1].mean() <= 1
    assert cycles < 0.4 * steady_cycles(config)
    # Useful are the products of rows that are sent, forward and update.
    useful = 2 * (sent[SETTLED - 2 : -1].mean() * 150 + 150 * 10)
    assert useful / (2 * 75 * cycles) > 0.95


def test_an_iteration_interval_of_two_halves_it():
    """A row more takes twice as long; what a small family waits for between slots does not depend on their rows."""
    cycles = {
        (inputs, family): steady_cycles(accelerator([inputs, 30, 5], 5, 3, family=family))
        for inputs in (400, 500)
        for family in ("generic", "ice40up5k")
    }
    more = {family: cycles[500, family] - cycles[400, family] for family in ("generic", "ice40up5k")}
    assert more["generic"] == 100 * 2  # Two slots.
    assert more["ice40up5k"] == 2 * more["generic"]
