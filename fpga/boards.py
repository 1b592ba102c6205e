"""Boards that can be built for, each with its clock, pins and timing goal; from amaranth-boards where it has them."""

from dataclasses import dataclass
from enum import StrEnum

from amaranth_boards.ecpix5 import ECPIX585Platform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_85FPlatform
from amaranth_boards.tang_nano_9k import TangNano9kPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from dfarray.fpga.pinout import Pin, leds, platform_mhz, platform_pins


class Family(StrEnum):
    """Device families; each has its own tools, see :mod:`dfarray.fpga.flows`."""

    ECP5 = "ecp5"
    ICE40 = "ice40"
    GOWIN = "gowin"


@dataclass(frozen=True)
class Loader:
    """What a board can be given through openFPGALoader.

    Attributes
    ----------
    board : str
        Its name there.
    sram, flash : bool
        Whether the configuration memory, which forgets, and the flash can be written.
    """

    board: str
    sram: bool = True
    flash: bool = True


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
    pins : dict of port to Pin
        ``clk``; ``uart_rx`` and ``uart_tx``, what the board receives and sends; ``button``; ``leds[0]``, ``leds[1]``, …
    loader : Loader
    baud : int
        Fastest rate of the serial port.
    chip : str
        Gowin's series and size, as nextpnr and gowin_pack name it; empty elsewhere.
    """

    name: str
    device: str
    family: Family
    place_and_route: tuple[str, ...]
    oscillator_mhz: float
    target_mhz: float
    pins: dict[str, Pin]
    loader: Loader
    chip: str = ""
    baud: int = 3_000_000

    @property
    def leds(self) -> tuple[Pin, ...]:
        """Its lights, by the bits of the port ``leds``."""
        return tuple(pin for port, pin in self.pins.items() if port.startswith("leds["))


_LVCMOS33 = {"IO_TYPE": "LVCMOS33"}


def _ecp5(size: str, package: str, speed: int) -> tuple[str, ...]:
    return (f"--{size}", "--package", package, "--speed", str(speed))


def _gowin(device: str, chip: str) -> tuple[str, ...]:
    return ("--device", device, "--vopt", f"family={chip}")


_BOARDS = (
    Board(
        name="ulx3s-85f",
        device="LFE5U-85F-6BG381C",
        family=Family.ECP5,
        place_and_route=_ecp5("85k", "CABGA381", 6),
        oscillator_mhz=platform_mhz(ULX3S_85F_Platform),
        target_mhz=170.0,
        pins=platform_pins(ULX3S_85F_Platform),
        loader=Loader("ulx3s"),
    ),
    Board(
        name="icebreaker",
        device="iCE40UP5K-SG48",
        family=Family.ICE40,
        place_and_route=("--up5k", "--package", "sg48"),
        oscillator_mhz=platform_mhz(ICEBreakerPlatform),
        target_mhz=30.0,
        pins=platform_pins(ICEBreakerPlatform),
        # Most iCE40 boards are wired alike, and have one name there.
        loader=Loader("ice40_generic", sram=False),
    ),
    Board(
        name="orangecrab-85f",
        device="LFE5U-85F-8MG285C",
        family=Family.ECP5,
        place_and_route=_ecp5("85k", "CSFBGA285", 8),
        oscillator_mhz=platform_mhz(OrangeCrabR0_2_85FPlatform),
        target_mhz=100.0,
        # Its USB goes to the FPGA itself. Serial port: the Feather's pins RX and TX, which are 0 and 1.
        pins=platform_pins(OrangeCrabR0_2_85FPlatform)
        | {"uart_rx": Pin("N17", _LVCMOS33), "uart_tx": Pin("M18", _LVCMOS33)},
        # The bootloader's DFU writes flash only.
        loader=Loader("orangeCrab", sram=False),
    ),
    Board(
        name="ecpix5-85f",
        device="LFE5UM5G-85F-8BG554I",
        family=Family.ECP5,
        place_and_route=_ecp5("um5g-85k", "CABGA554", 8),
        oscillator_mhz=platform_mhz(ECPIX585Platform),
        target_mhz=100.0,
        pins=platform_pins(ECPIX585Platform),
        # With an FT2232; revision 03, with an FT4232, is ecpix5_r03.
        loader=Loader("ecpix5"),
    ),
    # Pins: github.com/wuxx/Colorlight-FPGA-Projects, colorlight_i9_v7.2.md, on its extension board, whose debugger has
    # the serial port. There is no button; K18 is on connector P2.
    Board(
        name="colorlight-i9",
        device="LFE5U-45F-6BG381C",
        family=Family.ECP5,
        place_and_route=_ecp5("45k", "CABGA381", 6),
        oscillator_mhz=25.0,
        target_mhz=100.0,
        pins={
            "clk": Pin("P3", _LVCMOS33),
            "uart_rx": Pin("H18", _LVCMOS33),
            "uart_tx": Pin("J17", _LVCMOS33),
            "button": Pin("K18", _LVCMOS33 | {"PULLMODE": "UP"}, active_low=True),
        }
        | leds([Pin("L2", _LVCMOS33, active_low=True)]),
        loader=Loader("colorlight-i9"),
    ),
    # Pins: wiki.sipeed.com/hardware/en/tang/tang-nano-20k.
    Board(
        name="tangnano20k",
        device="GW2AR-LV18QN88C8/I7",
        family=Family.GOWIN,
        place_and_route=_gowin("GW2AR-LV18QN88C8/I7", "GW2A-18C"),
        oscillator_mhz=27.0,
        target_mhz=54.0,
        pins={
            "clk": Pin("4", _LVCMOS33),
            "uart_rx": Pin("70", _LVCMOS33),
            "uart_tx": Pin("69", _LVCMOS33),
            "button": Pin("88", _LVCMOS33),
        }
        | leds([Pin(str(number), _LVCMOS33, active_low=True) for number in range(15, 21)]),
        loader=Loader("tangnano20k"),
        chip="GW2A-18C",
    ),
    Board(
        name="tangnano9k",
        device="GW1NR-LV9QN88PC6/I5",
        family=Family.GOWIN,
        place_and_route=_gowin("GW1NR-LV9QN88PC6/I5", "GW1N-9C"),
        oscillator_mhz=platform_mhz(TangNano9kPlatform),
        target_mhz=27.0,
        pins=platform_pins(TangNano9kPlatform),
        loader=Loader("tangnano9k"),
        chip="GW1N-9C",
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
