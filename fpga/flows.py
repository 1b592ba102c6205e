"""What each device family's tools are told: synthesis, constraints, placement and routing, packing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dfarray.fpga.boards import Board, Family
from dfarray.fpga.pinout import Pin
from dfarray.fpga.top import TOP

PARTS = (
    *("*.core.sequencer", "*.core.fetch", "*.core.collector", "*.core.readout", "*.core.error_unit"),
    *("*.core.feedback", "*.core.input_store", "*.core.dump_queue", "*.accelerator.register_file"),
    *("*.linked.link", "*.linked.crossing"),
)
"""Modules beside the tiles, as yosys selects them."""

RTLIL, VERILOG, NETLIST, REPORT = "top.il", "top.v", "netlist.json", "nextpnr.json"


@dataclass(frozen=True)
class Flow:
    """A family's tools, and what they call things.

    Attributes
    ----------
    synthesis : str
        The yosys command; ``{series}`` is the first part of the board's ``chip``.
    place_and_route, pack : str
        Tools by native name.
    constraints, placed, bitstream : str
        Files.
    constrain : function of Board and the Pins of the top's ports to str
        Contents of the constraint file.
    placing, routing, packing : list of str
        Arguments of placement, of routing, and of the packer; ``{chip}`` is the board's.
    clock_constraint : str or None
        How the constraint file says what a net's clock is, of ``{net}`` and ``{mhz}``; None if placement and routing
        are one run, whose clock is an argument.
    parts_apart : bool
        Whether each tile, each lane and what is in :data:`PARTS` is synthesised by itself. What travels along a chain
        is in every tile's registers, some cycles apart; yosys would keep it once, as many tiles away, and a lane's
        selects once for all. And its mapping takes no more trouble with any path than the slowest of a module needs.
    multipliers, block_rams, luts, flip_flops : str
        Resources in nextpnr's report; flip-flops are counted in the netlist by the start of their cells' names.
    """

    synthesis: str
    place_and_route: str
    pack: str
    constraints: str
    placed: str
    bitstream: str
    constrain: Callable[[Board, Mapping[str, Pin]], str]
    placing: list[str]
    routing: list[str]
    packing: list[str]
    multipliers: str
    block_rams: str
    luts: str
    flip_flops: str
    parts_apart: bool = False
    clock_constraint: str | None = None

    def yosys_script(self, board: Board, tiles: int, lanes: int) -> str:
        """From RTLIL to a netlist, with the Verilog on the way; of so many tiles and so many lanes a tile."""
        synthesis = self.synthesis.format(series=board.chip.partition("-")[0].lower())
        # Not the bias tile's lane, whose activations are constants.
        arrays = [f"*.tile_{t} {' '.join(f'*.tile_{t}.lane_{k}' for k in range(lanes))}" for t in range(tiles)]
        parts = " ".join([*arrays, *PARTS])
        return "\n".join(
            [
                f"read_rtlil {RTLIL}",
                # No address is read in the cycle that writes it, or what is read is not used, so the registers
                # and multiplexers that would make such a read well defined are left out.
                "setparam -set COLLISION_X_MASK 1'1 */t:$memrd_v2",
                "proc",
                "design -push-copy",
                "memory_collect",
                f"write_verilog -norename {VERILOG}",
                "design -pop",
                *([f"setattr -mod -set keep_hierarchy 1 {parts}"] if self.parts_apart else []),
                f"{synthesis} -top {TOP}",
                *([f"setattr -mod -unset keep_hierarchy {parts}", "flatten", "clean"] if self.parts_apart else []),
                f"write_json {NETLIST}",
                "",
            ]
        )

    def pack_arguments(self, board: Board) -> list[str]:
        """What the packer is told."""
        return [argument.format(chip=board.chip) for argument in self.packing]


def _ecp5_constraints(board: Board, pins: Mapping[str, Pin]) -> str:
    lines = []
    for port, pin in pins.items():
        lines += [f'LOCATE COMP "{port}" SITE "{pin.site}";', f'IOBUF PORT "{port}" {_settings(pin)};']
    lines.append(f'FREQUENCY PORT "clk" {board.oscillator_mhz:g} MHZ;')
    return "\n".join(lines) + "\n"


def _ice40_constraints(board: Board, pins: Mapping[str, Pin]) -> str:
    # Of a pin's attributes nextpnr reads this one here; the standard is that of every single-ended pin.
    lines = [
        f"set_io {'-pullup yes ' if pin.attributes.get('PULLUP') == '1' else ''}{port} {pin.site}"
        for port, pin in pins.items()
    ]
    return "\n".join([*lines, f"set_frequency clk {board.oscillator_mhz:g}"]) + "\n"


def _gowin_constraints(board: Board, pins: Mapping[str, Pin]) -> str:
    lines = [f'IO_LOC "{port}" {pin.site};\nIO_PORT "{port}" {_settings(pin)};' for port, pin in pins.items()]
    return "\n".join(lines) + "\n"


def _settings(pin: Pin) -> str:
    return " ".join(f"{name}={value}" for name, value in pin.attributes.items())


FLOWS = {
    Family.ECP5: Flow(
        synthesis="synth_ecp5",
        place_and_route="nextpnr-ecp5",
        pack="ecppack",
        constraints="pins.lpf",
        placed="placed.config",
        bitstream="board.bit",
        constrain=_ecp5_constraints,
        # Paths that are nearly the slowest weigh more than by default. router1 takes hours for a full device.
        placing=["--placer-heap-timingweight", "25", "--placer-heap-critexp", "3"],
        routing=["--router", "router2", "--textcfg", "placed.config"],
        clock_constraint='FREQUENCY NET "{net}" {mhz:.3f} MHZ;',
        packing=["--compress", "placed.config", "board.bit"],
        multipliers="MULT18X18D",
        block_rams="DP16KD",
        luts="TRELLIS_COMB",
        flip_flops="TRELLIS_FF",
        parts_apart=True,
    ),
    Family.ICE40: Flow(
        # Not -dsp: it would take the registers out of the SB_MAC16 that are instantiated; nothing else multiplies.
        synthesis="synth_ice40 -device u",
        place_and_route="nextpnr-ice40",
        pack="icepack",
        constraints="pins.pcf",
        placed="placed.asc",
        bitstream="board.bin",
        constrain=_ice40_constraints,
        placing=["--pcf", "pins.pcf"],
        routing=["--asc", "placed.asc"],
        packing=["placed.asc", "board.bin"],
        multipliers="ICESTORM_DSP",
        block_rams="ICESTORM_RAM",
        luts="ICESTORM_LC",
        flip_flops="SB_DFF",
    ),
    Family.GOWIN: Flow(
        synthesis="synth_gowin -family {series}",
        place_and_route="nextpnr-himbaechel",
        pack="gowin_pack",
        constraints="pins.cst",
        placed="placed.json",
        bitstream="board.fs",
        constrain=_gowin_constraints,
        placing=["--vopt", "cst=pins.cst"],
        routing=["--write", "placed.json"],
        packing=["-d", "{chip}", "-o", "board.fs", "placed.json"],
        multipliers="MULT18X18",
        block_rams="BSRAM",
        luts="LUT4",
        flip_flops="DFF",
    ),
}
"""The flow of every family."""
