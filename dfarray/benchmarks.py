"""The command group ``bench``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from dfarray.configuration import load_configuration, shipped
from dfarray.console import err, progress_bar, refusing_bad_input, report, write_json

app = typer.Typer(help="Measure speed beside others, in one run.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep the subcommand's name even while there is one only."""


@app.command()
def golden(
    config_file: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="Default: the shipped mnist.toml.")
    ] = None,
    data: Annotated[str, typer.Option(metavar="D")] = "mnist",
    rounds: Annotated[int, typer.Option(min=1, help="Timed rounds; the median counts.")] = 7,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE")] = None,
    download: Annotated[
        bool, typer.Option("--download", envvar="DFARRAY_DOWNLOAD", help="Fetch missing data.")
    ] = False,
) -> None:
    """Count training samples a second, batch 1, one core: our models, and PyTorch and BioTorch if installed."""
    with refusing_bad_input():
        from dfarray.golden import peers
        from dfarray.golden.benchmark import contenders, measure
        from dfarray.training_run import load_checked

        config = load_configuration(config_file) if config_file else shipped("mnist")
        dataset = load_checked(config, data, download)
        competing = contenders(config, dataset)
        own = competing[0].name
        figures: dict = {}
        with progress_bar("bench", rounds) as show:
            for item in measure(competing, rounds):
                if isinstance(item, int):
                    show("round", item)
                else:
                    figures = {
                        "config": str(config_file or "configs/mnist.toml"),
                        "data": dataset.name,
                        "samples_per_second": item[own].samples_per_second,
                        "contenders": {name: vars(timing) for name, timing in item.items()},
                        "ratios": {
                            name: item[own].samples_per_second / timing.samples_per_second
                            for name, timing in item.items()
                        },
                    }
        shown = {name: f"{t['samples_per_second']:>9,.0f} samples/s" for name, t in figures["contenders"].items()}
        report(f"batch 1, {'-'.join(map(str, config.network.layers))}, one core", shown, None)
        report(
            f"{own}, times faster than",
            {name: f"{r:.2f}" for name, r in figures["ratios"].items() if name != own},
            None,
        )
        if find_spec("torch") is None:
            err.print(f"PyTorch and BioTorch are not installed; to compare with them: {peers.INSTALL}")
        write_json(json_file, figures)
