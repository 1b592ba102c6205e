"""Runs cases, each result kept in a file: an interrupted run goes on where it was."""

import hashlib
import json
import shutil
import time
from collections import Counter
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from dfarray.sim.simulators import SimulationError

from .case import Case, simulate
from .coverage import functional

_SOURCES = Path(__file__).parents[2]


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes
    ----------
    line : str
        The case, see :meth:`verify.case.Case.line`.
    fault : str
        Empty if everything was equal; else the first difference, or why there is no result.
    cycles, signals : int
        Compared cycles; compared signals in each of them.
    seconds : float
    met : dict of "group: point" to int
        Functional coverage.
    """

    line: str
    fault: str
    cycles: int
    signals: int
    seconds: float
    met: dict[str, int]


@cache
def fingerprint() -> str:
    """Of everything that a result depends on but the case."""
    digest = hashlib.sha256()
    files = [_SOURCES / "tests" / "verify" / name for name in ("case.py", "coverage.py", "player.py", "player.v")]
    for folder in ("dfarray", "hw", "golden", "sim"):
        files += [path for path in (_SOURCES / folder).rglob("*") if path.suffix in (".py", ".v")]
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def directory_of(case: Case, build: Path) -> Path:
    """Where a case's result, and a failing one's files are."""
    return build / hashlib.sha256((fingerprint() + case.line()).encode()).hexdigest()[:16]


def kept(case: Case, build: Path) -> Result | None:
    """The result of an earlier run of these sources, if there is one."""
    path = directory_of(case, build) / "result.json"
    return Result(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def run(case: Case, build: Path) -> Result:
    """Run a case, or look its result up."""
    if (result := kept(case, build)) is not None:
        return result
    directory = directory_of(case, build)
    shutil.rmtree(directory, ignore_errors=True)
    began, met, played = time.perf_counter(), Counter(), None
    try:
        played = simulate(case, directory)
        fault = played.fault
    except SimulationError as error:
        fault = f"no result: {error}"
    if not fault:
        manifest = json.loads((directory / "verilog" / "manifest.json").read_text(encoding="utf-8"))
        met = functional(case.config, manifest, directory / "run" / "trace.bin")
        # Only what failed is worth its place.
        shutil.rmtree(directory)
        directory.mkdir()
    result = Result(
        case.line(),
        fault,
        played.cycles if played else 0,
        played.signals if played else 0,
        time.perf_counter() - began,
        {f"{group}: {point}": count for (group, point), count in sorted(met.items())},
    )
    path = directory / "result.part"
    path.write_text(json.dumps(asdict(result)), encoding="utf-8")
    path.rename(directory / "result.json")
    return result
