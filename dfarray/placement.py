"""Between weight matrices and the contents of the lanes' banks; :mod:`dfarray.passes` places the neurons."""

from itertools import pairwise

import numpy as np

from dfarray.configuration import Configuration


def to_banks(config: Configuration, weights: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Lay a network's weights out in the banks.

    Parameters
    ----------
    weights : list of int arrays (n_l, 1 + n_{l-1})
        One a layer, weight codes; column 0 is the bias.

    Returns
    -------
    (int32 array (rows, lanes, tiles), zero where no neuron lives; int32 array (C,), the bias tile's output biases)

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
    output = weights[-1]
    for item, base in config.output_groups:
        block = output[:, 1 + item.first_neuron : 1 + item.first_neuron + item.neurons]
        banks[base : base + len(output), : item.neurons] = block
    return banks.reshape(-1, lanes, tiles), output[:, 0].astype(np.int32)


def from_banks(config: Configuration, banks: np.ndarray, biases: np.ndarray) -> list[np.ndarray]:
    """Gather a network's weights from bank contents: the inverse of :func:`to_banks`."""
    widths = config.network.layers
    flat = np.asarray(banks).reshape(len(banks), -1)
    weights = [np.zeros((n, m + 1), dtype=np.int32) for m, n in pairwise(widths)]
    for item in config.passes:
        block = flat[item.base : item.base + item.rows, : item.neurons]
        weights[item.layer - 1][item.first_neuron : item.first_neuron + item.neurons] = block.T
    output = weights[-1]
    for item, base in config.output_groups:
        columns = slice(1 + item.first_neuron, 1 + item.first_neuron + item.neurons)
        output[:, columns] = flat[base : base + len(output), : item.neurons]
    output[:, 0] = biases
    return weights


def to_image(config: Configuration, weights: list[np.ndarray]) -> np.ndarray:
    """Order the words as the load and dump commands transfer them.

    Returns
    -------
    int32 array (rows, P + 1): of each bank row the lanes of lane index 0, the bias tile's, then the other lanes'.
    """
    banks, biases = to_banks(config, weights)
    flat = banks.reshape(len(banks), -1)
    image = np.insert(flat, config.array.tiles, 0, axis=1)
    base = config.output_groups[0][1]
    image[base : base + len(biases), config.array.tiles] = biases
    return image


def from_image(config: Configuration, image: np.ndarray) -> list[np.ndarray]:
    """Gather a network's weights from dumped words: the inverse of :func:`to_image`."""
    image = np.asarray(image)
    array, base = config.array, config.output_groups[0][1]
    biases = image[base : base + config.network.classes, array.tiles]
    banks = np.delete(image, array.tiles, axis=1).reshape(-1, array.lanes, array.tiles)
    return from_banks(config, banks, biases)
