"""The command that estimates: cycles, resources and speed, with no tool run. Registered by the command line."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from dfarray.building import BOARD_NAMES
from dfarray.configuration import Configuration, load_configuration
from dfarray.console import CheckError, refusing_bad_input, report, write_json

EVENT_SAMPLES = 1_000
"""Training samples of a data set that are looked at."""


def estimate(
    config_file: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file, see configs/.")],
    board_name: Annotated[str | None, typer.Option("--board", metavar="B", help=f"{BOARD_NAMES}.")] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="D", help="Count cycles with this data's zeros skipped, too.")
    ] = None,
    mhz: Annotated[
        float | None, typer.Option(min=1, help="Clock of the array; default: measured, or the board's goal.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")] = None,
    download: Annotated[
        bool, typer.Option("--download", envvar="DFARRAY_DOWNLOAD", help="Fetch missing data.")
    ] = False,
) -> None:
    """Tell cycles, resources and speed without running any tool; exit code 1 if it does not fit the board."""
    with refusing_bad_input():
        config = load_configuration(config_file)
        figures: dict = {"config": str(config_file)}
        excess: list[str] = []
        clock = None if mhz is None else (mhz, "as asked for")
        if board_name is not None:
            from dfarray.fpga import estimate as numbers
            from dfarray.fpga.boards import board_named

            board = board_named(board_name)
            configured, config = config.array.family, numbers.on_board(config, board)
            clock = clock or numbers.clock(board)
            resources = numbers.needs(config, board)
            excess = numbers.exceeded(resources)
            figures["board"] = {
                "name": board.name,
                "device": board.device,
                "configured_family": configured,
                "fits": not excess,
                "most_tiles": numbers.most_tiles(config, board),
                "tightest": numbers.tightest(resources),
                "resources": {name: vars(need) for name, need in resources.items()},
                "block_rams": numbers.block_rams(config, board.family),
                "not_modelled": numbers.NOT_MODELLED,
            }
        figures |= _array(config)
        figures["dense"], figures["events"] = _paces(config, data, clock, download)
        if clock is not None:
            figures |= {"clock_mhz": clock[0], "clock_from": clock[1]}
        write_json(json_file, figures)
        report(f"{config_file.name}, estimated", _table(figures), None)
        if excess:
            tiles, lanes = figures["board"]["most_tiles"], config.array.lanes
            fitting = f"at most {tiles} tiles of {lanes} lanes would fit" if tiles else "not even one tile would fit"
            raise CheckError(f"{board_name} is too small: {'; '.join(excess)}; {fitting}")


def _array(config: Configuration) -> dict:
    tiles, lanes = config.array.tiles, config.array.lanes
    return {
        "layers": list(config.network.layers),
        "family": config.array.family,
        "tiles": tiles,
        "lanes": tiles * lanes,
        "multipliers": 2 * tiles * lanes,
        "bank_rows_used": config.bank_rows_used,
        "bank_rows": config.array.bank_rows,
    }


def _paces(config: Configuration, data: str | None, clock: tuple[float, str] | None, download: bool):
    """Figures of dense samples, and of a data set's as events; None without one."""
    from dfarray.throughput import Pace, bottleneck, dense_pace, event_pace

    def figures(pace: Pace) -> dict:
        if clock is None:
            return pace.as_dict()
        rates = pace.samples_per_second(clock[0])
        return pace.as_dict() | {"samples_per_second": rates, "limited_by": bottleneck(rates)}

    dense = dense_pace(config)
    if data is None:
        return figures(dense), None
    if not config.array.zero_skipping:
        raise ValueError("--data: array.zero_skipping = false, so every sample takes as long as a dense one")
    from dfarray.timetable import event_work

    x, name = sent_codes(config, data, download)
    events = event_pace(config, x, event_work(x))
    share = {"nonzero": float(np.mean(x != 0)), "of_dense": events.cycles_per_sample / dense.cycles_per_sample}
    return figures(dense), {"data": name, "samples": len(x)} | figures(events) | share


def sent_codes(config: Configuration, data: str, download: bool = False) -> tuple[np.ndarray, str]:
    """Activation codes of the first training samples of the first epoch, as they are sent, and the data's name."""
    from dfarray.golden.arithmetic import quantize_inputs
    from dfarray.golden.presentation import epoch_samples
    from dfarray.training_run import load_checked

    dataset = load_checked(config, data, download)
    _, sent = epoch_samples(config, 1, dataset.train_x, EVENT_SAMPLES)
    return quantize_inputs(config, sent), dataset.name


def _table(figures: dict) -> dict:
    """The figures a person looks for."""
    shown = {
        "network": "-".join(map(str, figures["layers"])),
        "array": f"{figures['tiles']} tiles, {figures['lanes']} lanes, {figures['multipliers']} multipliers",
        "bank rows": f"{figures['bank_rows_used']:,} of {figures['bank_rows']:,}",
    }
    for kind in ("dense", "events"):
        if (pace := figures[kind]) is not None:
            title = kind if kind == "dense" else f"{pace['data']}, zeros skipped"
            shown[title] = (
                f"{pace['cycles_per_sample']:,.1f} cycles a sample, {pace['waiting']:,.1f} of them waiting, "
                f"{100 * pace['utilisation']:.1f} % of multiplier-cycles useful"
            )
    board = figures.get("board")
    if board is not None:
        chosen = figures["family"] + (", the board's" if board["configured_family"] == "generic" else "")
        shown |= {"device": board["device"], "hard blocks": chosen}
        for name, need in board["resources"].items():
            about = "" if need["exact"] else "about "
            shown[name] = f"{about}{need['used']:,} of {need['available']:,}"
        shown["tightest"] = board["tightest"]
        shown["most tiles that fit"] = board["most_tiles"]
        shown["not modelled"] = "; ".join(board["not_modelled"])
    if "clock_mhz" in figures:
        shown["clock"] = f"{figures['clock_mhz']:g} MHz ({figures['clock_from']})"
        for kind in ("dense", "events"):
            if (pace := figures[kind]) is not None:
                rates = pace["samples_per_second"]
                listed = ", ".join(f"{name.replace('_', ' ')} {rate:,.0f}" for name, rate in rates.items())
                shown[f"samples/s, {kind}"] = f"{listed}; limited by: {pace['limited_by'].replace('_', ' ')}"
    return shown
