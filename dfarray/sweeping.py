"""The command ``sweep``."""

import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from dfarray.configuration import load_configuration
from dfarray.console import err, progress_bar, refusing_bad_input, report

NEEDED = ("distributed", "filelock")


def sweep(
    config_file: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML file, see configs/.")],
    data: Annotated[str, typer.Option("--data", metavar="D", help="As for train.")],
    axis: Annotated[
        list[str],
        typer.Option(
            "-s", "--set", metavar="KEY=VALUES", help="training.learning_rate=[0.01,0.02], seed=1..3, lin:0:1:5, log:…"
        ),
    ],
    results: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help=".csv or .parquet")] = Path(
        "build/sweep.csv"
    ),
    samples: Annotated[int | None, typer.Option(min=1, help="Only the first N training samples.")] = None,
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="tcp://…; default: local processes.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Local processes.")] = os.cpu_count() or 1,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed points again.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE")] = None,
) -> None:
    """Train every combination of values; started again, it goes on with the points that are not finished."""
    with refusing_bad_input():
        _needed()
        from filelock import FileLock, Timeout

        from dfarray.golden.experiments.sweep.axes import parse_axis, points
        from dfarray.golden.experiments.sweep.cluster import run_sweep
        from dfarray.golden.experiments.sweep.journal import Journal

        # Workers that end with the cluster say so in paragraphs.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        config = load_configuration(config_file)
        every = list(points([parse_axis(text, config) for text in axis], config, data, samples))
        results.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(results.with_name(results.name + ".lock"), timeout=0):
                journal = Journal(results)
                wanted = [point for point in every if not journal.finished(point, failed_too=not retry_failed)]
                counts = {"done": 0, "failed": 0}
                if wanted:
                    with progress_bar("sweep", len(wanted)) as show:
                        counts = run_sweep(wanted, journal, scheduler=scheduler, jobs=jobs, progress=show)
                else:
                    journal.export()
        except Timeout:
            raise ValueError(f"{results}: another sweep is writing it") from None
        figures = {"config": str(config_file), "data": data, "points": len(every)}
        figures |= {"already_finished": len(every) - len(wanted), **counts, "results": str(results)}
        report(f"sweep of {config_file.name}", figures, json_file)
        if counts["failed"]:
            err.print(f"{counts['failed']} points failed; the column error says why, --retry-failed tries them again")


def _needed() -> None:
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise RuntimeError(f"sweep needs {', '.join(missing)}; install with: pip install 'dfarray[sweep]'")
