"""A random accelerator with all that it is given: drawn, written in one line, run against the golden models."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from strategies import configurations

from dfarray.configuration import Configuration, Rounding, parse_configuration
from dfarray.event_counters import EVENT_COUNTERS
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.noise import first_state
from dfarray.hw import blocks
from dfarray.hw.generate import generate
from dfarray.initial_weights import initial_weights
from dfarray.latency import FAMILIES
from dfarray.learning_rate import LearningRate
from dfarray.placement import from_image
from dfarray.register_map import Access, register_map
from dfarray.sim.job import LAST, Job, Phase, sample_words

from .player import Order, Orders, Played, build, play

COUNTED = tuple(name for name in EVENT_COUNTERS if name != "INPUT_WAITS")
"""What stands still while the machine is idle; read at the end of a run, in this order."""


@dataclass(frozen=True)
class Case:
    """An accelerator and its run.

    Attributes
    ----------
    config : Configuration
    phases : tuple of (samples, train, rate mantissa, rate exponent, freeze bits)
    events, load : bool
        As :func:`dfarray.sim.cosim.cosimulate` takes them.
    gaps : tuple of int
        Of samples, results and weights, of 256 cycles.
    seed : int or None
        Written to SEED.
    data : int
        Seed of samples, labels and weights.
    zeros, extremes : float
        Share of the inputs that are 0, and that are the format's limits; half a share ``zeros`` of the samples has no
        other.
    full_weights : bool
        Weights of the whole format, a share ``extremes`` its limits, not those of the configuration.
    hard_stores : bool
        Block RAM however shallow: its models know when a row is read while it is written.
    restless : int
        Afterwards the host does so many things at random, in mid sweep: settings, commands, seeds, wrong frames.
    """

    config: Configuration
    phases: tuple[tuple[int, bool, int, int, int], ...]
    events: bool = False
    load: bool = False
    gaps: tuple[int, int, int] = (0, 0, 0)
    seed: int | None = None
    data: int = 0
    zeros: float = 0.3
    extremes: float = 0.1
    full_weights: bool = False
    hard_stores: bool = False
    restless: int = 0

    def line(self) -> str:
        """All of it in one line of JSON, without what is as by default."""
        table = self.config.model_dump(mode="json", exclude_defaults=True)
        standard = asdict(Case(self.config, self.phases))
        table["run"] = {
            name: value
            for name, value in asdict(self).items()
            if name != "config" and (name == "phases" or value != standard[name])
        }
        return json.dumps(table, separators=(",", ":"))

    @classmethod
    def parse(cls, line: str) -> "Case":
        """What :meth:`line` wrote.

        Raises
        ------
        ValueError
            If it is not JSON, or not of a case.
        """
        table = json.loads(line)
        if not isinstance(table, dict) or "run" not in table:
            raise ValueError("a case is a JSON table with a part 'run'")
        run = table.pop("run")
        phases = tuple(tuple(phase) for phase in run.pop("phases"))
        if "gaps" in run:
            run["gaps"] = tuple(run["gaps"])
        return cls(parse_configuration(table), phases, **run)


@st.composite
def cases(draw) -> Case:
    """Any accelerator, with any data, under any host that keeps to the protocol."""
    config = draw(configurations(families=tuple(FAMILIES)))
    layers = len(config.network.layers) - 1
    phase = st.tuples(
        st.integers(1, 4),
        st.sampled_from([True, True, True, False]),
        # Rather quick than slow: what does not learn shows little.
        st.integers(0, 255).map(lambda slowness: 255 - slowness),
        st.integers(0, 13) | st.integers(14, 31),
        st.integers(0, (1 << layers) - 1) | st.just(0),
    )
    gap = st.just(0) | st.integers(0, 250)
    deep = config.array.family == "ice40up5k" and draw(st.booleans())
    if deep:
        # Beyond a RAM40: an SPRAM.
        config = replace_array(config, bank_rows=4096)
    return Case(
        config,
        tuple(draw(st.lists(phase, min_size=2, max_size=4))),
        events=draw(st.booleans()),
        load=draw(st.booleans()),
        gaps=(draw(gap), draw(gap), draw(gap)),
        seed=draw(st.none() | st.integers(0, 2**32 - 1)),
        data=draw(st.integers(0, 2**16)),
        zeros=draw(st.sampled_from([0, 0.3, 0.6, 0.9])),
        extremes=draw(st.sampled_from([0, 0.1, 0.7])),
        full_weights=draw(st.booleans()),
        hard_stores=draw(st.booleans()),
        restless=draw(st.just(0) | st.integers(1, 60)),
    )


def replace_array(config: Configuration, **changes) -> Configuration:
    """The configuration with another array."""
    return config.model_copy(update={"array": config.array.model_copy(update=changes)})


def data(case: Case) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Samples (samples, n_0), labels (samples,) and weights."""
    rng = np.random.default_rng(case.data)
    config, activation, weight = case.config, case.config.formats.activation, case.config.formats.weight
    shape = sum(phase[0] for phase in case.phases), config.network.inputs
    x = rng.integers(activation.lo, activation.hi + 1, shape)
    x = np.where(rng.random(shape) < case.extremes, rng.choice([activation.lo, activation.hi], shape), x)
    x[rng.random(shape) < case.zeros] = 0
    x[rng.random(shape[0]) < case.zeros / 2] = 0
    # The same sample twice: gram and update meet in every row.
    x[1:][rng.random(shape[0] - 1) < 0.2] = x[0]
    labels = rng.integers(0, config.network.classes, shape[0])
    weights = initial_weights(config)
    if case.full_weights:
        weights = [rng.integers(weight.lo, weight.hi + 1, w.shape).astype(w.dtype) for w in weights]
        ends = [rng.choice([weight.lo, weight.hi], w.shape) for w in weights]
        weights = [np.where(rng.random(w.shape) < case.extremes, e, w) for w, e in zip(weights, ends, strict=True)]
    return x.astype(np.int16), labels, weights


def prepare(case: Case, directory: Path, verilog: Path | None = None) -> Job:
    """Generate the case's Verilog, unless it is there, and write its files.

    Parameters
    ----------
    verilog : Path or None
        Already generated Verilog, perhaps edited.
    """
    config, (x, labels, weights) = case.config, data(case)
    load = case.load or not config.preset
    if verilog is None:
        verilog = directory / "verilog"
        with _shallow_block_rams(case.hard_stores):
            generate(config, [np.zeros_like(w) for w in weights] if load else weights, verilog)
    job = Job(
        directory=directory / "run",
        verilog_directory=verilog,
        config=config,
        weights=weights,
        phases=tuple(Phase(n, train, LearningRate(m, e), freeze) for n, train, m, e, freeze in case.phases),
        events=case.events,
        load_weights=load,
        seed=case.seed,
    )
    job.save(x, labels)
    if case.restless:
        _append_mixed(case, job)
    return job


def _append_mixed(case: Case, job: Job) -> None:
    """Append samples of both kinds and wrong frames to the job's files, and weights to load."""
    rng, config = np.random.default_rng(case.data), case.config
    activation, inputs = config.formats.activation, config.network.inputs
    words = []
    for number in range(case.restless):
        x = rng.integers(activation.lo, activation.hi + 1, (1, inputs))
        x[rng.random(x.shape) < 0.4] = 0
        frame, _ = sample_words(x, rng.integers(0, config.network.classes, 1), events=bool(number % 2))
        # Cut off, or an index that comes again.
        kind = rng.integers(6)
        words.append(frame[-1:] if kind == 0 else np.append(frame[:1] & ~LAST, frame) if kind == 1 else frame)
    # Whatever is commanded: two rows each time.
    words_loaded = 2 * case.restless * job.image_words // config.bank_rows_used
    codes = rng.integers(config.formats.weight.lo, config.formats.weight.hi + 1, words_loaded)
    for name, appended in (("samples", np.concatenate(words).astype(">u8")), ("weights", codes.astype(">i4"))):
        with (job.directory / f"{name}.bin").open("ab") as file:
            file.write(appended.tobytes())


def orders_of(case: Case, job: Job) -> list[tuple[int, int, int]]:
    """What the host does."""
    orders, played = Orders(job), 0
    orders.add(Order.GAPS, int.from_bytes(bytes(case.gaps), "little"))
    if job.seed is not None:
        orders.write("SEED", seed=job.seed)
    if job.load_weights:
        orders.write("COMMAND", load=1)
        orders.add(Order.WEIGHTS, job.image_words)
        orders.add(Order.PLAYED, job.image_words)
    for phase in job.phases:
        orders.write("CONTROL", train=int(phase.train), events=int(job.events))
        orders.write("LEARNING_RATE", mantissa=phase.rate.mantissa, exponent=phase.rate.exponent)
        orders.write("FREEZE", layers=phase.freeze)
        played += phase.samples
        orders.add(Order.SAMPLES, int(job.sample_ends[played - 1]))
        orders.add(Order.RESULTS, played)
    orders.write("COMMAND", dump=1)
    orders.add(Order.DUMPED, job.image_words)
    orders.read("NOISE")
    if case.restless:
        _act_at_random(case, job, orders)
    orders.add(Order.IDLE)
    for name in COUNTED:
        orders.read(f"{name}_LOW")
    orders.read(f"{COUNTED[0]}_HIGH")
    return orders.words


def _act_at_random(case: Case, job: Job, orders: Orders) -> None:
    draw, config = random.Random(case.data), case.config
    # What has no contents after configuration is unknown until it is loaded.
    layers, rows = len(config.network.layers) - 1, config.array.bank_rows if config.preset else config.bank_rows_used
    transfers = int(job.sample_ends[-1])
    orders.add(Order.WEIGHTS, 1 << 20)
    orders.write("ROW_COUNT", rows=1)
    for _ in range(case.restless):
        kind = draw.randrange(10)
        if kind == 0:
            orders.write("CONTROL", train=int(draw.random() < 0.75), events=draw.getrandbits(1))
        elif kind == 1:
            # A small mantissa shows the lowest bits of the errors, where a large one clips them.
            mantissa, exponent = draw.randrange(draw.choice((4, 256))), draw.randrange(draw.choice((4, 32)))
            orders.write("LEARNING_RATE", mantissa=mantissa, exponent=exponent)
        elif kind == 2:
            orders.write("FREEZE", layers=draw.getrandbits(layers))
        elif kind == 3:
            orders.write("SEED", seed=draw.choice([0, draw.getrandbits(32)]))
        elif kind == 4:
            orders.write("ROW_FIRST", row=draw.choice([draw.randrange(config.bank_rows_used - 1), rows - 2]))
        elif kind == 5:
            orders.write("ROW_COUNT", rows=draw.choice([1, 2]))
        elif kind < 8:
            orders.write("COMMAND", **{name: draw.getrandbits(1) for name in ("flush", "load", "dump")})
        elif kind < 9:
            orders.add(Order.GAPS, draw.randrange(8) << 24 | draw.getrandbits(24) & draw.getrandbits(24))
        else:
            # An inference is announced, what is pending is applied for it, and then the sample trains after all.
            events = draw.getrandbits(1)
            transfers += 6 * config.network.inputs
            orders.add(Order.SAMPLES, transfers)
            orders.write("CONTROL", train=0, events=events)
            orders.add(Order.CYCLES, draw.randrange(3 * (config.bank_rows_used + 20)))
            orders.write("CONTROL", train=1, events=events)
        if kind < 6:
            orders.read_back()
        transfers += draw.randrange(2 * config.network.inputs + 2)
        orders.add(Order.SAMPLES, transfers)
        orders.add(Order.CYCLES, draw.choice((1, 2, 5, 20, 80, 2 * config.network.inputs + 60)))
    orders.add(Order.GAPS, 0)
    # Between two samples the machine may be idle, too.
    orders.add(Order.TAKEN, min(transfers, (job.directory / "samples.bin").stat().st_size // 8))
    orders.add(Order.CYCLES, 100)


def simulate(case: Case, directory: Path, verilog: Path | None = None) -> Played:
    """Run a case against the golden models: every signal in every cycle, then results, weights and noise.

    Raises
    ------
    SimulationError
        If the design cannot be built.
    """
    job = prepare(case, directory, verilog)
    orders = orders_of(case, job)
    played = play(job, build(job, directory / "icarus"), orders)
    if played.fault:
        return played
    return replace(
        played,
        fault=differs(case, job, played.read) or _misread(orders, played.read, case.config) or _miscounted(played),
    )


def differs(case: Case, job: Job, read: list[tuple[int, int]]) -> str:
    """What of the results, the final weights and the noise, which was read first, is not the integer model's."""
    x, labels, weights = data(case)
    network, logits, start = IntegerNetwork(case.config, weights), [], 0
    if case.seed is not None:
        network.noise_state = first_state(case.seed)
    for phase in job.phases:
        part = slice(start, start := start + phase.samples)
        if phase.train:
            freeze = tuple(layer for layer in range(1, len(weights) + 1) if phase.freeze >> (layer - 1) & 1)
            logits.append(network.train(x[part], labels[part], rate=phase.rate, freeze=freeze))
        else:
            logits.append(network.logits(x[part]))
    network.flush()
    if not np.array_equal(np.concatenate(logits), job.results()[0][: len(x)]):
        return "logits differ from the integer model's"
    if not all(np.array_equal(a, b) for a, b in zip(network.weights, _dumped(job), strict=True)):
        return "final weights differ from the integer model's"
    stochastic = case.config.training.rounding is Rounding.STOCHASTIC
    (_, noise), expected = read[0], network.noise_state if stochastic else 0
    return "" if noise == expected else f"NOISE is {noise}, not {expected}"


def _misread(orders: list[tuple[int, int, int]], read: list[tuple[int, int]], config: Configuration) -> str:
    """Which register does not say what was written to it last, or 0 if it keeps nothing."""
    written, answers = {}, iter(read)
    keeps = {item.offset for item in register_map(config) if item.access is Access.READ_WRITE}
    for order, offset, value in orders:
        if order == Order.WRITE:
            written[offset] = value if offset in keeps else 0
        elif order == Order.READ:
            _, got = next(answers)
            if got != written.get(offset, got):
                return f"register {offset:#x} is {got}, not {written[offset]}"
    return ""


def _miscounted(played: Played) -> str:
    """Which counters the idle machine has wrong at the end."""
    *low, (_, high) = played.read[-len(COUNTED) - 1 :]
    told = {name: (value, played.counters[name]) for name, (_, value) in zip(COUNTED, low, strict=True)}
    told[f"{COUNTED[0]}_HIGH"] = (high, 0)
    return ", ".join(f"{name} is {got}, not {wanted}" for name, (got, wanted) in told.items() if got != wanted)


def _dumped(job: Job) -> list[np.ndarray]:
    """The first dump: weights as :meth:`dfarray.sim.job.Job.dumped_weights`."""
    words = np.fromfile(job.directory / "dump.bin", dtype=np.int32)[: job.image_words]
    return from_image(job.config, words.reshape(job.config.bank_rows_used, -1))


@contextmanager
def _shallow_block_rams(wanted: bool) -> Iterator[None]:
    before = blocks.LUT_RAM_ROWS
    blocks.LUT_RAM_ROWS = 0 if wanted else before
    try:
        yield
    finally:
        blocks.LUT_RAM_ROWS = before
