"""The cycle model against section 4 of the specification, register by register, and through its trace alone."""

import numpy as np
import pytest
from accelerators import accelerator
from host import Host
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import Recording, record
from specified_cycles import SpecifiedCycles
from strategies import configurations

from dfarray.configuration import Configuration, Rounding, with_values
from dfarray.golden.cycle import CycleModel
from dfarray.golden.integer import IntegerNetwork
from dfarray.initial_weights import initial_weights
from dfarray.latency import (
    FAMILIES,
    Latency,
)
from dfarray.placement import from_banks, to_banks
from dfarray.trace import output_signals

STROBES = ("seed", "flush", "load", "dump")

LATENCIES = [Latency(*values) for values in [(1, 1), (5, 1), (1, 4), (2, 4, 2), (3, 4, 1), (1, 2, 2)]]


def assert_same_as_specified(config: Configuration, host: Host, cuts: list[int]) -> None:
    """The stepped machine's run, shown to the model in pieces, must be the same in every signal of every cycle."""
    weights = initial_weights(config)
    machine, model = SpecifiedCycles(config, weights), CycleModel(config, weights)
    inputs, expected = host.run(machine)
    pieces = np.split(inputs, sorted({cut % len(inputs) for cut in cuts}))
    got = np.concatenate([model.advance(piece) for piece in pieces])
    different = np.argwhere(got != expected)
    for cycle, column in different[:1]:
        signal = output_signals(config)[column]
        pytest.fail(f"cycle {cycle} {signal}: expected {expected[cycle, column]}, got {got[cycle, column]}")
    banks, biases = to_banks(config, weights)
    for (row, lane, tile), weight in machine.bank.items():
        if tile == config.array.tiles:
            biases[row - config.output_groups[0][1]] = weight
        elif row < len(banks):
            banks[row, lane, tile] = weight
    assert [w.tolist() for w in model.weights] == [w.tolist() for w in from_banks(config, banks, biases)]
    assert model.noise_state == machine.noise_state


@given(
    config=configurations(),
    family=st.sampled_from(["generic", "ice40up5k"]),
    seed=st.integers(0, 2**32 - 1),
    stalls=st.sampled_from([0, 0.2, 0.7]),
    chance=st.sampled_from([0, 0.004, 0.02]),
    restless=st.booleans(),
    broken=st.sampled_from([0, 0.3]),
    cuts=st.lists(st.integers(0, 100_000), max_size=9),
)
@settings(max_examples=20, deadline=None)
def test_any_run_is_as_specified(config, family, seed, stalls, chance, restless, broken, cuts):
    # Samples wait for commands: more loads and dumps than there is time for would keep them out for ever.
    commands = {"seed": chance, "flush": chance, "load": chance / 8, "dump": chance / 8}
    config = with_values(config, {"array.family": family})
    host = Host(config, seed, 5, stalls=stalls, commands=commands, restless=restless, broken=broken)
    assert_same_as_specified(config, host, cuts)


@pytest.mark.parametrize("latency", [*LATENCIES, FAMILIES["ice40up5k"]], ids=str)
@pytest.mark.parametrize(
    ("layers", "tiles", "lanes"), [([1, 1, 2], 1, 1), ([2, 3, 2], 23, 1), ([3, 9, 5], 2, 4), ([2, 3, 4, 1, 2], 1, 2)]
)
def test_any_family_is_as_specified(latency, layers, tiles, lanes, monkeypatch):
    """No configuration may depend on how the latencies of the one family compare."""
    monkeypatch.setitem(FAMILIES, "generic", latency)
    config = accelerator(layers, tiles, lanes, rounding="stochastic")
    commands = dict.fromkeys(STROBES, 0.003)
    assert_same_as_specified(config, Host(config, 1, 3, commands=commands, restless=True), [50])


@given(config=configurations(max_classes=20), seed=st.integers(0, 2**32 - 1), stalls=st.sampled_from([0, 0.5]))
@settings(max_examples=10, deadline=None)
def test_weights_written_are_those_of_the_integer_model(config, seed, stalls):
    """Through write ports only."""
    host, weights = Host(config, seed, 5, stalls=stalls, broken=0.1), initial_weights(config)
    seen = record(config, weights, host)
    network = IntegerNetwork(config, weights)
    logits = network.train(host.samples, host.labels).ravel().tolist()
    network.flush()
    sent = np.flatnonzero(seen["results.valid"] & seen.inputs["results.ready"])
    assert seen.values("results.logit", sent) == logits
    assert [w.tolist() for w in written_weights(config, weights, seen)] == [w.tolist() for w in network.weights]


def written_weights(config: Configuration, weights, seen: Recording) -> list[np.ndarray]:
    """The first weights with the writes of the trace."""
    banks, biases = to_banks(config, weights)
    tiles, base = config.array.tiles, config.output_groups[0][1]
    places = [(tile, lane) for lane in range(config.array.lanes) for tile in range(tiles)]
    for tile, lane in [*places, (tiles, 0)]:
        place = f"tile {tile} lane {lane} weight_write"
        for cycle in seen.cycles(f"{place}.enable"):
            address, data = seen[f"{place}.address"][cycle], seen[f"{place}.data"][cycle]
            if tile < tiles:
                banks[address, lane, tile] = data
            else:
                biases[address - base] = data
    return from_banks(config, banks, biases)


@given(config=configurations(), seed=st.integers(0, 2**32 - 1), stalls=st.sampled_from([0, 0.5]))
@settings(max_examples=10, deadline=None)
def test_nothing_is_lost_or_sent_twice(config, seed, stalls):
    config = with_values(config, {"array.zero_skipping": False})
    samples, commands = 4, {"dump": 0.001}
    seen = record(config, None, Host(config, seed, samples, stalls=stalls, commands=commands, events=False))
    # A word that met another in a register would leave one fewer behind it.
    tokens = seen.cycles("token.valid")
    counts = np.array(seen.values("token.count", tokens))
    for tile in range(config.array.tiles + 1):
        assert len(seen.cycles(f"tile {tile} return.valid")) == np.minimum(counts, tile + 1).sum()
    for item in config.passes:
        for correction in (0, 1):
            of_pass = (seen["feedback.slot"] == item.slot) & (seen["feedback.correction"] == correction)
            scalars, deltas = of_pass & (seen["feedback.op"] == 1), of_pass & (seen["feedback.op"] == 2)
            served = scalars.sum() // item.active_tiles
            # Every update is applied; only one that another sample meets is corrected for.
            assert served == samples if not correction else served <= samples
            assert sorted(seen["feedback.index"][scalars]) == sorted(served * list(range(item.active_tiles)))
            assert sorted(seen["feedback.index"][deltas]) == sorted(served * list(range(item.active_lanes)))
            assert seen["feedback.count"][deltas].sum() == served * item.neurons
    places = [f"tile {t} lane {k}" for t in range(config.array.tiles) for k in range(config.array.lanes)]
    writes = sum(len(seen.cycles(f"{place} weight_write.enable")) for place in places)
    classes, groups = config.network.classes, len(config.output_groups)
    hidden = sum(item.rows * item.neurons for item in config.passes)
    assert writes == samples * (hidden + groups * classes * len(places))
    bias = f"tile {config.array.tiles} lane 0 weight_write.enable"
    assert len(seen.cycles(bias)) == len(seen.cycles("error.valid")) == samples * classes
    noisy = config.training.rounding is Rounding.STOCHASTIC
    assert ("broadcast.noise" in seen.trace) == noisy
