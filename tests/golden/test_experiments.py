"""Runs, campaigns that resume, tables, and the command that writes them."""

import json
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import dfarray

from dfarray.configuration import ConfigurationError, shipped, with_values
from dfarray.costs import training_costs
from dfarray.golden.experiments import campaign, runs
from dfarray.golden.experiments.comparisons import COMPARISONS, Case, Comparison, Scope
from dfarray.golden.experiments.movement import movement, plot_movement
from dfarray.golden.experiments.runs import MachineRun, Measured, MinibatchRun, execute
from dfarray.golden.experiments.tables import accuracy_table, plot
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.rules import Rule
from dfarray.golden.training import Epoch, train_epochs
from dfarray.schedule import Schedule


def small(seed, rule=Rule.SPARSE_DFA, **options):
    return MinibatchRun("digits", (20,), rule, seed, 0.1, 3, samples=400, batch=8, **options)


def test_a_run_is_its_settings_and_nothing_else():
    first, again, other = execute(small(1)), execute(small(1)), execute(small(2))
    assert first == again
    assert first.test_accuracy != other.test_accuracy
    assert len(first.test_accuracy) == 3
    assert first.test_accuracy[-1] > 0.5


def test_every_schedule_is_followed():
    found = {schedule: execute(small(1, schedule=schedule)).test_accuracy for schedule in Schedule}
    assert len({tuple(accuracies) for accuracies in found.values()}) == len(Schedule)


def test_machine_runs_train_the_machine():
    config = with_values(shipped("digits"), {"training.epochs": 2, "training.seed": 4})
    found = execute(MachineRun("digits", config, samples=300))
    network = IntegerNetwork(config)
    expected = train_epochs(network, runs._loaded("digits"), 2, samples=300)
    assert found.test_accuracy == [item.test_accuracy for item in expected if isinstance(item, Epoch)]
    floating = execute(MachineRun("digits", config, integer=False, samples=300))
    assert floating.test_accuracy != found.test_accuracy
    assert floating.test_accuracy[-1] == pytest.approx(found.test_accuracy[-1], abs=0.03)


def test_angles_are_taken_through_training():
    own = execute(small(1, Rule.BACKPROPAGATION, angles=2)).angles
    assert [point["samples"] for point in own] == [0, 200, 400, 600, 800, 1000, 1200]
    assert all(point["all"] == pytest.approx(0, abs=1e-3) for point in own)
    course = execute(small(1, Rule.DFA, angles=2)).angles
    assert set(course[0]) == {"samples", "all", "layer_1"}
    assert 60 < course[0]["all"] < 120
    assert course[-1]["all"] < 60
    assert execute(small(1, Rule.DFA, angles=2)).test_accuracy == execute(small(1, Rule.DFA, angles=1)).test_accuracy


def test_a_campaign_goes_on_where_it_was_interrupted(monkeypatch, tmp_path):
    wanted, done = [small(seed) for seed in (1, 2, 3, 2)], []

    def interrupted(run):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(run.seed)
        return Measured([run.seed / 10])

    def finishing(run):
        done.append(run.seed)
        return Measured([run.seed / 10])

    monkeypatch.setattr(campaign, "execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        campaign.run_all(wanted, memory=tmp_path, jobs=1)
    monkeypatch.setattr(campaign, "execute", finishing)
    told = []
    found = campaign.run_all(wanted, memory=tmp_path, jobs=1, progress=lambda text, count: told.append(count))
    assert done == [1, 2, 3]
    assert told == [1, 2, 3]
    assert [one.test_accuracy for one in found] == [[0.1], [0.2], [0.3], [0.2]]
    # Other code may compute something else.
    monkeypatch.setattr(campaign, "sources_digest", lambda: "changed")
    campaign.run_all(wanted[:1], memory=tmp_path, jobs=1)
    assert done == [1, 2, 3, 1]


def test_tables_hold_mean_spread_final_and_best(tmp_path):
    cases = (Case({"data": "d", "rule": "one"}, (small(1), small(2))), Case({"data": "d", "rule": "two"}, (small(3),)))
    comparison = Comparison("A title", cases, note="A note.")
    table = accuracy_table(
        comparison, [[Measured([0.5, 0.9, 0.8]), Measured([0.7, 0.6, 0.7])], [Measured([0.25])]], (1, 2)
    )
    one, two = table.rows
    assert one["final %"] == pytest.approx(75)
    assert one["spread"] == pytest.approx(statistics.stdev([80, 70]))
    assert one["best epoch %"] == pytest.approx(80)
    assert one["best epoch of each seed"] == [2, 1]
    assert (two["final %"], two["spread"]) == (25, None)
    page = table.markdown("dfarray paper x", "a machine")
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| d")]
    assert lines == [
        ["data", "rule", "final %", "spread", "best epoch %"],
        ["d", "one", "75.00", "7.07", "80.00"],
        ["d", "two", "25.00", "-", "25.00"],
    ]
    assert "A note." in page
    assert "`dfarray paper x`" in page
    plot(comparison, table, tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", COMPARISONS)
@pytest.mark.parametrize("quick", [True, False])
def test_comparisons_are_whole(name, quick):
    comparison = COMPARISONS[name](Scope((1, 2), quick))
    labels = [tuple(case.labels.items()) for case in comparison.cases]
    assert len(set(labels)) == len(labels), "two lines of one name"
    assert {tuple(case.labels) for case in comparison.cases} == {tuple(comparison.cases[0].labels)}
    assert all(len(case.runs) == 2 and case.runs[0] != case.runs[1] for case in comparison.cases)
    if quick:
        assert all(run.samples is not None for case in comparison.cases for run in case.runs)
    data = comparison.cases[-1].runs[0].data
    assert {case.runs[0].data for case in comparison.limited_to(data).cases} == {data}
    with pytest.raises(ValueError, match="not 'nothing'"):
        comparison.limited_to("nothing")


def test_movement_is_the_costs(tmp_path):
    table = movement()
    row = next(row for row in table.rows if row["network"] == "784-150-10")
    assert row["costs"]["sparse_dfa"] == training_costs((784, 150, 10))["sparse_dfa"].as_dict()
    assert row["feedback words, point to point, BP"] == 3000
    deep = [row for row in table.rows if row["network"].startswith("784-") and "x 400" in row["network"]]
    ratios = [row["backward MACs, BP / sparse"] for row in deep]
    assert ratios == sorted(ratios)
    assert 1 < ratios[0] < 1.05
    assert 1.8 < ratios[-1] < 2
    assert all(row["training MACs, BP / sparse"] < 1.5 for row in table.rows)
    plot_movement(tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_writes_table_figures_and_plot(tmp_path):
    done = dfarray("paper", "accuracy", "--quick", "--data", "digits", "--json", "o.json", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "o.json").read_text())
    assert figures["command"] == "dfarray paper accuracy --quick --data digits"
    assert figures["seeds"] == [1]
    rows = {row["rule"]: row for row in figures["rows"]}
    quick = Scope((1,), True)
    expected = execute(quick.minibatch("digits", [60], Rule.DFA, 60)[0])
    assert rows["dfa, float64, batch 32"]["final of each seed"] == pytest.approx([100 * expected.test_accuracy[-1]])
    assert all(row["final %"] > 40 for row in figures["rows"])
    assert Path(tmp_path, figures["table"]).read_text().count("\n| digits") == len(rows)
    assert Path(tmp_path, figures["plot"]).read_bytes().startswith(b"\x89PNG")
    done = dfarray("paper", "accuracy", "--data", "imagenet", cwd=tmp_path)
    assert done.returncode == 2
    assert "digits, mnist, fashion-mnist, not 'imagenet'" in " ".join(done.stderr.split())


def test_a_killed_comparison_keeps_what_was_finished(tmp_path):
    command = ["paper", "accuracy", "--data", "digits", "--seeds", "2", "-o", "out", "--jobs", "1"]
    program = [sys.executable, "-c", "from dfarray.cli import main; main()", *command]
    started = subprocess.Popen(program, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(tmp_path.rglob("output.pkl"))) < 3:
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("output.pkl")}
    done = dfarray(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("output.pkl")}
    assert len(after) == 18
    assert sum(after[path] == stamp for path, stamp in kept.items()) >= len(kept) - 1, "at most a torn one is repeated"


def test_costs_of_any_network(tmp_path):
    done = dfarray("costs", "784-400-400-10", "--json", "o.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "o.json").read_text())
    assert figures["backpropagation"]["projection_macs"] == 164_000
    assert figures["sparse_dfa"]["point_to_point"]["feedback_words"] == 800
    assert "array" not in figures
    done = dfarray("costs", "configs/mnist.toml", "--json", tmp_path / "m.json", cwd=".")
    assert json.loads((tmp_path / "m.json").read_text())["array"]["scalars"] == 60
    for network, message in (("784-x", "widths such as"), ("784", "two or more"), ("no.toml", "cannot be read")):
        done = dfarray("costs", network, cwd=tmp_path)
        assert done.returncode == 2
        assert message in " ".join(done.stderr.split())


def test_keys_are_changed_by_name():
    config = with_values(shipped("digits"), {"formats.weight": "Q1.10", "training.epochs": 7})
    assert str(config.formats.weight) == "Q1.10"
    assert config.training.epochs == 7
    assert config.network == shipped("digits").network
    for key, message in (("epochs", "section.key"), ("train.epochs", "section.key"), ("training.rate", "rate")):
        with pytest.raises(ConfigurationError, match=message):
            with_values(config, {key: 1})
