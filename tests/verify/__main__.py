"""``python -m verify``, in tests/: random accelerators against the golden models, every signal in every cycle.

A failing one is shrunk and told in one line that runs it again. A table at the end, JSON beside it, exit code 0 only if
all pass. Results are kept: interrupted, the run goes on where it was.
"""

import argparse
import json
import shlex
import shutil
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from .case import Case, cases
from .coverage import POINTS
from .runs import Result, fingerprint, run
from .space import drawn

MINUTES = 5
"""Hypothesis gives shrinking up after so long; what is smallest by then is told."""


class FailureError(AssertionError):
    """A case failed."""


def draw(count: int, number: int) -> list[Case]:
    """Distinct cases, the same for the same seed."""
    found: dict[str, Case] = {}
    _given(count, number, (Phase.generate,), lambda case: found.setdefault(case.line(), case))
    return list(found.values())


def drawn_before(count: int, number: int, build: Path) -> list[Case]:
    """As :func:`draw`, once for a directory: hypothesis draws otherwise when other modules are loaded."""
    path = build / f"drawn-{fingerprint()[:8]}-{count}-{number}.txt"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [case.line() for case in draw(count, number)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [Case.parse(line) for line in path.read_text(encoding="utf-8").splitlines()]


def fast() -> list[str]:
    """The cases of the fast tests, a line each: part of the deep set too."""
    return Path(__file__).with_name("fast.txt").read_text(encoding="utf-8").splitlines()


def shrink(failed: Result, count: int, number: int, build: Path) -> Result:
    """The smallest failing case that hypothesis finds in a set drawn alike; ``failed`` if it meets no failing one."""
    last = [failed]

    def body(case: Case) -> None:
        result = run(case, build)
        if result.fault:
            last.append(result)
            raise FailureError

    with suppress(FailureError):
        _given(count, number, (Phase.generate, Phase.shrink), body)
    # Hypothesis ends with the smallest one.
    return last[-1]


def _given(count: int, number: int, phases: tuple[Phase, ...], body) -> None:
    @seed(number)
    @settings(
        max_examples=count,
        phases=phases,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(cases())
    def test(case):
        body(case)

    test()


def repeat(line: str) -> str:
    """The command that runs a case again."""
    return f"make verify ONLY={shlex.quote(line)}"


def run_all(chosen: list[Case], build: Path, jobs: int, console: Console) -> list[Result]:
    """Run cases, at least ``jobs`` at a time, until the first failure."""
    columns = (
        *Progress.get_default_columns()[:2],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[told]}"),
    )
    results: dict[int, Result] = {}
    # A fresh process for each: numba and cocotb stand no fork of one with threads.
    with (
        Progress(*columns, console=console) as progress,
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
    ):
        task = progress.add_task("accelerators", total=len(chosen), told="")
        futures = {pool.submit(run, case, build): index for index, case in enumerate(chosen)}
        try:
            for future in as_completed(futures):
                result = results[futures[future]] = future.result()
                cycles = sum(item.cycles for item in results.values())
                progress.update(task, advance=1, told=f"{cycles:,} cycles equal")
                if result.fault:
                    break
        finally:
            pool.shutdown(cancel_futures=True)
    return [results[index] for index in sorted(results)]


def summary(chosen: list[Case], results: list[Result]) -> dict:
    """For JSON: totals, the drawn space, functional coverage, holes of both."""
    counts, met, holes = drawn(chosen)
    reached = Counter()
    for result in results:
        reached.update(result.met)
    points = {f"{group}: {point}": reached[f"{group}: {point}"] for group, names in POINTS.items() for point in names}
    tables = {key.removeprefix("table ").split(":")[0] for key in reached if key.startswith("table ")}
    return {
        "drawn": len(chosen),
        "passed": sum(not result.fault for result in results),
        "cycles": sum(result.cycles for result in results),
        "signal values": sum(result.cycles * result.signals for result in results),
        "seconds": round(sum(result.seconds for result in results), 1),
        "space": {name: {str(value): n for value, n in counter.items()} for name, counter in counts.items()},
        "pairs met": len(met),
        "pairs not met": holes,
        "coverage": points,
        "not covered": [name for name, count in points.items() if not count],
        "tables": {
            name: {"entries": reached[f"table {name}: entries"], "met": reached[f"table {name}: entries met"]}
            for name in sorted(tables)
        },
        "accelerators": [asdict(result) for result in results],
    }


def _show(found: dict, console: Console) -> None:
    space = Table("dimension", "drawn", title="accelerators")
    for name, counter in found["space"].items():
        space.add_row(name, ", ".join(f"{value} {count}" for value, count in counter.items()))
    total = found["pairs met"] + len(found["pairs not met"])
    space.add_row("pairs of values", f"{found['pairs met']} of {total}")
    console.print(space)
    covered = Table("group", "points met", "least often", "not met", title="functional coverage")
    for group, names in POINTS.items():
        counts = {name: found["coverage"][f"{group}: {name}"] for name in names}
        missed = [name for name, count in counts.items() if not count]
        rare = min((name for name in names if counts[name]), key=lambda name: counts[name], default=None)
        least = f"{rare} ({counts[rare]:,})" if rare else "-"
        covered.add_row(group, f"{len(names) - len(missed)} of {len(names)}", least, ", ".join(missed) or "-")
    for name, table in found["tables"].items():
        covered.add_row(f"{name} table", f"{table['met']:,} of {table['entries']:,} entries", "-", "-")
    console.print(covered)
    for pair in found["pairs not met"]:
        console.print("not drawn: " + ", ".join(f"{name} {value}" for name, value in pair.items()))


def main() -> int:
    parser = argparse.ArgumentParser(prog="verify", description=__doc__)
    parser.add_argument("-n", "--count", type=int, default=240, help="accelerators")
    parser.add_argument("--seed", type=int, default=1, help="others for another one")
    parser.add_argument("--only", metavar="LINE", help="only this one, as a failure prints it")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/verify"))
    parser.add_argument("--json", type=Path, help="default: OUTPUT.json")
    arguments = parser.parse_args()
    console, build = Console(), arguments.output.resolve()
    if shutil.which("iverilog") is None:
        print("Icarus Verilog is not installed; install it with: apt-get install iverilog", file=sys.stderr)
        return 2
    began = time.perf_counter()
    if arguments.only:
        try:
            case = Case.parse(arguments.only)
        except ValueError as error:
            print(f"--only: {error}", file=sys.stderr)
            return 2
        result = run(case, build)
        console.print(result.fault or f"equal in {result.cycles:,} cycles of {result.signals} signals", soft_wrap=True)
        return 1 if result.fault else 0
    chosen = drawn_before(arguments.count, arguments.seed, build)
    chosen += [case for case in map(Case.parse, fast()) if case not in chosen]
    results = run_all(chosen, build, arguments.jobs, console)
    found = summary(chosen, results)
    failed = [result for result in results if result.fault]
    if failed:
        console.print(f"differs: {failed[0].fault}\n{repeat(failed[0].line)}", soft_wrap=True)
        console.print(f"shrinking, up to {MINUTES} minutes")
        smallest = shrink(failed[0], arguments.count, arguments.seed, build)
        found["smallest failure"] = asdict(smallest) | {"repeat": repeat(smallest.line)}
    _show(found, console)
    path = arguments.json or arguments.output.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    console.print(
        f"{found['passed']} of {found['drawn']} pass; {found['cycles']:,} cycles, {found['signal values']:,} values of "
        f"signals compared; {time.perf_counter() - began:.0f} s; {path}"
    )
    if failed:
        console.print(f"smallest failure: {smallest.fault}\n{repeat(smallest.line)}", soft_wrap=True)
    return 1 if failed or len(results) < len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
