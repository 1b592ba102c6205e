"""The float reference: the output layer follows the loss's gradient, hidden layers the feedback formula."""

import numpy as np
import pytest
from accelerators import accelerator

from dfarray.feedback import feedback_matrices
from dfarray.golden.reference import FloatNetwork
from dfarray.initial_weights import initial_weights

DERIVATIVES = {
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "hard-tanh": (lambda z: np.clip(z, -1, 1), lambda z: (np.abs(z) < 1).astype(float)),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
}
ERRORS = ["softmax-cross-entropy", "mse"]


def loss(network: FloatNetwork, x, label: int) -> float:
    z = network.logits(x[None])[0]
    if network.config.network.error == "mse":
        return float(((z - np.eye(len(z))[label]) ** 2).sum() / 2)
    return float(np.log(np.exp(z).sum()) - z[label])


def learnt(config, weights, x, label: int, rate: float, **settings) -> list[np.ndarray]:
    """What one sample subtracts from the weights."""
    network = FloatNetwork(config, weights)
    network.train(x[None], [label], rate=rate, **settings)
    return [before - after for before, after in zip(weights, network.weights, strict=True)]


def random_case(activation: str, error: str, layers=(5, 7, 6, 4), nonzeros=2):
    config = accelerator(list(layers), 3, 2, nonzeros=nonzeros, activation=activation, error=error)
    rng = np.random.default_rng(3)
    weights = [rng.normal(0, 0.5, w.shape) for w in initial_weights(config)]
    x = rng.uniform(-1, 1, layers[0])
    x[0] = 0
    return config, weights, x


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("layers", [(5, 7, 6, 4), (5, 6, 4)])
def test_output_layer_descends_the_numerical_gradient(error, layers):
    config, weights, x = random_case("tanh", error, layers)
    step = 1e-6
    gradient = np.zeros_like(weights[-1])
    for index in np.ndindex(gradient.shape):
        sides = []
        for sign in (1, -1):
            moved = [w.copy() for w in weights]
            moved[-1][index] += sign * step
            sides.append(loss(FloatNetwork(config, moved), x, 2))
        gradient[index] = (sides[0] - sides[1]) / (2 * step)
    assert np.abs(learnt(config, weights, x, 2, 0.1)[-1] - 0.1 * gradient).max() < 1e-8


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("activation", DERIVATIVES)
def test_hidden_layers_follow_the_feedback_formula(activation, error):
    config, weights, x = random_case(activation, error)
    f, derivative = DERIVATIVES[activation]
    sums, inputs = [], [x]
    for w in weights:
        sums.append(w[:, 1:] @ inputs[-1] + w[:, 0])
        inputs.append(f(sums[-1]))
    z = sums[-1]
    e = (z if error == "mse" else np.exp(z) / np.exp(z).sum()) - np.eye(4)[1]
    steps = learnt(config, weights, x, 1, 0.25)
    for layer, matrix in enumerate(feedback_matrices(config)):
        delta = derivative(sums[layer]) * (matrix @ e)
        assert delta.any()
        expected = 0.25 * np.outer(delta, np.concatenate([[1], inputs[layer]]))
        assert np.allclose(steps[layer], expected, rtol=1e-12, atol=1e-15)


def test_frozen_layers_keep_their_weights():
    config, weights, x = random_case("tanh", "mse")
    free, frozen = learnt(config, weights, x, 0, 0.1), learnt(config, weights, x, 0, 0.1, freeze=(2,))
    assert not frozen[1].any()
    assert (frozen[0] == free[0]).all()
    assert (frozen[2] == free[2]).all()


def test_starts_from_the_integer_weights_and_the_registers_rate():
    config = accelerator([5, 7, 4], 3, 2)
    network = FloatNetwork(config)
    for w, codes in zip(network.weights, initial_weights(config), strict=True):
        assert (w == codes / 2**15).all()
    x = np.linspace(-1, 1, 5)
    network.train(x[None], [0])
    steps = learnt(config, [codes / 2**15 for codes in initial_weights(config)], x, 0, config.training.rate.value)
    for w, codes, step in zip(network.weights, initial_weights(config), steps, strict=True):
        assert np.allclose(w, codes / 2**15 - step, atol=1e-15)


def test_samples_are_learnt_one_by_one_in_order():
    config, weights, _ = random_case("tanh", "softmax-cross-entropy")
    rng = np.random.default_rng(0)
    x, labels = rng.uniform(-1, 1, (12, 5)), rng.integers(0, 4, 12)
    whole, single = FloatNetwork(config, weights), FloatNetwork(config, weights)
    answers = whole.train(x, labels, rate=0.3)
    for i in range(12):
        assert (single.logits(x[i : i + 1]) == answers[i]).all()
        single.train(x[i : i + 1], labels[i : i + 1], rate=0.3)
    assert all((a == b).all() for a, b in zip(whole.weights, single.weights, strict=True))
    assert (whole.predict(x) == whole.logits(x).argmax(axis=1)).all()


def test_refuses_shapes_that_do_not_fit():
    config, weights, x = random_case("tanh", "mse")
    with pytest.raises(ValueError, match="shapes"):
        FloatNetwork(config, weights[1:])
    with pytest.raises(ValueError, match=r"shape \(samples, 5\)"):
        FloatNetwork(config).predict(x)
    with pytest.raises(ValueError, match=r"labels must have shape \(1,\)"):
        FloatNetwork(config).train(x[None], [0, 1])
