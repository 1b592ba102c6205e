"""``python -m formal``, in tests/: every proof, a table at the end, JSON beside it, exit code 0 only if all hold."""

import argparse
import importlib
import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from .runner import GROUPS, Outcome, Proof, missing_tools, prove


def all_proofs() -> list[tuple[str, Proof]]:
    """(group, proof) in the order of the groups."""
    return [(group, proof) for group in GROUPS for proof in importlib.import_module(f"{__package__}.{group}").PROOFS]


def directory_of(build: Path, group: str, proof: Proof) -> Path:
    """Where a proof's files are: models, logs, traces."""
    return build / group / re.sub(r"\W+", "-", proof.title.lower())


def _row(outcome: Outcome) -> list[str]:
    def told(prefix):
        steps = [step for name, step in outcome.steps.items() if name.startswith(prefix)]
        return "-" if not steps else "yes" if all(fine for fine, _, _ in steps) else "NO"

    proof = outcome.proof
    return [
        outcome.group,
        proof.title,
        proof.method,
        str(proof.depth),
        "NO" if any(told(step) == "NO" for step in ("elaborated", "base", "induction")) else "yes",
        told("cover"),
        f"{len(proof.mutants)} {'found' if told('mutant') == 'yes' else 'NOT ALL FOUND'}",
        f"{outcome.seconds:.0f}",
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="formal", description=__doc__)
    parser.add_argument("titles", nargs="*", help="only proofs whose title holds one of these")
    parser.add_argument("-o", "--output", type=Path, default=Path("build/formal"))
    parser.add_argument("--json", type=Path, default=None, help="default: OUTPUT.json")
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    if missing := missing_tools():
        print(f"missing: {', '.join(missing)}; install with: pip install 'dfarray[formal]'", file=sys.stderr)
        return 2
    chosen = [
        (group, proof)
        for group, proof in all_proofs()
        if not arguments.titles or any(title in proof.title for title in arguments.titles)
    ]
    if not chosen:
        print(f"no proof's title holds {' or '.join(arguments.titles)}", file=sys.stderr)
        return 2
    began = time.perf_counter()
    console = Console()
    with Progress(console=console, transient=True) as progress, ThreadPoolExecutor(arguments.jobs) as pool:
        task = progress.add_task("proofs", total=len(chosen))
        outcomes = []
        for outcome in pool.map(lambda one: prove(*one, directory_of(arguments.output, *one)), chosen):
            outcomes.append(outcome)
            progress.advance(task)
            told = "holds" if outcome.holds else "DOES NOT HOLD"
            progress.console.print(f"{outcome.group}: {outcome.proof.title}: {told}, {outcome.seconds:.0f} s")
    table = Table("group", "proof", "method", "depth", "holds", "cover reached", "mutants", "seconds")
    for outcome in outcomes:
        table.add_row(*_row(outcome))
    console.print(table)
    for outcome in outcomes:
        for name, (fine, _, found) in outcome.steps.items():
            if not fine:
                files = directory_of(arguments.output, outcome.group, outcome.proof)
                console.print(f"{outcome.proof.title}: {name} did not go as it must: {found} (see {files})")
    path = arguments.json or arguments.output.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    result = {
        "holds": all(outcome.holds for outcome in outcomes),
        "seconds": round(time.perf_counter() - began, 1),
        "proofs": [outcome.as_dict() for outcome in outcomes],
    }
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    console.print(f"{sum(o.holds for o in outcomes)} of {len(outcomes)} hold, {result['seconds']:.0f} s; {path}")
    return 0 if result["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
