"""Steps down a gradient: plain SGD, as the machine takes them, and Adam, as the paper does."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np


class Optimiser(Protocol):
    """Changes weights in place."""

    def step(self, weights: list[np.ndarray], gradients: list[np.ndarray], rate: float) -> None:
        """Take one step with the learning rate ``rate``."""
        ...


class SGD:
    """w -= rate * gradient."""

    def step(self, weights: list[np.ndarray], gradients: list[np.ndarray], rate: float) -> None:
        """Take one step."""
        for weight, gradient in zip(weights, gradients, strict=True):
            weight -= rate * gradient


@dataclass
class Adam:
    """Kingma and Ba 2015, arXiv 1412.6980, algorithm 1, with epsilon outside the corrected root as there.

    Parameters
    ----------
    epsilon : float
        The paper's experiments use 1 (MNIST) to 1e-6.
    """

    epsilon: float = 1e-8
    decay_mean: float = 0.9
    decay_square: float = 0.999
    steps: int = 0
    _means: list[np.ndarray] = field(default_factory=list)
    _squares: list[np.ndarray] = field(default_factory=list)

    def step(self, weights: list[np.ndarray], gradients: list[np.ndarray], rate: float) -> None:
        """Take one step."""
        if not self._means:
            self._means = [np.zeros_like(weight) for weight in weights]
            self._squares = [np.zeros_like(weight) for weight in weights]
        self.steps += 1
        mean_bias, square_bias = 1 - self.decay_mean**self.steps, 1 - self.decay_square**self.steps
        for weight, gradient, mean, square in zip(weights, gradients, self._means, self._squares, strict=True):
            mean += (1 - self.decay_mean) * (gradient - mean)
            square += (1 - self.decay_square) * (gradient**2 - square)
            weight -= rate * (mean / mean_bias) / (np.sqrt(square / square_bias) + self.epsilon)
