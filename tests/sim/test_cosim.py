"""RTL against golden model, every signal in every cycle, for shapes of every kind and under both simulators."""

import numpy as np
import pytest
from accelerators import accelerator
from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from strategies import configurations, stimulus

from dfarray.learning_rate import LearningRate
from dfarray.sim.cosim import cosimulate
from dfarray.sim.job import Phase

SHAPES = {
    "three hidden layers, widths not multiples of the lanes": accelerator([5, 7, 11, 6, 3], 4, 2, nonzeros=2),
    "one lane": accelerator([6, 5, 3], 1, 1, rounding="stochastic"),
    "one tile of many lanes": accelerator([6, 9, 4], 1, 7, activation="relu"),
    "more tiles than neurons": accelerator([4, 3, 2], 9, 2, activation="hard-tanh"),
    "fan-in one": accelerator([1, 1, 2], 2, 2),
    "no hidden layer": accelerator([7, 3], 3, 1, error="softmax-cross-entropy"),
    "two classes": accelerator([5, 6, 2], 3, 2, error="softmax-cross-entropy", rounding="stochastic"),
    "a hundred classes, dense feedback": accelerator(
        [3, 8, 100], 8, 1, nonzeros=100, error="softmax-cross-entropy", activation="relu"
    ),
    "a saturating accumulator": accelerator([8, 6, 3], 3, 2, formats={"accumulator": "Q0.23", "weight": "Q1.15"}),
    "coarse formats": accelerator(
        [6, 6, 3],
        3,
        2,
        rounding="stochastic",
        formats={"weight": "Q1.6", "activation": "Q1.4", "delta": "Q0.9", "preactivation": "Q1.6"},
    ),
}


def check(config, simulator, directory, *, samples=7, gaps=0, load=False, freeze=0, seed=0):
    """Train, infer, train with another rate: no signal may differ, and everything must have been compared."""
    x, labels, rate = stimulus(config, samples + 2, seed)
    phases = (
        Phase(samples - 3, True, config.training.rate),
        Phase(2, False, config.training.rate),
        Phase(3, True, rate, freeze & ((1 << (len(config.network.layers) - 1)) - 1)),
    )
    report = cosimulate(
        config,
        x,
        labels,
        directory=directory,
        phases=phases,
        simulator=simulator,
        load_weights=load,
        gaps={"sample_gaps": gaps, "result_gaps": gaps, "weight_gaps": gaps},
    ).report
    assert report.first_mismatch is None, f"{report.described_mismatch}; {config.model_dump_json()}"
    assert report.mismatches == 0
    assert report.samples == samples + 2
    assert report.cycles_checked > 0.9 * report.cycles
    assert report.weights_compared == config.network.synapses + sum(config.network.layers[1:])


@pytest.mark.parametrize("name", SHAPES)
def test_shape(name, fast_simulator, tmp_path):
    check(SHAPES[name], fast_simulator, tmp_path, gaps=60 if "lane" in name else 0, load="tile" in name, freeze=1)


def test_both_simulators(simulator, tmp_path):
    config = SHAPES["three hidden layers, widths not multiples of the lanes"]
    check(config, simulator, tmp_path, gaps=40, load=True, freeze=0b1010)


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    # A build takes seconds: a failing example is reported as found, not shrunk.
    phases=[Stage.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    config=configurations(),
    seed=st.integers(0, 1000),
    gaps=st.integers(0, 150),
    load=st.booleans(),
    freeze=st.integers(0, 15),
)
def test_random_accelerator(config, seed, gaps, load, freeze, fast_simulator, tmp_path_factory):
    directory = tmp_path_factory.mktemp("random")
    check(config, fast_simulator, directory, seed=seed, gaps=gaps, load=load, freeze=freeze)


def test_extreme_rates(fast_simulator, tmp_path):
    """The largest learning rate drives weights, deltas and logits into saturation; zero changes nothing."""
    config = accelerator([5, 6, 2], 3, 2, rounding="stochastic", formats={"weight": "Q0.13", "delta": "Q1.13"})
    x, labels, _ = stimulus(config, 9, 3)
    phases = (Phase(6, True, LearningRate(255, 0)), Phase(3, True, LearningRate(0, 0)))
    outcome = cosimulate(config, x, labels, directory=tmp_path, phases=phases, simulator=fast_simulator)
    assert outcome.report.mismatches == 0, outcome.report.described_mismatch
    limits = config.formats.weight
    assert any(np.isin(w, (limits.lo, limits.hi)).any() for w in outcome.weights), "nothing saturated"
