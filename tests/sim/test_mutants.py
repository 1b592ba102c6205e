"""The benches bite: each of these edits of hw/ must be found, and named by the signal that shows it first."""

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from accelerators import accelerator
from edited_hardware import generate_edited
from strategies import stimulus

from dfarray.configuration import Configuration
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate
from dfarray.sim.cosim import cosimulate
from dfarray.sim.job import Phase

SMALL = accelerator([5, 4, 3], 3, 2, error="softmax-cross-entropy")
"""One slot, one output group."""

DEEP = accelerator(
    [6, 7, 9, 3], 3, 2, nonzeros=2, rounding="stochastic", error="softmax-cross-entropy", activation="relu"
)
"""Four slots of two layers, two output groups."""


class Mutant(NamedTuple):
    """``before``, which stands once in ``hw/<module>.py``, becomes ``after``; ``signal`` shows it first."""

    module: str
    before: str
    after: str
    signal: str
    config: Configuration = SMALL


MUTANTS = {
    # Lane
    "update added": Mutant("lane", "before - rounded,", "before + rounded,", "weight_write.data"),
    "truncated, not rounded": Mutant("lane", "return Const(1 << (bits - 1))", "return Const(0)", "weight_write.data"),
    # Loaded weights go the same way, and are written before anything is summed.
    "stale weight beside the update": Mutant(
        "lane", "align - 1 - latency.read - latency.weight_read,", "1 + 0 * align,", "weight_write.data"
    ),
    "forward product subtracted": Mutant(
        "lane", "accumulator) + self.product", "accumulator) - self.product", "result"
    ),
    "a sum goes on with the one before": Mutant("lane", "Mux(fresh, 0, accumulator)", "accumulator", "result"),
    "hidden update without its delta's valid bit": Mutant(
        "lane", "(command.update & self.delta_valid)", "command.update", "weight_write.enable"
    ),
    "output rows do not update": Mutant("lane", "command.output_update | (command", "(command", "weight_write.enable"),
    "output update with the activation of the sample after": Mutant(
        "lane", "selects.output, local.update,", "selects.output, local.gram,", "weight_write.data"
    ),
    "gram of the sample with itself": Mutant(
        "lane", "selects.gram, local.gram,", "selects.gram, local.current,", "partial.value"
    ),
    "loaded weight ignored": Mutant("lane", "selects.loads, command.loaded,", "selects.loads, 0,", "weight_write.data"),
    "correction dropped": Mutant("lane", "command.correct & correction_valid", "Const(0)", "correction"),
    "correction of the sample before": Mutant(
        "lane", "selects.activate, correction_delta,", "selects.activate, self.delta,", "correction"
    ),
    "all lanes take the same noise": Mutant("lane", "5 * self._index % 32", "0", "weight_write.data", DEEP),
    # Tile
    "correction added": Mutant("tile", "total - correction,", "total + correction,", "activation"),
    "f' in the other sample's bank": Mutant("tile", "Cat(at, bank)", "Cat(at, ~bank)", "correction"),
    "update activation one sample old": Mutant(
        "tile",
        "present_ahead, history.read_data.older,",
        "present_ahead, history.read_data.newer,",
        "update_activation",
    ),
    "one tile too many answers": Mutant("tile", "token.count > self", "token.count >= self", "return.valid", DEEP),
    "delta for a missing neuron": Mutant("tile", "word.count > self", "word.count >= self", "correction"),
    "bias tile silent": Mutant("bias_tile", "partial_in.value + product", "partial_in.value", "partial.value"),
    "bias tile answers in every group": Mutant(
        "bias_tile",
        "activations.current.eq(Mux(decoder.takes_part, one, 0))",
        "activations.current.eq(one)",
        "partial.value",
        DEEP,
    ),
    # Sequencer
    "parity stays": Mutant(
        "sequencer", "self.parity.eq(~self.parity)", "self.parity.eq(self.parity)", "sequencer.parity"
    ),
    "shadow deltas of the wrong bank": Mutant(
        "sequencer", "self.parity ^ self._last_slot, 1", "~self.parity ^ self._last_slot, 1", "feedback.op"
    ),
    "corrections of the wrong bank": Mutant(
        "sequencer", "waiting.output.parity ^ ~waiting.last_slot", "waiting.output.parity", "feedback.op", DEEP
    ),
    "hidden rows do not wait for their deltas": Mutant(
        "sequencer", "(~wanted | (self.delivered & ~asks))", "Const(1)", "sequencer.row"
    ),
    "a weight is read before it is written": Mutant(
        "sequencer", "Cat(valid & (slot == number) for valid, slot in decided).any()", "Const(0)", "sequencer.row"
    ),
    "ACTIVATE does not wait for the corrections": Mutant(
        "sequencer", "(self.corrected | ~waiting.correct)", "Const(1)", "sequencer.activate"
    ),
    "every group has the first one's output rows": Mutant(
        "sequencer", "[base for _, base in groups]", "[groups[0][1]] * len(groups)", "broadcast.address", DEEP
    ),
    "freeze bits of the sample after": Mutant(
        "sequencer", "self._freeze_u.eq(self._freeze_v)", "self._freeze_u.eq(sweep.freeze)", "broadcast.op"
    ),
    "noise advances in every sweep": Mutant(
        "sequencer", 'finished & delay(m, self.pending_u, 1, "applied")', "finished", "broadcast.noise", DEEP
    ),
    "noise advances twice": Mutant(
        "noise", "xorshift32(self.state)", "xorshift32(xorshift32(self.state))", "broadcast.noise", DEEP
    ),
    "output rows in the latest sweep's noise": Mutant(
        "sequencer", "packet.noise.eq(context.noise)", "packet.noise.eq(self.noise_state)", "broadcast.noise", DEEP
    ),
    # Fetch and stores
    "output error of the other bank": Mutant("fetch", "error_bank.eq(asked", "error_bank.eq(~asked", "broadcast.value"),
    "a NULL sweep shows the latest sample": Mutant(
        "fetch", "Mux(nothing, 0, entry.current)", "entry.current", "broadcast.x_cur"
    ),
    "a NULL sweep has the wrong list": Mutant("sequencer", "null & self.pending_v", "Const(0)", "broadcast.x_prev"),
    "a row is left out though its update matters": Mutant(
        "input_store", "keep_row = some.older | some.current", "keep_row = some.current", "sequencer.state"
    ),
    "the same in a hidden layer": Mutant(
        "stores",
        "(word.value != 0) | (history.read_data.older != 0)",
        "(word.value != 0)",
        "activations.available",
        DEEP,
    ),
    "hidden gram with the wrong sample": Mutant(
        "stores", "gram.b.eq(history.read_data.newer)", "gram.b.eq(history.read_data.older)", "broadcast.value", DEEP
    ),
    "gram without the bias": Mutant("gram", "total.eq(formats.activation.one**2)", "total.eq(0)", "broadcast.value"),
    # Readout and error unit
    "output correction dropped": Mutant(
        "readout", "Mux(self.correct, exact_kappa, 0)", "Mux(0, exact_kappa, 0)", "logit.value"
    ),
    "the last group's sums alone": Mutant(
        "readout", "Mux(first, 0, before.read_data)", "Mux(1, 0, before.read_data)", "logit.value", DEEP
    ),
    "output correction by the wrong sample": Mutant(
        "core", "(readout.read_class, ~error_unit.bank,", "(readout.read_class, error_unit.bank,", "logit.value"
    ),
    "smallest logit wins": Mutant("error_unit", "logit > largest", "logit < largest", "results.prediction"),
    "label of the next sample": Mutant(
        "error_unit", "label.eq(settings.label)", "label.eq(self.context.settings.label)", "error.value"
    ),
    "probability rounded down": Mutant("softmax", "product + half,", "product,", "error.value"),
}


QUICK = (
    "update added",
    "output rows do not update",
    "correction dropped",
    "bias tile silent",
    "a weight is read before it is written",
    "a row is left out though its update matters",
    "noise advances twice",
)
"""One of every kind; the others run with the slow tests."""


def test_every_mutant_has_its_place():
    """The slow ones are not built in every run; that they can still be made is seen at once."""
    lost = {
        name: mutant.before
        for name, mutant in MUTANTS.items()
        if Path("hw", f"{mutant.module}.py").read_text().count(mutant.before) != 1
    }
    assert not lost


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in MUTANTS]
)
def test_mutant_is_found(name, fast_simulator, tmp_path):
    mutant, config = MUTANTS[name], MUTANTS[name].config
    x, labels, _ = stimulus(config, 9, 1)
    edit = mutant.module, mutant.before, mutant.after
    generate_edited(*edit, config, initial_weights(config), tmp_path / "mutant")
    report = cosimulate(
        config,
        x,
        labels,
        directory=tmp_path,
        phases=(
            Phase(3, True, config.training.rate),
            Phase(3, True, LearningRate(200, 8), freeze=0b11),
            Phase(1, False, config.training.rate),
            Phase(2, True, config.training.rate),
        ),
        simulator=fast_simulator,
        verilog=tmp_path / "mutant",
        load_weights=True,
    ).report
    assert report.mismatches > 0
    assert report.first_mismatch is not None
    assert report.first_mismatch["signal"] == mutant.signal, report.described_mismatch
    assert json.dumps(report.as_dict())
