"""The weights an accelerator wakes up with."""

from itertools import pairwise

import numpy as np

from dfarray.configuration import Configuration, InitialWeights


def initial_weights(config: Configuration) -> list[np.ndarray]:
    """Draw the network's first weights from ``training.seed``.

    Returns
    -------
    list of int32 arrays (n_l, 1 + n_{l-1})
        Weight codes; column 0 is the bias, which starts at zero. The others are U(+-1/sqrt(fan_in)), as the paper
        starts backpropagation, or zero, as the paper starts DFA.
    """
    rng = np.random.default_rng(config.training.seed)
    fmt = config.formats.weight
    widths = config.network.layers
    weights = []
    for fan_in, fan_out in pairwise(widths):
        layer = np.zeros((fan_out, fan_in + 1), dtype=np.int32)
        if config.network.initial_weights is InitialWeights.UNIFORM:
            drawn = rng.uniform(-1, 1, (fan_out, fan_in)) / np.sqrt(fan_in)
            layer[:, 1:] = np.clip(np.round(drawn * 2.0**fmt.fraction_bits), fmt.lo, fmt.hi)
        weights.append(layer)
    return weights


def preset_weights(config: Configuration) -> list[np.ndarray]:
    """Weights after configuration: the initial ones, or 0 where the banks can have no contents."""
    weights = initial_weights(config)
    return weights if config.preset else [np.zeros_like(w) for w in weights]
