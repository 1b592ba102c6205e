"""The command that builds for FPGA boards. Registered by the command line."""

from pathlib import Path
from typing import Annotated

import typer

from dfarray.configuration import load_configuration
from dfarray.console import CheckError, progress_bar, refusing_bad_input, report, warn, write_json

BOARD_NAMES = "ulx3s-85f, icebreaker, orangecrab-85f, ecpix5-85f, colorlight-i9, tangnano20k or tangnano9k"
"""For --help, where :mod:`dfarray.fpga.boards` is not imported for its names alone."""


def build(
    config_file: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file, see configs/.")],
    board_name: Annotated[str, typer.Option("--board", metavar="B", help=f"{BOARD_NAMES}.")],
    directory: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write.")],
    seed: Annotated[int, typer.Option(min=1, help="Of placement and routing.")] = 1,
    mhz: Annotated[float | None, typer.Option(min=1, help="Clock of the array; default: the board's goal.")] = None,
    native: Annotated[
        bool,
        typer.Option(
            "--native",
            envvar="DFARRAY_NATIVE_TOOLS",
            help="Tools from PATH, not YoWASP's. Without it, too, if only those are installed.",
        ),
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")] = None,
) -> None:
    """Synthesise, place, route and pack for a board; exit code 1 if the clock is missed."""
    with refusing_bad_input():
        from dfarray.fpga.boards import board_named
        from dfarray.fpga.build import STEPS, missed_timing
        from dfarray.fpga.build import build as build_bitstream
        from dfarray.fpga.complaints import Complaint
        from dfarray.fpga.estimate import foreseen
        from dfarray.golden.steady import steady_cycles
        from dfarray.initial_weights import preset_weights

        board = board_named(board_name)
        config = load_configuration(config_file)
        for excess in foreseen(config, board):
            warn(f"by `dfarray estimate` it does not fit {board.name}: {excess}")
        with progress_bar("build", len(STEPS)) as show:
            figures = build_bitstream(
                config,
                preset_weights(config),
                board,
                directory,
                seed=seed,
                mhz=mhz,
                cycles_per_sample=steady_cycles(config),
                native=native,
                progress=show,
            )
        write_json(json_file, figures)
        for complaint in figures["warnings"]:
            warn(str(Complaint(**complaint)))
        report(f"built {config_file.name} for {board.name}", _table(figures, directory), None)
        missed = missed_timing(figures)
        if missed is not None:
            raise CheckError(missed)


def _table(figures: dict, directory: Path) -> dict:
    """The figures a person looks for first."""
    names = ("device", "seed", "fmax_mhz", "target_mhz", "lanes", "multipliers", "block_rams", "luts", "flip_flops")
    shown = {name: figures[name] for name in (*names, "cycles_per_sample", "samples_per_second")}
    for name, value in shown.items():
        if isinstance(value, dict):
            shown[name] = f"{value['used']:,} of {value['available']:,}"
    if figures["critical_path"]:
        shown["critical_path"] = figures["critical_path"]["text"]
    return shown | {"warnings": len(figures["warnings"]), "bitstream": str(directory / figures["bitstream"])}
