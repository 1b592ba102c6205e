import json
import os
import re
import shutil
import subprocess

import pytest
from accelerators import accelerator

from dfarray.hw.generate import generate
from dfarray.initial_weights import initial_weights
from dfarray.sim.simulators import _verilator_environment
from dfarray.trace import input_signals, output_signals


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    directory = tmp_path_factory.mktemp("generated")
    config = accelerator([5, 6, 3], 3, 2, rounding="stochastic", error="softmax-cross-entropy")
    return config, directory, generate(config, initial_weights(config), directory)


def test_verilator_lint(generated):
    _, directory, _ = generated
    environment = {**os.environ, **_verilator_environment()}
    command = ["verilator", "--lint-only", "accelerator.v"]
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "%Error" not in done.stderr
    assert "%Warning" not in done.stderr


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_icarus_elaborates(generated):
    _, directory, manifest = generated
    command = ["iverilog", "-g2005", "-Wall", "-s", manifest["top"], "-o", os.devnull, "accelerator.v"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_combinational_block_runs_at_time_zero(generated):
    """Icarus leaves outputs unknown otherwise, see hw/generate.py."""
    _, directory, _ = generated
    text = (directory / "accelerator.v").read_text()
    blocks = len(re.findall(r"always @\*", text))
    triggered = len(re.findall(r"always @\* begin\n\s+if \(\\\$auto\$verilog_backend\S+ \) begin end", text))
    assert blocks == triggered > 0
    assert len(re.findall(r"initial \\\$auto\$verilog_backend\S+ <= 0;", text)) > 0


def test_manifest_describes_the_verilog(generated):
    config, directory, manifest = generated
    assert json.loads((directory / "manifest.json").read_text()) == manifest
    text = (directory / "accelerator.v").read_text()
    header = re.search(rf"module {manifest['top']}\((.*?)\);", text, re.S)
    assert header is not None
    ports = {name.strip() for name in header[1].split(",")}
    assert ports == {port["name"] for port in manifest["ports"]} | {"clk", "rst"}
    for signals, key in ((input_signals(config), "inputs"), (output_signals(config), "outputs")):
        found = [(s["name"], s["tile"], s["lane"], s["width"]) for s in manifest["trace"][key]]
        assert found == [(s.name, s.tile, s.lane, s.width) for s in signals]
    assert manifest["costs"]["sparse_dfa"]["forward_macs"] == 5 * 6 + 6 * 3
    assert manifest["costs"]["sparse_dfa"]["projection_macs"] == 6
    assert manifest["costs"]["array"]["scalars"] == 3 + 3


@pytest.mark.parametrize(("layers", "tiles", "lanes"), [([1, 1, 2], 1, 1), ([1, 1, 1, 2], 1, 1), ([3, 4, 2], 2, 1)])
def test_no_wire_without_bits(layers, tiles, lanes, tmp_path):
    config = accelerator(layers, tiles, lanes)
    generate(config, initial_weights(config), tmp_path)
    assert "[-1:0]" not in (tmp_path / "accelerator.v").read_text()


def test_generation_is_reproducible(generated, tmp_path):
    config, directory, _ = generated
    generate(config, initial_weights(config), tmp_path)
    assert (tmp_path / "accelerator.v").read_bytes() == (directory / "accelerator.v").read_bytes()


def test_weights_of_the_wrong_shape_are_refused(tmp_path):
    config = accelerator([5, 6, 3], 3, 2)
    with pytest.raises(ValueError, match=r"layer 1 must have shape \(6, 6\), not \(6, 5\)"):
        generate(config, [w[:, 1:] for w in initial_weights(config)], tmp_path)
