"""Which part of the space of accelerators was drawn."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, product

from dfarray.configuration import Activation, ErrorKind, Rounding
from dfarray.latency import FAMILIES

from .case import Case

VALUES: dict[str, tuple] = {
    "family": tuple(FAMILIES),
    "activation": tuple(str(kind) for kind in Activation),
    "error": tuple(str(kind) for kind in ErrorKind),
    "rounding": tuple(str(kind) for kind in Rounding),
    "zero-skipping": (False, True),
    "feedback nonzeros": ("1", "some", "all"),
    "feedback scale": ("less than 1", "1", "more than 1"),
    "hidden layers": (1, 2, 3),
    "passes of a layer": ("one", "several"),
    "tiles": ("1", "2 to 3", "4 to 6"),
    "lanes": ("1", "2", "3 to 4"),
    "classes": ("fewer than tiles", "as many or more"),
    "accumulator": ("exact", "saturating"),
    "gram": ("automatic", "chosen"),
    "samples come": ("dense", "as events"),
    "results stalled": (False, True),
    "weights loaded": (False, True),
    "weights": ("initial", "of the whole format"),
    "frozen layers": (False, True),
    "stores": ("LUT or block", "blocks only"),
}
"""Every dimension with its values."""


def place(case: Case) -> dict:
    """A case's value in every dimension."""
    config, array = case.config, case.config.array
    nonzeros, scale = config.feedback.nonzeros, config.feedback.log2_scale
    passes = [item.layer for item in config.passes]
    return {
        "family": array.family,
        "activation": str(config.network.activation),
        "error": str(config.network.error),
        "rounding": str(config.training.rounding),
        "zero-skipping": array.zero_skipping,
        "feedback nonzeros": "1" if nonzeros == 1 else "all" if nonzeros == config.network.classes else "some",
        "feedback scale": "less than 1" if scale < 0 else "more than 1" if scale else "1",
        "hidden layers": len(config.network.layers) - 2,
        "passes of a layer": "several" if len(passes) > len(set(passes)) else "one",
        "tiles": "1" if array.tiles == 1 else "2 to 3" if array.tiles < 4 else "4 to 6",
        "lanes": "3 to 4" if array.lanes > 2 else str(array.lanes),
        "classes": "fewer than tiles" if config.network.classes < array.tiles else "as many or more",
        "accumulator": "saturating" if config.accumulator_saturates else "exact",
        "gram": "automatic" if config.formats.gram == "auto" else "chosen",
        "samples come": "as events" if case.events else "dense",
        "results stalled": case.gaps[1] > 0,
        "weights loaded": case.load or not config.preset,
        "weights": "of the whole format" if case.full_weights else "initial",
        "frozen layers": any(train and freeze for _, train, _, _, freeze in case.phases),
        "stores": "blocks only" if case.hard_stores else "LUT or block",
    }


def impossible(pair: dict) -> bool:
    """Whether no case has these two values."""
    # Hard multipliers are narrower than the automatic gram may be: the strategy chooses one. There are two classes.
    return (pair.get("gram") == "automatic" and pair.get("family") not in (None, "generic")) or (
        pair.get("classes") == "fewer than tiles" and pair.get("tiles") == "1"
    )


def drawn(cases: Sequence[Case]) -> tuple[dict[str, Counter], list[dict], list[dict]]:
    """Counts by dimension and value; pairs of values of two dimensions that were, and that were not drawn."""
    places = [place(case) for case in cases]
    counts = {name: Counter(dict.fromkeys(values, 0)) for name, values in VALUES.items()}
    for found in places:
        for name, value in found.items():
            counts[name][value] += 1
    met, holes = [], []
    for a, b in combinations(VALUES, 2):
        seen = {(found[a], found[b]) for found in places}
        for pair in product(VALUES[a], VALUES[b]):
            table = dict(zip((a, b), pair, strict=True))
            if not impossible(table):
                (met if pair in seen else holes).append(table)
    return counts, met, holes
