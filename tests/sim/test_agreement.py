"""Verilator, Icarus and CXXRTL agree in every cycle: with the golden model, and bit by bit with each other."""

import re
import shutil

import pytest
from accelerators import accelerator
from strategies import stimulus

from dfarray.configuration import shipped
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import load_dataset
from dfarray.hw.generate import generate
from dfarray.initial_weights import initial_weights
from dfarray.sim import simulators
from dfarray.sim.cosim import cosimulate
from dfarray.sim.job import Mode, Phase
from dfarray.sim.simulators import SimulationError

CONFIG = accelerator([4, 3, 2], 2, 1, rounding="stochastic", error="softmax-cross-entropy")
GAPS = {"sample_gaps": 60, "result_gaps": 60, "weight_gaps": 60}


def needed(*names):
    for name in names:
        try:
            simulators.require(name)
        except SimulationError as error:
            pytest.skip(str(error))


def run(config, x, labels, simulator, directory, **options):
    """Its report, and the recorded trace of every cycle."""
    report = cosimulate(config, x, labels, simulator=simulator, directory=directory / simulator, **options).report
    assert report.mismatches == 0, report.described_mismatch
    return report, (directory / simulator / "run" / "trace.bin").read_bytes()


@pytest.fixture(scope="module")
def small():
    x, labels, rate = stimulus(CONFIG, 10, 1)
    return x, labels, (Phase(7, True, rate), Phase(3, False, rate))


@pytest.mark.tools
def test_verilator_and_cxxrtl(small, tmp_path):
    """The same host, the compiled loop: the same cycles."""
    needed("verilator", "cxxrtl")
    x, labels, phases = small
    options = {"phases": phases, "gaps": GAPS, "record_cycles": 1 << 20}
    verilator = run(CONFIG, x, labels, "verilator", tmp_path, mode=Mode.SIGNATURE, **options)
    cxxrtl = run(CONFIG, x, labels, "cxxrtl", tmp_path, mode=Mode.SIGNATURE, **options)
    assert verilator[0].signature == cxxrtl[0].signature
    assert verilator[1] == cxxrtl[1]
    assert len(cxxrtl[1]) > 0


def test_verilator_and_icarus(small, tmp_path):
    """The same host, cocotb. Icarus ends at the first X in a traced signal after reset."""
    needed("verilator", "icarus")
    x, labels, phases = small
    found = [
        run(CONFIG, x, labels, name, tmp_path, phases=phases, gaps=GAPS, mode=Mode.TRACE)
        for name in ("verilator", "icarus")
    ]
    assert found[0][0].signature == found[1][0].signature
    assert found[0][1] == found[1][1]


def test_an_unknown_signal_is_told(tmp_path):
    """The check for X bites: a traced register comes out of reset unknown."""
    needed("icarus")
    generate(CONFIG, initial_weights(CONFIG), tmp_path / "verilog")
    source = tmp_path / "verilog" / "accelerator.v"
    text, count = re.subn(r"^(    pending_u <= )(\\\$\d+ );", r"\1rst ? 1'hx : \2;", source.read_text(), flags=re.M)
    assert count == 1, "the generated names have changed"
    source.write_text(text)
    x, labels, _ = stimulus(CONFIG, 3, 1)
    with pytest.raises(SimulationError, match="unknown"):
        cosimulate(CONFIG, x, labels, simulator="icarus", directory=tmp_path, verilog=tmp_path / "verilog")


@pytest.mark.slow
@pytest.mark.tools
def test_cxxrtl_tells_a_mutant(small, tmp_path):
    needed("cxxrtl")
    generate(CONFIG, initial_weights(CONFIG), tmp_path / "verilog")
    source = tmp_path / "verilog" / "accelerator.v"
    text, count = re.subn(r" - (\$signed\(rounded)", r" + \1", source.read_text(), count=1)
    assert count == 1, "the generated names have changed"
    source.write_text(text)
    x, labels, phases = small
    for mode in Mode:
        options = {"phases": phases, "verilog": tmp_path / "verilog", "mode": mode}
        report = cosimulate(CONFIG, x, labels, simulator="cxxrtl", directory=tmp_path / mode, **options).report
        assert report.first_mismatch is not None
        assert report.first_mismatch["signal"] == "weight_write.data"


@pytest.mark.slow
@pytest.mark.tools
def test_the_digits(tmp_path):
    needed("verilator", "icarus", "cxxrtl")
    config, digits = shipped("digits"), load_dataset("digits")
    x, labels = quantize_inputs(config, digits.train_x[:100]), digits.train_y[:100]
    looped = [
        run(config, x, labels, name, tmp_path, mode=Mode.SIGNATURE, record_cycles=1 << 20)
        for name in ("verilator", "cxxrtl")
    ]
    assert looped[0][0].signature == looped[1][0].signature
    assert looped[0][1] == looped[1][1]
    shutil.rmtree(tmp_path / "verilator")
    benched = [run(config, x, labels, name, tmp_path, mode=Mode.TRACE) for name in ("verilator", "icarus")]
    assert benched[0][1] == benched[1][1]
