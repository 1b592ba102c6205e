"""The float64 reference: what sparse direct feedback alignment learns when nothing is rounded."""

from itertools import pairwise

import numpy as np

from dfarray.configuration import Activation, Configuration, ErrorKind
from dfarray.feedback import feedback_matrices
from dfarray.golden.compilation import compiled
from dfarray.initial_weights import initial_weights

_TANH, _HARD_TANH, _RELU = range(3)
_KINDS = {Activation.TANH: _TANH, Activation.HARD_TANH: _HARD_TANH, Activation.RELU: _RELU}
# Columns of the layer table: where the layer's weights and neurons start among those of all layers.
_FAN_IN, _NEURONS, _WEIGHTS, _FIRST = range(4)


class FloatNetwork:
    """Online training and inference in float64; shape, initial weights and feedback are those of the integer model.

    Parameters
    ----------
    config : Configuration
        Formats do not matter, except that the initial weights lie on the weight format's grid.
    weights : list of float arrays (n_l, 1 + n_{l-1}) or None
        Column 0 is the bias, whose input is 1; None for the configuration's initial weights.

    Raises
    ------
    ValueError
        If the weights do not fit the configuration.

    Source: Crafton et al. 2019: delta_l = f'(a_l) * (B_l e), dW_l = -eta delta_l a_{l-1}^T; the output layer follows
    the gradient of the loss.
    """

    def __init__(self, config: Configuration, weights: list[np.ndarray] | None = None):
        self.config = config
        if weights is None:
            scale = 2.0**-config.formats.weight.fraction_bits
            weights = [codes * scale for codes in initial_weights(config)]
        shapes = [(n, m + 1) for m, n in pairwise(config.network.layers)]
        if [w.shape for w in weights] != shapes:
            raise ValueError(f"weights must have the shapes {shapes}, not {[w.shape for w in weights]}")
        self._flat = np.concatenate([np.ascontiguousarray(w.T, dtype=np.float64).ravel() for w in weights])
        self._layers = np.zeros((len(shapes), 4), dtype=np.int64)
        for index, (neurons, rows) in enumerate(shapes):
            self._layers[index, :2] = rows - 1, neurons
            self._layers[index + 1 :, 2:] += rows * neurons, neurons
        self._kind = _KINDS[config.network.activation]
        self._softmax = config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
        self._feedback = np.concatenate([np.zeros((0, config.network.classes)), *feedback_matrices(config)])

    @property
    def weights(self) -> list[np.ndarray]:
        """Weights, copied: list of float64 arrays (n_l, 1 + n_{l-1})."""
        return [
            self._flat[start : start + (fan_in + 1) * neurons].reshape(fan_in + 1, neurons).T.copy()
            for fan_in, neurons, start, _ in self._layers
        ]

    def train(self, x, labels, *, rate: float | None = None, freeze: tuple[int, ...] = ()) -> np.ndarray:
        """Train on samples in order, one update a sample.

        Parameters
        ----------
        x : float array (samples, n_0)
        labels : int array (samples,)
        rate : float or None
            None for the configured one, as the registers hold it.
        freeze : tuple of int
            Layers 1..L that do not learn.

        Returns
        -------
        float64 array (samples, classes): the logits with which each sample was answered, before it was learnt.

        Raises
        ------
        ValueError
            If a shape does not fit.
        """
        x, labels = self._checked(x), np.ascontiguousarray(labels, dtype=np.int64)
        if labels.shape != (len(x),):
            raise ValueError(f"labels must have shape ({len(x)},), not {labels.shape}")
        rate = self.config.training.rate.value if rate is None else float(rate)
        frozen = sum(1 << (layer - 1) for layer in set(freeze))
        logits = np.zeros((len(x), self.config.network.classes))
        _train(x, labels, rate, frozen, self._flat, self._layers, self._kind, self._softmax, self._feedback, logits)
        return logits

    def logits(self, x) -> np.ndarray:
        """Logits, float64 (samples, classes), without learning."""
        x = self._checked(x)
        logits = np.zeros((len(x), self.config.network.classes))
        activations, slopes = np.zeros((2, len(self._feedback)))
        _infer(x, self._flat, self._layers, self._kind, activations, slopes, logits)
        return logits

    def predict(self, x) -> np.ndarray:
        """Classes (samples,); of equal logits the lowest class."""
        return self.logits(x).argmax(axis=1)

    def _checked(self, x) -> np.ndarray:
        x = np.ascontiguousarray(x, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.config.network.inputs:
            raise ValueError(f"x must have shape (samples, {self.config.network.inputs}), not {x.shape}")
        return x


@compiled
def _activate(kind, z):
    """f(z) and f'(z)."""
    if kind == _TANH:
        a = np.tanh(z)
        return a, 1 - a * a
    if kind == _HARD_TANH:
        return min(max(z, -1.0), 1.0), 1.0 if abs(z) < 1 else 0.0
    return max(z, 0.0), 1.0 if z > 0 else 0.0


@compiled
def _matrix(flat, layers, index):
    """View a layer's weights as (1 + fan_in, neurons), bias first."""
    rows, neurons, start = layers[index, _FAN_IN] + 1, layers[index, _NEURONS], layers[index, _WEIGHTS]
    return flat[start : start + rows * neurons].reshape(rows, neurons)


@compiled
def _forward(x, flat, layers, kind, activations, slopes, logits):
    """One sample through the network; fills the activations and f' of hidden neurons, and the logits."""
    source = x
    for index in range(len(layers)):
        weights, first = _matrix(flat, layers, index), layers[index, _FIRST]
        z = weights[0].copy()
        for i in range(len(source)):
            if source[i] != 0:
                row = weights[i + 1]
                for j in range(len(z)):
                    z[j] += row[j] * source[i]
        if index == len(layers) - 1:
            logits[:] = z
        else:
            for j in range(len(z)):
                activations[first + j], slopes[first + j] = _activate(kind, z[j])
            source = activations[first : first + len(z)]


@compiled
def _descend(x, weights, rate, deltas):
    """Subtract rate deltas x^T, bias first."""
    for j in range(len(deltas)):
        weights[0, j] -= rate * deltas[j]
    for i in range(len(x)):
        if x[i] != 0:
            row, step = weights[i + 1], rate * x[i]
            for j in range(len(deltas)):
                row[j] -= step * deltas[j]


@compiled
def _train(x, labels, rate, frozen, flat, layers, kind, softmax, feedback, logits):
    """Online training over samples in order; changes ``flat``, fills ``logits``."""
    hidden, last = len(feedback), len(layers) - 1
    activations, slopes = np.zeros(hidden), np.zeros(hidden)
    for t in range(len(x)):
        _forward(x[t], flat, layers, kind, activations, slopes, logits[t])
        error = logits[t].copy()
        if softmax:
            error = np.exp(error - error.max())
            error /= error.sum()
        error[labels[t]] -= 1
        deltas = slopes * (feedback * error).sum(axis=1)
        for index in range(len(layers)):
            if frozen >> index & 1:
                continue
            first, before = layers[index, _FIRST], layers[index - 1, _FIRST]
            source = x[t] if index == 0 else activations[before : before + layers[index, _FAN_IN]]
            own = error if index == last else deltas[first : first + layers[index, _NEURONS]]
            _descend(source, _matrix(flat, layers, index), rate, own)


@compiled
def _infer(x, flat, layers, kind, activations, slopes, logits):
    """Fill the logits of every sample."""
    for t in range(len(x)):
        _forward(x[t], flat, layers, kind, activations, slopes, logits[t])
