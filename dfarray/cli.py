"""The command line. Each command imports the packages below only when it runs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dfarray import benchmarks, boards, building, estimating, flashing, research, sweeping
from dfarray.configuration import load_configuration, shipped
from dfarray.console import CHECK_FAILED, out, plot_accuracy, progress_bar, refusing_bad_input, report

app = typer.Typer(
    help="Neuron arrays that train on the chip by sparse direct feedback alignment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command()(building.build)
app.command()(flashing.flash)
app.command()(estimating.estimate)
app.command()(boards.virtual)
app.command()(boards.selftest)
app.command()(research.paper)
app.command()(research.costs)
app.command()(sweeping.sweep)
app.add_typer(benchmarks.app, name="bench")

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file, see configs/.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")]
Data = Annotated[
    str,
    typer.Option(
        "--data", metavar="D", help="digits, mnist, fashion-mnist, … or a path; mnist:2500:1000: the first so many."
    ),
]
Download = Annotated[
    bool, typer.Option("--download", envvar="DFARRAY_DOWNLOAD", help="Fetch MNIST or Fashion-MNIST if it is not here.")
]


class Engine(StrEnum):
    """What trains."""

    GOLDEN = "golden"
    RTL = "rtl"
    BOARD = "board"


class Mode(StrEnum):
    """How RTL and golden model are compared."""

    TRACE = "trace"
    SIGNATURE = "signature"


class Input(StrEnum):
    """How samples are sent."""

    DENSE = "dense"
    EVENTS = "events"


Sent = Annotated[
    Input | None,
    typer.Option("--input", help="All inputs, or the nonzero ones. Default: events if the array skips zeros."),
]


class Simulator(StrEnum):
    """What runs the RTL."""

    VERILATOR = "verilator"
    ICARUS = "icarus"
    CXXRTL = "cxxrtl"


def main() -> None:
    """Entry point of the ``dfarray`` command."""
    app()


def _workspace(config_file: Path, command: str, directory: Path | None) -> Path:
    return directory or Path("build") / command / config_file.stem


def _events(sent: Input | None) -> bool | None:
    return None if sent is None else sent is Input.EVENTS


@app.command()
def generate(
    config_file: ConfigFile,
    directory: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where to write.")],
    json_file: JsonFile = None,
) -> None:
    """Write the Verilog and its manifest (ports, registers, MACs, words moved)."""
    with refusing_bad_input():
        from dfarray.golden.steady import steady_cycles
        from dfarray.hw.generate import generate as generate_verilog
        from dfarray.initial_weights import preset_weights

        config = load_configuration(config_file)
        with progress_bar("generate", 1) as show:
            manifest = generate_verilog(config, preset_weights(config), directory)
            show("count cycles", 1)
            cycles = steady_cycles(config)
        figures = {
            "verilog": str(directory / manifest["verilog"]),
            "manifest": str(directory / "manifest.json"),
            "tiles": config.array.tiles,
            "lanes": config.array.tiles * config.array.lanes,
            "multipliers": 2 * config.array.tiles * config.array.lanes,
            "bank_rows_used": config.bank_rows_used,
            "cycles_per_sample": cycles,
            "utilisation": config.utilisation(cycles),
            "costs": manifest["costs"],
        }
        report(f"generated {config_file.name}", figures, json_file)


@app.command()
def train(
    config_file: ConfigFile,
    data: Data,
    engine: Annotated[Engine, typer.Option(help="Golden integer model, simulated RTL, or a board.")] = Engine.GOLDEN,
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first N training samples.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Default: the configuration's.")] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Checkpoint, kept at the latest place to resume from; at the end the final weights."
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Go on from a checkpoint of any engine: with the same configuration and data it ends with the same "
            "weights, bit for bit, as without the interruption. May be the file of --save.",
        ),
    ] = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            min=1,
            help="Checkpoint after every N samples of an epoch too, not only at its end. That flushes the pending "
            "updates, and the next samples round differently: part of the run, whether it is saved or not.",
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Accuracy curve, PNG.")] = None,
    directory: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR")] = None,
    simulator: Annotated[Simulator, typer.Option(help="For --engine rtl.")] = Simulator.VERILATOR,
    sent: Sent = None,
    port: Annotated[str | None, typer.Option(metavar="P", help="For --engine board: its serial port.")] = None,
    baud: boards.Baud = 3_000_000,
    test_samples: Annotated[
        int, typer.Option(min=0, metavar="N", help="For --engine board: test samples it answers after the last epoch.")
    ] = 1000,
    json_file: JsonFile = None,
    download: Download = False,
) -> None:
    """Train a network, on the golden integer model, the simulated RTL or a board: all end with the same weights."""
    failed = False
    with refusing_bad_input():
        from dfarray import training_run

        config = load_configuration(config_file)
        dataset = training_run.load_checked(config, data, download)
        checkpoints = training_run.Checkpoints(save, resume, checkpoint_every)
        session = training_run.session_of(config, dataset, epochs, samples, checkpoints)
        epochs = session.epochs
        directory = _workspace(config_file, "train", directory)
        if engine is Engine.BOARD:
            if port is None:
                raise ValueError("--engine board needs --port, the board's serial port")
            run = training_run.on_board(
                session, checkpoints, port, baud=baud, events=_events(sent), test_samples=test_samples
            )
        elif engine is Engine.GOLDEN:
            run = training_run.on_golden(session, checkpoints)
        elif checkpoints.wanted:
            run = training_run.on_rtl_with_checkpoints(
                session, checkpoints, directory, simulator.value, events=_events(sent)
            )
        else:
            run = training_run.on_rtl(
                config, dataset, epochs, samples, directory, simulator.value, events=_events(sent)
            )
            failed = run.figures["mismatches"] != 0
        weights_file = save or directory / f"weights-{engine}.npz"
        if save is None:
            run.save_weights(weights_file)
        plot_file = plot or directory / f"accuracy-{engine}.png"
        plot_accuracy(plot_file, run.curves, f"{config_file.stem} on {dataset.name}, {engine}")
        figures = {"config": str(config_file), "data": dataset.name, "engine": str(engine), "epochs": epochs}
        figures |= run.figures | {"weights": str(weights_file), "plot": str(plot_file)}
        report(f"trained {config_file.name} on {dataset.name}", figures, json_file)
        if "counters" in figures:
            report("counted by board and driver", figures["counters"], None)
    if failed:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def cosim(
    config_file: ConfigFile,
    data: Data,
    samples: Annotated[int, typer.Option(min=2, help="Training samples to run.")] = 20,
    mode: Annotated[
        Mode, typer.Option(help="In every cycle: each architectural signal (trace), or their signature (faster).")
    ] = Mode.TRACE,
    simulator: Annotated[Simulator, typer.Option()] = Simulator.VERILATOR,
    sent: Sent = None,
    verilog: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Use this output of `dfarray generate`, edited or not.")
    ] = None,
    stalls: Annotated[int, typer.Option(min=0, max=90, help="Per cent of cycles in which streams pause.")] = 0,
    directory: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR")] = None,
    json_file: JsonFile = None,
    download: Download = False,
) -> None:
    """Compare RTL and golden model; exit code 1 names the first mismatch."""
    failed = False
    with refusing_bad_input():
        from dfarray import training_run
        from dfarray.golden.arithmetic import quantize_inputs
        from dfarray.golden.presentation import epoch_samples
        from dfarray.sim import job
        from dfarray.sim.cosim import cosimulate

        config = load_configuration(config_file)
        dataset = training_run.load_checked(config, data, download)
        if samples > len(dataset.train_x):
            raise ValueError(f"--samples {samples}: {dataset.name} has {len(dataset.train_x)} training samples")
        order, shown = epoch_samples(config, 1, dataset.train_x, samples)
        gaps: dict[str, int] = dict.fromkeys(("sample_gaps", "result_gaps", "weight_gaps"), stalls * 256 // 100)
        with progress_bar("cosim", samples) as show:
            outcome = cosimulate(
                config,
                quantize_inputs(config, shown),
                dataset.train_y[order],
                directory=_workspace(config_file, "cosim", directory),
                simulator=simulator.value,
                verilog=verilog,
                mode=job.Mode(mode.value),
                events=_events(sent),
                gaps=gaps,
                progress=show,
            )
        figures = {"config": str(config_file), "data": dataset.name} | outcome.report.as_dict()
        report(f"{config_file.name} against the golden model", figures, json_file)
        failed = outcome.report.mismatches != 0
        if failed:
            out.print(f"[red]first mismatch:[/red] {outcome.report.described_mismatch}")
    if failed:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def demo(
    directory: Annotated[Path, typer.Option("-o", "--output", metavar="DIR")] = Path("build/demo"),
    json_file: JsonFile = None,
) -> None:
    """Train the 8x8 digits on the simulated RTL, checked against the golden model."""
    failed = False
    with refusing_bad_input():
        from dfarray import training_run

        figures = training_run.demonstrate(shipped("digits"), directory)
        report("digits, trained by the RTL", figures, json_file)
        failed = not figures["passed"]
    if failed:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def data(
    name: Annotated[str, typer.Argument(metavar="NAME", help="mnist, fashion-mnist, digits, mnist-1d, … or a path.")],
    export: Annotated[Path | None, typer.Option(metavar="FILE.npz", help="Write it, as --data reads it.")] = None,
    json_file: JsonFile = None,
    download: Download = False,
) -> None:
    """Look a data set up, and fetch it into the cache if asked to."""
    with refusing_bad_input():
        from dfarray.golden.datasets import load_dataset, save_npz

        found = load_dataset(name, download=download, progress=out.print)
        figures: dict = {
            "training_samples": len(found.train_x),
            "test_samples": len(found.test_x),
            "features": found.features,
            "classes": found.classes,
        }
        if export is not None:
            save_npz(found, export)
            figures["exported"] = str(export)
        report(found.name, figures, json_file)
