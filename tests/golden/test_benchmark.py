"""The benchmark times what it says, in turn, and divides the right way round."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from command import dfarray

from dfarray.configuration import shipped
from dfarray.golden import benchmark, peers
from dfarray.golden.datasets import Dataset
from dfarray.golden.learner import softmax


def noise(samples):
    rng = np.random.default_rng(0)
    x, y = rng.random((samples, 64), np.float32), rng.integers(0, 10, samples)
    return Dataset("noise", x, y, x, y, 10)


def test_rounds_take_turns_and_the_median_counts(monkeypatch):
    clock, log = [0.0], []
    monkeypatch.setattr(benchmark, "time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def runner(name, seconds):
        durations = iter(seconds)

        def train():
            log.append(name)
            clock[0] += next(durations)

        return train

    one = benchmark.Contender("one", 100, runner("one", [9, 1, 2, 4]))
    two = benchmark.Contender("two", 10, runner("two", [9, 1, 1, 1]))
    *rounds, timings = benchmark.measure([one, two], 3)
    assert rounds == [1, 2, 3]
    assert log == ["one", "two"] * 4
    assert timings == {"one": benchmark.Timing(50, 25, 100), "two": benchmark.Timing(10, 10, 10)}


def test_contenders_really_train(monkeypatch):
    calls = []
    for name in ("IntegerNetwork", "FloatNetwork"):

        class Recorded(getattr(benchmark, name)):
            def train(self, x, labels, **options):
                before = self.weights
                super().train(x, labels, **options)
                changed = all((a != b).any() for a, b in zip(before, self.weights, strict=True))
                calls.append((type(self).__mro__[1].__name__, self.config.training.rounding, len(x), changed))

        monkeypatch.setattr(benchmark, name, Recorded)
    monkeypatch.setitem(sys.modules, "torch", None)
    found = benchmark.contenders(shipped("digits"), noise(30))
    assert [one.name for one in found] == [
        "integer, nearest rounding",
        "integer, stochastic rounding",
        "float64, numba",
    ]
    for one in found:
        assert one.samples == 30
        one.train()
    assert calls == [
        ("IntegerNetwork", "nearest", 30, True),
        ("IntegerNetwork", "stochastic", 30, True),
        ("FloatNetwork", "nearest", 30, True),
    ]


def test_without_peers_ours_are_timed_and_the_peers_explained(tmp_path, monkeypatch):
    done = dfarray(
        "bench",
        "golden",
        "configs/digits.toml",
        "--data",
        "digits",
        "--rounds",
        1,
        "--json",
        tmp_path / "o.json",
        cwd=".",
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "o.json").read_text())
    own = figures["contenders"]["integer, nearest rounding"]["samples_per_second"]
    assert figures["samples_per_second"] == own > 1000
    for name, timing in figures["contenders"].items():
        assert figures["ratios"][name] == pytest.approx(own / timing["samples_per_second"])
    monkeypatch.setitem(sys.modules, "torch", None)
    assert peers.installed(shipped("digits"), np.zeros((1, 64), np.float32), np.zeros(1)) == {}
    assert "torch==2.13.0" in peers.INSTALL


@pytest.mark.tools
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_biotorchs_first_layer_gradient_is_dfa():
    """So that what is timed beside us is the rule it says."""
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("biotorch.module.biomodule")
    x, labels = np.random.default_rng(1).random((1, 64), np.float32), np.array([3])
    peer = peers._BioTorch(torch, module, shipped("digits"), x, labels)
    peer._step(peer._x, peer._labels).backward()
    first, _, last = peer._model.module
    a = np.tanh(x[0] @ first.weight.detach().numpy().T + first.bias.detach().numpy())
    error = softmax((a @ last.weight.detach().numpy().T + last.bias.detach().numpy())[None])[0] - np.eye(10)[3]
    # A layer keeps the feedback to its inputs.
    delta = error @ last.weight_backward.detach().numpy() * (1 - a**2)
    np.testing.assert_allclose(first.weight.grad.numpy(), np.outer(delta, x[0]), atol=1e-6)
