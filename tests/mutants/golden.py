"""Mutants of the golden model and of its data: the RTL is right, and the comparison must see that the model is not."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from .runs import Found

_SOURCES = Path(__file__).parents[2]
_COPIED = ("dfarray", "golden", "hw", "sim", "tests")


class GoldenMutant(NamedTuple):
    """``before``, which stands once in ``<file>``, becomes ``after``; ``run`` is the recorded run that differs."""

    file: str
    before: str
    after: str
    run: str = "deep"

    def apply(self) -> str:
        """The edited source.

        Raises
        ------
        LookupError
            If the place is lost.
        """
        text = (_SOURCES / self.file).read_text(encoding="utf-8")
        if (count := text.count(self.before)) != 1:
            raise LookupError(f"{self.file} has {count} places like {self.before!r}; a mutant needs one")
        return text.replace(self.before, self.after)


MACHINE = "golden/machine"

MUTANTS = {
    # Data: no code differs.
    "a weight of the start": GoldenMutant(
        "golden/cycle.py",
        "if weights is None else weights)",
        "if weights is None else [w + (w == w.max()) for w in weights])",
        "events",
    ),
    "a label": GoldenMutant(
        f"{MACHINE}/intake.py",
        "s.label, s.dropping, s.next_index = pins.label, 0, 0",
        "s.label, s.dropping, s.next_index = pins.label ^ 1, 0, 0",
    ),
    "an input": GoldenMutant(
        f"{MACHINE}/intake.py",
        "index, pins.value, pins.last, s.cycle",
        "index, pins.value ^ (pins.value > 200), pins.last, s.cycle",
        "restless",
    ),
    "the learning rate": GoldenMutant(
        f"{MACHINE}/errors.py", "right = context.exponent +", "right = context.exponent + 1 +"
    ),
    # Arithmetic
    "rounding half down": GoldenMutant(
        f"{MACHINE}/integers.py", "((np.int64(1) << bits) >> 1)) >> bits", "((np.int64(1) << bits) >> 1) - 1) >> bits"
    ),
    "no saturation below": GoldenMutant(
        f"{MACHINE}/integers.py", "return min(max(v, lo), hi)", "return min(v, hi)", "full"
    ),
    "an update added": GoldenMutant(
        f"{MACHINE}/lanes.py",
        "np.int64(weights[j]) - ((np.int64(step[j])",
        "np.int64(weights[j]) + ((np.int64(step[j])",
    ),
    "noise rotated by 4": GoldenMutant(f"{MACHINE}/lanes.py", "np.uint64(5 * k & 31)", "np.uint64(4 * k & 31)"),
    "a smaller reciprocal": GoldenMutant(
        f"{MACHINE}/errors.py", "r = min(fraction, np.int64(10))", "r = min(fraction, np.int64(9))"
    ),
    "the later of two equal logits": GoldenMutant(
        f"{MACHINE}/errors.py",
        "if errors.logits[c] > errors.logits[s.prediction]",
        "if errors.logits[c] >= errors.logits[s.prediction]",
        "coarse",
    ),
    # What belongs to which sample
    "gram of the sample with itself": GoldenMutant(
        f"{MACHINE}/outputs.py", "activation[j] * before[j]", "activation[j] * activation[j]"
    ),
    "correction by the latest sample's errors": GoldenMutant(
        f"{MACHINE}/errors.py", "errors.g[1 - context.parity, c]", "errors.g[context.parity, c]"
    ),
    "an older activation": GoldenMutant(
        f"{MACHINE}/outputs.py", "before[j], latest[j] = latest[j], a", "before[j], latest[j] = a, a"
    ),
    "shadow valid bits stay": GoldenMutant(f"{MACHINE}/lanes.py", "            lanes.shadow_valid[0, j] = 0\n", ""),
    # Cycles
    "a result a cycle late": GoldenMutant(f"{MACHINE}/errors.py", "s.results_at = last + 2", "s.results_at = last + 3"),
    "a layer complete a cycle early": GoldenMutant(
        f"{MACHINE}/collector.py", "s.cycle + COMPLETE", "s.cycle + COMPLETE - 1"
    ),
    "a sample open a cycle early": GoldenMutant(
        f"{MACHINE}/intake.py", "s.cycle + REOPEN if", "s.cycle + REOPEN - 1 if", "restless"
    ),
    "weights offered a cycle early": GoldenMutant(
        f"{MACHINE}/collector.py", "value, s.cycle + 2", "value, s.cycle + 1"
    ),
    "a walk without its last lane": GoldenMutant(
        f"{MACHINE}/feedback.py", "slot.neurons - lane * p.tiles)", "slot.neurons - lane * p.tiles - 1)"
    ),
    "a dump before a load": GoldenMutant(
        f"{MACHINE}/sequencer.py",
        "LOADING if s.load_waits else DUMPING\n            if s.load_waits:",
        "DUMPING if s.dump_waits else LOADING\n            if not s.dump_waits:",
        "restless",
    ),
}


def judge(mutant: GoldenMutant, recorded: Path, tree: Path) -> Found:
    """Compare a recorded run of the RTL with the edited model.

    Parameters
    ----------
    recorded : Path
        The run's job directory, with its trace.
    tree : Path
        For a copy of the sources.
    """
    shutil.rmtree(tree, ignore_errors=True)
    for folder in _COPIED:
        # Compiled code, which goes by times and contents, comes along.
        shutil.copytree(_SOURCES / folder, tree / folder, symlinks=True)
    (tree / mutant.file).write_text(mutant.apply(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mutants.replay", str(recorded)],
        cwd=tree / "tests",
        env=os.environ | {"PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
    )
    shutil.rmtree(tree, ignore_errors=True)
    if done.returncode:
        return Found(mutant.run, done.stderr.strip().splitlines()[-1])
    return Found(mutant.run, **json.loads(done.stdout))
