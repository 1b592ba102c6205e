"""The machine's arithmetic on NumPy integers, straight from docs/architecture.md section 2.

Codes are int64 throughout; formats say where their binary point is.
"""

import numpy as np

from dfarray.configuration import Configuration, ErrorKind
from dfarray.feedback import Route
from dfarray.golden.tables import activation_tables, exponential_codes, reciprocal_codes
from dfarray.learning_rate import LearningRate
from dfarray.qformat import QFormat


def saturate(v, fmt: QFormat):
    """Clip codes to a format."""
    return np.clip(v, fmt.lo, fmt.hi)


def round_half_up(v, bits):
    """Drop ``bits`` fraction bits; a half goes up. ``bits`` may be an array."""
    half = np.left_shift(np.int64(1), bits) >> 1
    return (v + half) >> bits


def requantize(v, from_fraction: int, to_fraction: int):
    """Move the binary point, rounding half up where bits are lost."""
    if to_fraction > from_fraction:
        return np.left_shift(v, to_fraction - from_fraction)
    return round_half_up(v, from_fraction - to_fraction)


def quantize_inputs(config: Configuration, x) -> np.ndarray:
    """Real inputs to activation codes.

    Parameters
    ----------
    x : float array, in [-1, 1]

    Returns
    -------
    int16 array of the same shape, rounded half up and saturated.
    """
    fmt = config.formats.activation
    return saturate(np.floor(np.asarray(x, dtype=np.float64) * 2.0**fmt.fraction_bits + 0.5), fmt).astype(np.int16)


def activate(config: Configuration, z) -> tuple[np.ndarray, np.ndarray]:
    """f(z) and f'(z) from pre-activation codes.

    Returns
    -------
    (activation codes, derivative codes), the derivative unsigned with the activation's fraction bits.
    """
    values, derivatives = activation_tables(config)
    index = np.asarray(z, dtype=np.int64) - config.formats.preactivation.lo
    return values[index], derivatives[index]


def gram(config: Configuration, products):
    """Exact sums of two samples' products of activations, the bias's included, to gram codes."""
    have, want = 2 * config.formats.activation.fraction_bits, config.gram.fraction_bits
    return saturate(round_half_up(products, have - want), config.gram)


def correction(config: Configuration, delta, gram):
    """Tell what a pending update will take from a sum: kappa, at the accumulator's binary point.

    Parameters
    ----------
    delta : int array
        Delta codes of the pending sample: a hidden neuron's delta, or g_c.
    gram : int
        Gram code of the presynaptic layer, of the pending sample and the present one.
    """
    return requantize(np.asarray(delta, dtype=np.int64) * gram, config.correction_shift, 0)


def preactivations(config: Configuration, accumulators):
    """Accumulator codes, less their corrections, to pre-activation codes."""
    fmt = config.formats.preactivation
    return saturate(round_half_up(accumulators, config.formats.product_fraction - fmt.fraction_bits), fmt)


def logits(config: Configuration, accumulators):
    """Accumulator codes, less their corrections, to logit codes."""
    fmt = config.formats.logit
    return saturate(round_half_up(accumulators, config.formats.product_fraction - fmt.fraction_bits), fmt)


def output_error(config: Configuration, z, label: int) -> np.ndarray:
    """e_c of one sample.

    Parameters
    ----------
    z : int array (classes,)  logit codes
    label : int

    Returns
    -------
    int64 array (classes,), error codes.
    """
    z = np.asarray(z, dtype=np.int64)
    fmt, fraction = config.formats.error, config.formats.error.fraction_bits
    target = np.zeros(len(z), dtype=np.int64)
    if label < len(z):
        target[label] = 1 << fraction
    if config.network.error is ErrorKind.MSE:
        return saturate(requantize(z, config.formats.logit.fraction_bits, fraction) - target, fmt)
    table = exponential_codes(config)
    powers = table[np.minimum(z.max() - z, len(table) - 1)]
    total = int(powers.sum())
    exponent = total.bit_length() - 1 - fraction
    r = min(fraction, 10)
    inverse = reciprocal_codes(config)[(total >> (exponent + fraction - r)) - (1 << r)]
    return saturate(round_half_up(powers * inverse, r + 1 + exponent) - target, fmt)


def scaled_error(config: Configuration, e, rate: LearningRate) -> np.ndarray:
    """Multiply by the learning rate: g = eta e, delta codes."""
    have, want = config.formats.error.fraction_bits, config.formats.delta.fraction_bits
    left = max(0, want - have)
    product = np.left_shift(np.asarray(e, dtype=np.int64) * rate.mantissa, left)
    return saturate(round_half_up(product, rate.exponent + have - want + left), config.formats.delta)


def hidden_scalar(config: Configuration, g, route: Route) -> int:
    """Sum and scale the g of a hidden tile's classes: its error scalar h, a delta code."""
    total = sum(int(g[c]) * sign for c, sign in zip(route.classes, route.class_signs, strict=True))
    k = config.feedback.log2_scale
    return int(saturate(total << k if k >= 0 else round_half_up(np.int64(total), -k), config.formats.delta))


def hidden_delta(config: Configuration, scalar, derivative, sign):
    """Finish a hidden neuron's delta = b f' h, delta codes; ``sign`` is that of b."""
    rounded = round_half_up(np.asarray(scalar, dtype=np.int64) * derivative, config.formats.activation.fraction_bits)
    return saturate(sign * rounded, config.formats.delta)


def update_weights(config: Configuration, w, delta, x_prev, noise=None):
    """Apply an update: w - delta x_prev, rounded and saturated; the arguments broadcast.

    Parameters
    ----------
    noise : int array or None
        The rounding bits; None rounds half up.
    """
    shift = config.formats.update_shift
    if noise is None:
        noise = (1 << shift) >> 1
    step = (np.asarray(delta, dtype=np.int64) * x_prev + noise) >> shift
    return saturate(w - step, config.formats.weight)


def accumulate(config: Configuration, products) -> np.ndarray:
    """Sum products over axis 0, in order, as the accumulator does.

    Parameters
    ----------
    products : int64 array (rows, ...)
    """
    products = np.asarray(products, dtype=np.int64)
    if not config.accumulator_saturates:
        return products.sum(axis=0)
    total = np.zeros(products.shape[1:], dtype=np.int64)
    for row in products:
        total = saturate(total + row, config.accumulator)
    return total
