"""The cycle model against section 4 of the specification: on paper, register by register, through its trace alone."""

import numpy as np
import pytest
from accelerators import accelerator
from host import Host
from hypothesis import given, settings
from hypothesis import strategies as st
from specified_cycles import SpecifiedCycles
from strategies import configurations

from dfarray.configuration import Configuration, Rounding
from dfarray.golden.cycle import CycleModel
from dfarray.golden.integer import IntegerNetwork
from dfarray.initial_weights import initial_weights
from dfarray.latency import FAMILIES, Latency
from dfarray.learning_rate import LearningRate
from dfarray.placement import from_banks, to_banks
from dfarray.trace import STATES, input_signals, output_signals

STROBES = ("seed", "flush", "load", "dump")


class Recording:
    """Inputs and trace of a run, by name."""

    def __init__(self, config: Configuration, inputs: np.ndarray, trace: np.ndarray):
        self.config = config
        self.inputs = {signal.name: inputs[:, i] for i, signal in enumerate(input_signals(config))}
        self.trace = {str(signal): trace[:, i] for i, signal in enumerate(output_signals(config))}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.trace[name]

    def cycles(self, name: str) -> list[int]:
        """When a signal is not zero."""
        return np.flatnonzero(self[name]).tolist()

    def changes(self, name: str) -> list[int]:
        """When a register shows another value than the cycle before."""
        return (np.flatnonzero(np.diff(self[name])) + 1).tolist()

    def steps(self, name: str) -> list[tuple[int, int]]:
        return [(cycle, int(self[name][cycle])) for cycle in self.changes(name)]

    def values(self, name: str, cycles) -> list[int]:
        return self[name][cycles].tolist()

    @property
    def sample_starts(self) -> np.ndarray:
        """IDLE cycles in which a sample's sweep starts, its settings being latched."""
        state, ready = self["sequencer.state"], self["samples.ready"]
        started = (state[:-1] == STATES["IDLE"]) & (state[1:] == STATES["SWEEP"])
        return np.flatnonzero(started & (ready[:-1] == 0) & (ready[1:] == 1))


def record(config: Configuration, weights, host: Host) -> Recording:
    return Recording(config, *host.run(CycleModel(config, weights)))


def pins(config: Configuration, cycles: int, **columns) -> np.ndarray:
    """Inputs that are zero but for some; ``__`` stands for the dot of a name, values are one number or one a cycle."""
    names = [signal.name for signal in input_signals(config)]
    inputs = np.zeros((cycles, len(names)), dtype=np.int64)
    for name, values in columns.items():
        inputs[:, names.index(name.replace("__", "."))] = values
    return inputs


def test_two_samples_by_hand():
    """Section 4 worked out on paper. K = 4 and Q = 12 (R = 2, M = 3); T = 2, L = 1, so P = 2; s = C = 2.

    Slots: 0 and 1 hold the hidden neurons 0, 1 and 2 (rows 0-2 and 3-5), slot 2 the two classes (rows 6-9).
    """
    config = accelerator([2, 3, 2], 2, 1, nonzeros=2)
    assert config.latency == Latency(weight_read=2, multiply=3)
    weights = [np.array([[900, 2000, -3000], [800, 5000, 700], [-600, 1234, 4321]]), np.full((2, 4), 3000)]
    weights[1][1] = -2000
    inputs = pins(
        config,
        151,
        samples__valid=1,
        samples__value=np.where(np.arange(151) < 3, 100, 150),
        results__ready=1,
        settings__train=1,
        settings__rate_mantissa=255,
        settings__rate_exponent=9,
    )
    # n_0 = 2: the second transfer of each sample is its last; see samples.ready below.
    inputs[[1, 4, 73], [s.name for s in input_signals(config)].index("samples.last")] = 1
    model = CycleModel(config, weights)
    seen = Recording(config, inputs, model.advance(inputs))

    sweep, drain, idle = STATES["SWEEP"], STATES["DRAIN"], STATES["IDLE"]
    # Complete in 2, so started in 2. Hidden passes wait for the collector, output rows for the activations.
    states = [(3, sweep), (43, drain), (71, idle), (72, sweep), (119, drain), (147, idle), (148, sweep)]
    assert seen.steps("sequencer.state") == states
    assert model.sweep_starts == [3, 72, 148]
    assert seen.steps("samples.ready") == [(2, 0), (3, 1), (5, 0), (72, 1), (74, 0), (148, 1)]
    # Decisions 3 4 5 | 6 7 21 | 22 26 27 42, heads three cycles later; then 79 80 81 | 86 87 97 | 98 102 103 118.
    heads = [6, 7, 8, 9, 10, 24, 25, 29, 30, 45, 82, 83, 84, 89, 90, 100, 101, 105, 106, 121]
    assert seen.cycles("broadcast.op") == heads
    assert seen.values("broadcast.op", heads) == [1] * 10 + [2] * 10
    assert seen.values("broadcast.address", heads) == 2 * list(range(10))
    assert seen.values("broadcast.first", heads) == 2 * [1, 0, 0, 1, 0, 0, 1, 0, 0, 0]
    assert seen.values("broadcast.last", heads) == 2 * [0, 0, 1, 0, 0, 1, 0, 0, 0, 1]
    rows = [(4, 1), (5, 2), (6, 0), (7, 1), (8, 2), (22, 0), (23, 1), (27, 2), (28, 3), (43, 0), (80, 1)]
    assert seen.steps("sequencer.row")[:11] == rows
    assert seen.steps("sequencer.slot")[:4] == [(6, 1), (22, 2), (43, 0), (82, 1)]
    # Results c + t + Q, tokens c + Q - 1, words at the exit q + T + 4 + t, counted one cycle later.
    assert seen.changes("tile 0 lane 0 result") == [20, 36, 57, 96, 112, 133]
    assert seen.changes("tile 1 lane 0 result") == [21, 37, 58, 97, 113, 134]
    assert seen.cycles("token.valid") == [19, 35, 56, 95, 111, 132]
    assert seen.values("token.count", [19, 35, 56]) == [2, 1, 2]
    assert seen.cycles("tile 0 return.valid") == [24, 40, 61, 100, 116, 137]
    assert seen.cycles("tile 1 return.valid") == [25, 26, 41, 62, 63, 101, 102, 117, 138, 139]
    received = [(26, 1), (27, 2), (42, 3), (72, 0), (102, 1), (103, 2), (118, 3), (148, 0)]
    assert seen.steps("sequencer.received") == received
    busy = [*range(6, 21), *range(22, 37), *range(43, 58), *range(82, 97), *range(98, 113), *range(119, 134)]
    assert seen.cycles("collector.busy") == busy
    # x = 63 and 139: results from x + 2, g from x + 5, the error unit idle in x + C + 5.
    assert seen.cycles("results.valid") == [65, 66, 141, 142]
    assert seen.cycles("results.last") == [66, 142]
    assert seen.cycles("error.valid") == [68, 69, 144, 145]
    assert seen.steps("sequencer.pending") == [(71, 1)]
    # Requests in 70, 79, 86 and 146; a hidden tile's scalar takes s cycles, an output tile's one.
    assert seen.cycles("feedback.op") == [76, 78, 79, 85, 86, 91, 92, 93]
    assert seen.values("feedback.op", [76, 78, 79, 85, 86, 91, 92, 93]) == [1, 1, 2, 1, 2, 1, 1, 2]
    delivered = [(79, 1), (80, 0), (86, 1), (87, 0), (93, 1), (147, 0)]
    assert seen.steps("sequencer.delivered") == delivered
    # Tile 0 is told the same in slots 0 and 1.
    assert seen.changes("tile 0 error_scalar") == [78, 93]
    assert seen.changes("tile 1 error_scalar") == [81, 95]
    assert seen.steps("tile 0 lane 0 delta.valid") == [(84, 1)]
    assert seen.steps("tile 1 lane 0 delta.valid") == [(85, 1), (92, 0), (104, 1)]
    # Writes c + 3 + t + K; slot 1 has no neuron in tile 1.
    writes = [89, 90, 91, 96, 97, 107, 108, 112, 113, 128]
    assert seen.cycles("tile 0 lane 0 weight_write.enable") == writes
    assert seen.values("tile 0 lane 0 weight_write.address", writes) == list(range(10))
    writes = [90, 91, 92, 109, 113, 114, 129]
    assert seen.cycles("tile 1 lane 0 weight_write.enable") == writes
    assert seen.values("tile 1 lane 0 weight_write.address", writes) == [0, 1, 2, 6, 7, 8, 9]


def test_load_and_dump_by_hand():
    """One row into 2 x 2 lanes and out again, both commands given at once."""
    config = accelerator([2, 2, 2], 2, 2)
    inputs = pins(config, 40, weights_in__valid=1, weights_in__data=np.arange(10, 50), weights_out__ready=1)
    names = [signal.name for signal in input_signals(config)]
    inputs[:, names.index("settings.row_first")] = 2
    inputs[:, names.index("settings.row_count")] = 1
    inputs[0, [names.index("command.load"), names.index("command.dump")]] = 1
    seen = Recording(config, inputs, CycleModel(config).advance(inputs))
    states = [(2, STATES["LOAD"]), (6, STATES["IDLE"]), (7, STATES["DUMP"]), (33, STATES["IDLE"])]
    assert seen.steps("sequencer.state") == states
    assert seen.cycles("weights_in.ready") == [2, 3, 4, 5]
    assert seen.cycles("broadcast.op") == [5, 6, 7, 8, 10]
    assert seen.values("broadcast.data", [5, 6, 7, 8]) == [12, 13, 14, 15]
    written = {(0, 0): (8, 12), (1, 0): (10, 13), (0, 1): (10, 14), (1, 1): (12, 15)}
    for (tile, lane), (cycle, weight) in written.items():
        assert seen.cycles(f"tile {tile} lane {lane} weight_write.enable") == [cycle]
        assert seen.values(f"tile {tile} lane {lane} weight_write.data", [cycle]) == [weight]
    assert seen.cycles("token.valid") == [21, 23]
    assert seen.cycles("collector.busy") == list(range(8, 25))
    assert seen.cycles("tile 1 return.valid") == [27, 28, 29, 30]
    assert seen.cycles("weights_out.valid") == [29, 30, 31, 32]
    assert seen.values("weights_out.data", [29, 30, 31, 32]) == [12, 13, 14, 15]


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
    banks = np.zeros_like(to_banks(config, weights))
    for (row, lane, tile), weight in machine.bank.items():
        banks[row, lane, tile] = weight
    assert [w.tolist() for w in model.weights] == [w.tolist() for w in from_banks(config, banks)]
    assert model.noise_state == machine.noise_state


@given(
    config=configurations(),
    seed=st.integers(0, 2**32 - 1),
    stalls=st.sampled_from([0, 0.2, 0.7]),
    chance=st.sampled_from([0, 0.004, 0.02]),
    restless=st.booleans(),
    broken=st.sampled_from([0, 0.3]),
    cuts=st.lists(st.integers(0, 100_000), max_size=9),
)
@settings(max_examples=20, deadline=None)
def test_any_run_is_as_specified(config, seed, stalls, chance, restless, broken, cuts):
    commands = dict.fromkeys(STROBES, chance)
    host = Host(config, seed, 5, stalls=stalls, commands=commands, restless=restless, broken=broken)
    assert_same_as_specified(config, host, cuts)


@pytest.mark.parametrize(("weight_read", "multiply"), [(1, 1), (5, 1), (1, 4)])
@pytest.mark.parametrize(("layers", "tiles", "lanes"), [([1, 1, 2], 1, 1), ([2, 3, 2], 23, 1), ([3, 9, 5], 2, 4)])
def test_any_family_is_as_specified(weight_read, multiply, layers, tiles, lanes, monkeypatch):
    """No configuration may depend on how the latencies of the one family compare."""
    monkeypatch.setitem(FAMILIES, "generic", Latency(weight_read, multiply))
    config = accelerator(layers, tiles, lanes, rounding="stochastic")
    commands = dict.fromkeys(STROBES, 0.003)
    assert_same_as_specified(config, Host(config, 1, 3, commands=commands, restless=True), [50])


@given(
    config=configurations(max_classes=20),
    seed=st.integers(0, 2**32 - 1),
    stalls=st.sampled_from([0, 0.5]),
    restless=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_weights_written_and_logits_sent_are_those_of_the_integer_model(config, seed, stalls, restless):
    """Through pins and write ports only: the recording tells which sample a setting met, flushes come anywhere."""
    # A SEED write between a sample and its update has no counterpart in the integer model, which updates at once.
    commands = {"flush": 0.01, "dump": 0.001}
    host = Host(config, seed, 5, stalls=stalls, commands=commands, restless=restless, broken=0.1)
    weights = initial_weights(config)
    model = CycleModel(config, weights)
    seen = Recording(config, *host.run(model))
    network = IntegerNetwork(config, weights)
    logits = []
    starts = seen.sample_starts
    assert len(starts) == len(host.samples)
    for x, label, start in zip(host.samples, host.labels, starts, strict=True):
        setting = {name: int(column[start]) for name, column in seen.inputs.items() if name.startswith("settings.")}
        if not setting["settings.train"]:
            logits += network.logits(x[None]).ravel().tolist()
            continue
        rate = LearningRate(setting["settings.rate_mantissa"], setting["settings.rate_exponent"])
        layers = range(1, len(config.network.layers))
        freeze = tuple(layer for layer in layers if setting["settings.freeze"] >> (layer - 1) & 1)
        logits += network.train(x[None], np.array([label]), rate=rate, freeze=freeze).ravel().tolist()
    sent = np.flatnonzero(seen["results.valid"] & seen.inputs["results.ready"])
    assert seen.values("results.logit", sent) == logits
    assert [w.tolist() for w in written_weights(config, weights, seen)] == [w.tolist() for w in network.weights]
    assert [w.tolist() for w in model.weights] == [w.tolist() for w in network.weights]
    assert model.noise_state == network.noise_state


def written_weights(config: Configuration, weights, seen: Recording) -> list[np.ndarray]:
    """The first weights with the writes of the trace."""
    banks = to_banks(config, weights)
    for lane in range(config.array.lanes):
        for tile in range(config.array.tiles):
            place = f"tile {tile} lane {lane} weight_write"
            for cycle in seen.cycles(f"{place}.enable"):
                banks[seen[f"{place}.address"][cycle], lane, tile] = seen[f"{place}.data"][cycle]
    return from_banks(config, banks)


@given(config=configurations(), seed=st.integers(0, 2**32 - 1), stalls=st.sampled_from([0, 0.5]))
@settings(max_examples=10, deadline=None)
def test_nothing_is_lost_or_sent_twice(config, seed, stalls):
    samples, commands = 4, {"dump": 0.001}
    seen = record(config, None, Host(config, seed, samples, stalls=stalls, commands=commands))
    # A word that met another in a register would leave one fewer behind it.
    tokens = seen.cycles("token.valid")
    counts = np.array(seen.values("token.count", tokens))
    for tile in range(config.array.tiles):
        assert len(seen.cycles(f"tile {tile} return.valid")) == np.minimum(counts, tile + 1).sum()
    for item in config.passes:
        of_pass = seen["feedback.slot"] == item.slot
        scalars, deltas = of_pass & (seen["feedback.op"] == 1), of_pass & (seen["feedback.op"] == 2)
        assert sorted(seen["feedback.index"][scalars]) == sorted(samples * list(range(item.active_tiles)))
        assert sorted(seen["feedback.index"][deltas]) == sorted(samples * list(range(item.active_lanes)))
        assert seen["feedback.count"][deltas].sum() == samples * item.neurons
    places = [f"tile {t} lane {k}" for t in range(config.array.tiles) for k in range(config.array.lanes)]
    writes = sum(len(seen.cycles(f"{place} weight_write.enable")) for place in places)
    assert writes == samples * (config.network.synapses + sum(config.network.layers[1:]))
    assert len(seen.cycles("error.valid")) == samples * config.network.classes
    noisy = config.training.rounding is Rounding.STOCHASTIC
    assert ("broadcast.noise" in seen.trace) == noisy


def test_inputs_of_another_accelerator_are_refused():
    config = accelerator([2, 3, 2], 2, 1)
    with pytest.raises(ValueError, match=r"must have shape \(cycles, 19\), not \(5, 18\)"):
        CycleModel(config).advance(np.zeros((5, 18), dtype=np.int64))
