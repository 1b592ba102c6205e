"""Co-simulation: generate, build, run, and hold the RTL against the golden models."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration, Rounding
from dfarray.golden.cycle import CycleModel
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.noise import first_state
from dfarray.hw.generate import generate
from dfarray.initial_weights import initial_weights
from dfarray.sim import harness, loop, simulators
from dfarray.sim.cells import cell_models
from dfarray.sim.job import Job, Mode, Phase
from dfarray.sim.scoreboard import MismatchError
from dfarray.sim.simplify import simplify, write_contents
from dfarray.trace import input_signals


@dataclass(frozen=True)
class Report:
    """What a co-simulation found.

    Attributes
    ----------
    simulator : str
    mode : Mode
        Whether every signal was compared one by one, or their signature.
    events : bool
        Whether the samples were sent as events.
    samples : int
    cycles : int
        Simulated clock cycles, reset excluded.
    cycles_checked, signals_per_cycle : int
        Compared cycles, and how many architectural signals each of them has.
    signature : str or None
        Over all compared cycles, hexadecimal.
    mismatches : int
        Differing signals in the first differing cycle, plus differing results and final weights.
    first_mismatch : dict or None
        cycle, tile, lane, signal, expected, got.
    results_compared, weights_compared : int
        Logits and weights compared with the integer model after the run.
    cycles_per_sample : float
        From result to result of the first phase, :attr:`dfarray.sim.job.Job.window`.
    useful_macs : int
        Between those results, read from the accelerator's counter.
    utilisation : float
        Useful multiply-accumulates over multipliers x cycles.
    cycles_per_second : float
        Simulated and compared, while the clock runs.
    build_seconds, run_seconds : float
        Generating and compiling; everything after it.
    """

    simulator: str
    mode: Mode
    events: bool
    samples: int
    cycles: int
    cycles_checked: int
    signals_per_cycle: int
    signature: str | None
    mismatches: int
    first_mismatch: dict | None
    results_compared: int
    weights_compared: int
    cycles_per_sample: float
    useful_macs: int
    utilisation: float
    cycles_per_second: float
    build_seconds: float
    run_seconds: float

    def as_dict(self) -> dict:
        """For JSON."""
        return asdict(self)

    @property
    def described_mismatch(self) -> str:
        """The first mismatch in one line, empty if there was none."""
        if self.first_mismatch is None:
            return ""
        place = {k: v for k, v in self.first_mismatch.items() if k not in ("expected", "got") and v is not None}
        where = ", ".join(f"{name} {value}" for name, value in place.items())
        return f"{where}: expected {self.first_mismatch['expected']}, got {self.first_mismatch['got']}"


@dataclass(frozen=True)
class Outcome:
    """A run's report and what the RTL computed.

    Attributes
    ----------
    report : Report
    weights : list of int32 arrays (n_l, 1 + n_{l-1})
        Read back from the banks.
    predictions : int array (samples,)
    noise_state : int
        Of the stochastic rounding, read back after the weights; 0 if rounding is nearest.
    """

    report: Report
    weights: list[np.ndarray]
    predictions: np.ndarray
    noise_state: int = 0


def prepare(
    config: Configuration,
    weights,
    simulator: str,
    directory: Path,
    verilog: Path | None = None,
    mode: Mode = Mode.TRACE,
) -> tuple[Path, Path]:
    """Generate (unless ``verilog`` is given) and compile; a build of identical text is used again.

    Parameters
    ----------
    verilog : Path or None
        A directory written by ``dfarray generate``, edited or not.
    mode : Mode
        The compiled loop runs Verilator's signatures, and all of CXXRTL; everything else a cocotb bench.

    Returns
    -------
    (directory of the Verilog, directory of the build)

    Raises
    ------
    SimulationError, FileNotFoundError
    """
    simulators.require(simulator)
    if verilog is None:
        verilog = directory / "verilog"
        generate(config, weights, verilog)
    try:
        manifest = json.loads((verilog / "manifest.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{verilog / 'manifest.json'}: not what dfarray generate writes ({error})") from None
    text, contents = (verilog / manifest["verilog"]).read_text(encoding="utf-8"), []
    flat = simulator == "cxxrtl"
    if not flat:  # yosys cannot fill the memories of instances that share a module.
        text, contents = simplify(text, manifest["top"])
    looped = uses_loop(simulator, mode)
    build = (directory / (f"{simulator}-loop" if looped else simulator)).resolve()
    build.mkdir(parents=True, exist_ok=True)
    source = build / "simulated.v"
    source.write_text(text, encoding="utf-8")
    write_contents(contents, build / harness.CONTENTS)
    sources = [source, *cell_models(config.array.family), harness.write_harness(manifest, contents, build, flat=flat)]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in [*sources, *simulators.own_sources()])).hexdigest()
    stamp = build / "sources.sha256"
    if not stamp.exists() or stamp.read_text() != digest:
        stamp.unlink(missing_ok=True)
        if looped:
            simulators.build_loop(simulator, sources, harness.TOP, build)
        else:
            simulators.build(simulator, sources, harness.TOP, build)
        stamp.write_text(digest)
    return verilog, build


def uses_loop(simulator: str, mode: Mode) -> bool:
    """Whether the compiled loop runs the job, not cocotb."""
    return simulator == "cxxrtl" or (simulator == "verilator" and mode is Mode.SIGNATURE)


def cosimulate(
    config: Configuration,
    x: np.ndarray,
    labels: np.ndarray,
    *,
    directory: Path,
    phases: tuple[Phase, ...] | None = None,
    weights: list[np.ndarray] | None = None,
    simulator: str = "verilator",
    verilog: Path | None = None,
    mode: Mode = Mode.TRACE,
    record_cycles: int = 0,
    events: bool | None = None,
    load_weights: bool = False,
    seed: int | None = None,
    gaps: Mapping[str, int] | None = None,
    progress: Callable[[str, int], None] = lambda stage, done: None,
) -> Outcome:
    """Run samples through the RTL and compare it with the golden models.

    Parameters
    ----------
    config : Configuration
    x : int array (samples, n_0)
        Activation codes, in the order of the phases.
    labels : int array (samples,)
    directory : Path
        For Verilog, build and recorded files.
    phases : tuple of Phase or None
        Default: all samples train at the configured rate.
    weights : list of int arrays or None
        Initial weights, default those of the configuration.
    mode : Mode
        Compare every signal, or their signature and, if it differs, every signal of that cycle.
    record_cycles : int
        In the compiled loop, so many first cycles leave their trace for a waveform; in trace mode all do.
    events : bool or None
        Send samples as events, only the nonzero inputs; None: if the array skips zeros.
    load_weights : bool
        Generate with zero weights and write ``weights`` through the load command.
    seed : int or None
        Written to SEED first, so the state of the rounding noise to start from; None for the configuration's.
    gaps : dict or None
        See :class:`dfarray.sim.job.Job`.
    progress : callable(stage, samples done)

    Raises
    ------
    SimulationError
        If the simulator is missing or fails; not for a mismatch, which the report holds.
    """
    directory = Path(directory).resolve()
    weights = initial_weights(config) if weights is None else weights
    phases = phases or (Phase(len(x), True, config.training.rate),)
    rows = config.bank_rows_used
    load_weights = load_weights or not config.preset
    job = Job(
        directory=directory / "run",
        verilog_directory=(verilog or directory / "verilog").resolve(),
        config=config,
        weights=weights,
        phases=phases,
        mode=mode,
        events=config.array.zero_skipping if events is None else events,
        load_weights=load_weights,
        seed=seed,
        gaps=dict(gaps or {}),
        expected_cycles=rows + 4 * config.network.classes + 4 * config.array.tiles,
    )
    if job.samples != len(x):
        raise ValueError(f"the phases have {job.samples} samples, x has {len(x)}")
    progress("build", 0)
    start = time.perf_counter()
    banked = [np.zeros_like(w) for w in weights] if load_weights else weights
    _, build = prepare(config, banked, simulator, directory, verilog, mode)
    # The first call compiles the model.
    CycleModel(config).advance_signature(np.zeros((1, len(input_signals(config))), dtype=np.int64))
    built = time.perf_counter()
    job.save(x, labels)
    with _watch(job, progress):
        first = _run(job, simulator, build, record_cycles)
    return _judge(job, x, labels, simulator, first, built - start, time.perf_counter() - built)


def _run(job: Job, simulator: str, build: Path, record_cycles: int) -> dict | None:
    """Run a saved job; returns the first mismatch."""
    if uses_loop(simulator, job.mode):
        try:
            loop.run(build, job, record_cycles=record_cycles)
        except MismatchError as error:
            return {**asdict(error.first), "signals": error.count}
        return None
    job_file = job.save_description()
    try:
        simulators.run(
            simulator,
            harness.TOP,
            build,
            "dfarray.sim.bench_training",
            testcase="train",
            plusargs=job.plusargs,
            environment={"DFARRAY_JOB": str(job_file)},
        )
    except simulators.SimulationError:
        if not job.mismatch_path.exists():
            raise
        first = json.loads(job.mismatch_path.read_text(encoding="utf-8"))
        if job.mode is Mode.TRACE:
            return first
        # The same samples with all signals.
        job.discard()
        explained = _run(replace(job, mode=Mode.TRACE), simulator, build, 0)
        if explained is None:
            raise simulators.SimulationError(
                f"the signature of cycle {first['cycle']} differs, but no signal does when the run is repeated"
            ) from None
        return explained
    return None


def _judge(job: Job, x, labels, simulator, first, build_seconds, run_seconds) -> Outcome:
    config = job.config
    signals = first.pop("signals") if first else 0
    figures = job.outcome() if first is None else {}
    rtl_logits, predictions = job.results()
    mismatches, weights = signals, []
    if first is None:
        weights = job.dumped_weights()
        network = IntegerNetwork(config, job.weights)
        if job.seed is not None:
            network.noise_state = first_state(job.seed)
        logits = _replay(network, job.phases, x, labels)
        network.flush()
        mismatches += int((logits != rtl_logits).sum()) if logits.shape == rtl_logits.shape else logits.size
        mismatches += sum(int((a != b).sum()) for a, b in zip(network.weights, weights, strict=True))
        if mismatches:
            first = _first_difference(network, weights, logits, rtl_logits)
        elif wrong := _wrong_count(figures) or _wrong_noise(figures, network):
            mismatches, first = 1, wrong
    cycles_per_sample, useful_macs, utilisation = _pace(job, figures)
    report = Report(
        simulator=simulator,
        mode=job.mode,
        events=job.events,
        samples=len(predictions),
        cycles=figures.get("cycles", 0),
        cycles_checked=figures.get("cycles_checked", first["cycle"] if first and "cycle" in first else 0),
        signals_per_cycle=figures.get("signals_per_cycle", 0),
        signature=f"{figures['signature']:016x}" if figures else None,
        mismatches=mismatches,
        first_mismatch=first,
        results_compared=rtl_logits.size,
        weights_compared=sum(w.size for w in weights),
        cycles_per_sample=cycles_per_sample,
        useful_macs=useful_macs,
        utilisation=utilisation,
        cycles_per_second=figures["cycles"] / figures["seconds"] if figures else 0.0,
        build_seconds=build_seconds,
        run_seconds=run_seconds,
    )
    return Outcome(report, weights, predictions, noise_state=figures["noise"][-1] if figures else 0)


def _wrong_count(figures: dict) -> dict | None:
    """The first reading of the multiply-accumulate counter that the cycle model does not share."""
    for (cycle, got), expected in zip(figures["macs"], figures["model_macs"], strict=True):
        if got != expected:
            return {"cycle": cycle, "signal": "MACS", "expected": expected, "got": got}
    return None


def _wrong_noise(figures: dict, network: IntegerNetwork) -> dict | None:
    """The state of the rounding noise that was read back, if it is not the integer model's."""
    stochastic = network.config.training.rounding is Rounding.STOCHASTIC
    (got,), expected = figures["noise"], network.noise_state if stochastic else 0
    return None if got == expected else {"signal": "NOISE", "expected": expected, "got": got}


def _pace(job: Job, figures: dict) -> tuple[float, int, float]:
    """Cycles a sample, useful multiply-accumulates and utilisation, between the two results of the job's window."""
    if not figures or job.window is None:
        return 0.0, 0, 0.0
    first, last = (int(job.answers()[result - 1]) for result in job.window)
    (from_cycle, before), (to_cycle, after) = figures["macs"]
    multipliers = 2 * job.config.array.tiles * job.config.array.lanes
    samples = job.window[1] - job.window[0]
    return (last - first) / samples, after - before, (after - before) / (multipliers * (to_cycle - from_cycle))


def _replay(network: IntegerNetwork, phases, x, labels) -> np.ndarray:
    """Run the same phases through the integer model; logits (samples, classes)."""
    logits, start = [], 0
    for phase in phases:
        part = slice(start, start + phase.samples)
        start += phase.samples
        if phase.train:
            freeze = tuple(layer for layer in range(1, len(network.weights) + 1) if phase.freeze >> (layer - 1) & 1)
            logits.append(network.train(x[part], labels[part], rate=phase.rate, freeze=freeze))
        else:
            logits.append(network.logits(x[part]))
    return np.concatenate(logits)


def _first_difference(network: IntegerNetwork, weights, logits, rtl_logits) -> dict:
    """The first logit, or else weight, that differs from the integer model."""
    if logits.shape != rtl_logits.shape:
        return {"signal": "results", "expected": len(logits), "got": len(rtl_logits)}
    for sample, c in np.argwhere(logits != rtl_logits)[:1].tolist():
        expected, got = int(logits[sample, c]), int(rtl_logits[sample, c])
        return {"signal": "results.logit", "sample": sample, "class": c, "expected": expected, "got": got}
    for layer, (expected, got) in enumerate(zip(network.weights, weights, strict=True), 1):
        for neuron, column in np.argwhere(expected != got)[:1].tolist():
            return {
                "signal": "final weight",
                "layer": layer,
                "neuron": neuron,
                "input": "bias" if column == 0 else column - 1,
                "expected": int(expected[neuron, column]),
                "got": int(got[neuron, column]),
            }
    raise ValueError("nothing differs")


@contextmanager
def _watch(job: Job, progress):
    """Report answered samples while the simulation runs: the growing results file tells."""
    record = job.config.network.classes * 8
    done = threading.Event()

    def look():
        results = job.directory / "results.bin"
        while not done.wait(0.2):
            if results.exists():
                progress("simulate", results.stat().st_size // record)

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
        progress("simulate", job.samples)
