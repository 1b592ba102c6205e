"""The sparse feedback matrix: which classes feed which tile, with which sign.

The neurons that share a tile and a pass are told one scalar, so they share their classes; each has a sign of its own.
Row j of B is ``scale * sign[j] * route[tile(j), pass(j)]``, and a route has ``nonzeros`` entries of +-1.
"""

from dataclasses import dataclass

import numpy as np

from dfarray.configuration import Configuration
from dfarray.passes import Pass


@dataclass(frozen=True)
class Route:
    """The feedback connections of one tile in one hidden pass.

    Attributes
    ----------
    slot, tile : int
        The pass and the tile.
    classes : tuple of int
        The ``nonzeros`` classes that are summed, ascending.
    class_signs : tuple of int
        +-1 for each of them.
    lane_signs : tuple of int
        +-1 for each lane; the sign of b of the neuron there.
    """

    slot: int
    tile: int
    classes: tuple[int, ...]
    class_signs: tuple[int, ...]
    lane_signs: tuple[int, ...]


def routes(config: Configuration) -> tuple[Route, ...]:
    """Draw the hidden layers' feedback connections, ordered by pass, then tile.

    Classes are balanced: every draw takes the classes that feed the fewest neurons of the layer so far, ties broken
    at random. Signs alternate over the lanes and start at random, so both signs are equally frequent.
    """
    rng = np.random.default_rng(config.feedback.seed)
    nonzeros, classes = config.feedback.nonzeros, config.network.classes
    drawn: list[Route] = []
    fed = np.zeros(classes)
    layer = 0
    for item in config.passes:
        if item.layer != layer:
            layer, fed = item.layer, np.zeros(classes)
        for tile in range(item.active_tiles):
            chosen = np.sort(np.lexsort((rng.random(classes), fed))[:nonzeros])
            fed[chosen] += _neurons(item, tile, config.array.lanes)
            signs = rng.choice((-1, 1), nonzeros) if nonzeros > 1 else np.ones(1, dtype=int)
            lanes = rng.choice((-1, 1)) * (-1) ** np.arange(config.array.lanes)
            drawn.append(
                Route(item.slot, tile, tuple(map(int, chosen)), tuple(map(int, signs)), tuple(map(int, lanes)))
            )
    return tuple(drawn)


def _neurons(item: Pass, tile: int, lanes: int) -> int:
    return sum(item.neuron(tile, lane) is not None for lane in range(lanes))


def feedback_matrices(config: Configuration) -> list[np.ndarray]:
    """B of every hidden layer.

    Returns
    -------
    list of float64 arrays (n_l, classes), one a hidden layer.
    """
    widths = config.network.layers
    matrices = [np.zeros((n, config.network.classes)) for n in widths[1:-1]]
    every = config.passes
    for route in routes(config):
        item = every[route.slot]
        for lane, sign in enumerate(route.lane_signs):
            neuron = item.neuron(route.tile, lane)
            if neuron is not None:
                row = matrices[item.layer - 1][neuron]
                row[list(route.classes)] = config.feedback.scale * sign * np.array(route.class_signs)
    return matrices
