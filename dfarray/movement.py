"""Multiply-accumulates and words moved for one training sample, by learning rule.

Derived from the shapes alone; which accounting holds where is written in docs/data-movement.md.
"""

from itertools import pairwise

from dfarray.configuration import Configuration


def multiply_accumulates(config: Configuration) -> dict[str, int]:
    """MACs of one training sample: forward, update, and the projection of the error by each rule."""
    layers = config.network.layers
    hidden = sum(layers[1:-1])
    later = sum(n * m for n, m in pairwise(layers[1:]))
    return {
        "forward": config.network.synapses,
        "update": config.network.synapses,
        "projection_backpropagation": later,
        "projection_dense_dfa": config.network.classes * hidden,
        "projection_sparse_dfa": config.feedback.nonzeros * hidden,
    }


def words_moved(config: Configuration) -> dict[str, dict[str, int]]:
    """Words that carry the error to the hidden neurons for one training sample.

    ``point_to_point`` counts a word for every receiver; ``broadcast`` counts a word on a bus all listen to once.
    Backpropagation moves, for each synapse beyond the first layer, a weight (or partial product) and a delta; a bus
    saves the deltas' copies only. ``array`` is what this array's feedback chain carries: one scalar a tile and pass,
    output tiles included, and ``wire_bits`` counts each of its bits once for every tile it hops to.
    """
    layers = config.network.layers
    hidden, classes = sum(layers[1:-1]), config.network.classes
    later = sum(n * m for n, m in pairwise(layers[1:]))
    scalars = [tile for item in config.passes for tile in range(item.active_tiles)]
    return {
        "backpropagation": {"point_to_point": 2 * later, "broadcast": later + (sum(layers[2:]) if hidden else 0)},
        "dense_dfa": {"point_to_point": classes * hidden, "broadcast": classes if hidden else 0},
        "sparse_dfa": {
            "point_to_point": config.feedback.nonzeros * hidden,
            "broadcast": classes if hidden else 0,
        },
        "array": {
            "scalars": len(scalars),
            "wire_bits": sum(tile + 1 for tile in scalars) * config.formats.delta.width,
        },
    }
