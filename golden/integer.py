"""The bit-exact integer model: what the RTL's weights and logits are after any number of samples."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dfarray.configuration import Configuration
from dfarray.golden.kernels.layout import DELTAS, FAN_IN, SOURCE, WEIGHTS, WIDTH, Pending
from dfarray.golden.kernels.learning import infer, train
from dfarray.golden.kernels.preparation import (
    columns_of,
    feedback_tables,
    layer_table,
    parameters_of,
    tables_of,
    work_type,
)
from dfarray.golden.noise import first_state, next_state
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate

PORTION = 1000
"""Samples between two calls of ``progress``."""


@dataclass(frozen=True)
class PendingUpdate:
    """What a sample has left behind for its update.

    Attributes
    ----------
    activations : list of int16 arrays (n_{l-1},)
        Presynaptic activation codes of layers 1 .. L.
    deltas : list of int64 arrays (n_l,)
        Delta codes of layers 1 .. L; zero in layers that were frozen for the sample.
    """

    activations: list[np.ndarray]
    deltas: list[np.ndarray]


class IntegerNetwork:
    """Online training and inference in the machine's arithmetic.

    One update stays pending: the next training sample is corrected for it, and then it is applied.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1}) or None
        Weight codes, column 0 the bias; None for the configuration's initial weights.

    Attributes
    ----------
    noise_state : int
        Of the stochastic rounding; advances once an update, when it is applied.

    Raises
    ------
    ValueError
        If the weights do not fit the configuration.

    Source: Crafton et al. 2019 for the rule; docs/architecture.md section 2 for the arithmetic.
    """

    def __init__(self, config: Configuration, weights: list[np.ndarray] | None = None):
        self.config = config
        self.noise_state = first_state(config.training.seed)
        self._layers = layer_table(config)
        self._work, exact_terms = work_type(config)
        self._parameters = parameters_of(config, exact_terms, self._layers)
        self._tables = tables_of(config, self._layers)
        self._feedback = feedback_tables(config)
        self.weights = initial_weights(config) if weights is None else weights

    @property
    def weights(self) -> list[np.ndarray]:
        """Weight codes after a flush: list of int32 arrays (n_l, 1 + n_{l-1}), copied. Looking at them changes nothing.

        Assigning replaces them and drops the pending update.
        """
        flat, pending = self._flat.copy(), Pending(*(array.copy() for array in self._pending))
        self._sweep_nothing(flat, pending)
        return self._gathered(flat)

    @weights.setter
    def weights(self, weights: list[np.ndarray]) -> None:
        self.unflushed_weights = weights
        self.pending = None

    @property
    def unflushed_weights(self) -> list[np.ndarray]:
        """Weight codes without the pending update, like :attr:`weights`; assigning leaves the update pending.

        With :attr:`pending` and :attr:`noise_state` they are all there is to save; after a :meth:`flush`,
        :attr:`weights` and :attr:`noise_state` are.
        """
        return self._gathered(self._flat)

    @unflushed_weights.setter
    def unflushed_weights(self, weights: list[np.ndarray]) -> None:
        fmt, widths = self.config.formats.weight, self.config.network.layers
        shapes = [(n, m + 1) for m, n in pairwise(widths)]
        if [w.shape for w in weights] != shapes:
            raise ValueError(f"weights must have the shapes {shapes}, not {[w.shape for w in weights]}")
        for layer, w in enumerate(weights, 1):
            if not fmt.lo <= w.min() <= w.max() <= fmt.hi:
                raise ValueError(f"weights of layer {layer} must be {fmt.lo} to {fmt.hi} ({fmt})")
        self._flat = np.zeros(self._parameters.output_biases + self.config.network.classes, np.int32)
        hidden, output, biases = self._blocks(self._flat)
        for block, columns, layer in zip(hidden, self._columns_of_layers(), weights[:-1], strict=True):
            block[:, columns] = layer.T
        output[:, self._columns_of_layers()[-1]] = weights[-1][:, 1:]
        biases[:] = weights[-1][:, 0]

    @property
    def pending(self) -> PendingUpdate | None:
        """The latest training sample's update, copied; None if it has been applied. Assign to replace it."""
        if not self._waiting:
            return None
        starts = [*self._layers[:, SOURCE], self._layers[-1, SOURCE] + self._layers[-1, FAN_IN]]
        activations = [part.copy() for part in np.split(self._pending.activations, starts[1:])]
        deltas = np.split(self._pending.deltas, self._layers[1:, DELTAS])
        found = [part[columns] for part, columns in zip(deltas, self._columns_of_layers(), strict=True)]
        return PendingUpdate(activations, [part.astype(np.int64) for part in [*found, self._pending.output_deltas]])

    @pending.setter
    def pending(self, pending: PendingUpdate | None) -> None:
        widths = self.config.network.layers
        self._waiting = pending is not None
        self._pending = Pending(
            np.zeros(sum(widths[:-1]), dtype=np.int16),
            np.zeros(self._layers[:, WIDTH].sum(), dtype=self._work),
            np.zeros(widths[-1], dtype=np.int64),
        )
        if pending is not None:
            self._pending.activations[:] = np.concatenate(pending.activations)
            self._pending.output_deltas[:] = pending.deltas[-1]
            starts = self._layers[:, DELTAS]
            for start, columns, deltas in zip(starts, self._columns_of_layers(), pending.deltas[:-1], strict=True):
                self._pending.deltas[start + columns] = deltas

    def flush(self) -> None:
        """Apply the pending update."""
        if self._waiting:
            self._sweep_nothing(self._flat, self._pending)
            self.noise_state = next_state(self.noise_state)
            self._waiting = False

    def _sweep_nothing(self, flat: np.ndarray, pending: Pending) -> None:
        """Send a sample of zeros, which takes the pending update with it."""
        self._infer(np.zeros((1, self.config.network.inputs), dtype=np.int16), flat, pending)

    def _infer(self, x: np.ndarray, flat: np.ndarray, pending: Pending) -> np.ndarray:
        logits = np.zeros((len(x), self.config.network.classes), dtype=np.int64)
        state = np.uint32(self.noise_state)
        infer(self._work, x, state, flat, pending, self._layers, self._parameters, self._tables, logits)
        return logits

    def _columns_of_layers(self) -> list[np.ndarray]:
        return [columns_of(layer) for layer in self._layers]

    def _blocks(self, flat: np.ndarray) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """View flat weights: hidden layers (1 + fan_in, columns), the output layer (C, columns), its biases."""
        hidden = []
        for layer in self._layers:
            rows, width, start = layer[FAN_IN] + 1, layer[WIDTH], layer[WEIGHTS]
            hidden.append(flat[start : start + rows * width].reshape(rows, width))
        begin, end = self._parameters.output_weights, self._parameters.output_biases
        return hidden, flat[begin:end].reshape(self.config.network.classes, -1), flat[end:]

    def _gathered(self, flat: np.ndarray) -> list[np.ndarray]:
        (hidden, output, biases), columns = self._blocks(flat), self._columns_of_layers()
        weights = [block[:, chosen].T.copy() for block, chosen in zip(hidden, columns, strict=True)]
        return [*weights, np.hstack([biases[:, None], output[:, columns[-1]]])]

    def train(
        self,
        x,
        labels,
        *,
        rate: LearningRate | None = None,
        freeze: tuple[int, ...] = (),
        progress: Callable[[int], object] | None = None,
    ) -> np.ndarray:
        """Train on samples in order, one update a sample; the last one stays pending.

        Parameters
        ----------
        x : int array (samples, n_0)
            Activation codes, see :func:`dfarray.golden.arithmetic.quantize_inputs`.
        labels : int array (samples,)
            A label beyond the last class belongs to none: every target is zero.
        rate : LearningRate or None
            None for the configured one.
        freeze : tuple of int
            Layers 1..L that do not learn.
        progress : callable or None
            Told the samples done so far, now and then.

        Returns
        -------
        int64 array (samples, classes): the logit codes with which each sample was answered, before it was learnt.

        Raises
        ------
        ValueError
            If a shape, a code, a label or a layer does not fit.
        """
        x, labels = self._checked(x), np.ascontiguousarray(labels, dtype=np.int64)
        classes, depth = self.config.network.classes, len(self._layers) + 1
        if labels.shape != (len(x),):
            raise ValueError(f"labels must have shape ({len(x)},), not {labels.shape}")
        if labels.size and labels.min() < 0:
            raise ValueError(f"labels must be 0 or more, not {labels.min()}")
        if not all(1 <= layer <= depth for layer in freeze):
            raise ValueError(f"freeze must name layers 1 to {depth}, not {freeze}")
        rate = rate or self.config.training.rate
        frozen = sum(1 << (layer - 1) for layer in set(freeze))
        logits = np.zeros((len(x), classes), dtype=np.int64)
        for start in range(0, len(x), PORTION):
            part = slice(start, start + PORTION)
            self.noise_state = int(
                train(
                    self._work,
                    x[part],
                    labels[part],
                    rate.mantissa,
                    rate.exponent,
                    frozen,
                    np.uint32(self.noise_state),
                    self._waiting,
                    self._flat,
                    self._pending,
                    self._layers,
                    self._parameters,
                    self._tables,
                    self._feedback,
                    logits[part],
                )
            )
            self._waiting = True
            if progress is not None:
                progress(min(start + PORTION, len(x)))
        return logits

    def logits(self, x) -> np.ndarray:
        """Logit codes, int64 (samples, classes), without learning, after a flush; ``x`` as in :meth:`train`."""
        x = self._checked(x)
        self.flush()
        return self._infer(x, self._flat, self._pending)

    def predict(self, x) -> np.ndarray:
        """Classes (samples,); of equal logits the lowest class."""
        return self.logits(x).argmax(axis=1)

    def _checked(self, x) -> np.ndarray:
        x = np.asarray(x)
        fmt = self.config.formats.activation
        if x.ndim != 2 or x.shape[1] != self.config.network.inputs:
            raise ValueError(f"x must have shape (samples, {self.config.network.inputs}), not {x.shape}")
        if x.dtype.kind not in "iu":
            raise ValueError(f"x must hold integer activation codes ({fmt}), not {x.dtype}; see quantize_inputs")
        if x.size and not fmt.lo <= x.min() <= x.max() <= fmt.hi:
            raise ValueError(f"x must hold activation codes {fmt.lo} to {fmt.hi} ({fmt}), not {x.min()} to {x.max()}")
        return np.ascontiguousarray(x, dtype=np.int16)
