"""Look-up tables of the activation, exponential and reciprocal; docs/architecture.md section 2."""

from functools import lru_cache

import numpy as np

from dfarray.configuration import Activation, Configuration


@lru_cache(maxsize=32)
def activation_tables(config: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Tabulate f and f' over every pre-activation code.

    Returns
    -------
    (int64 array, int64 array), both of 2**width entries; entry i belongs to the code ``preactivation.lo + i``.
    """
    formats = config.formats
    a_fraction, z_fraction = formats.activation.fraction_bits, formats.preactivation.fraction_bits
    one = 1 << a_fraction
    z = np.arange(formats.preactivation.lo, formats.preactivation.hi + 1, dtype=np.int64)
    if config.network.activation is Activation.TANH:
        magnitude = np.minimum(np.abs(z), formats.preactivation.hi)
        size = np.floor(np.tanh(magnitude * 2.0**-z_fraction) * one + 0.5).astype(np.int64)
        size = np.minimum(size, formats.activation.hi)
        square = size * size
        return np.sign(z) * size, one - ((square + (one >> 1)) >> a_fraction)
    if a_fraction >= z_fraction:
        scaled = z << (a_fraction - z_fraction)
    else:
        scaled = (z + (1 << (z_fraction - a_fraction - 1))) >> (z_fraction - a_fraction)
    if config.network.activation is Activation.RELU:
        return np.clip(scaled, 0, formats.activation.hi), np.where(z > 0, one, 0)
    limit = formats.activation.one
    return np.clip(scaled, -limit, limit), np.where(np.abs(z) < (1 << z_fraction), one, 0)


@lru_cache(maxsize=32)
def exponential_codes(config: Configuration) -> np.ndarray:
    """exp(-i 2**-fl) with the error's fraction bits; zero-padded to a power of two, the last entry zero."""
    fraction = config.formats.error.fraction_bits
    step = 2.0**-config.formats.logit.fraction_bits
    # exp(-x) 2**fe rounds to zero from x = (fe + 1) ln 2 on.
    reach = int(np.ceil((fraction + 1) * np.log(2) / step)) + 2
    codes = np.floor(np.exp(-np.arange(reach) * step) * 2.0**fraction + 0.5).astype(np.int64)
    first_zero = int(np.flatnonzero(codes == 0)[0])
    table = np.zeros(1 << first_zero.bit_length(), dtype=np.int64)
    table[:first_zero] = codes[:first_zero]
    return table


@lru_cache(maxsize=32)
def reciprocal_codes(config: Configuration) -> np.ndarray:
    """floor(2**(2r+2) / (2**(r+1) + 2k + 1)) for k = 0 .. 2**r - 1, r = min(error fraction bits, 10)."""
    r = min(config.formats.error.fraction_bits, 10)
    return (1 << (2 * r + 2)) // ((1 << (r + 1)) + 2 * np.arange(1 << r, dtype=np.int64) + 1)
