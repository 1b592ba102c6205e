"""What every command shares: tables and progress for people, JSON for machines, exit codes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from dfarray.files import naming

CHECK_FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130


class CheckError(RuntimeError):
    """Something was checked and found wrong; commands end with exit code 1."""


out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@contextmanager
def refusing_bad_input() -> Iterator[None]:
    """End with one message: exit code 2 for what the user can mend, 1 for a failed check, 130 for Ctrl-C."""
    try:
        yield
    except CheckError as error:
        err.print(f"[red]check failed:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(CHECK_FAILED) from None
    except (ValueError, OSError, RuntimeError) as error:
        # Ours (configuration, data, simulator) and the system's; a programming error stays a traceback.
        err.print(f"[red]error:[/red] {escape(_told(error))}", soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    except KeyboardInterrupt:
        err.print("interrupted")
        raise typer.Exit(INTERRUPTED) from None


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def note(text: str) -> None:
    """Print a line beside the results, on standard error."""
    err.print(escape(text), soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning; nothing ends."""
    err.print(f"[yellow]warning:[/yellow] {escape(text)}", soft_wrap=True)


def report(title: str, figures: dict, json_file: Path | None) -> None:
    """Print a table of figures and write them as JSON."""
    table = Table(title=title, show_header=False, title_justify="left")
    for name, value in figures.items():
        if not isinstance(value, (dict, list)):
            table.add_row(name.replace("_", " "), _shown(value))
    out.print(table)
    write_json(json_file, figures)


def write_json(file: Path | None, figures: dict) -> None:
    """Write figures for machines, if a file is named."""
    if file is None:
        return
    with naming(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _shown(value) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@contextmanager
def progress_bar(title: str, total: int) -> Iterator:
    """A bar on standard error; yields a function (text, done)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(title, total=total)

        def show(text: str, done: int) -> None:
            progress.update(task, description=f"{title}: {text}", completed=done)

        yield show


def plot_accuracy(path: Path, curves: dict[str, tuple[list[float], list[float]]], title: str) -> None:
    """Accuracy against samples seen, as PNG.

    Parameters
    ----------
    curves : dict of label to (samples seen, accuracy)
    """
    # Half a second to import; only who draws pays for it.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    for label, (samples, accuracy) in curves.items():
        axes.plot(samples, [100 * value for value in accuracy], marker="o", label=label)
    axes.set(xlabel="training samples seen", ylabel="accuracy (%)", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
