"""The widths at which the arithmetic of hw/ is used, by elaborating every configuration that is shipped."""

import importlib
from functools import cache
from pathlib import Path

from amaranth.hdl import Fragment

from dfarray.configuration import load_configuration
from dfarray.initial_weights import preset_weights

_CONFIGS = Path(__file__).parents[2] / "configs"

USED = {
    "saturate": lambda m, value, width, name: (len(value), width),
    "saturate_registered": lambda m, value, width, name: (len(value), width),
    "overflow_registered": lambda m, value, width, name: (len(value), width),
    "round_half_up": lambda value, bits: (len(value), bits),
    "fabric_product": lambda m, a, b, name: (len(a), len(b)),
    "skewed_sum": lambda m, a, b, count, name, minus=False: (len(a), count, minus),
    "adder_tree": lambda m, values, name: (len(values), max(map(len, values))),
}
"""What is told apart in the uses of a function, by its name."""


@cache
def widths_in_use() -> dict[str, list[tuple]]:
    """Every combination of widths met, by function."""
    from .mutation import edited

    uses: dict[str, set[tuple]] = {name: set() for name in USED}
    with edited(None, "harness"):
        arithmetic = importlib.import_module("dfarray.hw.arithmetic")
        for name in USED:
            setattr(arithmetic, name, _watched(getattr(arithmetic, name), USED[name], uses[name]))
        accelerator = importlib.import_module("dfarray.hw.accelerator").Accelerator
        for path in sorted(_CONFIGS.glob("*.toml")):
            config = load_configuration(path)
            Fragment.get(accelerator(config, preset_weights(config)), None)
    return {name: sorted(found) for name, found in uses.items()}


def _watched(function, key, uses):
    def watched(*arguments, **options):
        uses.add(key(*arguments, **options))
        return function(*arguments, **options)

    return watched
