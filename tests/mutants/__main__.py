"""``python -m mutants``, in tests/: every mutant must be found; a table, JSON beside it, exit code 0 only if all are.

First every run must pass on the design as it is. Three kinds: the catalogue's edits of hw/, edits of the golden model
and its data, and changes of generated Verilog drawn with a seed.
"""

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from register_bench import TESTCASES
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress
from rich.table import Table
from verify.runs import fingerprint

from . import catalogue, golden, runs, verilog
from .runs import Found

DRAWN_RUNS = ("drawn", "drawn, restless", *(name for name in TESTCASES if name != "restless"))
"""What a drawn mutant has to pass to survive, quickest first; all have the same Verilog."""


class Trial(NamedTuple):
    """A mutant to be judged by ``runs``; ``key`` tells it from what another one of its name was."""

    kind: str
    title: str
    key: str
    runs: tuple[str, ...]
    judge: Callable[[], list[Found]]
    expected: str = ""
    equivalent: str = ""


def hardware(build: Path) -> Iterator[Trial]:
    """The catalogue."""
    for title, mutant in catalogue.MUTANTS.items():

        def judge(mutant=mutant) -> list[Found]:
            directory = build / "hardware"
            shutil.rmtree(directory, ignore_errors=True)
            with runs.mutated(mutant.edit):
                edited = runs.generated(mutant.run, directory / "generated")
            return [runs.judge(mutant.run, edited, directory)]

        yield Trial("hardware", title, repr(mutant), (mutant.run,), judge, mutant.signal, mutant.equivalent)


def model(build: Path) -> Iterator[Trial]:
    """Those of the golden model; a run is recorded when it is first wanted."""
    recorded: dict[str, Path] = {}
    for title, mutant in golden.MUTANTS.items():

        def judge(mutant=mutant) -> list[Found]:
            directory = build / "recorded" / mutant.run
            if mutant.run not in recorded:
                shutil.rmtree(directory, ignore_errors=True)
                true = runs.judge(mutant.run, runs.generated(mutant.run, directory / "generated"), directory)
                assert not true.fault, f"{mutant.run} without a mutant: {true.fault}"
                recorded[mutant.run] = directory / "run"
            return [golden.judge(mutant, recorded[mutant.run], build / "tree")]

        yield Trial("model", title, repr(mutant), (mutant.run,), judge)


def drawn(build: Path, count: int, seed: int) -> Iterator[Trial]:
    """Those of generated Verilog."""
    directory = build / "verilog"
    shutil.rmtree(directory, ignore_errors=True)
    true = runs.generated(DRAWN_RUNS[0], directory / "generated")
    name = json.loads((true / "manifest.json").read_text(encoding="utf-8"))["verilog"]
    text = (true / name).read_text(encoding="utf-8")
    for place in verilog.sample(text, count, seed):

        def judge(place=place) -> list[Found]:
            edited = directory / "edited"
            shutil.copytree(true, edited, dirs_exist_ok=True)
            (edited / name).write_text(verilog.apply(text, place), encoding="utf-8")
            found = []
            for run in DRAWN_RUNS:
                found.append(runs.judge(run, edited, directory))
                if found[-1].fault:
                    break
            return found

        yield Trial("drawn", place.title, repr(place), DRAWN_RUNS, judge, equivalent=verilog.equivalent(place))


def unchanged(names: Iterable[str], build: Path) -> Iterator[Trial]:
    """The design as it is, in every run: what finds fault with that proves nothing about a mutant."""
    for name in names:

        def judge(name=name) -> list[Found]:
            directory = build / "unchanged"
            shutil.rmtree(directory, ignore_errors=True)
            return [runs.judge(name, runs.generated(name, directory / "generated"), directory)]

        yield Trial("unchanged", name, name, (name,), judge)


def tried(trial: Trial, build: Path) -> dict:
    """Judge a mutant, or look up what was found; a row of the table."""
    own = Path(runs.__file__).read_text(encoding="utf-8")
    path = build / "kept" / hashlib.sha256((fingerprint() + own + trial.key).encode()).hexdigest()[:16]
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    began = time.perf_counter()
    found = trial.judge()
    row = {
        "kind": trial.kind,
        "mutant": trial.title,
        "killed": bool(found[-1].fault),
        "equivalent": trial.equivalent,
        "expected signal": trial.expected,
        "runs": [item.run for item in found],
        **asdict(found[-1]),
        "seconds": round(time.perf_counter() - began, 1),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".part").write_text(json.dumps(row), encoding="utf-8")
    path.with_suffix(".part").rename(path)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument("titles", nargs="*", help="only mutants whose title holds one of these")
    parser.add_argument("--kind", choices=("hardware", "model", "drawn"), action="append", help="default: all")
    parser.add_argument("--count", type=int, default=40, help="drawn mutants")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn mutants")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/mutants"))
    parser.add_argument("--json", type=Path, default=None, help="default: OUTPUT.json")
    arguments = parser.parse_args()
    if shutil.which("iverilog") is None:
        print("Icarus Verilog is not installed; install it with: apt-get install iverilog", file=sys.stderr)
        return 2
    build, kinds = arguments.output.resolve(), arguments.kind or ["hardware", "model", "drawn"]
    sources = {
        "hardware": lambda: hardware(build),
        "model": lambda: model(build),
        "drawn": lambda: drawn(build, arguments.count, arguments.seed),
    }
    trials = [
        trial
        for kind in kinds
        for trial in sources[kind]()
        if not arguments.titles or any(title in trial.title for title in arguments.titles)
    ]
    console, rows, began = Console(), [], time.perf_counter()
    with Progress(*Progress.get_default_columns(), MofNCompleteColumn(), console=console) as progress:
        names = dict.fromkeys(name for trial in trials for name in trial.runs)
        for trial in progress.track(list(unchanged(names, build)), description="unchanged"):
            row = tried(trial, build)
            if row["killed"]:
                console.print(f"{trial.title} finds fault with the design as it is: {row['fault']}")
                return 1
        for trial in progress.track(trials, description="mutants"):
            rows.append(tried(trial, build))
            if not rows[-1]["killed"] and not trial.equivalent:
                console.print(f"survives: {trial.title}")
    return report(rows, time.perf_counter() - began, arguments.json or arguments.output.with_suffix(".json"), console)


def report(rows: list[dict], seconds: float, path: Path, console: Console) -> int:
    """Print the table and write the JSON; returns the exit code."""
    table = Table("kind", "mutant", "killed", "by", "cycle", "tile", "lane", "signal, or what else")
    for row in rows:
        fate = "yes" if row["killed"] else "equivalent" if row["equivalent"] else "NO"
        place = ["-" if row[name] is None else str(row[name]) for name in ("cycle", "tile", "lane")]
        told = row["signal"] or row["equivalent"] or row["fault"].split(" (log:")[0][:70]
        table.add_row(row["kind"], row["mutant"], fate, row["run"] if row["killed"] else "-", *place, told)
    console.print(table)
    killed = sum(row["killed"] for row in rows)
    survivors = [row["mutant"] for row in rows if not (row["killed"] or row["equivalent"])]
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {"mutants": len(rows), "killed": killed, "survivors": survivors, "seconds": round(seconds), "rows": rows}
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    equivalent = len(rows) - killed - len(survivors)
    console.print(
        f"{killed} of {len(rows)} killed, {equivalent} equivalent, {len(survivors)} survive; {seconds:.0f} s; {path}"
    )
    return 1 if survivors or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
