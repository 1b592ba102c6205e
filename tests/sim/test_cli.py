"""The command line, as a user runs it: figures as JSON, exit codes, messages."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command import dfarray

CONFIG = """
[network]
layers = [6, 8, 3]
error = "softmax-cross-entropy"
[array]
tiles = 4
lanes = 2
bank_rows = 64
[training]
learning_rate = 0.1
rounding = "stochastic"
epochs = 2
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A configuration and a data set of three separable classes."""
    directory = tmp_path_factory.mktemp("project")
    (directory / "net.toml").write_text(CONFIG)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 80)
    x = np.clip(0.15 * rng.standard_normal((80, 6)) + np.eye(3)[y].repeat(2, axis=1), 0, 1)
    np.savez(directory / "blobs.npz", x=x, y=y)
    return directory


def test_both_engines_end_with_the_same_weights(project, fast_simulator):
    found = {}
    for engine in ("golden", "rtl"):
        arguments = ["train", "net.toml", "--data", "blobs.npz", "--engine", engine, "--json", f"{engine}.json"]
        done = dfarray(*arguments, "--simulator", fast_simulator, cwd=project)
        assert done.returncode == 0, done.stderr
        found[engine] = json.loads((project / f"{engine}.json").read_text())
        assert Path(project, found[engine]["plot"]).read_bytes().startswith(b"\x89PNG")
    with np.load(project / found["golden"]["weights"]) as golden, np.load(project / found["rtl"]["weights"]) as rtl:
        assert golden.files == rtl.files == ["layer_1", "layer_2"]
        for name in golden.files:
            assert np.array_equal(golden[name], rtl[name])
    assert found["golden"]["test_accuracy"] == found["rtl"]["test_accuracy"] > 0.9
    assert found["golden"]["train_accuracy"] == found["rtl"]["train_accuracy"]
    assert found["rtl"]["mismatches"] == 0


def test_cosim_and_an_edited_verilog(project, fast_simulator):
    options = ["--data", "blobs.npz", "--samples", "6", "--simulator", fast_simulator, "--json", "o.json"]
    done = dfarray("cosim", "net.toml", *options, "--stalls", "30", cwd=project)
    assert done.returncode == 0, done.stderr
    report = json.loads((project / "o.json").read_text())
    assert report["mismatches"] == 0
    for name in ("cycles_checked", "signals_per_cycle", "cycles_per_sample", "utilisation", "cycles_per_second"):
        assert report[name] > 0, name

    done = dfarray("generate", "net.toml", "-o", "out", "--json", "g.json", cwd=project)
    assert done.returncode == 0, done.stderr
    source = project / "out" / "accelerator.v"
    text = source.read_text()
    edited, places = re.subn(r" - (\$signed\(rounded)", r" + \1", text, count=1)
    assert places == 1
    source.write_text(edited)
    done = dfarray("cosim", "net.toml", *options, "--verilog", "out", cwd=project)
    assert done.returncode == 1
    assert "first mismatch" in done.stdout
    report = json.loads((project / "o.json").read_text())
    assert report["mismatches"] > 0
    assert report["first_mismatch"]["signal"] == "weight_write.data"
    assert {"cycle", "tile", "lane", "expected", "got"} <= report["first_mismatch"].keys()


def test_counted_and_simulated_cycles_agree(project, fast_simulator):
    dfarray("generate", "net.toml", "-o", "out2", "--json", "g.json", cwd=project)
    options = ["--data", "blobs.npz", "--samples", "60", "--simulator", fast_simulator, "--json", "o.json"]
    done = dfarray("cosim", "net.toml", *options, cwd=project)
    assert done.returncode == 0, done.stderr
    generated, simulated = (json.loads((project / name).read_text()) for name in ("g.json", "o.json"))
    assert generated["cycles_per_sample"] == simulated["cycles_per_sample"]
    assert generated["utilisation"] == (6 * 8 + 8 * 3) / (8 * generated["cycles_per_sample"])
    # Of 50 samples; each end of the count may be a sample and two walks of the counters' memory beside it.
    assert simulated["utilisation"] == pytest.approx(generated["utilisation"], rel=0.15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "missing.toml", "--data", "digits"], "missing.toml: cannot be read"),
        (["train", "net.toml", "--data", "digits"], "digits has 64 features a sample, the network 6 inputs"),
        (
            ["train", "net.toml", "--data", "nothing.npz"],
            "'nothing.npz' is neither digits, mnist-1d, mnist, fashion-mnist",
        ),
        (["cosim", "net.toml", "--data", "blobs.npz", "--samples", "900"], "--samples 900"),
        (["cosim", "net.toml", "--data", "blobs.npz", "--verilog", "nowhere"], "nowhere"),
        (["cosim", "net.toml", "--data", "blobs.npz", "--mode", "guess"], "guess"),
        (["cosim", "net.toml", "--data", "blobs.npz", "--simulator", "modelsim"], "modelsim"),
    ],
)
def test_bad_input_ends_with_two_and_a_message(arguments, message, project):
    done = dfarray(*arguments, cwd=project)
    assert done.returncode == 2, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_missing_simulator_says_how_to_get_it(project):
    script = "import shutil; shutil.which = lambda *a, **k: None\nfrom dfarray.cli import main; main()"
    arguments = ["cosim", "net.toml", "--data", "blobs.npz", "--simulator", "icarus"]
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=project, capture_output=True, text=True)
    assert done.returncode == 2
    assert "apt-get install iverilog" in done.stderr
