"""``python -m benchmarks``: one table, and benchmarks/results.json."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, deterministic_figures, mnist_figures, store_baselines
from benchmarks.measured import build_figures, cosimulation_figures, golden_figures

GROUPS = {
    "cycles": deterministic_figures,
    "mnist": mnist_figures,
    "golden": golden_figures,
    "cosim": cosimulation_figures,
    "builds": build_figures,
}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Every figure beside its goal.")
    parser.add_argument("--only", action="append", choices=GROUPS, help="of these groups alone; may be repeated")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_name("results.json"), help="where to write")
    parser.add_argument(
        "--update-baselines", action="store_true", help="store cycles and utilisations as what tests expect"
    )
    arguments = parser.parse_args()
    if arguments.update_baselines:
        store_baselines([*deterministic_figures(), *mnist_figures()])
        return
    figures = [figure for name in arguments.only or GROUPS for figure in GROUPS[name]()]
    Console().print(_table(figures))
    content = {"figures": [asdict(figure) | {"reached": figure.reached} for figure in figures]}
    arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _table(figures: list[Figure]) -> Table:
    table = Table("figure", "value", "goal", "reference")
    for figure in figures:
        value = f"{figure.note or 'not measured'}" if figure.value is None else f"{_shown(figure.value)} {figure.unit}"
        style = {True: "green", False: "red", None: ""}[figure.reached]
        table.add_row(figure.name, f"[{style}]{value}[/]" if style else value, figure.goal, figure.reference)
    return table


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 10_000 or value == int(value) else f"{value:,.4g}"


if __name__ == "__main__":
    main()
