"""Trains the points of a sweep on a Dask cluster."""

import time
from collections.abc import Callable
from typing import Any

from dfarray.golden.datasets import load_dataset
from dfarray.golden.experiments.sweep.axes import Point, configured
from dfarray.golden.experiments.sweep.journal import Journal
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.training import Epoch, check_fits, train_epochs

EXPORT_SECONDS = 2
"""Between two rewrites of the result file; the journal is always complete."""


def train_point(point: Point) -> dict:
    """Train the integer model at one point; what goes wrong there is its result."""
    begin = time.perf_counter()
    try:
        config, dataset = configured(point), load_dataset(point.data)
        check_fits(config, dataset)
        network, epochs = IntegerNetwork(config), config.training.epochs
        records = [r for r in train_epochs(network, dataset, epochs, samples=point.samples) if isinstance(r, Epoch)]
    except Exception as error:
        return {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    return {
        "status": "done",
        "test_accuracy": records[-1].test_accuracy,
        "best_test_accuracy": max(record.test_accuracy for record in records),
        "train_accuracy": records[-1].train_accuracy,
        "epochs": len(records),
        "seconds": time.perf_counter() - begin,
    }


def run_sweep(
    wanted: list[Point],
    journal: Journal,
    *,
    scheduler: str | None,
    jobs: int,
    progress: Callable[[str, int], None],
) -> dict[str, int]:
    """Train points and write each to the journal as it comes.

    Parameters
    ----------
    wanted : list of Point
        Not finished yet.
    scheduler : str or None
        Address of a Dask scheduler, whose workers have dfarray and the data; None for ``jobs`` local processes.
    progress : callable
        Told a text and how many points are done.

    Returns
    -------
    dict : how many are ``done`` and ``failed``.

    Raises
    ------
    OSError
        If the scheduler does not answer.
    """
    from distributed import Client, LocalCluster, as_completed

    options: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None}
    local = None if scheduler else LocalCluster(n_workers=jobs, **options)
    counts = {"done": 0, "failed": 0}
    exported = time.monotonic()
    try:
        with Client(local or scheduler, timeout=10) as client:
            points = {client.submit(train_point, point, key=point.identity): point for point in wanted}
            for future in as_completed(points):
                # A worker that dies takes its point with it, not the sweep.
                lost = future.exception()
                outcome = {"status": "failed", "error": f"worker lost: {lost}"} if lost else future.result()
                journal.add(points[future], outcome)
                counts[outcome["status"]] += 1
                if time.monotonic() - exported > EXPORT_SECONDS:
                    journal.export()
                    exported = time.monotonic()
                progress(f"{counts['failed']} failed" if counts["failed"] else "points", sum(counts.values()))
                future.release()
    finally:
        if local is not None:
            local.close()
        journal.export()
    return counts
