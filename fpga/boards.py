"""Boards that can be built for, each with its clock, pins and timing goal."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """Device families; each has its own tools, see :mod:`dfarray.fpga.flows`."""

    ECP5 = "ecp5"
    ICE40 = "ice40"
    GOWIN = "gowin"


@dataclass(frozen=True)
class Board:
    """A board.

    Attributes
    ----------
    name, device : str
        Name on the command line; the device's ordering code.
    family : Family
    place_and_route : tuple of str
        Arguments by which nextpnr knows the device.
    oscillator_mhz : float
        Frequency on the ``clk`` pin.
    target_mhz : float
        Clock of the array: a PLL makes it, and the build fails if it is not met.
    pins : dict of port to ball or pin
        ``clk``, and the ports of :class:`dfarray.fpga.narrow_port.NarrowPort`: receive and transmit of the board's USB
        serial port, and a button.
    """

    name: str
    device: str
    family: Family
    place_and_route: tuple[str, ...]
    oscillator_mhz: float
    target_mhz: float
    pins: dict[str, str]


_BOARDS = (
    # Pins: github.com/emard/ulx3s, doc/constraints/ulx3s_v20.lpf.
    Board(
        name="ulx3s-85f",
        device="LFE5U-85F-6BG381C",
        family=Family.ECP5,
        place_and_route=("--85k", "--package", "CABGA381", "--speed", "6"),
        oscillator_mhz=25.0,
        target_mhz=170.0,
        pins={"clk": "G2", "serial_in": "M1", "serial_out": "L4", "strobe": "R1"},
    ),
    # Pins: github.com/icebreaker-fpga/icebreaker, schematic v1.0e.
    Board(
        name="icebreaker",
        device="iCE40UP5K-SG48",
        family=Family.ICE40,
        place_and_route=("--up5k", "--package", "sg48"),
        oscillator_mhz=12.0,
        target_mhz=30.0,
        pins={"clk": "35", "serial_in": "6", "serial_out": "9", "strobe": "10"},
    ),
    # Pins: wiki.sipeed.com/hardware/en/tang/tang-nano-20k.
    Board(
        name="tangnano20k",
        device="GW2AR-LV18QN88C8/I7",
        family=Family.GOWIN,
        place_and_route=("--device", "GW2AR-LV18QN88C8/I7", "--vopt", "family=GW2A-18C"),
        oscillator_mhz=27.0,
        target_mhz=54.0,
        pins={"clk": "4", "serial_in": "70", "serial_out": "69", "strobe": "88"},
    ),
)

BOARDS = {board.name: board for board in _BOARDS}
"""Every board by its name."""


def board_named(name: str) -> Board:
    """Look a board up.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in BOARDS:
        raise ValueError(f"board must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
