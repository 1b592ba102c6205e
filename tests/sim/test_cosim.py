"""RTL against golden model, every signal in every cycle, for shapes of every kind and under both simulators."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from accelerators import accelerator
from strategies import stimulus

from dfarray.configuration import Configuration
from dfarray.hw import blocks
from dfarray.latency import FAMILIES, Latency
from dfarray.learning_rate import LearningRate
from dfarray.sim import simulators
from dfarray.sim.cosim import Outcome, cosimulate
from dfarray.sim.job import Phase


class Run(NamedTuple):
    """How a shape's samples are sent, besides what every run does."""

    config: Configuration
    events: bool = False
    gaps: int = 0
    load: bool = False
    freeze: int = 1


ICEBREAKER_FORMATS = {
    "weight": "Q2.13",
    "activation": "Q0.7",
    "logit": "Q6.4",
    "delta": "Q-4.19",
    "gram": "Q10.5",
}

SHAPES = {
    "three hidden layers, widths not multiples of the lanes": Run(
        accelerator([5, 7, 11, 6, 3], 4, 2, nonzeros=2), events=True, freeze=0b0110
    ),
    "one lane": Run(accelerator([6, 5, 3], 1, 1, rounding="stochastic"), gaps=60),
    "one tile of many lanes": Run(accelerator([6, 9, 4], 1, 7, activation="relu"), events=True, gaps=60, load=True),
    "more tiles than neurons": Run(accelerator([4, 3, 2], 9, 2, activation="hard-tanh"), load=True),
    "fan-in one": Run(accelerator([1, 1, 2], 2, 2), freeze=0b10),
    "two classes": Run(accelerator([5, 6, 2], 3, 2, error="softmax-cross-entropy", rounding="stochastic"), events=True),
    "a hundred classes, dense feedback": Run(
        accelerator([3, 8, 100], 8, 1, nonzeros=100, error="softmax-cross-entropy", activation="relu")
    ),
    "four output groups, the last one not full": Run(
        accelerator([4, 13, 3], 2, 2, rounding="stochastic", error="softmax-cross-entropy"), gaps=30, load=True
    ),
    "output groups behind layers of several passes": Run(
        accelerator([3, 9, 10, 4], 2, 2, nonzeros=3, activation="relu"), events=True, freeze=0b101
    ),
    "every row sent": Run(accelerator([5, 7, 6, 3], 3, 2, activation="relu", zero_skipping=False), events=True),
    "every row sent, dense": Run(accelerator([6, 5, 3], 2, 2, rounding="stochastic", zero_skipping=False)),
    "a saturating accumulator": Run(
        accelerator([8, 6, 3], 3, 2, formats={"accumulator": "Q0.23", "weight": "Q1.15"}), freeze=0b11
    ),
    "a saturating gram": Run(accelerator([8, 6, 5, 3], 3, 2, formats={"gram": "Q-1.12"})),
    "activations wider than weights": Run(
        accelerator([5, 9, 6, 3], 3, 2, formats={"weight": "Q0.9", "activation": "Q2.9", "preactivation": "Q3.7"}),
        events=True,
    ),
    "coarse formats": Run(
        accelerator(
            [6, 6, 3],
            3,
            2,
            rounding="stochastic",
            formats={"weight": "Q1.6", "activation": "Q1.4", "delta": "Q0.9", "preactivation": "Q1.6"},
        )
    ),
    "an iCE40 of one tile, as configs/icebreaker.toml": Run(
        accelerator(
            [9, 14, 4],
            1,
            4,
            nonzeros=2,
            family="ice40up5k",
            zero_skipping=False,
            error="softmax-cross-entropy",
            formats=ICEBREAKER_FORMATS,
        ),
        gaps=20,
        load=True,
    ),
    "an iCE40 of two tiles and two layers, whose accumulator saturates": Run(
        accelerator(
            [7, 6, 5, 3],
            2,
            3,
            family="ice40up5k",
            zero_skipping=False,
            rounding="stochastic",
            formats=ICEBREAKER_FORMATS | {"accumulator": "Q1.20"},
        ),
        events=True,
        freeze=0b101,
    ),
}


def run(shape: Run, simulator, directory, *, samples=7, seed=0, silent=(2, 3)) -> Outcome:
    """Train, infer, train with another rate, some samples all zero; everything must have been compared and be equal."""
    config = shape.config
    x, labels, rate = stimulus(config, samples + 2, seed)
    x[list(silent)] = 0
    layers = len(config.network.layers) - 1
    phases = (
        Phase(samples - 3, True, config.training.rate),
        Phase(2, False, config.training.rate),
        Phase(3, True, rate, shape.freeze & ((1 << layers) - 1)),
    )
    outcome = cosimulate(
        config,
        x,
        labels,
        directory=directory,
        phases=phases,
        simulator=simulator,
        events=shape.events,
        load_weights=shape.load,
        gaps={"sample_gaps": shape.gaps, "result_gaps": shape.gaps, "weight_gaps": shape.gaps},
    )
    report = outcome.report
    assert report.first_mismatch is None, f"{report.described_mismatch}; {config.model_dump_json()}"
    assert report.mismatches == 0
    assert report.samples == samples + 2
    assert report.cycles_checked > 0.9 * report.cycles
    assert report.weights_compared == config.network.synapses + sum(config.network.layers[1:])
    return outcome


@pytest.mark.parametrize("name", SHAPES)
def test_shape(name, fast_simulator, tmp_path):
    run(SHAPES[name], fast_simulator, tmp_path)


@pytest.mark.slow
def test_both_simulators(simulator, tmp_path):
    shape = SHAPES["three hidden layers, widths not multiples of the lanes"]
    run(shape._replace(gaps=40, load=True, freeze=0b1010), simulator, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "latency",
    [Latency(1, 1), Latency(4, 1), Latency(1, 4), Latency(1, 2, interval=2)],
    ids=lambda latency: f"R{latency.weight_read} M{latency.multiply} I{latency.interval}",
)
def test_latencies(latency, fast_simulator, tmp_path, monkeypatch):
    """The page's R, M and I as any family may have them, here and in the simulator's process."""
    monkeypatch.setitem(FAMILIES, "generic", latency)
    monkeypatch.setenv("DFARRAY_TEST_LATENCY", f"{latency.weight_read},{latency.multiply},{latency.interval}")
    original = simulators.run

    def with_that_latency(simulator, top, directory, test_module, **options):
        assert test_module == "dfarray.sim.bench_training"
        original(simulator, top, directory, "bench_latency", **options)

    monkeypatch.setattr(simulators, "run", with_that_latency)
    config = accelerator([3, 9, 7, 3], 3, 2, nonzeros=2, rounding="stochastic", error="softmax-cross-entropy")
    run(Run(config, load=True), fast_simulator, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "generic"])
def test_hard_blocks(family, fast_simulator, tmp_path, monkeypatch):
    """A family's memories and multipliers in the array: only cycles differ from the generic ones'.

    However small, the stores are hard blocks here: their models know when a row is read while it is written.
    """
    monkeypatch.setattr(blocks, "LUT_RAM_ROWS", 0)
    formats = {"weight": "Q2.13", "delta": "Q-4.19", "gram": "Q4.11"}  # 16 bits, the narrowest block's.
    config = accelerator(
        [6, 9, 7, 3], 2, 2, rounding="stochastic", error="softmax-cross-entropy", formats=formats, family=family
    )
    run(Run(config, events=True, gaps=30, load=True), fast_simulator, tmp_path)


def test_extreme_rates(fast_simulator, tmp_path):
    """The largest learning rate drives weights, deltas and logits into saturation; zero changes nothing."""
    config = accelerator([5, 6, 2], 3, 2, rounding="stochastic", formats={"weight": "Q0.13", "delta": "Q1.13"})
    x, labels, _ = stimulus(config, 9, 3)
    phases = (Phase(6, True, LearningRate(255, 0)), Phase(3, True, LearningRate(0, 0)))
    outcome = cosimulate(config, x, labels, directory=tmp_path, phases=phases, simulator=fast_simulator)
    assert outcome.report.mismatches == 0, outcome.report.described_mismatch
    limits = config.formats.weight
    assert any(np.isin(w, (limits.lo, limits.hi)).any() for w in outcome.weights), "nothing saturated"


@pytest.mark.slow
@pytest.mark.parametrize("events", [False, True])
def test_zero_skipping_changes_cycles_and_nothing_else(events, fast_simulator, tmp_path):
    """Logits, every weight word of the banks and the rounding noise are the same bit for bit."""
    config = accelerator([60, 24, 9, 3], 3, 2, rounding="stochastic", error="softmax-cross-entropy", activation="relu")
    x, labels, _ = stimulus(config, 10, 5)
    x[np.random.default_rng(6).random(x.shape) < 0.6] = 0
    left: dict[bool, list[bytes]] = {}
    cycles: dict[bool, float] = {}
    for skipping in (False, True):
        directory = tmp_path / str(skipping)
        variant = config.model_copy(update={"array": config.array.model_copy(update={"zero_skipping": skipping})})
        report = cosimulate(variant, x, labels, directory=directory, simulator=fast_simulator, events=events).report
        assert report.mismatches == 0, report.described_mismatch
        left[skipping] = [Path(directory, "run", f"{name}.bin").read_bytes() for name in ("results", "dump")]
        cycles[skipping] = report.cycles_per_sample
    assert left[True] == left[False]
    assert len(left[True][0]) == 10 * 3 * 8
    # Inputs that do not come as events have no rows in either case.
    assert cycles[True] < (1 if events else 0.85) * cycles[False]
