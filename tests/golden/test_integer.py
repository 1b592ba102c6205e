"""The integer model against the specification in plain Python integers, bit for bit, and against float accuracy."""

import tomllib
from importlib.resources import files

import numpy as np
import pytest
from accelerators import accelerator
from hypothesis import event, given, settings
from hypothesis import strategies as st
from real_data import real_dataset
from specified_machine import SpecifiedMachine
from strategies import configurations, stimulus

from dfarray.configuration import Configuration, parse_configuration
from dfarray.golden import compilation, integer
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import load_dataset
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.presentation import sample_order
from dfarray.golden.reference import FloatNetwork
from dfarray.initial_weights import initial_weights


def shipped(name: str, **training) -> Configuration:
    table = tomllib.loads(files("dfarray").joinpath("configs", f"{name}.toml").read_text(encoding="utf-8"))
    table["training"].update(training)
    return parse_configuration(table)


def wide_random_weights(config: Configuration, seed: int) -> list[np.ndarray]:
    """Weights over the whole format, so that sums, activations and updates saturate."""
    rng, fmt = np.random.default_rng(seed), config.formats.weight
    return [rng.integers(fmt.lo, fmt.hi + 1, w.shape, dtype=np.int32) for w in initial_weights(config)]


def assert_same_as_specified(config: Configuration, weights, seed: int, frozen: tuple[int, ...] = ()) -> None:
    """Train, infer, train at another rate with frozen layers: logits, weights and noise must be the same bits."""
    x, labels, rate = stimulus(config, 9, seed)
    network, machine = IntegerNetwork(config, weights), SpecifiedMachine(config, weights)
    first = config.training.rate
    logits = [network.train(x[:4], labels[:4]), network.logits(x[4:5])]
    logits.append(network.train(x[5:], labels[5:], rate=rate, freeze=frozen))
    expected = [machine.sample(v, y, train=True, rate=first) for v, y in zip(x[:4], labels[:4], strict=True)]
    expected.append(machine.sample(x[4], 0, train=False, rate=first))
    expected += [
        machine.sample(v, y, train=True, rate=rate, frozen=frozen) for v, y in zip(x[5:], labels[5:], strict=True)
    ]
    machine.flush()
    assert np.concatenate(logits).tolist() == expected
    assert [w.tolist() for w in network.weights] == machine.weights
    assert network.noise_state == machine.state


@given(st.data(), st.integers(0, 2**32 - 1))
@settings(max_examples=80, deadline=None)
def test_any_configuration_is_as_specified(data, seed):
    config = data.draw(configurations())
    layers = range(1, len(config.network.layers))
    frozen = tuple(data.draw(st.lists(st.sampled_from(layers), unique=True)))
    weights = wide_random_weights(config, seed) if data.draw(st.booleans()) else initial_weights(config)
    event(f"saturating accumulator: {config.accumulator_saturates}")
    assert_same_as_specified(config, weights, seed, frozen)


# Of the first two nothing fits in 32 bits, of the last all but the updates.
WIDE_FORMATS = [
    {"weight": "Q2.24", "activation": "Q0.12", "preactivation": "Q2.10", "logit": "Q8.10", "error": "Q1.24"}
    | {"delta": "Q0.31", "accumulator": accumulator}
    for accumulator in ("auto", "Q3.36")
] + [{"delta": "Q0.24"}]


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
@pytest.mark.parametrize("formats", WIDE_FORMATS, ids=["exact", "saturating", "updates"])
@pytest.mark.parametrize("seed", range(4))
def test_formats_beyond_32_bit_products_are_as_specified(rounding, formats, seed):
    config = accelerator([7, 9, 3], 2, 3, nonzeros=2, rounding=rounding, formats=formats)
    assert_same_as_specified(config, wide_random_weights(config, seed), seed)


def test_sums_that_need_more_than_32_bits_are_as_specified():
    """63 products of 18-bit weights and 9-bit activations fit in 32 bits, 64 do not, and 127 wrap to below zero."""
    config = accelerator([127, 4, 3], 2, 2)
    formats = config.formats
    product = formats.weight.lo * formats.activation.lo
    assert 63 * product < 2**31 == 64 * product
    weights = [np.full_like(w, formats.weight.lo) for w in initial_weights(config)]
    for w in weights:
        w[:, 0] = 0
    x = np.full((1, 127), formats.activation.lo, dtype=np.int16)
    machine = SpecifiedMachine(config, weights)
    expected = machine.sample(x[0], 0, train=True, rate=config.training.rate)
    machine.flush()
    network = IntegerNetwork(config, weights)
    assert network.train(x, [0]).tolist() == [expected]
    assert [w.tolist() for w in network.weights] == machine.weights


def test_narrow_accumulator_saturates_in_row_order():
    config = accelerator([2, 2], 1, 1, formats={"weight": "Q0.6", "activation": "Q0.4", "accumulator": "Q0.10"})
    # Rows: bias 0, then 60 * 15 twice: saturates at 1023; then the other way round it ends elsewhere.
    weights = [np.array([[0, 63, -64], [63, 63, -64]], dtype=np.int32)]
    network = IntegerNetwork(config, weights)
    x = np.array([[15, 15]], dtype=np.int16)
    # Second neuron: 63*15 = 945, + 945 saturates at 1023, - 960 = 63. First: 945 - 960 = -15. Logits drop 4 bits.
    assert network.logits(x).tolist() == [[(-15 + 8) >> 4, (63 + 8) >> 4]]


def test_of_equal_logits_the_lowest_class_is_predicted():
    config = accelerator([2, 4], 2, 1)
    weights = [np.array([[0, 0, 0], [9000, 0, 0], [0, 9000, 0], [9000, 0, 0]], dtype=np.int32)]
    assert IntegerNetwork(config, weights).predict(np.array([[0, 0], [255, 0]])).tolist() == [1, 1]


def test_portions_do_not_show(monkeypatch):
    config = accelerator([6, 5, 3], 2, 2, rounding="stochastic")
    x, labels, _ = stimulus(config, 50, 0)
    whole = IntegerNetwork(config)
    expected = whole.train(x, labels)
    monkeypatch.setattr(integer, "PORTION", 20)
    done = []
    parts = IntegerNetwork(config)
    assert (parts.train(x, labels, progress=done.append) == expected).all()
    assert done == [20, 40, 50]
    assert all((a == b).all() for a, b in zip(parts.weights, whole.weights, strict=True))


def test_weights_and_noise_state_are_all_there_is_to_save():
    config = accelerator([6, 5, 3], 2, 2, rounding="stochastic")
    x, labels, _ = stimulus(config, 40, 1)
    network = IntegerNetwork(config)
    network.train(x[:20], labels[:20])
    resumed = IntegerNetwork(config, network.weights)
    resumed.noise_state = network.noise_state
    assert (resumed.train(x[20:], labels[20:]) == network.train(x[20:], labels[20:])).all()
    assert all((a == b).all() for a, b in zip(resumed.weights, network.weights, strict=True))


def test_inference_learns_nothing_and_weights_are_copies():
    config = accelerator([6, 5, 3], 2, 2)
    x, _, _ = stimulus(config, 10, 2)
    network = IntegerNetwork(config)
    before = network.weights
    network.predict(x)
    network.weights[0][:] = 7
    assert all((a == b).all() for a, b in zip(network.weights, before, strict=True))
    assert network.noise_state == config.training.seed


def test_frozen_layers_keep_their_weights_and_noise_advances():
    config = accelerator([6, 5, 4, 3], 2, 2, rounding="stochastic")
    x, labels, _ = stimulus(config, 10, 3)
    network, free = IntegerNetwork(config), IntegerNetwork(config)
    before = network.weights
    network.train(x, labels, freeze=(1, 3))
    free.train(x, labels)
    assert [bool((a == b).all()) for a, b in zip(network.weights, before, strict=True)] == [True, False, True]
    assert network.noise_state == free.noise_state != config.training.seed


def test_label_beyond_the_classes_has_no_target():
    config = accelerator([2, 3], 3, 1, error="mse")
    network = IntegerNetwork(config, [np.zeros((3, 3), dtype=np.int32)])
    network.train(np.array([[255, 0]]), [3])
    assert not network.weights[0].any()


@pytest.mark.parametrize(
    ("x", "labels", "freeze", "message"),
    [
        (np.zeros((2, 5), dtype=int), [0, 0], (), r"shape \(samples, 6\), not \(2, 5\)"),
        (np.zeros((2, 6)), [0, 0], (), "integer activation codes"),
        (np.full((2, 6), 256), [0, 0], (), r"-256 to 255 \(Q0.8\), not 256"),
        (np.zeros((2, 6), dtype=int), [0], (), r"labels must have shape \(2,\)"),
        (np.zeros((2, 6), dtype=int), [0, -1], (), "labels must be 0 or more, not -1"),
        (np.zeros((2, 6), dtype=int), [0, 0], (3,), r"layers 1 to 2, not \(3,\)"),
    ],
)
def test_refuses(x, labels, freeze, message):
    with pytest.raises(ValueError, match=message):
        IntegerNetwork(accelerator([6, 5, 3], 2, 2)).train(x, labels, freeze=freeze)


def test_refuses_weights_that_do_not_fit():
    config = accelerator([6, 5, 3], 2, 2)
    with pytest.raises(ValueError, match="shapes"):
        IntegerNetwork(config, initial_weights(config)[:1])
    with pytest.raises(ValueError, match=r"layer 2 must be -131072 to 131071 \(Q2.15\)"):
        IntegerNetwork(config, [initial_weights(config)[0], np.full((3, 6), 1 << 17)])


def test_compiles_where_no_cache_can_be_written(monkeypatch):
    def njit(cache=False, nogil=False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: (function, nogil)

    monkeypatch.setattr(compilation, "njit", njit)
    assert compilation.compiled(abs) == (abs, True)


def test_digits_are_learnt_as_well_as_in_float():
    dataset = load_dataset("digits")
    scores = []
    for seed in (1, 2, 3):
        config = shipped("digits", seed=seed)
        x, test_x = quantize_inputs(config, dataset.train_x), quantize_inputs(config, dataset.test_x)
        network, reference = IntegerNetwork(config), FloatNetwork(config)
        for epoch in range(1, config.training.epochs + 1):
            order = sample_order(config, epoch, len(x))
            network.train(x[order], dataset.train_y[order])
            reference.train(dataset.train_x[order], dataset.train_y[order])
        answers = network.predict(test_x), reference.predict(dataset.test_x)
        scores.append([(answer == dataset.test_y).mean() for answer in answers])
    in_integers, in_float = np.mean(scores, axis=0)
    assert in_integers >= 0.955
    assert abs(in_integers - in_float) <= 0.01


@pytest.mark.tools
@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_mnist_in_one_epoch(rounding):
    dataset = real_dataset("mnist")
    config = shipped("mnist", rounding=rounding)
    network = IntegerNetwork(config)
    order = sample_order(config, 1, len(dataset.train_x))
    network.train(quantize_inputs(config, dataset.train_x)[order], dataset.train_y[order])
    accuracy = (network.predict(quantize_inputs(config, dataset.test_x)) == dataset.test_y).mean()
    assert accuracy >= 0.93
