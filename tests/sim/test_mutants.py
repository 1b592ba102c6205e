"""The benches bite: each of these edits of the generated Verilog must be found, and named."""

import json
import re
import shutil

import pytest
from accelerators import accelerator
from strategies import stimulus

from dfarray.hw.generate import generate
from dfarray.initial_weights import initial_weights
from dfarray.sim.cosim import cosimulate

# What breaks: pattern, replacement, the signal that shows it first. One place of the file is edited, the first.
MUTANTS = {
    "update added": (r"(updated = \$signed\(weight_2\)) -", r"\1 +", "weight_write.data"),
    "truncated, not rounded": (r"11'h200\)", "11'h000)", "weight_write.data"),
    "stale weight beside the update": (r"(updated = \$signed\()weight_2", r"\1weight_1", "weight_write.data"),
    "forward product subtracted": (r"(\$signed\(\\\$\d+ \)) \+ (\$signed\(\\product\$\d+ \))", r"\1 - \2", "result"),
    "token counts one tile more": (r"(token\[6:5\]) > 1'h1", r"\1 >= 1'h1", "return.valid"),
    "delta for a missing neuron": (r"(\\word\$\d+ \[6:5\]) > 1'h1", r"\1 >= 1'h1", "delta.valid"),
    "smallest logit wins": (r"(\$signed\(logit\S+\)) > (\$signed\(largest\))", r"\1 < \2", "results.prediction"),
    "probability rounded down": (r"product \+ (\\\$\d+ ;)", r"product - \1", "error.value"),
    "sweep does not wait for the deltas": (r"= ~ delivered;", "= 1'h0;", "sequencer.row"),
    "loaded weight ignored": (r"load \? command\[37:20\]", "load ? 18'h00000", "weight_write.data"),
}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pristine")
    config = accelerator([5, 4, 3], 3, 2, error="softmax-cross-entropy")
    generate(config, initial_weights(config), directory)
    return config, directory


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_found(name, pristine, fast_simulator, tmp_path):
    config, original = pristine
    pattern, replacement, signal = MUTANTS[name]
    mutated = tmp_path / "mutated"
    shutil.copytree(original, mutated)
    source = mutated / "accelerator.v"
    text = source.read_text()
    place = next(re.finditer(pattern, text))
    source.write_text(text[: place.start()] + place.expand(replacement) + text[place.end() :])

    x, labels, _ = stimulus(config, 6, 1)
    report = cosimulate(
        config, x, labels, directory=tmp_path, simulator=fast_simulator, verilog=mutated, load_weights=True
    ).report
    assert report.mismatches > 0
    assert report.first_mismatch is not None
    assert report.first_mismatch["signal"] == signal, report.described_mismatch
    assert json.dumps(report.as_dict())
