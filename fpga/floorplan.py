"""Where a lane's hard blocks go on the die: a lane beside its weight bank, a tile beside the next of its chains.

Placers move hard blocks to their few sites last, far from the logic around them: docs/decisions/0009 has what that
costs. With their sites given from the start, the logic gathers around them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from dfarray.configuration import Configuration


@dataclass(frozen=True)
class Site:
    """A place of a hard block: column, row, and the name that nextpnr has for it."""

    x: int
    y: int
    bel: str


@dataclass(frozen=True)
class Die:
    """The hard blocks of a device.

    Attributes
    ----------
    multipliers : list of rows of Site
        Each from left to right; the first is nearest to the block RAMs that no lane needs.
    block_rams : list of Site
    """

    multipliers: tuple[tuple[Site, ...], ...]
    block_rams: tuple[Site, ...]


_COLUMNS = (*range(4, 59, 9), *range(69, 115, 9))
_MULTIPLIERS = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))
_BLOCK_RAMS = ((0, "EBR0"), (2, "EBR1"), (4, "EBR2"), (6, "EBR3"))


def _row(y: int, blocks: Iterable[tuple[int, str]]) -> tuple[Site, ...]:
    return tuple(Site(x + dx, y, f"X{x + dx}/Y{y}/{name}") for x in _COLUMNS for dx, name in blocks)


ECP5_85 = Die(
    multipliers=tuple(_row(y, _MULTIPLIERS) for y in (58, 34, 10)),
    block_rams=tuple(site for y in (22, 46, 70, 82) for site in _row(y, _BLOCK_RAMS)),
)
"""LFE5U-85F, LFE5UM5G-85F. Rows and columns as ``nextpnr-ecp5 --write`` names them when every block is in use."""

DIES = {"LFE5U-85F": ECP5_85, "LFE5UM5G-85F": ECP5_85}
"""By the beginning of a device's ordering code."""

_LANE = re.compile(r"\btile_(\d+)\.lane_(\d+)\.")
_TILE = re.compile(r"\btile_(\d+)\.")


def floorplan(
    config: Configuration, device: str, multipliers: Iterable[str], block_rams: Iterable[str]
) -> dict[str, str]:
    """A site for every hard block of the tiles, and every block RAM.

    The chains go out in a zigzag over all rows of multipliers but the first, and come back along that one, so that both
    ends are near each other and there is room for everything else beside them. A tile's lanes stand side by side, each
    with its multipliers; block RAMs go as near as all of them together can,
    those of no tile to the chains' ends.

    Parameters
    ----------
    config : Configuration
    device : str
        Ordering code.
    multipliers, block_rams : iterable of str
        Names of cells; multipliers of no tile are left to the placer.

    Returns
    -------
    dict of cell to site; empty if nothing is known of the device, or the tiles do not fit row by row.
    """
    die = next((die for name, die in DIES.items() if device.startswith(name)), None)
    if die is None:
        return {}
    lanes = config.array.lanes
    by_lane: dict[tuple[int, int], list[str]] = defaultdict(list)
    for name in sorted(multipliers):
        if found := _LANE.search(name):
            by_lane[int(found[1]), int(found[2])].append(name)
    each = max(map(len, by_lane.values()), default=0)
    path = _path(config.array.tiles, len(die.multipliers), len(die.multipliers[0]) // max(1, each * lanes))
    if not each or path is None:
        return {}
    places, middles = {}, {}
    for tile, (row, column) in enumerate(path):
        for lane in range(lanes):
            first = (column * lanes + lane) * each
            sites = die.multipliers[row][first : first + each]
            places |= dict(zip(by_lane[tile, lane], (site.bel for site in sites), strict=False))
            middles[tile, lane] = sites[0]
        middles[tile, None] = middles[tile, lanes // 2]
    wanted = {}
    for name in sorted(block_rams):
        if found := _LANE.search(name):
            near, weight = middles.get((int(found[1]), int(found[2]))), 1.0
        elif found := _TILE.search(name):
            # A table has registers on both sides; a bank's address goes to all lanes of a tile in one cycle.
            near, weight = middles.get((int(found[1]), None)), 0.3
        else:
            # What the tiles do not need is where the chains begin and end.
            near, weight = middles[config.array.tiles - 1, None], 1.0
        if near:
            wanted[name] = near, weight
    return places | _nearest(wanted, die.block_rams)


def _path(tiles: int, rows: int, columns: int) -> list[tuple[int, int]] | None:
    """(row, column) of every tile of the chains; None if there is no room."""
    columns = min(columns, -(-tiles // rows))
    if tiles > rows * columns:
        return None
    away = [(row, column) for column in range(columns) for row in _turned(range(1, rows), column % 2 == 1)]
    back = [(0, column) for column in reversed(range(columns))]
    return [*away, *back][:tiles]


def _turned(items: range, turn: bool) -> range:
    return items[::-1] if turn else items


def _nearest(wanted: Mapping[str, tuple[Site, float]], sites: tuple[Site, ...]) -> dict[str, str]:
    """The assignment whose weighted sum of distances, long ones counting more, is least."""
    if len(wanted) > len(sites):
        return {}
    at = np.array([[site.x, site.y] for site, _ in wanted.values()]).reshape(-1, 1, 2)
    weights = np.array([weight for _, weight in wanted.values()]).reshape(-1, 1)
    distance = np.abs(at - np.array([[site.x, site.y] for site in sites])).sum(axis=2)
    chosen = zip(wanted, linear_sum_assignment(weights * distance**2.5)[1], strict=True)
    return {name: sites[index].bel for name, index in chosen}
