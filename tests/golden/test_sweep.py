"""Axes, the journal, and sweeps that are killed, fail at points, or run on somebody's cluster."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import dfarray

from dfarray.configuration import shipped
from dfarray.golden.experiments.sweep.axes import parse_axis, points
from dfarray.golden.experiments.sweep.cluster import train_point
from dfarray.golden.experiments.sweep.journal import Journal

CONFIG = shipped("digits")


def some(*axes, data="digits", samples=None):
    return list(points([parse_axis(text, CONFIG) for text in axes], CONFIG, data, samples))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("training.learning_rate=[0.1, 0.2]", (0.1, 0.2)),
        ('training.rounding = "nearest"', ("nearest",)),
        ("seed=2..4", (2, 3, 4)),
        ("feedback.nonzeros=3", (3,)),
        ("training.learning_rate=lin:0.1:0.3:3", (0.1, 0.2, 0.3)),
        ("training.learning_rate=log:0.001:0.1:3", (0.001, 0.01, 0.1)),
        ("network.layers=[[64, 15, 10], [64, 20, 10]]", ([64, 15, 10], [64, 20, 10])),
    ],
)
def test_axes(text, values):
    axis = parse_axis(text, CONFIG)
    assert axis.key == text.partition("=")[0].strip()
    assert axis.values == pytest.approx(values) if ":" in text else axis.values == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training.rate=[1]", "the key one of seed, network.layers"),
        ("training.epochs", "key=values is wanted"),
        ("training.epochs=", "values are"),
        ("training.epochs=[]", "at least one value"),
        ("training.epochs=4..1", "at least one value"),
        ("training.epochs=log:-1:1:3", "values are"),
        ("training.epochs=lin:1:2", "values are"),
        ("training.epochs=one", "values are"),
    ],
)
def test_bad_axes_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_axis(text, CONFIG)


def test_points_are_every_combination_and_know_themselves():
    every = some("training.epochs=1..2", "seed=1..3")
    assert [point.values for point in every][:2] == [
        {"training.epochs": 1, "seed": 1},
        {"training.epochs": 1, "seed": 2},
    ]
    others = [*some("training.epochs=1..2", "seed=1..3", data="mnist"), *some("training.epochs=1", "seed=1", samples=9)]
    assert len({point.identity for point in [*every, *others]}) == 6 + 6 + 1
    assert some("training.epochs=2", "seed=3")[0].identity == every[-1].identity
    assert every[-1].settings == {"training.epochs": 2, "training.seed": 3, "feedback.seed": 3}
    for clash in (("seed=1", "training.seed=1"), ("seed=1", "seed=2")):
        with pytest.raises(ValueError, match="seed"):
            some(*clash)


def test_a_point_is_the_training_it_names():
    found = train_point(some("training.epochs=2", "seed=5")[0])
    assert (found["status"], found["epochs"]) == ("done", 2)
    assert 0.8 < found["test_accuracy"] <= found["best_test_accuracy"]
    failed = train_point(some('formats.weight="Q50.1"')[0])
    assert failed["status"] == "failed"
    assert "Q50.1" in failed["error"]
    assert "has 64 features" in train_point(some("network.layers=[[9, 5, 10]]")[0])["error"]


def test_journal_survives_a_torn_line_and_refuses_a_strange_one(tmp_path):
    one, two = some("seed=1..2")
    journal = Journal(tmp_path / "o.csv")
    journal.add(one, {"status": "done", "test_accuracy": 0.5})
    with journal.path.open("a") as file:
        file.write('{"point": "' + two.identity)
    again = Journal(tmp_path / "o.csv")
    assert again.finished(one)
    assert not again.finished(two)
    again.add(two, {"status": "failed", "error": "why, indeed"})
    assert again.finished(two)
    assert not again.finished(two, failed_too=False)
    again.export()
    with (tmp_path / "o.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["status"], row["error"]) for row in rows] == [
        ("1", "done", ""),
        ("2", "failed", "why, indeed"),
    ]
    with journal.path.open("a") as file:
        file.write("[]\n")
    with pytest.raises(ValueError, match="line 3: not a sweep's journal"):
        Journal(tmp_path / "o.csv")
    with pytest.raises(ValueError, match=r"\.csv or \.parquet, not \.txt"):
        Journal(tmp_path / "o.txt")


def test_parquet_holds_what_the_journal_does(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    journal = Journal(tmp_path / "o.parquet")
    for point, outcome in zip(
        some('network.layers=[[64, 15, 10], "all"]'), ({"status": "done", "x": 1}, {"status": "failed"}), strict=True
    ):
        journal.add(point, outcome)
    journal.export()
    rows = parquet.read_table(tmp_path / "o.parquet").to_pylist()
    assert [(row["network.layers"], row["status"], row["x"]) for row in rows] == [
        ("[64, 15, 10]", "done", 1),
        ("all", "failed", None),
    ]


def test_a_killed_sweep_loses_no_point_and_repeats_none(tmp_path):
    """Killed with SIGKILL after its third point: every point is in the journal once, whoever trained it."""
    axes = ["-s", "seed=1..12", "-s", "training.epochs=[40]"]
    command = ["sweep", "digits.toml", "--data", "digits", *axes, "-o", "o.csv", "--jobs", "2", "--json", "o.json"]
    (tmp_path / "digits.toml").write_text(Path("configs/digits.toml").read_text())
    journal = tmp_path / "o.csv.journal"
    program = [sys.executable, "-c", "from dfarray.cli import main; main()", *command]
    # A session of its own, so that the workers are killed with it.
    started = subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b"\n") < 3:
        assert started.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    before = [json.loads(line)["point"] for line in journal.read_bytes().split(b"\n")[:-1]]
    assert 3 <= len(before) < 12
    done = dfarray(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [record["point"] for record in after][: len(before)] == before
    assert sorted(record["seed"] for record in after) == list(range(1, 13))
    assert {record["status"] for record in after} == {"done"}
    figures = json.loads((tmp_path / "o.json").read_text())
    assert (figures["points"], figures["already_finished"], figures["done"]) == (12, len(before), 12 - len(before))
    with (tmp_path / "o.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 12


def test_a_failed_point_is_reported_and_can_be_tried_again(tmp_path):
    axes = ["-s", 'formats.weight=["Q2.15", "Q60.1"]', "-s", "training.epochs=[1]"]
    command = ["sweep", "configs/digits.toml", "--data", "digits", *axes, "-o", tmp_path / "o.csv", "--jobs", "1"]
    for retried in (False, True):
        done = dfarray(*command, "--json", tmp_path / "o.json", *(["--retry-failed"] if retried else []), cwd=".")
        assert done.returncode == 0, done.stderr
        assert "1 points failed" in done.stderr
        figures = json.loads((tmp_path / "o.json").read_text())
        assert (figures["done"], figures["failed"], figures["already_finished"]) == (
            (0, 1, 1) if retried else (1, 1, 0)
        )
    with (tmp_path / "o.csv").open() as file:
        rows = {row["formats.weight"]: row for row in csv.DictReader(file)}
    assert rows["Q2.15"]["status"] == "done"
    assert "Q60.1" in rows["Q60.1"]["error"]


def test_somebodys_cluster(tmp_path):
    """Scheduler and worker of their own, reached by address; and an address where nobody listens."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        command = ["sweep", "configs/digits.toml", "--data", "digits", "-s", "seed=1..2", "-o", tmp_path / "o.csv"]
        done = dfarray(*command, "--scheduler", cluster.scheduler_address, cwd=".")
        assert done.returncode == 0, done.stderr
    with (tmp_path / "o.csv").open() as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["done", "done"]
    done = dfarray(*command[:-1], tmp_path / "p.csv", "--scheduler", "tcp://127.0.0.1:9", cwd=".")
    assert done.returncode == 2
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_sweeps_do_not_write_one_file(tmp_path):
    filelock = pytest.importorskip("filelock")
    with filelock.FileLock(tmp_path / "o.csv.lock"):
        done = dfarray(
            "sweep", "configs/digits.toml", "--data", "digits", "-s", "seed=1", "-o", tmp_path / "o.csv", cwd="."
        )
    assert done.returncode == 2
    assert "another sweep is writing it" in " ".join(done.stderr.split())
