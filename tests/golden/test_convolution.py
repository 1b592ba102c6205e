"""Gradients of convolutional networks: numerical derivatives, the formula in loops, and the fully connected learner."""

import sys

import numpy as np
import pytest

from dfarray.configuration import Activation
from dfarray.golden import convolution
from dfarray.golden.convolution import Architecture, Convolution, ConvolutionalLearner, architecture_of
from dfarray.golden.learner import Learner, cross_entropy, softmax
from dfarray.golden.rules import Rule

SMALL = Architecture(2, 4, (Convolution(3, 3), Convolution(2, 3, True)), (5,), 3)
pytestmark = [pytest.mark.tools, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(autouse=True)
def torch(request):
    needed = request.node.name != "test_without_pytorch_the_message_says_how_to_get_it"
    return pytest.importorskip("torch") if needed else None


def problem(architecture=SMALL, samples=4):
    rng = np.random.default_rng(1)
    pixels = architecture.planes * architecture.side**2
    return rng.uniform(-1, 1, (samples, pixels)), rng.integers(0, architecture.classes, samples)


def learner(rule, architecture=SMALL, **options):
    return ConvolutionalLearner(architecture, rule, 7, precision="float64", **options)


@pytest.mark.parametrize("activation", Activation)
def test_backpropagation_is_the_numerical_derivative(activation, torch):
    network, (x, labels) = learner(Rule.BACKPROPAGATION, activation=activation), problem()
    step = 1e-6
    for layer, gradients in zip(network.parameters, network.gradients(x, labels), strict=True):
        for tensor, gradient in zip(layer, gradients, strict=True):
            for index in np.ndindex(*tensor.shape):
                losses = []
                with torch.no_grad():
                    kept = float(tensor[index])
                    for moved in (kept + step, kept - step):
                        tensor[index] = moved
                        losses.append(cross_entropy(network.forward(x)[1].numpy(), labels))
                    tensor[index] = kept
                assert float(gradient[index]) == pytest.approx((losses[0] - losses[1]) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("rule", [Rule.DFA, Rule.SPARSE_DFA, Rule.DRTP, Rule.SIGN_DFA])
def test_direct_rules_follow_the_formula_in_loops(rule):
    """One kernel weight: the sum over samples and positions of its input times f' times what the position is told."""
    network, (x, labels) = learner(rule, nonzeros=2), problem()
    activations, logits = network.forward(x)
    a = [tensor.detach().numpy() for tensor in activations]
    targets = np.eye(3)[labels]
    error = softmax(logits.detach().numpy()) - targets
    told = {Rule.DRTP: -targets, Rule.SIGN_DFA: np.sign(error)}.get(rule, error)
    feedback = [matrix.numpy() for matrix in network.feedback]
    pooled = a[1].reshape(len(x), 2, 2, 2, 2, 2).max(axis=(3, 5))
    sources = [x.reshape(-1, 2, 4, 4), a[0], pooled.reshape(len(x), -1), a[2]]
    found = network.gradients(x, labels)
    for layer in (0, 1):
        delta = ((told @ feedback[layer].T).reshape(a[layer].shape)) * (1 - a[layer] ** 2)
        padded = np.pad(sources[layer], ((0, 0), (0, 0), (1, 1), (1, 1)))
        expected = np.zeros(tuple(found[layer][0].shape))
        for maps, plane, dy, dx in np.ndindex(*expected.shape):
            for sample in range(len(x)):
                for row in range(4):
                    for column in range(4):
                        expected[maps, plane, dy, dx] += (
                            delta[sample, maps, row, column] * padded[sample, plane, row + dy, column + dx] / len(x)
                        )
        np.testing.assert_allclose(found[layer][0].numpy(), expected, atol=1e-12)
        np.testing.assert_allclose(found[layer][1].numpy(), delta.sum(axis=(0, 2, 3)) / len(x), atol=1e-12)
    delta = told @ feedback[2].T * (1 - a[2] ** 2)
    np.testing.assert_allclose(found[2][0].numpy(), delta.T @ sources[2] / len(x), atol=1e-12)
    np.testing.assert_allclose(found[3][0].numpy(), error.T @ a[2] / len(x), atol=1e-12)


@pytest.mark.parametrize("rule", [Rule.BACKPROPAGATION, Rule.DFA, Rule.SPARSE_DFA, Rule.DRTP, Rule.SIGN_DFA])
def test_without_convolutions_it_is_the_fully_connected_learner(rule):
    architecture = Architecture(1, 3, (), (6, 5), 4)
    network, (x, labels) = learner(rule, architecture), problem(architecture)
    weights = [np.hstack([b.detach().numpy()[:, None], w.detach().numpy()]) for w, b in network.parameters]
    twin = Learner(weights, rule, [matrix.numpy() for matrix in network.feedback])
    for (weight, bias), expected in zip(network.gradients(x, labels), twin.gradients(x, labels), strict=True):
        np.testing.assert_allclose(weight.numpy(), expected[:, 1:], atol=1e-14)
        np.testing.assert_allclose(bias.numpy(), expected[:, 0], atol=1e-14)


def test_sparse_with_every_class_is_dense():
    x, labels = problem()
    dense, sparse = learner(Rule.DFA), learner(Rule.SPARSE_DFA, nonzeros=3)
    for network in (dense, sparse):
        network.train(x, labels, rate=0.1, batch=3)
    for a, b in zip(dense.parameters, sparse.parameters, strict=True):
        assert (a[0] == b[0]).all()
        assert (a[1] == b[1]).all()


@pytest.mark.parametrize(
    ("data", "kernels", "features"),
    [
        ("mnist", [(32, 1, 3, 3), (64, 32, 3, 3)], [(128, 64 * 14 * 14), (10, 128)]),
        ("fashion-mnist:100:50", [(32, 1, 3, 3), (64, 32, 3, 3)], [(128, 64 * 14 * 14), (10, 128)]),
        (
            "cifar-10",
            [(96, 3, 5, 5), (128, 96, 5, 5), (256, 128, 5, 5)],
            [(2048, 256 * 16), (2048, 2048), (10, 2048)],
        ),
    ],
)
def test_the_papers_networks(data, kernels, features):
    network = ConvolutionalLearner(architecture_of(data, 10), Rule.SPARSE_DFA, 1)
    assert [tuple(weight.shape) for weight, _ in network.parameters] == [*kernels, *features]
    x, labels = problem(network.architecture, 2)
    before = [weight.detach().clone() for weight, _ in network.parameters]
    network.train(x, labels, rate=0.1, batch=2)
    assert all((a != b).any() for a, (b, _) in zip(before, network.parameters, strict=True))


@pytest.mark.parametrize("rule", [Rule.BACKPROPAGATION, Rule.DFA, Rule.SPARSE_DFA])
def test_stripes_are_learnt(rule):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    images = 0.3 * rng.standard_normal((200, 8, 8))
    images[labels == 0, ::2] += 1
    images[labels == 1, :, ::2] += 1
    architecture = Architecture(1, 8, (Convolution(4, 3, True),), (8,), 2)
    network = ConvolutionalLearner(architecture, rule, 1)
    x = images.reshape(200, 64)
    for _ in range(10):
        network.train(x, labels, rate=0.05, batch=10)
    assert network.accuracy(x, labels, portion=64) > 0.95


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="not 'digits'"):
        architecture_of("digits", 10)
    with pytest.raises(ValueError, match="not feedback-alignment"):
        learner(Rule.FEEDBACK_ALIGNMENT)


def test_without_pytorch_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RuntimeError, match="pip install torch"):
        convolution.ConvolutionalLearner(SMALL, Rule.DFA, 1)
