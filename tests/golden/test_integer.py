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
from dfarray.feedback import routes
from dfarray.golden import compilation, integer
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import load_dataset
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.presentation import sample_order
from dfarray.golden.reference import FloatNetwork
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate


def shipped(name: str, **training) -> Configuration:
    table = tomllib.loads(files("dfarray").joinpath("configs", f"{name}.toml").read_text(encoding="utf-8"))
    table["training"].update(training)
    return parse_configuration(table)


def wide_random_weights(config: Configuration, seed: int) -> list[np.ndarray]:
    """Weights over the whole format, so that sums, activations and updates saturate."""
    rng, fmt = np.random.default_rng(seed), config.formats.weight
    return [rng.integers(fmt.lo, fmt.hi + 1, w.shape, dtype=np.int32) for w in initial_weights(config)]


def assert_same_as_specified(config: Configuration, weights, seed: int, phases=None) -> None:
    """Train, infer and flush in any order: logits, weights and noise must be the same bits.

    A phase is (samples, frozen layers, whether at the configured rate) to train, a number of samples to infer, or None
    to flush.
    """
    phases = phases or [(4, (), True), 1, (4, (), False)]
    x, labels, other = stimulus(config, 40, seed)
    network, machine = IntegerNetwork(config, weights), SpecifiedMachine(config, weights)
    done = 0
    for phase in phases:
        if phase is None:
            network.flush()
            machine.flush()
            continue
        samples, frozen, configured = (phase, (), True) if isinstance(phase, int) else phase
        rate, train = config.training.rate if configured else other, not isinstance(phase, int)
        part = slice(done, done + samples)
        done += samples
        logits = network.train(x[part], labels[part], rate=rate, freeze=frozen) if train else network.logits(x[part])
        assert logits.tolist() == [
            machine.sample(v, y, train=train, rate=rate, frozen=frozen)
            for v, y in zip(x[part], labels[part], strict=True)
        ]
    found = network.weights
    network.flush()
    machine.flush()
    assert [w.tolist() for w in found] == [w.tolist() for w in network.weights] == machine.weights
    assert network.noise_state == machine.state


def phases_of(config: Configuration):
    layers = st.sampled_from(range(1, len(config.network.layers)))
    train = st.tuples(st.integers(1, 4), st.lists(layers, unique=True).map(tuple), st.booleans())
    return st.lists(st.one_of(train, train, st.integers(1, 3), st.none()), min_size=1, max_size=6)


@given(st.data(), st.integers(0, 2**32 - 1))
@settings(max_examples=120, deadline=None)
def test_any_configuration_is_as_specified(data, seed):
    config = data.draw(configurations())
    weights = wide_random_weights(config, seed) if data.draw(st.booleans()) else initial_weights(config)
    event(f"saturating accumulator: {config.accumulator_saturates}")
    event(f"correction shifted: {'right' if config.correction_shift > 0 else 'left'}")
    assert_same_as_specified(config, weights, seed, data.draw(phases_of(config)))


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


def test_narrow_accumulator_saturates_in_row_order_and_output_sums_are_exact():
    formats = {"weight": "Q0.6", "activation": "Q0.4", "accumulator": "Q0.10"}
    config = accelerator([2, 2, 2], 1, 2, activation="relu", formats=formats)
    hidden = np.array([[63, 63, -64], [63, 63, 0]], dtype=np.int32)
    output = np.array([[0, 63, 0], [63, 0, 63]], dtype=np.int32)
    network = IntegerNetwork(config, [hidden, output])
    # First neuron: 63*15 = 945, + 945 saturates at 1023, - 960 = 63: z = 63/16 = 4, a = 4/4 = 1; exactly it is 15.
    # Second: saturates at 1023: z = 64, a = 15. Class 0: 63*1 = 63; class 1: 945 + 945 = 1890, beyond the accumulator.
    assert network.logits(np.array([[15, 15]])).tolist() == [[(63 + 8) >> 4, (1890 + 8) >> 4]]


def test_the_latest_update_is_a_correction_by_hand():
    config = accelerator([2, 1, 2], 1, 1, activation="hard-tanh", formats={"gram": "Q2.4"})
    assert (config.formats.activation.one, config.formats.weight.one, config.correction_shift) == (255, 1 << 15, -2)
    # The neuron takes half the first input; the classes take the activation and its negative.
    weights = [np.array([[0, 1 << 14, 0]]), np.array([[0, 1 << 15], [0, -(1 << 15)]])]
    network, rate, (route,) = IntegerNetwork(config, weights), LearningRate(1, 2), routes(config)

    # z = 2^14 128 / 2^17 = 16, a = 4 z = 64, logits +-2^15 64 / 2^17 = +-16.
    assert network.train(np.array([[128, 0]]), [0], rate=rate).tolist() == [[16, -16]]
    # e = (2^15 / 4 - 2^15, -2^15 / 4); g = e / 4, with two more fraction bits. f' is 1, and one class feeds the neuron.
    g = [-24576, -8192]
    delta = route.lane_signs[0] * g[route.classes[0]]
    pending = network.pending
    assert pending is not None
    assert [part.tolist() for part in pending.activations] == [[128, 0], [64]]
    assert [part.tolist() for part in pending.deltas] == [[delta], g]
    assert [w.tolist() for w in network.unflushed_weights] == [w.tolist() for w in weights]

    # gram = (128^2 + 255^2) / 2^12 = 19.9, rounded 20; the sum without the correction is 2^21 again.
    z = (2**21 - 4 * delta * 20 + 2**16) >> 17
    a = max(-255, min(255, 4 * z))
    gram = (64 * a + 255**2 + 2**11) >> 12
    sums = [2**15 * a - 4 * g[0] * gram, -(2**15) * a - 4 * g[1] * gram]
    logits = network.train(np.array([[128, 64]]), [0], rate=rate)
    assert logits.tolist() == [[(v + 2**16) >> 17 for v in sums]]
    # By then the first update has been applied: delta x / 2^10, here without a rest.
    steps = [delta * 255 / 2**10, delta * 128 / 2**10]
    assert network.unflushed_weights[0].tolist() == [[-steps[0], 2**14 - steps[1], 0]]
    outputs = [[-g[0] * 255 / 2**10, 2**15 - g[0] / 16], [-g[1] * 255 / 2**10, -(2**15) - g[1] / 16]]
    assert network.unflushed_weights[1].tolist() == outputs


def test_of_equal_logits_the_lowest_class_is_predicted():
    config = accelerator([2, 1, 4], 2, 1)
    weights = [np.zeros((1, 3), dtype=np.int32), np.array([[0, 0], [9000, 0], [0, 0], [9000, 0]], dtype=np.int32)]
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


def test_state_can_be_saved_between_any_two_samples():
    config = accelerator([6, 5, 4, 3], 2, 2, rounding="stochastic")
    x, labels, _ = stimulus(config, 40, 1)
    network = IntegerNetwork(config)
    network.train(x[:20], labels[:20], freeze=(2,))
    resumed = IntegerNetwork(config)
    resumed.unflushed_weights, resumed.noise_state = network.unflushed_weights, network.noise_state
    resumed.pending = network.pending
    assert (resumed.train(x[20:], labels[20:]) == network.train(x[20:], labels[20:])).all()
    assert all((a == b).all() for a, b in zip(resumed.weights, network.weights, strict=True))


def test_after_a_flush_weights_and_noise_state_are_all_there_is_to_save():
    config = accelerator([6, 5, 3], 2, 2, rounding="stochastic")
    x, labels, _ = stimulus(config, 40, 1)
    network = IntegerNetwork(config)
    network.train(x[:20], labels[:20])
    network.flush()
    assert network.pending is None
    resumed = IntegerNetwork(config, network.weights)
    resumed.noise_state = network.noise_state
    assert (resumed.train(x[20:], labels[20:]) == network.train(x[20:], labels[20:])).all()
    assert all((a == b).all() for a, b in zip(resumed.weights, network.weights, strict=True))


def test_looking_at_weights_changes_nothing():
    config = accelerator([6, 5, 3], 2, 2, rounding="stochastic")
    x, labels, _ = stimulus(config, 40, 4)
    watched, alone = IntegerNetwork(config), IntegerNetwork(config)
    for v, label in zip(x, labels, strict=True):
        assert (watched.train(v[None], [label]) == alone.train(v[None], [label])).all()
        watched.weights  # noqa: B018 - the property is what is tested
    assert all((a == b).all() for a, b in zip(watched.weights, alone.weights, strict=True))
    assert watched.noise_state == alone.noise_state


def test_assigned_weights_know_of_no_update():
    config = accelerator([6, 5, 3], 2, 2)
    x, labels, _ = stimulus(config, 5, 5)
    network = IntegerNetwork(config)
    network.train(x, labels)
    network.weights = initial_weights(config)
    assert network.pending is None
    assert all((a == b).all() for a, b in zip(network.weights, initial_weights(config), strict=True))


@pytest.mark.parametrize("layers", [[6, 5, 3], [6, 7, 5, 3]])
def test_in_fine_formats_it_is_online_learning_without_staleness(layers):
    """The correction is what waiting for the update would give: float64 SGD differs by roundings alone."""
    fine = {"weight": "Q2.24", "activation": "Q0.13", "preactivation": "Q2.10", "logit": "Q8.10", "error": "Q1.24"}
    config = accelerator(
        layers, 3, 2, error="softmax-cross-entropy", formats=fine | {"delta": "Q0.31", "gram": "Q3.20"}
    )
    rng = np.random.default_rng(8)
    x, labels = rng.uniform(-0.9, 0.9, (200, layers[0])), rng.integers(0, 3, 200)
    network, reference = IntegerNetwork(config), FloatNetwork(config)
    network.train(quantize_inputs(config, x), labels)
    reference.train(x, labels)
    scale = 2.0**config.formats.weight.fraction_bits
    for first, found, expected in zip(initial_weights(config), network.weights, reference.weights, strict=True):
        moved = np.abs(expected - first / scale).max()
        assert moved > 0.3
        assert np.abs(found / scale - expected).max() < 0.02 * moved


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
    network.flush()
    free.flush()
    assert [bool((a == b).all()) for a, b in zip(network.weights, before, strict=True)] == [True, False, True]
    assert network.noise_state == free.noise_state != config.training.seed


def test_label_beyond_the_classes_has_no_target():
    config = accelerator([2, 1, 3], 3, 1, error="mse")
    network = IntegerNetwork(config, [np.zeros((1, 3), dtype=np.int32), np.zeros((3, 2), dtype=np.int32)])
    network.train(np.array([[255, 0]]), [3])
    assert not any(layer.any() for layer in network.weights)


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
