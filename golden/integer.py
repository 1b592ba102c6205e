"""The bit-exact integer model: what the RTL's weights and logits are after any number of samples."""

import numpy as np

from dfarray.configuration import Configuration, ErrorKind, Rounding
from dfarray.feedback import routes
from dfarray.golden import kernels
from dfarray.golden.noise import first_state
from dfarray.golden.tables import activation_tables, exponential_codes, reciprocal_codes
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate


class IntegerNetwork:
    """Online training and inference in the machine's arithmetic.

    The machine defers a sample's update to the next sweep; here it is applied at once, which is the same since nothing
    reads a weight in between.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1}) or None
        Weight codes, column 0 the bias; None for the configuration's initial weights.

    Attributes
    ----------
    noise_state : int
        Of the stochastic rounding; advances once a training sample.

    Source: Crafton et al. 2019 for the rule; docs/architecture.md section 2 for the arithmetic.
    """

    def __init__(self, config: Configuration, weights: list[np.ndarray] | None = None):
        self.config = config
        self.noise_state = first_state(config.training.seed)
        weights = initial_weights(config) if weights is None else weights
        self._flat = np.concatenate([np.ascontiguousarray(w.T, dtype=np.int32).ravel() for w in weights])
        self._layers, self._passes = _layer_table(config), _pass_table(config)
        self._parameters = _parameters(config)
        self._tables = (
            *activation_tables(config),
            exponential_codes(config),
            reciprocal_codes(config),
            _leap_table(),
        )
        self._feedback = _feedback_tables(config)

    @property
    def weights(self) -> list[np.ndarray]:
        """Weight codes: list of int32 arrays (n_l, 1 + n_{l-1})."""
        found = []
        for fan_in, neurons, start, _ in self._layers:
            block = self._flat[start : start + (fan_in + 1) * neurons]
            found.append(block.reshape(fan_in + 1, neurons).T.copy())
        return found

    def train(self, x, labels, *, rate: LearningRate | None = None, freeze: tuple[int, ...] = ()) -> np.ndarray:
        """Train on samples in order, one update a sample.

        Parameters
        ----------
        x : int array (samples, n_0)
            Activation codes, see :func:`dfarray.golden.arithmetic.quantize_inputs`.
        labels : int array (samples,)
        rate : LearningRate or None
            None for the configured one.
        freeze : tuple of int
            Layers 1..L that do not learn.

        Returns
        -------
        int64 array (samples, classes): the logit codes with which each sample was answered.

        Raises
        ------
        ValueError
            If a shape or a code does not fit.
        """
        x, labels = self._checked(x), np.ascontiguousarray(labels, dtype=np.int64)
        if labels.shape != (len(x),):
            raise ValueError(f"labels must have shape ({len(x)},), not {labels.shape}")
        rate = rate or self.config.training.rate
        logits = np.zeros((len(x), self.config.network.classes), dtype=np.int64)
        self.noise_state = int(
            kernels.train(
                x,
                labels,
                rate.mantissa,
                rate.exponent,
                sum(1 << (layer - 1) for layer in freeze),
                np.uint32(self.noise_state),
                self._flat,
                self._layers,
                self._passes,
                self._parameters,
                self._tables,
                self._feedback,
                logits,
            )
        )
        return logits

    def logits(self, x) -> np.ndarray:
        """Logit codes (samples, classes) without learning."""
        x = self._checked(x)
        logits = np.zeros((len(x), self.config.network.classes), dtype=np.int64)
        kernels.infer(x, self._flat, self._layers, self._parameters, self._tables, logits)
        return logits

    def predict(self, x) -> np.ndarray:
        """Classes (samples,); of equal logits the lowest class."""
        return self.logits(x).argmax(axis=1)

    def _checked(self, x) -> np.ndarray:
        x = np.ascontiguousarray(x, dtype=np.int16)
        fmt = self.config.formats.activation
        if x.ndim != 2 or x.shape[1] != self.config.network.inputs:
            raise ValueError(f"x must have shape (samples, {self.config.network.inputs}), not {x.shape}")
        if x.size and not fmt.lo <= x.min() <= x.max() <= fmt.hi:
            raise ValueError(f"x must hold activation codes {fmt.lo} to {fmt.hi} ({fmt}), not {x.min()} to {x.max()}")
        return x


def _layer_table(config: Configuration) -> np.ndarray:
    rows, weights, activations = [], 0, 0
    for fan_in, neurons in zip(config.network.layers, config.network.layers[1:], strict=False):
        rows.append((fan_in, neurons, weights, activations))
        weights += (fan_in + 1) * neurons
        activations += neurons
    return np.array(rows, dtype=np.int64)


def _pass_table(config: Configuration) -> np.ndarray:
    return np.array(
        [(item.layer - 1, item.base, item.first_neuron, item.neurons) for item in config.passes], dtype=np.int64
    )


def _feedback_tables(config: Configuration):
    drawn = routes(config)
    hidden = sum(config.network.layers[1:-1])
    starts = np.concatenate([[0], np.cumsum(config.network.layers[1:-1])]).astype(int)
    neuron_route, neuron_sign = np.zeros(hidden, dtype=np.int64), np.zeros(hidden, dtype=np.int64)
    for index, route in enumerate(drawn):
        item = config.passes[route.slot]
        for lane, sign in enumerate(route.lane_signs):
            neuron = item.neuron(route.tile, lane)
            if neuron is not None:
                neuron_route[starts[item.layer - 1] + neuron] = index
                neuron_sign[starts[item.layer - 1] + neuron] = sign
    shape = (len(drawn), config.feedback.nonzeros)
    classes = np.array([route.classes for route in drawn], dtype=np.int64).reshape(shape)
    signs = np.array([route.class_signs for route in drawn], dtype=np.int64).reshape(shape)
    return classes, signs, neuron_route, neuron_sign


def _leap_table() -> np.ndarray:
    """What eight steps of the Galois LFSR exclusive-or in, by the byte that is shifted out."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ np.where(table & np.uint32(1), np.uint32(0xA3000000), np.uint32(0))
    return table


def _parameters(config: Configuration) -> np.ndarray:
    formats = config.formats
    p = np.zeros(kernels.PARAMETERS, dtype=np.int64)
    p[kernels.TILES], p[kernels.LANES] = config.array.tiles, config.array.lanes
    p[kernels.ONE] = formats.activation.one
    p[kernels.UPDATE_SHIFT] = formats.update_shift
    p[kernels.STOCHASTIC] = config.training.rounding is Rounding.STOCHASTIC
    p[kernels.WEIGHT_LO], p[kernels.WEIGHT_HI] = formats.weight.lo, formats.weight.hi
    p[kernels.SATURATES] = config.accumulator_saturates
    p[kernels.ACCUMULATOR_LO], p[kernels.ACCUMULATOR_HI] = config.accumulator.lo, config.accumulator.hi
    p[kernels.Z_SHIFT] = formats.product_fraction - formats.preactivation.fraction_bits
    p[kernels.Z_LO], p[kernels.Z_HI] = formats.preactivation.lo, formats.preactivation.hi
    p[kernels.LOGIT_SHIFT] = formats.product_fraction - formats.logit.fraction_bits
    p[kernels.LOGIT_LO], p[kernels.LOGIT_HI] = formats.logit.lo, formats.logit.hi
    p[kernels.LOGIT_FRACTION] = formats.logit.fraction_bits
    p[kernels.SOFTMAX] = config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
    p[kernels.ERROR_FRACTION] = formats.error.fraction_bits
    p[kernels.ERROR_LO], p[kernels.ERROR_HI] = formats.error.lo, formats.error.hi
    p[kernels.DELTA_FRACTION] = formats.delta.fraction_bits
    p[kernels.DELTA_LO], p[kernels.DELTA_HI] = formats.delta.lo, formats.delta.hi
    p[kernels.SCALE_LOG2] = config.feedback.log2_scale
    p[kernels.DERIVATIVE_FRACTION] = formats.activation.fraction_bits
    return p
