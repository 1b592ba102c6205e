"""The cycle model by itself: what it learns, how it is asked, how fast a steady stream is."""

import numpy as np
import pytest
from accelerators import accelerator
from host import Host
from hypothesis import given, settings
from hypothesis import strategies as st
from specified_machine import SpecifiedMachine
from strategies import configurations, stimulus

from dfarray.configuration import Configuration, shipped, with_values
from dfarray.golden.cycle import CycleModel
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.machine.build import layout
from dfarray.golden.steady import mean_cycles, steady_cycles
from dfarray.initial_weights import initial_weights
from dfarray.latency import FAMILIES, Latency
from dfarray.learning_rate import LearningRate
from dfarray.trace import input_signals, output_signals

LATENCIES = [Latency(2, 3), Latency(2, 4, 2), Latency(1, 1), Latency(5, 1), Latency(1, 5)]


def columns(config: Configuration, inputs: np.ndarray, trace: np.ndarray) -> dict[str, np.ndarray]:
    named = {signal.name: inputs[:, i] for i, signal in enumerate(input_signals(config))}
    return named | {f"{signal}": trace[:, i] for i, signal in enumerate(output_signals(config)) if signal.tile is None}


def assert_learns_as_specified(config: Configuration, host: Host) -> CycleModel:
    """Section 2, told only which settings each sample met and whether updates were pending."""
    weights = initial_weights(config)
    model, machine = CycleModel(config, weights), SpecifiedMachine(config, weights)
    inputs, trace = host.run(model)
    seen = columns(config, inputs, trace)
    complete = trace[:, [str(s) for s in output_signals(config)].index("samples.complete")]
    taken = np.flatnonzero((complete[:-1] == 1) & (complete[1:] == 0)) - 1
    assert len(taken) == len(host.samples)
    expected = []
    for x, label, cycle in zip(host.samples, host.labels, taken, strict=True):
        if not seen["sequencer.pending_u"][cycle] and not seen["sequencer.pending_v"][cycle]:
            machine.flush()
        rate = LearningRate(int(seen["settings.rate_mantissa"][cycle]), int(seen["settings.rate_exponent"][cycle]))
        layers = range(1, len(config.network.layers))
        frozen = tuple(layer for layer in layers if seen["settings.freeze"][cycle] >> (layer - 1) & 1)
        train = bool(seen["settings.train"][cycle])
        expected += machine.sample(x, int(label), train=train, rate=rate, frozen=frozen)
    machine.flush()
    sent = np.flatnonzero(seen["results.valid"] & seen["results.ready"])
    assert seen["results.logit"][sent].tolist() == expected
    assert [w.tolist() for w in model.weights] == machine.weights
    assert model.noise_state == machine.state
    return model


@given(
    config=configurations(),
    seed=st.integers(0, 2**32 - 1),
    stalls=st.sampled_from([0, 0.5]),
    restless=st.booleans(),
    flush=st.sampled_from([0, 0.005]),
)
@settings(max_examples=40, deadline=None)
def test_any_run_learns_as_specified(config, seed, stalls, restless, flush):
    commands = {"flush": flush, "dump": flush / 5}
    assert_learns_as_specified(
        config, Host(config, seed, 6, stalls=stalls, commands=commands, restless=restless, broken=0.1)
    )


@pytest.mark.parametrize("latency", LATENCIES, ids=str)
@pytest.mark.parametrize(
    ("layers", "tiles", "lanes"),
    [([6, 9, 5, 4, 3], 3, 2), ([1, 1, 4, 1, 2], 1, 1), ([5, 20, 4], 4, 3), ([4, 3, 2], 2, 4)],
)
def test_neither_family_nor_zero_skipping_changes_what_is_learnt(layers, tiles, lanes, latency, monkeypatch):
    monkeypatch.setitem(FAMILIES, "generic", latency)
    learnt = []
    for zero_skipping in (True, False):
        config = accelerator(layers, tiles, lanes, nonzeros=2, rounding="stochastic", zero_skipping=zero_skipping)
        model = assert_learns_as_specified(config, Host(config, 1, 5, stalls=0.1))
        learnt.append([w.tolist() for w in model.weights])
    assert learnt[0] == learnt[1]


def test_settings_that_change_between_two_null_sweeps():
    """A sample that is to be trained meets an update that is only one sample old: it must be applied first."""
    config = accelerator([2, 3, 2], 2, 1, rounding="stochastic")
    for period in range(20, 60, 3):
        host = Host(config, period, 8, events=False)
        weights = initial_weights(config)
        model = CycleModel(config, weights)
        toggled = _Toggling(model, config, period)
        inputs, trace = host.run(toggled)
        seen = columns(config, toggled.inputs, trace)
        complete = seen["samples.complete"]
        taken = np.flatnonzero((complete[:-1] == 1) & (complete[1:] == 0)) - 1
        assert (seen["sequencer.pending_v"] >= seen["sequencer.pending_u"])[taken].all()
        assert len(taken) == len(host.samples)
        assert len(inputs) == len(toggled.inputs)


class _Toggling:
    """A machine whose samples train or not by the time of day."""

    def __init__(self, model: CycleModel, config: Configuration, period: int):
        self._model, self._period, self._rows = model, period, []
        self._train = [signal.name for signal in input_signals(config)].index("settings.train")

    def advance(self, inputs: np.ndarray) -> np.ndarray:
        inputs = inputs.copy()
        inputs[:, self._train] = len(self._rows) // self._period % 2
        self._rows += list(inputs)
        return self._model.advance(inputs)

    @property
    def inputs(self) -> np.ndarray:
        return np.array(self._rows)


@pytest.mark.parametrize("rounding", ["nearest", "stochastic"])
def test_neither_pieces_nor_the_way_of_asking_matter(rounding):
    config = accelerator([3, 5, 4, 3], 2, 2, nonzeros=2, rounding=rounding, error="softmax-cross-entropy")
    whole = CycleModel(config)
    commands = dict.fromkeys(("seed", "flush", "load", "dump"), 0.003)
    inputs, trace = Host(config, 1, 12, stalls=0.3, commands=commands, restless=True, broken=0.2).run(whole)
    states = trace[:, [s.name for s in output_signals(config)].index("sequencer.state")]
    assert set(states) == {0, 1, 2, 3}, "every state was visited"
    signatures = CycleModel(config).advance_signature(inputs)
    rng = np.random.default_rng(2)
    for _ in range(5):
        pieces, start = CycleModel(config), 0
        while start < len(inputs):
            end = start + int(rng.choice([1, 2, 7, 100, 700]))
            piece, expected = inputs[start:end], trace[start:end]
            way = rng.integers(0, 3)
            if way == 0:
                assert np.array_equal(pieces.advance(piece), expected)
            elif way == 1:
                assert np.array_equal(layout(config).unpack(pieces.advance_packed(piece)), expected)
            else:
                assert np.array_equal(pieces.advance_signature(piece), signatures[start:end])
            start = end
        assert pieces.signature == whole.signature == signatures[-1]
        assert pieces.counters == whole.counters
        assert [w.tolist() for w in pieces.weights] == [w.tolist() for w in whole.weights]


def test_signature_is_that_of_the_packed_words():
    config = accelerator([3, 5, 3], 2, 2)
    inputs, _ = Host(config, 1, 2).run(CycleModel(config))
    records = CycleModel(config).advance_packed(inputs)
    signature, mask = 0, (1 << 64) - 1
    for cycle, record in enumerate(records.tolist()):
        signature = (signature << 1 & mask) ^ (0x1B if signature >> 63 else 0)
        for i, word in enumerate(record):
            turn = 11 * i % 64
            signature ^= (word << turn | word >> (64 - turn)) & mask
        if cycle == 99:
            early = signature
    model = CycleModel(config)
    assert int(model.advance_signature(inputs[:100])[-1]) == early
    assert int(model.advance_signature(inputs[100:])[-1]) == signature == model.signature


@pytest.mark.parametrize("zero_skipping", [True, False])
def test_useful_multiply_accumulates(zero_skipping):
    """All rows: one forward and one update of every synapse a sample. Zero-skipping does only what has an effect."""
    config = accelerator([8, 10, 5, 4], 3, 2, zero_skipping=zero_skipping)
    model, samples = CycleModel(config), 7
    Host(config, 3, samples, events=False).run(model)
    every = 2 * samples * config.network.synapses
    assert model.counters["MACS"] < every if zero_skipping else model.counters["MACS"] == every


def test_frozen_layers_and_inference_count_less():
    config = accelerator([8, 10, 5, 4], 3, 2, zero_skipping=False)
    n0, n1, n2, n3 = config.network.layers
    for train, freeze, expected in [(0, 0, 0), (1, 0b010, n0 * n1 + n2 * n3), (1, 0b101, n1 * n2)]:
        host, model = Host(config, 3, 4, events=False), CycleModel(config)
        host.set(train=train, freeze=freeze)
        host.run(model)
        assert model.counters["MACS"] == 4 * (config.network.synapses + expected)


def test_weights_follow_the_integer_model():
    config = accelerator([8, 20, 6], 4, 3, nonzeros=2, rounding="stochastic", error="softmax-cross-entropy")
    host, model, network = Host(config, 5, 12), CycleModel(config), IntegerNetwork(config)
    host.run(model)
    network.train(host.samples, host.labels)
    network.flush()
    assert [w.tolist() for w in model.weights] == [w.tolist() for w in network.weights]
    assert model.noise_state == network.noise_state


@pytest.mark.parametrize("name", ["digits", "mnist", "icebreaker"])
def test_cycles_per_sample_of_the_shipped_configurations(name):
    """Section 6: one packet a row, an ACTIVATE a slot, C + 1 packets an output group."""
    config = with_values(shipped(name), {"array.family": "generic"})
    packets = sum(item.rows for item in config.passes) + len(config.passes)
    packets += len(config.output_groups) * (config.network.classes + 1)
    cycles = steady_cycles(config)
    if name == "digits":  # 130 rows are fewer than the latency from a sample's sums to the next one's corrections.
        assert packets < cycles < 1.5 * packets
    else:
        assert packets <= cycles <= packets + 1
        assert config.utilisation(cycles) > 0.99


def test_events_of_sparse_samples_take_fewer_cycles():
    config = accelerator([400, 12, 3], 3, 2)
    x, labels, _ = stimulus(config, 14, 0)
    sparse = np.where(np.arange(400) % 6 == 0, x, 0)
    assert mean_cycles(config, sparse, labels) < 0.7 * mean_cycles(config, x, labels)
    with pytest.raises(ValueError, match="at least 10 samples are needed, not 9"):
        mean_cycles(config, x[:9], labels[:9])


def test_inputs_of_another_accelerator_are_refused():
    config = accelerator([2, 3, 2], 2, 1)
    with pytest.raises(ValueError, match=r"must have shape \(cycles, 21\), not \(5, 18\)"):
        CycleModel(config).advance(np.zeros((5, 18), dtype=np.int64))
