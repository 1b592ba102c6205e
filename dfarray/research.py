"""The commands for researchers: comparisons, costs and benchmarks. Registered by the command line."""

import os
import platform
import shlex
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dfarray.configuration import Configuration, load_configuration
from dfarray.console import out, progress_bar, refusing_bad_input, report, write_json

JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the figures as JSON.")]


class ComparisonName(StrEnum):
    """The paper's comparisons."""

    ACCURACY = "accuracy"
    SPARSITY = "sparsity"
    PRECISION = "precision"
    ANGLE = "angle"
    MOVEMENT = "movement"
    TRANSFER = "transfer"
    CONVOLUTION = "convolution"


def paper(
    comparison: Annotated[ComparisonName, typer.Argument(help="What to compare.")],
    quick: Annotated[bool, typer.Option("--quick", help="Under 2 minutes: 2 epochs on 6,000 samples.")] = False,
    seeds: Annotated[
        int | None, typer.Option(min=1, max=100, metavar="N", help="Seeds 1 to N; default 3, with --quick 1.")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="D", help="Only the lines on this data set.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    directory: Annotated[Path, typer.Option("-o", "--output", metavar="DIR")] = Path("build/paper"),
    json_file: JsonFile = None,
    download: Annotated[
        bool, typer.Option("--download", envvar="DFARRAY_DOWNLOAD", help="Fetch missing data.")
    ] = False,
) -> None:
    """Make one of the paper's comparisons: table (Markdown, JSON) and plot. Interrupted, it goes on where it was."""
    with refusing_bad_input():
        from dfarray.golden.experiments.movement import movement, plot_movement

        chosen = tuple(range(1, (seeds or (1 if quick else 3)) + 1))
        stem = f"{comparison}-quick" if quick else str(comparison)
        picture = directory / f"{stem}.png"
        if comparison is ComparisonName.MOVEMENT:
            table = movement()
            plot_movement(picture)
        else:
            table = _trained(comparison, chosen, quick, data, jobs, directory, picture, download)
        command = shlex.join(["dfarray", *_given()])
        page = directory / f"{stem}.md"
        page.write_text(table.markdown(command, _machine()), encoding="utf-8")
        figures = {"comparison": str(comparison), "title": table.title, "quick": quick, "seeds": list(chosen)}
        figures |= {"command": command, "machine": _machine(), "rows": table.rows, "note": table.note}
        figures |= {"table": str(page), "plot": str(picture)}
        write_json(directory / f"{stem}.json", figures)
        write_json(json_file, figures)
        out.print(page.read_text(encoding="utf-8"), markup=False, soft_wrap=True)
        out.print(f"{page}, {picture}")


def _trained(comparison, seeds, quick, data, jobs, directory, picture, download):
    from dfarray.golden.datasets import load_dataset
    from dfarray.golden.experiments.campaign import run_all
    from dfarray.golden.experiments.comparisons import COMPARISONS, Scope
    from dfarray.golden.experiments.tables import accuracy_table, plot

    compared = COMPARISONS[comparison](Scope(seeds, quick))
    if data is not None:
        compared = compared.limited_to(data)
    for name in dict.fromkeys(case.runs[0].data for case in compared.cases):
        load_dataset(name, download=download, progress=out.print)
    runs = [run for case in compared.cases for run in case.runs]
    with progress_bar(str(comparison), len(dict.fromkeys(map(repr, runs)))) as show:
        measured = run_all(runs, memory=directory / "finished", jobs=jobs, progress=show)
    each = [measured[start : start + len(seeds)] for start in range(0, len(measured), len(seeds))]
    if quick:
        few = "A quick run: at most 2 epochs on a few thousand samples, whatever the text below says."
        compared = replace(compared, note=f"{few}\n\n{compared.note}")
    table = accuracy_table(compared, each, seeds)
    plot(compared, table, picture)
    return table


def _given() -> list[str]:
    """Arguments as given, without where the output went."""
    kept, arguments = [], iter(sys.argv[1:])
    for argument in arguments:
        if argument in ("--json", "-o", "--output", "--jobs"):
            next(arguments, None)
        elif not argument.startswith(("--json=", "--output=", "--jobs=")):
            kept.append(argument)
    return kept


def _machine() -> str:
    import numpy

    python = f"Python {platform.python_version()}, NumPy {numpy.__version__}"
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, {python}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def costs(
    network: Annotated[
        str, typer.Argument(metavar="NETWORK", help="A configuration (.toml), or widths such as 784-150-10.")
    ],
    nonzeros: Annotated[int, typer.Option(min=1, help="s of sparse DFA, where NETWORK gives widths.")] = 1,
    json_file: JsonFile = None,
) -> None:
    """Count MACs, weight reads and writes, and words moved in a training sample, for backpropagation and DFA."""
    with refusing_bad_input():
        from rich.table import Table

        from dfarray.costs import array_costs, training_costs

        figures: dict = {"network": network}
        if network.endswith(".toml"):
            config: Configuration = load_configuration(Path(network))
            found = training_costs(config.network.layers, config.feedback.nonzeros, config.formats)
            figures["array"] = vars(array_costs(config))
        else:
            found = training_costs(_widths(network), nonzeros)
        figures |= {rule: cost.as_dict() for rule, cost in found.items()}
        table = Table("a training sample", *found, title=network, title_justify="left")
        flat = {rule: _flat(cost.as_dict()) for rule, cost in found.items()}
        for name in next(iter(flat.values())):
            table.add_row(name, *(f"{flat[rule][name]:,}" for rule in found))
        out.print(table)
        report(f"{network}: this array" if "array" in figures else network, figures.get("array", {}), None)
        write_json(json_file, figures)


def _widths(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(width) for width in text.split("-"))
    except ValueError:
        raise ValueError(f"NETWORK must be a .toml file or widths such as 784-150-10, not {text!r}") from None


def _flat(figures: dict) -> dict[str, int]:
    flat = {}
    for name, value in figures.items():
        if isinstance(value, dict):
            flat |= {f"{name.replace('_', ' ')}: {key.replace('_', ' ')}": one for key, one in value.items()}
        else:
            flat[name.replace("_", " ")] = value
    return flat
