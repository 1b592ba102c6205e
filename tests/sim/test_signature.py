"""Signature mode: one word a cycle is compared; a difference is found in its cycle and explained by a second run."""

import re
import shutil

import numpy as np
import pytest
from accelerators import accelerator
from strategies import stimulus

from dfarray.golden.cycle import CycleModel
from dfarray.hw.generate import generate
from dfarray.initial_weights import initial_weights
from dfarray.sim.cosim import cosimulate
from dfarray.sim.job import Job, Mode, Phase
from dfarray.sim.trace_file import TraceReader, layout_of

SAMPLES = 9
CONFIG = accelerator([6, 7, 9, 3], 3, 2, nonzeros=2, rounding="stochastic", error="softmax-cross-entropy")


@pytest.fixture(scope="module")
def verilog(tmp_path_factory):
    directory = tmp_path_factory.mktemp("verilog")
    generate(CONFIG, initial_weights(CONFIG), directory)
    return directory


def cosimulated(verilog, simulator, directory, mode):
    x, labels, rate = stimulus(CONFIG, SAMPLES + 2, 1)
    phases = (Phase(SAMPLES, True, rate), Phase(2, False, rate))
    return cosimulate(
        CONFIG, x, labels, directory=directory, phases=phases, simulator=simulator, verilog=verilog, mode=mode
    ).report


def test_every_cycle_is_equal(verilog, simulator, tmp_path):
    report = cosimulated(verilog, simulator, tmp_path, Mode.SIGNATURE)
    assert report.mismatches == 0, report.described_mismatch
    assert report.mode is Mode.SIGNATURE
    assert report.cycles_checked > 0.9 * report.cycles
    assert report.samples == SAMPLES + 2
    assert report.useful_macs > 0
    assert 0 < report.utilisation < 1


def test_the_register_is_that_of_the_trace(verilog, fast_simulator, tmp_path):
    """The test bench's signatures, against the golden model's over the inputs of the trace of the same run."""
    if fast_simulator != "icarus":
        pytest.skip("only a cocotb run leaves its signatures in a file")
    report = cosimulated(verilog, fast_simulator, tmp_path, Mode.SIGNATURE)
    job = Job.load(tmp_path / "run" / "job.json")
    layout = layout_of(job.manifest)
    records = TraceReader(job.signature_path, layout, layout.signed_words).read_packed(report.cycles_checked)
    model = CycleModel(CONFIG, job.weights)
    inputs, _ = layout.unpack_inputs(records)
    assert np.array_equal(model.advance_signature(np.ascontiguousarray(inputs)), records[:, -1])
    assert report.signature == f"{records[-1, -1]:016x}"
    assert len(np.unique(records[:, -1])) > 0.99 * len(records)


def test_a_mutant_is_named_after_the_second_run(verilog, simulator, tmp_path):
    mutated = tmp_path / "mutated"
    shutil.copytree(verilog, mutated)
    source = mutated / "accelerator.v"
    text = source.read_text()
    mutant, edits = re.subn(r" - (\$signed\(rounded)", r" + \1", text, count=1)
    assert edits == 1, "the generated names have changed"
    source.write_text(mutant)
    report = cosimulated(mutated, simulator, tmp_path, Mode.SIGNATURE)
    assert report.mismatches > 0
    assert report.first_mismatch is not None
    first = report.first_mismatch
    assert (first["signal"], first["tile"], first["lane"]) == ("weight_write.data", 0, 0)
    assert first["expected"] != first["got"]
    assert report.cycles_checked == first["cycle"] > 0
