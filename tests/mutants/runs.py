"""The runs that must find mutants, and how a mutant of hw/ is made."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import counter_bench
from accelerators import accelerator
from formal.mutation import Edit, edited_hardware
from register_bench import run as run_register_bench
from verify import case as cases
from verify.case import Case

from dfarray.initial_weights import initial_weights
from dfarray.sim.cosim import prepare
from dfarray.sim.simulators import SimulationError, available_simulators

SMALL = accelerator([5, 4, 3], 3, 2, error="softmax-cross-entropy")
"""One slot, one output group."""

DEEP = accelerator(
    [6, 7, 9, 3], 3, 2, nonzeros=2, rounding="stochastic", error="softmax-cross-entropy", activation="relu"
)
"""Four slots of two layers, two output groups."""

DRAWN = accelerator(
    [9, 6, 8, 4, 3],
    3,
    2,
    nonzeros=2,
    rounding="stochastic",
    error="softmax-cross-entropy",
    activation="relu",
    formats={"logit": "Q3.10", "delta": "Q0.11", "gram": "Q4.6"},
)
"""Three hidden layers, lanes that one, two or three tiles have a neuron in, logits that large weights clip; and formats
so coarse that the last place of a correction shows in them."""

NARROW = {"weight": "Q2.13", "delta": "Q-4.19", "gram": "Q4.11"}
"""16 bits, the narrowest block's."""

COUNTED = counter_bench.CONFIGURATIONS["generic, two hidden layers"]
"""What the event counters are read on."""

RATE = SMALL.training.rate
PHASES = (
    (3, True, RATE.mantissa, RATE.exponent, 0),
    (3, True, 200, 8, 0b11),
    (1, False, RATE.mantissa, RATE.exponent, 0),
    (2, True, RATE.mantissa, RATE.exponent, 0),
)
FAST = ((4, True, 255, 4, 0), (1, False, 0, 0, 0), (4, True, 255, 0, 0), (2, True, 255, 7, 0b10))
"""Everything saturates."""

CHANGING = (
    (2, True, RATE.mantissa, RATE.exponent, 0),
    (1, False, 0, 0, 0),
    (2, True, 200, 8, 0b0101),
    (1, True, 1, 0, 0b1010),
    (1, False, 0, 0, 0),
    (1, True, RATE.mantissa, RATE.exponent, 0),
    (2, False, 0, 0, 0),
    (2, True, 3, 1, 0),
)
"""With one update pending, two, or none, inferences come."""

ALONE = ((1, True, 200, 8, 0), (1, False, 0, 0, 0), *PHASES, (2, True, 255, 31, 0))
"""An update that is the only one pending when an inference comes; and a learning rate that leaves nothing."""

CASES = {
    "small": Case(SMALL, PHASES, load=True, data=1),
    "deep": Case(DEEP, PHASES, load=True, data=1),
    "events": Case(SMALL, ALONE, events=True, data=3, zeros=0.6),
    "restless": Case(DEEP, PHASES, events=True, load=True, gaps=(30, 30, 30), data=2, zeros=0.6, restless=200),
    # For changes of Verilog that know nothing of its meaning.
    "drawn": Case(DRAWN, CHANGING, load=True, gaps=(20, 40, 40), data=15),
    "drawn, restless": Case(
        DRAWN,
        FAST,
        events=True,
        load=True,
        gaps=(30, 30, 30),
        seed=0x9E3779B9,
        data=16,
        zeros=0.6,
        extremes=0.3,
        full_weights=True,
        restless=120,
    ),
    # Long sums in two parts.
    "halves": Case(
        accelerator([6, 7, 5, 4], 2, 2, nonzeros=2, error="softmax-cross-entropy", family="ecp5"), PHASES, data=17
    ),
    "stalled": Case(DEEP, PHASES, gaps=(0, 253, 200), data=4),
    "full": Case(
        accelerator([6, 7, 5, 4], 3, 2, nonzeros=2, activation="relu", error="softmax-cross-entropy"),
        FAST,
        data=5,
        extremes=0.5,
        full_weights=True,
    ),
    "tanh": Case(
        accelerator([6, 8, 4, 3], 2, 2, formats={"preactivation": "Q1.3"}),
        FAST,
        data=6,
        extremes=0.4,
        full_weights=True,
    ),
    "saturating": Case(
        accelerator([8, 6, 3], 3, 2, formats={"accumulator": "Q0.23", "weight": "Q1.15"}),
        FAST,
        data=7,
        extremes=0.5,
        full_weights=True,
    ),
    "wide": Case(accelerator([2, 18, 11, 3], 2, 6), PHASES, data=8),
    "three": Case(accelerator([5, 7, 11, 6, 3], 4, 2, nonzeros=2), PHASES, events=True, data=9),
    # Equal logits, and sums of which many are 0.
    "coarse": Case(
        accelerator([5, 6, 4], 3, 2, activation="relu", formats={"logit": "Q1.2", "preactivation": "Q1.2"}),
        PHASES,
        data=10,
    ),
    # Sums that need every bit of the accumulator, logits further apart than the exponential table is long.
    "extreme": Case(
        accelerator([6, 6, 3], 2, 3, error="softmax-cross-entropy"),
        FAST,
        data=12,
        zeros=0,
        extremes=0.9,
        full_weights=True,
    ),
    # Errors that come after the sweep that waits for them, and hidden layers that do not wait.
    "late": Case(
        accelerator([1, 2, 12], 2, 1, error="softmax-cross-entropy"),
        ((6, True, 200, 8, 0b01), (3, True, 200, 8, 0), (1, False, 0, 0, 0), (3, True, 200, 8, 0b10)),
        data=13,
    ),
    # Walks that are longer than sweeps.
    "walks": Case(
        accelerator([2, 6, 12], 6, 1, nonzeros=12, error="softmax-cross-entropy"), PHASES, data=22, restless=400
    ),
    "serial": Case(
        accelerator(
            [6, 9, 7, 3],
            2,
            2,
            nonzeros=2,
            rounding="stochastic",
            error="softmax-cross-entropy",
            formats=NARROW,
            family="ice40up5k",
            zero_skipping=False,
        ),
        PHASES,
        load=True,
        data=11,
        restless=30,
    ),
}
"""By the name that mutants give."""

COUNTERS = "counters"
"""The run that reads the event counters."""


@dataclass(frozen=True)
class Found:
    """What a run made of a mutant.

    Attributes
    ----------
    run : str
    fault : str
        Empty if the mutant survived.
    signal : str
        That differs first, if one does.
    cycle, tile, lane : int or None
    """

    run: str
    fault: str
    signal: str = ""
    cycle: int | None = None
    tile: int | None = None
    lane: int | None = None


@contextmanager
def mutated(edit: Edit) -> Iterator[None]:
    """A package dfarray.hw in which one module is edited; the true one is back afterwards."""
    generate = cases.generate
    try:
        with edited_hardware(edit):
            cases.generate = importlib.import_module("dfarray.hw.generate").generate
            yield
    finally:
        cases.generate = generate


def generated(run: str, directory: Path) -> Path:
    """Generate the Verilog that a run simulates; returns its directory."""
    if run == COUNTERS:
        cases.generate(COUNTED, counter_bench.all_over(COUNTED), directory)
        return directory
    case = case_of(run)
    return cases.prepare(case, directory).verilog_directory


def case_of(run: str) -> Case:
    """The case of a run; a register test has that of ``drawn``, whose banks are empty."""
    return CASES.get(run, CASES["drawn"])


def judge(run: str, verilog: Path, directory: Path) -> Found:
    """Run Verilog, edited or not."""
    try:
        if run in CASES:
            played = cases.simulate(CASES[run], directory, verilog)
            first = played.mismatch
            if first is None:
                return Found(run, played.fault)
            return Found(run, played.fault, first.signal, first.cycle, first.tile, first.lane)
        if run == COUNTERS:
            wrong = counter_bench.miscounted(*counter_bench.counted(COUNTED, directory, verilog))
            if not wrong:
                return Found(run, "")
            name, cycle, expected, got = wrong[0]
            return Found(run, f"{name} after {cycle} cycles: expected {expected}, got {got}", name, cycle)
        config = case_of(run).config
        weights = [0 * w for w in initial_weights(config)]
        simulator = available_simulators()[-1]
        design = prepare(config, weights, simulator, directory, verilog)
        run_register_bench(run, config, weights, simulator, *design, directory)
    except SimulationError as error:
        return Found(run, str(error))
    return Found(run, "")
