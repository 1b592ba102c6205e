"""Random matrices of the float experiments: first weights and feedback, as the paper draws them and as we do."""

from enum import StrEnum
from itertools import pairwise

import numpy as np

from dfarray.golden.rules import Rule


class Start(StrEnum):
    """First weights: all zero (the paper's for DFA), Glorot's uniform, or U(+-1/sqrt(fan_in)); biases start at zero."""

    ZERO = "zero"
    GLOROT = "glorot"
    FAN_IN = "fan-in"


class Draw(StrEnum):
    """Values of a feedback matrix: the paper's uniform ones, or our balanced +-scale."""

    PAPER = "paper"
    BALANCED = "balanced"


def first_weights(start: Start, layers: tuple[int, ...], rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the weights of every layer: list of float64 arrays (n_l, 1 + n_{l-1}), column 0 the bias."""
    weights = []
    for fan_in, fan_out in pairwise(layers):
        limit = {Start.ZERO: 0.0, Start.GLOROT: np.sqrt(6 / (fan_in + fan_out)), Start.FAN_IN: fan_in**-0.5}[start]
        weights.append(np.hstack([np.zeros((fan_out, 1)), rng.uniform(-limit, limit, (fan_out, fan_in))]))
    return weights


def sparse_feedback(
    draw: Draw, neurons: int, classes: int, nonzeros: int, rank: int, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """One layer's B.

    Parameters
    ----------
    draw : Draw
        ``paper``: every neuron picks its classes uniformly, values U(+-(C s)^(1/4) / sqrt(n)) times ``scale``, which
        for the dense matrix (s = C) is U(+-sqrt(C) / sqrt(n)). ``balanced``: each class feeds equally many neurons, or
        one more, and values are +-scale.
    nonzeros : int
        s, 1 to ``rank``.
    rank : int
        Classes, drawn at random, that feed any neuron of the layer at all: B has rank at most this.

    Returns
    -------
    float64 array (neurons, classes)

    Raises
    ------
    ValueError
        If ``nonzeros`` or ``rank`` is out of range.

    Source: Crafton et al. 2019 and its code, https://github.com/bcrafton/ssdfa.
    """
    if not 1 <= rank <= classes:
        raise ValueError(f"rank must be 1 to {classes}, the classes, not {rank}")
    if not 1 <= nonzeros <= rank:
        raise ValueError(f"nonzeros must be 1 to {rank}, the rank, not {nonzeros}")
    heard = rng.permutation(classes)[:rank]
    chosen = np.zeros((neurons, classes), dtype=bool)
    fed = np.zeros(rank)
    for row in chosen:
        order = rng.permutation(rank) if draw is Draw.PAPER else np.lexsort((rng.random(rank), fed))
        fed[order[:nonzeros]] += 1
        row[heard[order[:nonzeros]]] = True
    if draw is Draw.PAPER:
        limit = (classes * nonzeros) ** 0.25 / np.sqrt(neurons)
        values = rng.uniform(-limit, limit, (neurons, classes))
    else:
        values = rng.choice((-1.0, 1.0), (neurons, classes))
    return scale * values * chosen


def feedback_of(
    rule: Rule,
    layers: tuple[int, ...],
    rng: np.random.Generator,
    *,
    draw: Draw = Draw.BALANCED,
    nonzeros: int = 1,
    rank: int | None = None,
    scale: float = 1.0,
) -> list[np.ndarray]:
    """Draw what :func:`dfarray.golden.rules.hidden_deltas` needs; every rule but sparse DFA hears all classes."""
    classes = layers[-1]
    rank = classes if rank is None else rank
    if rule is Rule.BACKPROPAGATION:
        return []
    if rule is Rule.FEEDBACK_ALIGNMENT:
        return [rng.uniform(-1, 1, (above, n)) / np.sqrt(n) for n, above in pairwise(layers[1:])]
    heard = nonzeros if rule is Rule.SPARSE_DFA else rank
    return [sparse_feedback(draw, n, classes, heard, rank, scale, rng) for n in layers[1:-1]]
