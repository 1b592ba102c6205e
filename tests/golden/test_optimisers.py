"""Optimisers against their formulas."""

import numpy as np
import pytest

from dfarray.golden.optimisers import SGD, Adam


def test_sgd_steps_down_the_gradient():
    weights = [np.array([1.0, 2.0]), np.array([3.0])]
    SGD().step(weights, [np.array([10.0, -10.0]), np.array([1.0])], 0.1)
    assert [list(w) for w in weights] == [[0.0, 3.0], [2.9]]


def test_adam_is_algorithm_1_of_its_paper():
    """One weight, five gradients, the algorithm in scalars."""
    adam, weights = Adam(epsilon=0.01), [np.array([0.5])]
    w, m, v = 0.5, 0.0, 0.0
    for t, gradient in enumerate((0.3, -0.1, 0.7, 0.0, 2.0), 1):
        adam.step(weights, [np.array([gradient])], 0.02)
        m = 0.9 * m + 0.1 * gradient
        v = 0.999 * v + 0.001 * gradient * gradient
        w -= 0.02 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)) ** 0.5 + 0.01)
        assert weights[0][0] == pytest.approx(w, rel=1e-12)


def test_adam_keeps_layers_apart():
    adam, weights = Adam(), [np.zeros(2), np.zeros((2, 2))]
    adam.step(weights, [np.array([1.0, -1.0]), np.zeros((2, 2))], 0.5)
    np.testing.assert_allclose(weights[0], [-0.5, 0.5], rtol=1e-7)
    assert not weights[1].any()
