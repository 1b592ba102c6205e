"""Runs many trainings on all cores, remembers each finished one, and so goes on where it was interrupted."""

import hashlib
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from joblib import Memory, Parallel, delayed, parallel_config

import dfarray
from dfarray.golden.experiments.runs import Measured, Run, execute

_COMPUTING = (
    "golden/*.py",
    "golden/kernels/*.py",
    "golden/datasets/*.py",
    "golden/experiments/runs.py",
    *(f"{name}.py" for name in ("configuration", "feedback", "initial_weights", "learning_rate", "passes", "schedule")),
)
"""Files whose change makes remembered results worthless."""


@lru_cache
def sources_digest() -> str:
    """Digest of the code that computes results."""
    root = Path(dfarray.__file__).parent
    digest = hashlib.sha256()
    for pattern in _COMPUTING:
        for path in sorted(root.glob(pattern)):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def run_all(
    runs: Sequence[Run], *, memory: Path, jobs: int, progress: Callable[[str, int], None] | None = None
) -> list[Measured]:
    """Execute runs, or recall them.

    Parameters
    ----------
    runs : sequence of Run
        Equal ones are executed once.
    memory : Path
        Directory of remembered results.
    jobs : int
        Processes; each computes on one core.
    progress : callable or None
        Told a text and how many runs are done.

    Returns
    -------
    list of Measured, in the order of ``runs``.
    """
    distinct = list(dict.fromkeys(repr(run) for run in runs))
    by_name = {repr(run): run for run in runs}
    remembered = Memory(memory, verbose=0).cache(_execute)
    tasks = (delayed(_named)(remembered, name, by_name[name], sources_digest()) for name in distinct)
    found: dict[str, Measured] = {}
    with warnings.catch_warnings(), parallel_config(backend="loky", inner_max_num_threads=1):
        # Idle workers end, and new ones start when there is work again.
        warnings.filterwarnings("ignore", message="A worker stopped", category=UserWarning)
        finished: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)
        for name, measured in finished:
            found[name] = measured
            if progress is not None:
                progress(by_name[name].data, len(found))
    return [found[repr(run)] for run in runs]


def _named(remembered, name: str, run: Run, digest: str) -> tuple[str, Measured]:
    return name, remembered(run, digest)


def _execute(run: Run, digest: str) -> Measured:
    """Execute; the digest is there to be remembered with the result."""
    return execute(run)
