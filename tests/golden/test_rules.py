"""Each rule's gradient against an independent source, and the networks they train."""

import numpy as np
import pytest

from dfarray.configuration import Activation
from dfarray.golden.draws import Draw, Start, feedback_of, first_weights
from dfarray.golden.learner import Learner, angle, cross_entropy, softmax
from dfarray.golden.rules import Rule

LAYERS = (7, 6, 5, 4)
DIRECT = [rule for rule in Rule if rule.direct]


def problem(samples=9, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (samples, LAYERS[0])), rng.integers(0, LAYERS[-1], samples)


def learner(rule, activation=Activation.TANH, layers=LAYERS, **options):
    rng = np.random.default_rng(3)
    weights = first_weights(Start.GLOROT, layers, rng)
    for layer in weights:
        layer[:, 0] = rng.uniform(-0.3, 0.3, len(layer))
    return Learner(weights, rule, feedback_of(rule, layers, rng, **options), activation)


@pytest.mark.parametrize("activation", Activation)
def test_backpropagation_is_the_numerical_derivative(activation):
    """Central differences of the mean cross-entropy, weight by weight."""
    network, (x, labels) = learner(Rule.BACKPROPAGATION, activation), problem()
    step = 1e-6
    for weight, gradient in zip(network.weights, network.gradients(x, labels), strict=True):
        for index in np.ndindex(weight.shape):
            kept = weight[index]
            weight[index] = kept + step
            above = cross_entropy(network.forward(x)[0][-1], labels)
            weight[index] = kept - step
            below = cross_entropy(network.forward(x)[0][-1], labels)
            weight[index] = kept
            assert gradient[index] == pytest.approx((above - below) / (2 * step), abs=1e-8), index


@pytest.mark.parametrize("rule", DIRECT)
@pytest.mark.parametrize("activation", Activation)
def test_direct_rules_follow_their_formula_sample_by_sample(rule, activation):
    """dw[j, i] = a_{l-1}[i] f'(a_l[j]) sum_c B_l[j, c] t[c]: the sum written out, in scalars."""
    network, (x, labels) = learner(rule, activation, nonzeros=2), problem()
    slope = {
        Activation.TANH: lambda z: 1 / np.cosh(z) ** 2,
        Activation.HARD_TANH: lambda z: float(-1 < z < 1),
        Activation.RELU: lambda z: float(z > 0),
    }[activation]
    value = {
        Activation.TANH: np.tanh,
        Activation.HARD_TANH: lambda z: max(-1.0, min(1.0, z)),
        Activation.RELU: lambda z: max(0.0, z),
    }[activation]
    expected = [np.zeros_like(weight) for weight in network.weights]
    for sample, label in zip(x, labels, strict=True):
        sources, slopes, below = [], [], [float(v) for v in sample]
        for weight in network.weights:
            sources.append([1.0, *below])
            z = [sum(w * a for w, a in zip(row, sources[-1], strict=True)) for row in weight]
            slopes.append([slope(v) for v in z])
            below, logits = [float(value(v)) for v in z], z
        total = sum(np.exp(v) for v in logits)
        target = [float(c == label) for c in range(LAYERS[-1])]
        error = [np.exp(v) / total - y for v, y in zip(logits, target, strict=True)]
        told = error
        if rule is Rule.DRTP:
            told = [-y for y in target]
        if rule is Rule.SIGN_DFA:
            told = [1.0 if e > 0 else -1.0 for e in error]
        for layer, gradient in enumerate(expected):
            for j, i in np.ndindex(gradient.shape):
                if layer == len(expected) - 1:
                    delta = error[j]
                else:
                    b = network.feedback[layer][j]
                    delta = slopes[layer][j] * sum(b[c] * told[c] for c in range(LAYERS[-1]))
                gradient[j, i] += delta * sources[layer][i] / len(x)
    for found, wanted in zip(network.gradients(x, labels), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-14)


def test_feedback_alignment_is_backpropagation_through_other_weights():
    """With R_{l+1} = W_{l+1} the two are one rule; with another R the hidden deltas are those of that R."""
    rng, (x, labels) = np.random.default_rng(5), problem()
    weights = first_weights(Start.GLOROT, LAYERS, rng)
    same = Learner(weights, Rule.FEEDBACK_ALIGNMENT, [w[:, 1:].copy() for w in weights[1:]])
    for a, b in zip(same.gradients(x, labels), same.gradients(x, labels, Rule.BACKPROPAGATION), strict=True):
        np.testing.assert_array_equal(a, b)
    other = Learner(weights, Rule.FEEDBACK_ALIGNMENT, feedback_of(Rule.FEEDBACK_ALIGNMENT, LAYERS, rng))
    activations, slopes = other.forward(x)
    delta = (
        (softmax(activations[-1]) - np.eye(4)[labels]) @ other.feedback[1] * slopes[1] @ other.feedback[0] * slopes[0]
    )
    np.testing.assert_allclose(other.gradients(x, labels)[0][:, 1:], delta.T @ x / len(x), rtol=1e-12)


@pytest.mark.parametrize("draw", Draw)
def test_sparse_with_every_class_is_dense(draw):
    x, labels = problem()
    dense, sparse = learner(Rule.DFA, draw=draw), learner(Rule.SPARSE_DFA, draw=draw, nonzeros=LAYERS[-1])
    for network in (dense, sparse):
        network.train(x, labels, rate=0.1, batch=4)
    for a, b in zip(dense.weights, sparse.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_rules_differ_in_hidden_layers_only():
    x, labels = problem()
    gradients = {rule: learner(rule).gradients(x, labels) for rule in Rule}
    for rule, found in gradients.items():
        np.testing.assert_array_equal(found[-1], gradients[Rule.BACKPROPAGATION][-1])
        assert rule is Rule.BACKPROPAGATION or (found[0] != gradients[Rule.BACKPROPAGATION][0]).any()


@pytest.mark.parametrize("rule", Rule)
def test_every_rule_learns_three_clusters(rule):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    x = np.eye(3)[labels].repeat(4, axis=1) + 0.3 * rng.standard_normal((300, 12))
    network = learner(rule, layers=(12, 20, 20, 3))
    before = network.accuracy(x, labels)
    for _ in range(5):
        network.train(x, labels, rate=0.05, batch=10)
    assert network.accuracy(x, labels) > 0.97 > before


def test_the_last_batch_may_be_smaller_and_order_matters():
    x, labels = problem(10)
    one, two = learner(Rule.SPARSE_DFA), learner(Rule.SPARSE_DFA)
    one.train(x, labels, rate=0.1, batch=4)
    for start, end in ((0, 4), (4, 8), (8, 10)):
        two.train(x[start:end], labels[start:end], rate=0.1, batch=100)
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_feedback_of_another_shape_is_refused():
    weights = first_weights(Start.ZERO, LAYERS, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"feedback of dfa must have the shapes \[\(6, 4\), \(5, 4\)\], not \[\]"):
        Learner(weights, Rule.DFA, [])


def test_angles():
    a = [np.array([[1.0, 0.0]]), np.array([[0.0]])]
    assert angle(a, a) == pytest.approx(0)
    assert angle(a, [np.array([[1.0, 1.0]]), np.array([[0.0]])]) == pytest.approx(45)
    assert angle(a, [-a[0], a[1]]) == pytest.approx(180)
    assert angle(a, [0 * a[0], a[1]]) == 90
