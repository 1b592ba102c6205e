"""The cycle model by itself: numbers worked out by hand, and independence from how it is asked."""

import numpy as np
import pytest
from accelerators import accelerator
from strategies import stimulus

from dfarray.configuration import load_configuration
from dfarray.golden.cycle import CycleModel
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.steady import steady_cycles
from dfarray.trace import FEEDBACK_OPERATIONS, input_signals, output_signals


def record(config, cycles, seed, *, gaps=True, freeze=True):
    """Inputs of a host that streams samples with pauses and strobes commands at random."""
    rng = np.random.default_rng(seed)
    names = [signal.name for signal in input_signals(config)]
    inputs = np.zeros((cycles, len(names)), dtype=np.int64)

    def column(name, values):
        inputs[:, names.index(name)] = values

    column("samples.valid", rng.random(cycles) < (0.7 if gaps else 1.1))
    column("samples.value", rng.integers(-100, 256, cycles))
    column("samples.label", rng.integers(0, config.network.classes, cycles))
    column("samples.last", rng.random(cycles) < 0.3)
    for name in ("results.ready", "weights_in.valid", "weights_out.ready"):
        column(name, rng.random(cycles) < 0.6)
    column("weights_in.data", rng.integers(-500, 500, cycles))
    column("settings.train", np.arange(cycles) // 400 % 4 != 3)
    column("settings.rate_mantissa", 200)
    column("settings.rate_exponent", 9)
    column("settings.freeze", rng.integers(0, 2, cycles) * (np.arange(cycles) > cycles // 2) * freeze)
    column("settings.seed", 5)
    column("settings.row_first", 1)
    column("settings.row_count", 3)
    for name in ("seed", "flush", "load", "dump"):
        column(f"command.{name}", rng.random(cycles) < 0.002)
    return inputs


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_chunks_do_not_matter(rounding):
    config = accelerator([3, 5, 4, 3], 2, 2, nonzeros=2, rounding=rounding, error="softmax-cross-entropy")
    inputs = record(config, 4000, 1)
    whole, pieces = CycleModel(config), CycleModel(config)
    expected = whole.advance(inputs)
    rng = np.random.default_rng(2)
    parts, start = [], 0
    while start < len(inputs):
        size = int(rng.choice([1, 2, 7, 100, 700]))
        parts.append(pieces.advance(inputs[start : start + size]))
        start += size
    assert np.array_equal(np.concatenate(parts), expected)
    for a, b in zip(whole.weights, pieces.weights, strict=True):
        assert np.array_equal(a, b)
    states = expected[:, [s.name for s in output_signals(config)].index("sequencer.state")]
    assert set(states) == {0, 1, 2, 3, 4}, "every state was visited"


def test_cycles_worked_out_by_hand():
    """2-2-2 on two tiles of one lane, R = 2 and M = 3, so K = 4 and Q = 12, from docs/architecture.md section 4.

    The sample is in by cycle 1, full in 2; IDLE starts its sweep in 2. Hidden rows are decided in 3, 4, 5, at
    the head in 6, 7, 8; tile 0's result shows in 8 + 12 = 20, the token leaves in 8 + 12 - 1 = 19, tile t's
    word is at the exit in 19 + 2 + 4 + t = 25 + t. The output bias row is decided in 6; the next row needs the
    first activation, stored in 25, so 26; the last one 27; at the head in 30; its token in 30 + 11 = 41, logits
    at the exit in 47 and 48. The MSE unit writes its errors in 48 + 5 and 48 + 6 and is idle in 48 + 2 + 5 =
    55; IDLE in 56.
    """
    config = accelerator([2, 2, 2], 2, 1)
    names = [signal.name for signal in input_signals(config)]
    inputs = np.zeros((60, len(names)), dtype=np.int64)
    for name in ("results.ready", "settings.train", "settings.rate_mantissa"):
        inputs[:, names.index(name)] = 1
    inputs[:2, names.index("samples.valid")] = 1
    inputs[1, names.index("samples.last")] = 1
    trace = CycleModel(config).advance(inputs)
    columns = {(s.name, s.tile, s.lane): i for i, s in enumerate(output_signals(config))}

    def cycles_of(name, tile=None, lane=None):
        return np.flatnonzero(trace[:, columns[(name, tile, lane)]]).tolist()

    state = trace[:, columns[("sequencer.state", None, None)]].tolist()
    assert (state.index(1), state.index(2), state[56]) == (3, 28, 0)
    assert state[55] == 2
    assert cycles_of("samples.ready") == [0, 1, *range(3, 60)]
    assert cycles_of("broadcast.op") == [6, 7, 8, 9, 29, 30]
    assert cycles_of("token.valid") == [19, 41]
    assert cycles_of("return.valid", 1) == [25, 26, 47, 48]
    assert cycles_of("error.valid") == [53, 54]
    assert cycles_of("results.valid") == [50, 51]
    assert cycles_of("sequencer.pending") == list(range(56, 60))
    # Requested in 55: scalars for tiles 0 and 1 at 55 + 4 + 1 and + 2 would come next.
    assert cycles_of("feedback.op") == []


def test_a_tile_gets_one_scalar_a_pass_and_words_do_not_collide():
    config = accelerator([3, 7, 5, 3], 3, 2, nonzeros=2)
    signals = output_signals(config)
    trace = CycleModel(config).advance(record(config, 3000, 4, gaps=False, freeze=False))
    column = [s.name for s in signals].index
    words = trace[trace[:, column("feedback.op")] == FEEDBACK_OPERATIONS["SCALAR"]]
    slots, tiles = words[:, column("feedback.slot")], words[:, column("feedback.index")]
    order = [(item.slot, tile) for item in config.passes for tile in range(item.active_tiles)]
    found = list(zip(slots.tolist(), tiles.tolist(), strict=True))
    assert len(found) > 3 * len(order)
    # A training sample's scalars come in order; an inference sample has none.
    assert found == (order * (len(found) // len(order) + 1))[: len(found)]
    tokens = trace[trace[:, column("token.valid")] == 1][:, column("token.count")].sum()
    exits = [i for i, s in enumerate(signals) if s.name == "return.valid" and s.tile == config.array.tiles - 1]
    in_flight = 2 * config.array.tiles * config.array.lanes
    assert 0 <= tokens - trace[:, exits].sum() <= in_flight


@pytest.mark.parametrize(("name", "cycles"), [("digits", 274), ("mnist", 1816)])
def test_cycles_per_sample_of_the_shipped_configurations(name, cycles):
    assert steady_cycles(load_configuration(f"configs/{name}.toml")) == cycles


def test_weights_follow_the_integer_model():
    config = accelerator([4, 6, 5, 3], 3, 2, nonzeros=3, rounding="stochastic", error="softmax-cross-entropy")
    x, labels, _ = stimulus(config, 6, 0)
    names = [signal.name for signal in input_signals(config)]
    model, network = CycleModel(config), IntegerNetwork(config)
    base = np.zeros((1, len(names)), dtype=np.int64)
    rate = config.training.rate
    for name, value in (
        ("results.ready", 1),
        ("settings.train", 1),
        ("settings.rate_mantissa", rate.mantissa),
        ("settings.rate_exponent", rate.exponent),
    ):
        base[:, names.index(name)] = value
    for sample, label in zip(x, labels, strict=True):
        inputs = np.repeat(base, 600, axis=0)
        inputs[: len(sample), names.index("samples.valid")] = 1
        inputs[: len(sample), names.index("samples.value")] = sample
        inputs[: len(sample), names.index("samples.label")] = label
        inputs[len(sample) - 1, names.index("samples.last")] = 1
        model.advance(inputs)
    assert any((a != b).any() for a, b in zip(model.weights, network.weights, strict=True))
    flush = np.repeat(base, 200, axis=0)
    flush[0, names.index("command.flush")] = 1
    model.advance(flush)
    network.train(x, labels)
    for a, b in zip(model.weights, network.weights, strict=True):
        assert np.array_equal(a, b)
