"""The configuration that is proved: every kind of slot, group and tile occurs, and as little more as may be."""

from functools import cache

from dfarray.configuration import Configuration, parse_configuration


@cache
def small(
    layers: tuple[int, ...] = (2, 3, 3, 2),
    tiles: int = 2,
    lanes: int = 1,
    *,
    family: str = "generic",
    rounding: str = "nearest",
    nonzeros: int = 1,
    bank_rows: int = 32,
    error: str = "mse",
) -> Configuration:
    """A network of so many layers on so many tiles.

    By default two hidden layers of two slots each, the second of one neuron; two output groups.
    """
    return parse_configuration(
        {
            "network": {"layers": list(layers), "activation": "relu", "error": error},
            "array": {"tiles": tiles, "lanes": lanes, "bank_rows": bank_rows, "family": family},
            "feedback": {"nonzeros": nonzeros},
            "training": {"learning_rate": 0.25, "rounding": rounding},
        }
    )
