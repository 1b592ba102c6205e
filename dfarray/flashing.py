"""The command that programs boards. Registered by the command line."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from dfarray.console import CheckError, out, refusing_bad_input, report, warn


def flash(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Output of `dfarray build`.")],
    sram: Annotated[
        bool, typer.Option("--sram", help="Until the power goes. The default where the board allows it.")
    ] = False,
    into_flash: Annotated[bool, typer.Option("--flash", help="To stay.")] = False,
    loader_board: Annotated[
        str | None,
        typer.Option("--loader-board", metavar="NAME", help="openFPGALoader's board, e.g. ecpix5_r03 or ulx3s_dfu."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the command, run nothing.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")] = None,
) -> None:
    """Program a board with a build, through openFPGALoader; exit code 1 if the board could not be programmed."""
    with refusing_bad_input():
        from dfarray.fpga import flash as flashing

        if sram and into_flash:
            raise ValueError("--sram and --flash: choose one")
        build = flashing.read_build(directory)
        target = flashing.default_target(build.board)
        if sram or into_flash:
            target = flashing.Target.SRAM if sram else flashing.Target.FLASH
        arguments = flashing.loader_command(build, target, loader_board=loader_board)
        if dry_run:
            # For a shell, so neither wrapped nor coloured.
            typer.echo(shlex.join([flashing.LOADER, *arguments]))
            return
        loader = flashing.find_loader()
        if not build.timing_met:
            warn(f"{directory}: the build missed its clock; it may compute wrongly at this frequency")
        try:
            flashing.flash(
                [loader, *arguments], build.board, lambda line: out.print(line, markup=False, soft_wrap=True)
            )
        except flashing.FlashError as error:
            raise CheckError(str(error)) from None
        figures = {"board": build.board.name, "target": str(target), "bitstream": str(build.bitstream)}
        report(f"programmed {build.board.name}", figures, json_file)
