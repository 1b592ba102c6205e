"""Measured trainings as tables, Markdown and plots."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

from tabulate import tabulate

from dfarray.golden.experiments.comparisons import Comparison
from dfarray.golden.experiments.runs import Measured


@dataclass(frozen=True)
class Table:
    """What a comparison found.

    Attributes
    ----------
    title, note : str
    rows : list of dict
        Columns of text and figures; lists hold one figure a seed.
    """

    title: str
    note: str
    rows: list[dict]

    def markdown(self, command: str, machine: str) -> str:
        """A page: title, table, what it shows and how to reproduce it."""
        shown = [{name: _cell(value) for name, value in row.items() if not _hidden(value)} for row in self.rows]
        table = tabulate(shown, headers="keys", tablefmt="github", disable_numparse=True)
        return f"# {self.title}\n\n`{command}`\n\n{table}\n\n{self.note}\n\nMachine: {machine}.\n"


def accuracy_table(comparison: Comparison, measured: list[list[Measured]], seeds: tuple[int, ...]) -> Table:
    """Final and best accuracies, or final angles, over the seeds.

    Parameters
    ----------
    measured : list of lists of Measured
        Of every case, one a seed.
    """
    rows = []
    for case, found in zip(comparison.cases, measured, strict=True):
        final = [100 * one.test_accuracy[-1] for one in found]
        best = [100 * max(one.test_accuracy) for one in found]
        row: dict = {**case.labels, "final %": mean(final), "spread": _spread(final), "best epoch %": mean(best)}
        if comparison.plot == "angles":
            row |= _angles(found)
        row |= {"final of each seed": final, "best of each seed": best}
        row["best epoch of each seed"] = [1 + one.test_accuracy.index(max(one.test_accuracy)) for one in found]
        rows.append(row)
    note = (
        f"{comparison.note}\n\nMean of seeds {', '.join(map(str, seeds))}; spread is their sample standard deviation. "
        "Final: after the last epoch. Best epoch: chosen on the test set, so it flatters."
    )
    return Table(comparison.title, note, rows)


def _angles(found: list[Measured]) -> dict:
    """Mean over the seeds of the angle at start, after about an eighth of an epoch and at the end, and its course."""
    course = [
        {name: mean(one.angles[point][name] for one in found) for name in found[0].angles[0]}
        for point in range(len(found[0].angles))
    ]
    row = {"angle at start": course[0]["all"], "at the end": course[-1]["all"]}
    row |= {f"{name.replace('_', ' ')} at the end": course[-1][name] for name in course[0] if "layer" in name}
    return row | {"course": course}


def _spread(values: list[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None


def _hidden(value) -> bool:
    return isinstance(value, (list, dict))


def _cell(value) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def plot(comparison: Comparison, table: Table, path: Path) -> None:
    """Draw the table as PNG or SVG."""
    # Half a second to import; only who draws pays for it.
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = {"points": _points, "lines": _lines, "angles": _courses}
    panels = {
        name: [row for row in table.rows if _panel(comparison, row) == name] for name in _panels(comparison, table)
    }
    if comparison.plot == "points":
        heights = [1 + 0.28 * len(rows) for rows in panels.values()]
        shape = {"nrows": len(panels), "figsize": (9, sum(heights)), "height_ratios": heights, "sharex": True}
    else:
        shape = {"ncols": len(panels), "figsize": (1 + 6 * len(panels), 4.2)}
    figure, axes = pyplot.subplots(layout="constrained", squeeze=False, **shape)
    for (name, rows), axis in zip(panels.items(), axes.ravel(), strict=True):
        kinds[comparison.plot](axis, comparison, rows)
        axis.set_title(name)
        axis.grid(alpha=0.3)
    figure.suptitle(table.title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _panels(comparison: Comparison, table: Table) -> list[str]:
    """Panels, without those in which nothing varies along the axis."""
    names = list(dict.fromkeys(_panel(comparison, row) for row in table.rows))
    if comparison.plot != "lines":
        return names
    values = {name: {row[comparison.axis] for row in table.rows if _panel(comparison, row) == name} for name in names}
    return [name for name in names if len(values[name]) > 1]


def _panel(comparison: Comparison, row: dict) -> str:
    """The first column has a picture for each of its values."""
    return row[next(iter(comparison.cases[0].labels))]


def _series(comparison: Comparison, row: dict, without: str = "") -> str:
    names = list(comparison.cases[0].labels)[1:]
    return ", ".join(row[name] for name in names if name != without)


def _points(axis, comparison: Comparison, rows: list[dict]) -> None:
    labels = [_series(comparison, row) for row in rows]
    final, spread = [row["final %"] for row in rows], [row["spread"] or 0 for row in rows]
    axis.errorbar(final, labels, xerr=spread, fmt="o", capsize=2, label="final epoch, mean and spread")
    axis.plot([row["best epoch %"] for row in rows], labels, "k|", label="best epoch")
    axis.set(xlabel="test accuracy (%)")
    axis.invert_yaxis()
    axis.legend(fontsize="small")


def _lines(axis, comparison: Comparison, rows: list[dict]) -> None:
    # What a line is called: the columns that stay the same along it.
    series: dict[str, list[dict]] = {}
    for row in rows:
        fixed = [name for name in list(comparison.cases[0].labels)[1:] if name in ("values", "rounding")]
        extra = f", rank {row['rank']}" if row.get("rank", "10") != "10" else ""
        series.setdefault(", ".join(row[name] for name in fixed) + extra, []).append(row)
    for label, line in series.items():
        x = [float(row[comparison.axis]) for row in line]
        axis.errorbar(
            x, [r["final %"] for r in line], [r["spread"] or 0 for r in line], marker="o", capsize=2, label=label
        )
    axis.set(xlabel=comparison.axis, ylabel="test accuracy, final epoch (%)")
    _legend(axis)


def _courses(axis, comparison: Comparison, rows: list[dict]) -> None:
    for row in rows:
        x = [point["samples"] for point in row["course"]]
        axis.plot(x, [point["all"] for point in row["course"]], marker=".", label=_series(comparison, row))
    axis.axhline(90, color="k", linewidth=0.8)
    axis.set(xlabel="training samples seen", ylabel="degrees between the updates")
    _legend(axis)


def _legend(axis) -> None:
    """Beside the picture, where it hides nothing."""
    axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
