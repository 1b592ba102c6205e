"""Small trainings to be interrupted, and a process that is killed again and again in the midst of one."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np
from accelerators import accelerator

from dfarray.configuration import with_values
from dfarray.golden.datasets import Dataset
from dfarray.golden.engine import GoldenEngine
from dfarray.session import Session

CONFIG = with_values(
    accelerator([6, 7, 3], 3, 2, rounding="stochastic", error="softmax-cross-entropy"),
    {"training.schedule": "step", "training.seed": 5},
)


def blobs(samples: int, seed: int = 0) -> Dataset:
    """Three separable classes, with many zeros."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    x = np.clip(0.15 * rng.standard_normal((samples, 6)) + np.eye(3)[y].repeat(2, axis=1), 0, 1)
    test = samples // 4
    return Dataset("blobs", x[test:], y[test:], x[:test], y[:test], 3)


def session(epochs: int = 3, every: int = 25, samples: int = 160, config=CONFIG) -> Session:
    """So many epochs over three quarters of the samples."""
    return Session(config, blobs(samples), epochs, every=every)


def kill_and_resume(path: Path, kills: int) -> int:
    """Kill a training's process at random moments after a checkpoint, each time resuming it, and let it end at last.

    Returns
    -------
    How often it died.
    """
    plan, draw, died = session(epochs=12), random.Random(3), 0
    GoldenEngine(CONFIG)  # Compiles.
    for attempt in range(kills + 1):
        child = os.fork()
        if child == 0:
            plan.run(GoldenEngine(CONFIG), resume=path if path.exists() else None, save=path)
            os._exit(0)
        if attempt < kills:
            _await_another(path)
            time.sleep(draw.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
        died += os.waitpid(child, 0)[1] != 0
    return died


def _await_another(path: Path) -> None:
    """Wait for another checkpoint than there is; some time, should the training be at its end."""
    before = path.stat().st_mtime_ns if path.exists() else None
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and (not path.exists() or path.stat().st_mtime_ns == before):
        time.sleep(0.001)


if __name__ == "__main__":
    print(kill_and_resume(Path(sys.argv[1]), int(sys.argv[2])))
