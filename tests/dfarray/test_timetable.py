"""The timetable against the cycle model, which it must equal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import configurations

from dfarray.configuration import shipped, with_values
from dfarray.golden.steady import mean_cycles, steady_cycles
from dfarray.latency import ACCEPT, FAMILIES, MERGE_END
from dfarray.timetable import WARM_UP, SampleWork, dense_work, event_work, sample_cycles

FAMILY = st.sampled_from(sorted(FAMILIES))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(configurations(), FAMILY)
def test_dense_samples_take_what_the_cycle_model_takes(config, family):
    # Zero activations of a hidden layer would be left out, and the timetable knows no data.
    config = with_values(config, {"array.family": family, "array.zero_skipping": False})
    assert sample_cycles(config).total == steady_cycles(config)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(configurations(), FAMILY, st.floats(0, 0.95), st.integers(0, 1000))
def test_events_take_what_the_cycle_model_takes(config, family, zeros, seed):
    inputs, classes = config.network.inputs, config.network.classes
    values = {
        "network.layers": [2 * inputs, config.network.layers[1], classes],
        "network.activation": "tanh",
        "array.family": family,
        "array.zero_skipping": True,
    }
    config = with_values(config, values)
    rng = np.random.default_rng(seed)
    x = rng.integers(1, config.formats.activation.hi + 1, (WARM_UP + 14, 2 * inputs))
    x[rng.random(x.shape) < zeros] = 0
    cycles = mean_cycles(config, x, rng.integers(0, classes, len(x)))
    assert sample_cycles(config, event_work(x)).total == cycles


@pytest.mark.parametrize("family", FAMILIES)
def test_the_cycles_add_up(family):
    config = with_values(shipped("digits"), {"array.family": family})
    cycles = sample_cycles(config)
    assert cycles.rows == config.latency.interval * sum(item.rows for item in config.passes)
    assert cycles.waiting == cycles.total - cycles.rows - cycles.activations - cycles.outputs >= 0


def test_mnist_on_75_lanes():
    cycles = sample_cycles(shipped("mnist"))
    assert (cycles.total, cycles.rows, cycles.activations, cycles.outputs) == (1595, 1570, 2, 22)


def test_the_input_stream_may_set_the_pace():
    values = {"network.layers": [200, 1, 2], "array.tiles": 1, "array.lanes": 1}
    config = with_values(shipped("digits"), values)
    assert sample_cycles(config).total == steady_cycles(config) == 2 + ACCEPT + 200 + MERGE_END


def test_a_row_is_listed_for_this_sample_and_the_one_before_the_last():
    x = np.array([[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]])
    # The third: its input 2, inputs 0 and 1 of the first; input 3 of the second takes a step, though it is not listed.
    # The fourth: input 3 of the second; steps for an event of input 0 and for input 2 of the third.
    assert event_work(x) == [SampleWork(2, 2), SampleWork(1, 3), SampleWork(3, 4), SampleWork(1, 3)]


def test_too_few_samples_are_refused():
    config = shipped("digits")
    with pytest.raises(ValueError, match=f"At least {WARM_UP + 2} samples are needed, not 9"):
        sample_cycles(config, [dense_work(config)] * 9)
