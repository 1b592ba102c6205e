"""Between weight matrices and the contents of the lanes' banks; :mod:`dfarray.passes` places the neurons."""

from itertools import pairwise

import numpy as np

from dfarray.configuration import Configuration


def to_banks(config: Configuration, weights: list[np.ndarray]) -> np.ndarray:
    """Lay a network's weights out in the banks.

    Parameters
    ----------
    weights : list of int arrays (n_l, 1 + n_{l-1})
        One a layer, weight codes; column 0 is the bias.

    Returns
    -------
    int32 array (rows, lanes, tiles), zero where no neuron lives.

    Raises
    ------
    ValueError
        If a shape or a code does not fit the configuration.
    """
    widths = config.network.layers
    if len(weights) != len(widths) - 1:
        raise ValueError(f"{len(widths) - 1} weight arrays are needed, one a layer, not {len(weights)}")
    fmt = config.formats.weight
    for layer, array in enumerate(weights, 1):
        if array.shape != (widths[layer], widths[layer - 1] + 1):
            raise ValueError(
                f"weights of layer {layer} must have shape {(widths[layer], widths[layer - 1] + 1)}, not {array.shape}"
            )
        if array.size and not fmt.lo <= array.min() <= array.max() <= fmt.hi:
            raise ValueError(f"weights of layer {layer} must be {fmt.lo} to {fmt.hi} ({fmt})")
    tiles, lanes = config.array.tiles, config.array.lanes
    banks = np.zeros((config.bank_rows_used, lanes * tiles), dtype=np.int32)
    for item in config.passes:
        block = weights[item.layer - 1][item.first_neuron : item.first_neuron + item.neurons]
        banks[item.base : item.base + item.rows, : item.neurons] = block.T
    return banks.reshape(-1, lanes, tiles)


def from_banks(config: Configuration, banks: np.ndarray) -> list[np.ndarray]:
    """Gather a network's weights from bank contents: the inverse of :func:`to_banks`."""
    widths = config.network.layers
    flat = np.asarray(banks).reshape(len(banks), -1)
    weights = [np.zeros((n, m + 1), dtype=np.int32) for m, n in pairwise(widths)]
    for item in config.passes:
        block = flat[item.base : item.base + item.rows, : item.neurons]
        weights[item.layer - 1][item.first_neuron : item.first_neuron + item.neurons] = block.T
    return weights
