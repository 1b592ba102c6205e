"""What a configuration takes of a board, and what would fit, without running a tool."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dfarray.configuration import Configuration, ConfigurationError, with_values
from dfarray.fpga.boards import BOARDS, Board, Family
from dfarray.fpga.memories import LINK_MEMORIES, block_rams
from dfarray.hw.blocks.ice40up5k import SPRAMS
from dfarray.passes import bank_rows_needed

ARRAY_FAMILIES = {Family.ECP5: "ecp5", Family.ICE40: "ice40up5k", Family.GOWIN: "gowin"}
"""``array.family`` whose hard blocks a device family has."""


@dataclass(frozen=True)
class Device:
    """What a device has.

    Attributes
    ----------
    multipliers, block_rams, luts, flip_flops : int
    block_ram : str
        Name.
    """

    multipliers: int
    block_rams: int
    block_ram: str
    luts: int
    flip_flops: int


DEVICES = {
    "LFE5U-85F-6BG381C": Device(156, 208, "DP16KD", 83_640, 83_640),
    "LFE5U-85F-8MG285C": Device(156, 208, "DP16KD", 83_640, 83_640),
    "LFE5UM5G-85F-8BG554I": Device(156, 208, "DP16KD", 83_640, 83_640),
    "LFE5U-45F-6BG381C": Device(72, 108, "DP16KD", 43_848, 43_848),
    "iCE40UP5K-SG48": Device(8, 30, "RAM40", 5_280, 5_280),
    "GW2AR-LV18QN88C8/I7": Device(48, 46, "BSRAM", 20_736, 15_552),
    "GW1NR-LV9QN88PC6/I5": Device(20, 26, "BSRAM", 8_640, 6_480),
}
"""By ordering code. Sources: Lattice FPGA-DS-02012 and FPGA-DS-02008, Gowin DS226 and DS117."""


@dataclass(frozen=True)
class Area:
    """LUTs, or flip-flops: so many for each lane, for each tile beside its lanes, and for all that is there once."""

    once: int
    tile: int
    lane: int

    def of(self, config: Configuration) -> int:
        """An accelerator's."""
        tiles, lanes = config.array.tiles, config.array.lanes
        return self.once + tiles * (self.tile + lanes * self.lane)


AREAS = {
    Family.ECP5: {"luts": Area(6_176, 949, 346), "flip_flops": Area(7_161, 1_545, 447)},
    Family.ICE40: {"luts": Area(3_508, 400, 124), "flip_flops": Area(1_606, 317, 62)},
    Family.GOWIN: {"luts": Area(7_672, 896, 526), "flip_flops": Area(6_271, 904, 233)},
}
"""By family, from one build each, host link included; to be fitted again as builds are added.

ECP5: configs/ulx3s.toml, 784-150-10 on 15 tiles of 5 lanes: 46,393 TRELLIS_COMB and 63,868 TRELLIS_FF. iCE40:
configs/icebreaker.toml, 784-32-10 on a tile of 4 lanes without lists: 4,406 ICESTORM_LC, 2,171 of them with a register.
Gowin: configs/tangnano20k.toml, 784-32-10 on 2 tiles of 2 lanes: 11,567 LUT4, adders not counted. The netlist's cells
counted by the names of tiles and lanes, LUTs scaled to what nextpnr makes of them (by 1.09, 1.28 and 1.33).

Other widths of formats, and what in a tile grows with its lanes, are not modelled.
"""

NOT_MODELLED = ["LUTs and flip-flops of other formats than those of the build they come from"]
"""What is left out."""

BUILDS = Path(__file__).resolve().parents[1] / "docs" / "results" / "builds.json"
"""Measured builds, a list of what ``dfarray build`` writes to build.json; there may be none."""


@dataclass(frozen=True)
class Need:
    """What a design takes of a resource.

    Attributes
    ----------
    used, available : int
    exact : bool
        Counted; False if it follows from the builds in :data:`AREAS`.
    """

    used: int
    available: int
    exact: bool = True

    def __str__(self) -> str:
        return f"{'' if self.exact else 'about '}{self.used:,} of {self.available:,}"


def on_board(config: Configuration, board: Board) -> Configuration:
    """The configuration with the board's hard blocks, unless it names a family itself.

    Raises
    ------
    ValueError
        If it names another board's.
    """
    family = ARRAY_FAMILIES[board.family]
    if config.array.family not in ("generic", family):
        raise ValueError(f"array.family = {config.array.family!r}: {board.name} has the hard blocks of {family!r}")
    return with_values(config, {"array.family": family})


def needs(config: Configuration, board: Board) -> dict[str, Need]:
    """What a configuration made for the board takes of each resource; LUTs and flip-flops as builds tell."""
    device, memories = DEVICES[board.device], block_rams(config, board.family, LINK_MEMORIES)
    found = {"multipliers": Need(2 * config.array.tiles * config.array.lanes, device.multipliers)}
    if board.family is Family.ICE40:
        found["SPRAM"] = Need(memories.pop("SPRAM", 0), SPRAMS)
    found[device.block_ram] = Need(sum(memories.values()), device.block_rams)
    for name, area in AREAS[board.family].items():
        found[name] = Need(area.of(config), getattr(device, name), exact=False)
    return found


def exceeded(resources: dict[str, Need]) -> list[str]:
    """Every resource of which there is too little, and by how much."""
    return [
        f"{name}: {need}, {need.used - need.available:,} too many"
        for name, need in resources.items()
        if need.used > need.available
    ]


def tightest(resources: dict[str, Need]) -> str:
    """The resource of which most is used."""
    return max(resources, key=lambda name: resources[name].used / resources[name].available)


def most_tiles(config: Configuration, board: Board) -> int:
    """Largest number of tiles, of as many lanes, that fits the board; 0 if none does."""
    return next((tiles for tiles, fitting in _smaller(config, board) if not exceeded(needs(fitting, board))), 0)


def _smaller(config: Configuration, board: Board) -> Iterator[tuple[int, Configuration]]:
    """From as many tiles as there are multipliers for down to one; banks hold what fewer lanes have to share."""
    layers, lanes = config.network.layers, config.array.lanes
    for tiles in range(DEVICES[board.device].multipliers // (2 * lanes), 0, -1):
        rows = max(config.array.bank_rows, bank_rows_needed(layers, tiles, lanes))
        try:
            yield tiles, with_values(config, {"array.tiles": tiles, "array.bank_rows": rows})
        except ConfigurationError:
            return


def foreseen(config: Configuration, board: Board) -> list[str]:
    """What a board has too little of, for a design with whatever hard blocks it is made for."""
    return exceeded(needs(_made_for(config, board), board))


def alternatives(config: Configuration, board: Board, luts: int = 0) -> str:
    """What would fit instead: a smaller array on this board by what is modelled, this one on others; may be empty.

    Parameters
    ----------
    luts : int
        LUTs that a build has needed; others must have as many.
    """
    there, found = _made_for(config, board), []
    if foreseen(config, board):
        tiles, lanes = most_tiles(there, board), config.array.lanes
        found.append(f"at most {tiles} tiles of {lanes} lanes would fit" if tiles else "not even one tile would fit")
    others = [
        other.name
        for other in BOARDS.values()
        if other.name != board.name and DEVICES[other.device].luts >= luts and not foreseen(config, other)
    ]
    if others:
        found.append(f"the design as it is would fit {', '.join(others)}")
    return ", and ".join(found)


def _made_for(config: Configuration, board: Board) -> Configuration:
    return with_values(config, {"array.family": ARRAY_FAMILIES[board.family]})


def measured_clocks(board: Board) -> list[float]:
    """Clocks that builds for a board reached, in MHz."""
    if not BUILDS.exists():
        return []
    builds = json.loads(BUILDS.read_text(encoding="utf-8"))
    return [build["fmax_mhz"] for build in builds if build["board"] == board.name]


def clock(board: Board) -> tuple[float, str]:
    """The array's clock in MHz, and where the figure is from: the median of measured builds, or the board's goal."""
    measured = measured_clocks(board)
    if not measured:
        return board.target_mhz, "goal, not measured"
    return median(measured), f"median of {len(measured)} builds"
