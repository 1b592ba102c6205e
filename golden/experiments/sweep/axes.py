"""What a sweep varies: configuration keys over values."""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from dfarray.configuration import Configuration, with_values

SEED = "seed"
"""A key of its own: training.seed and feedback.seed alike."""


@dataclass(frozen=True)
class Axis:
    """A configuration key and the values it takes."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Point:
    """One combination of values, on one data set.

    Attributes
    ----------
    values : dict of key to value
    table : dict
        The base configuration, as JSON.
    """

    values: dict[str, Any]
    table: dict
    data: str
    samples: int | None

    @property
    def identity(self) -> str:
        """Digest of all that decides the result: equal points have equal ones."""
        text = json.dumps([self.table, self.values, self.data, self.samples], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def settings(self) -> dict[str, Any]:
        """Values by configuration key."""
        settings = {key: value for key, value in self.values.items() if key != SEED}
        if SEED in self.values:
            settings |= dict.fromkeys(("training.seed", "feedback.seed"), self.values[SEED])
        return settings


def parse_axis(text: str, config: Configuration) -> Axis:
    """Read ``key=values``.

    Parameters
    ----------
    text : str
        The key is ``section.key`` of the configuration, or ``seed``. Values are a TOML array (``[1, 2]``), one TOML
        value, integers ``1..5``, ``lin:0:1:5`` (five equally spaced) or ``log:1e-3:1e-1:5`` (five equal ratios).

    Raises
    ------
    ValueError
        If the key is unknown or there are no values.
    """
    key, equals, written = text.partition("=")
    key, written = key.strip(), written.strip()
    known = [f"{name}.{field}" for name, section in config for field in type(section).model_fields]
    if not equals or key not in (*known, SEED):
        raise ValueError(f"-s {text}: key=values is wanted, the key one of {', '.join((SEED, *known))}")
    try:
        values = tuple(_values(written))
    except (ValueError, tomllib.TOMLDecodeError):
        raise ValueError(
            f"-s {text}: values are [a, b, …], 1..5, lin:start:stop:count or log:start:stop:count, not {written!r}"
        ) from None
    if not values:
        raise ValueError(f"-s {text}: at least one value is needed")
    return Axis(key, values)


def _values(text: str) -> list:
    first, dots, last = text.partition("..")
    if dots:
        return list(range(int(first), int(last) + 1))
    kind, *bounds = text.split(":")
    if kind in ("lin", "log") and len(bounds) == 3:
        start, stop, count = float(bounds[0]), float(bounds[1]), int(bounds[2])
        if kind == "log" and not (start > 0 and stop > 0):
            raise ValueError("logarithms are of positive numbers")
        return [float(v) for v in (np.linspace if kind == "lin" else np.geomspace)(start, stop, count)]
    found = tomllib.loads(f"value = {text}")["value"]
    return found if isinstance(found, list) else [found]


def points(axes: list[Axis], config: Configuration, data: str, samples: int | None) -> Iterator[Point]:
    """Every combination of the axes' values, the last axis fastest.

    Raises
    ------
    ValueError
        If a key is given twice, or ``seed`` beside one of the keys it stands for.
    """
    keys = [axis.key for axis in axes]
    if len(set(keys)) < len(keys):
        raise ValueError(f"every key may be varied once, not {', '.join(keys)}")
    if SEED in keys and {"training.seed", "feedback.seed"} & set(keys):
        raise ValueError("seed sets training.seed and feedback.seed; vary it or them, not both")
    table = config.model_dump(mode="json")
    for combination in product(*(axis.values for axis in axes)):
        yield Point(dict(zip(keys, combination, strict=True)), table, data, samples)


def configured(point: Point) -> Configuration:
    """Build the point's configuration.

    Raises
    ------
    ConfigurationError
        If its values cannot be built.
    """
    return with_values(Configuration.model_validate(point.table), point.settings)
