"""What the host sends in an epoch: the order of the samples, and their random shifts. Every engine shares it."""

from math import isqrt

import numpy as np

from dfarray.configuration import Configuration


def sample_order(config: Configuration, epoch: int, samples: int) -> np.ndarray:
    """Order in which an epoch (from 1) visits the training set: a permutation drawn from ``training.seed``."""
    return np.random.default_rng([config.training.seed, epoch]).permutation(samples)


def epoch_samples(
    config: Configuration, epoch: int, x: np.ndarray, first: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """One epoch's samples in the order in which they are sent.

    Parameters
    ----------
    epoch : int
        From 1.
    x : array (samples, n_0)
        The training set, of any type.
    first : int or None
        Only so many samples of the epoch.

    Returns
    -------
    (int64 array (samples,): the order; array (samples, n_0) of the type of ``x``: the samples in that order, each
    shifted by -k to k pixels in both directions, k = ``training.shift``, zeros moving in)

    Raises
    ------
    ValueError
        If samples are to be shifted and are not square images.
    """
    order = sample_order(config, epoch, len(x))[:first]
    sent = np.ascontiguousarray(x[order])
    if config.training.shift:
        shifts = np.random.default_rng([config.training.seed, epoch, 1])
        most = config.training.shift
        # Drawn for the whole epoch, so that its first samples are the same however many are wanted.
        sent = _shifted(sent, most, *shifts.integers(-most, most + 1, (2, len(x)))[:, :first])
    return order, sent


def _shifted(x: np.ndarray, most: int, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    side = isqrt(x.shape[1])
    if side * side != x.shape[1] or side <= most:
        raise ValueError(
            f"training.shift = {most}: samples must be square images of more than {most} x {most} pixels, "
            f"not {x.shape[1]} values"
        )
    images, moved = x.reshape(-1, side, side), np.zeros((len(x), side, side), dtype=x.dtype)
    for dy in range(-most, most + 1):
        for dx in range(-most, most + 1):
            chosen = np.flatnonzero((down == dy) & (right == dx))
            to_rows, from_rows = _overlap(dy, side)
            to_columns, from_columns = _overlap(dx, side)
            moved[chosen, to_rows, to_columns] = images[chosen, from_rows, from_columns]
    return moved.reshape(len(x), -1)


def _overlap(shift: int, side: int) -> tuple[slice, slice]:
    """Rows written and rows read where an image moves by ``shift``."""
    return slice(max(shift, 0), side + min(shift, 0)), slice(max(-shift, 0), side - max(shift, 0))
