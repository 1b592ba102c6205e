"""A fully connected network in float64 that learns by any of the rules, in minibatches."""

from itertools import pairwise

import numpy as np

from dfarray.configuration import Activation
from dfarray.golden.optimisers import SGD, Optimiser
from dfarray.golden.rules import Rule, hidden_deltas


class Learner:
    """Weights, the rule that changes them, and its fixed feedback.

    Parameters
    ----------
    weights : list of float arrays (n_l, 1 + n_{l-1})
        Column 0 the bias; they change in place.
    rule : Rule
    feedback : list of float arrays
        See :func:`dfarray.golden.draws.feedback_of`.
    activation : Activation
        Of the hidden layers; the output is linear.
    optimiser : Optimiser or None
        None for plain SGD.

    Raises
    ------
    ValueError
        If the feedback's shapes do not fit rule and weights.
    """

    def __init__(
        self,
        weights: list[np.ndarray],
        rule: Rule,
        feedback: list[np.ndarray],
        activation: Activation = Activation.TANH,
        optimiser: Optimiser | None = None,
    ):
        self.weights, self.rule, self.feedback, self.activation = weights, rule, feedback, activation
        self._optimiser = optimiser or SGD()
        widths = [len(layer) for layer in weights]
        if rule is Rule.BACKPROPAGATION:
            expected = []
        elif rule is Rule.FEEDBACK_ALIGNMENT:
            expected = [(above, n) for n, above in pairwise(widths)]
        else:
            expected = [(n, widths[-1]) for n in widths[:-1]]
        found = [matrix.shape for matrix in feedback]
        if found != expected:
            raise ValueError(f"the feedback of {rule} must have the shapes {expected}, not {found}")

    def forward(self, x: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Answer samples.

        Returns
        -------
        (list of arrays (samples, n_l) for l = 0 .. L: inputs, hidden activations, logits;
        list of arrays (samples, n_l): f' of the hidden layers)
        """
        activations, slopes = [x], []
        for layer in self.weights[:-1]:
            value, slope = _activate(self.activation, activations[-1] @ layer[:, 1:].T + layer[:, 0])
            activations.append(value)
            slopes.append(slope)
        last = self.weights[-1]
        activations.append(activations[-1] @ last[:, 1:].T + last[:, 0])
        return activations, slopes

    def gradients(self, x: np.ndarray, labels: np.ndarray, rule: Rule | None = None) -> list[np.ndarray]:
        """What the rule takes for the loss's gradient, the mean over the samples.

        Parameters
        ----------
        x : float array (samples, n_0)
        labels : int array (samples,)
        rule : Rule or None
            Another rule than the learner's own, for comparison; only ones that need the same feedback, or none.

        Returns
        -------
        list of arrays (n_l, 1 + n_{l-1})
        """
        activations, slopes = self.forward(x)
        targets = np.zeros_like(activations[-1])
        targets[np.arange(len(x)), labels] = 1
        error = softmax(activations[-1]) - targets
        deltas = hidden_deltas(rule or self.rule, error, targets, slopes, self.weights, self.feedback)
        return [
            np.hstack([delta.mean(axis=0)[:, None], delta.T @ source / len(x)])
            for delta, source in zip([*deltas, error], activations[:-1], strict=True)
        ]

    def train(self, x: np.ndarray, labels: np.ndarray, *, rate: float, batch: int) -> None:
        """Learn from samples in order, ``batch`` at a time; the last batch may be smaller."""
        for start in range(0, len(x), batch):
            part = slice(start, start + batch)
            self._optimiser.step(self.weights, self.gradients(x[part], labels[part]), rate)

    def accuracy(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Share of samples answered correctly; of equal logits the lowest class counts."""
        return float((self.forward(x)[0][-1].argmax(axis=1) == labels).mean())


def softmax(z: np.ndarray) -> np.ndarray:
    """Probabilities (samples, C) of logits."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cross_entropy(z: np.ndarray, labels: np.ndarray) -> float:
    """Mean loss of logits (samples, C)."""
    shifted = z - z.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(z)), labels]).mean())


def angle(a: list[np.ndarray], b: list[np.ndarray]) -> float:
    """Angle between two updates in degrees, all their layers taken as one vector; 90 if either is zero."""
    dot = sum(float((p * q).sum()) for p, q in zip(a, b, strict=True))
    norms = [sum(float((p**2).sum()) for p in one) ** 0.5 for one in (a, b)]
    return float(np.degrees(np.arccos(np.clip(dot / (norms[0] * norms[1]), -1, 1)))) if all(norms) else 90.0


def _activate(activation: Activation, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f(z), and f' from it as the paper has it."""
    if activation is Activation.TANH:
        a = np.tanh(z)
        return a, 1 - a * a
    if activation is Activation.HARD_TANH:
        return np.clip(z, -1, 1), (np.abs(z) < 1).astype(z.dtype)
    return np.maximum(z, 0), (z > 0).astype(z.dtype)
