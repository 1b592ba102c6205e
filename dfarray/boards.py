"""The commands that talk to a board, and the one that makes one of nothing. Registered by the command line."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from dfarray.configuration import load_configuration
from dfarray.console import CheckError, err, out, progress_bar, refusing_bad_input, report, write_json

Port = Annotated[str, typer.Option("--port", metavar="P", help="Serial port of the board, such as /dev/ttyUSB1.")]
Baud = Annotated[int, typer.Option(min=1200, help="As built; build.json tells. A virtual board takes any.")]
ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file, see configs/.")]


def virtual(
    config_file: ConfigFile,
    link: Annotated[Path | None, typer.Option("--link", metavar="PATH", help="Symbolic link to the terminal.")] = None,
    directory: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="For the build.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the port's name, once it is there.")
    ] = None,
) -> None:
    """Compile a board's top level and serve its UART on a pseudo-terminal, until Ctrl-C."""
    with refusing_bad_input():
        from dfarray.sim.boards import CYCLES_PER_BIT, virtual_program

        config = load_configuration(config_file)
        err.print("compiling the board; minutes for a large array, nothing if it was compiled before")
        program = virtual_program(config, directory or Path("build") / "virtual" / config_file.stem)
        # Ctrl-C reaches this process and its child; the child ends, and this one follows.
        board = subprocess.Popen(
            [str(program), str(CYCLES_PER_BIT)], cwd=program.parent, stdout=subprocess.PIPE, text=True
        )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        try:
            assert board.stdout is not None
            port = board.stdout.readline().strip()
            if not port:
                raise CheckError(f"the virtual board did not start: exit code {board.wait()}")
            if link is not None:
                link.unlink(missing_ok=True)
                link.symlink_to(port)
            out.print(f"serving {config_file.name} on {port}" + (f", {link}" if link is not None else ""))
            write_json(json_file, {"port": port, "pid": board.pid})
            code = board.wait()
            if code:
                raise CheckError(f"the virtual board ended with exit code {code}")
        except KeyboardInterrupt:
            pass
        finally:
            if board.poll() is None:
                board.terminate()
            board.wait()
            if link is not None and link.is_symlink():
                link.unlink()


def selftest(
    port: Port,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", metavar="CONFIG", help="Default: the one among configs/ that the board runs."),
    ] = None,
    baud: Baud = 3_000_000,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")] = None,
) -> None:
    """Train a board on a built-in burst and compare its weights with the golden model's; exit code 1 if they differ."""
    with refusing_bad_input():
        from dfarray.fpga.host.board import open_port
        from dfarray.fpga.host.selftest import BURST, self_test

        with progress_bar("self-test", BURST) as show:
            figures = self_test(open_port(port, baud), config_file, show)
        report(f"self-test on {port}", figures, json_file)
        if not figures["passed"]:
            raise CheckError(f"the board's {figures['differs']} differ from the golden model's")
