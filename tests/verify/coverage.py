"""What a run's recorded trace met: operations, pass shapes, stalls, corners of the arithmetic, entries of the tables.

Points are counted from the trace of the RTL, which is the golden model's where both are equal.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from dfarray.configuration import Activation, Configuration, ErrorKind, Rounding
from dfarray.golden.noise import lane_bits
from dfarray.qformat import QFormat
from dfarray.sim.trace_file import TraceReader, layout_of
from dfarray.trace import FEEDBACK_OPERATIONS, OPERATIONS, STATES, input_signals, output_signals

ROUNDED = ("down", "up", "half, positive", "half, negative", "exact", "to zero")
"""Of a rounded quotient: what became of the dropped bits."""

POINTS: dict[str, tuple[str, ...]] = {
    "operation": tuple(name for name in OPERATIONS if name != "IDLE"),
    "operation after operation": (
        "FORWARD FUSED",
        "FUSED FORWARD",
        "FORWARD ACTIVATE",
        "FUSED ACTIVATE",
        "FORWARD OUT",
        "FUSED OUT",
        "FUSED OUT_FUSED",
        "ACTIVATE FORWARD",
        "ACTIVATE FUSED",
        "ACTIVATE OUT",
        "ACTIVATE OUT_FUSED",
        "GRAM FORWARD",
        "GRAM FUSED",
        "GRAM ACTIVATE",
    ),
    "row": ("first", "last", "first and last", "inner", "x_prev zero", "x_cur zero", "neither zero", "bias alone"),
    "feedback": ("SCALAR", "DELTA shadow", "DELTA correction"),
    "ACTIVATE": ("corrects", "corrects nothing", "gram positive", "gram negative", "gram zero"),
    "pass": (
        "full",
        "one lane short",
        "one neuron",
        "fewer neurons than tiles",
        "the only one of its layer",
        "followed by another",
    ),
    "output group": ("one", "several", "last one not full"),
    "pending updates": ("none", "U", "V", "U and V"),
    "sweep": ("TRAIN", "INFER", "NULL"),
    "stall": (
        "samples wait for the host",
        "the host waits for samples.ready",
        "the host does not take results",
        "the host does not take weights",
        "the host has no weights",
        "a sample waits for the sweep before",
        "a sweep's row waits",
        "rows wait for deltas",
        "rows wait for the layer below",
        "ACTIVATE waits for corrections",
        "ACTIVATE waits for the collector",
        "ACTIVATE waits for an output group",
        "an output group waits for the error unit",
    ),
    "saturation": tuple(
        f"{name} {end}"
        for name in ("weight", "accumulator", "gram", "activation", "logit", "delta", "error", "error scalar")
        for end in ("high", "low")
    ),
    "preactivation": ("saturates high", "saturates low", "zero", *ROUNDED),
    "update, nearest": ROUNDED,
    "update, stochastic": ("up", "down", "exact"),
    "softmax": (
        "one class certain",
        "tie for the largest",
        "difference beyond the table",
        "target right",
        "target wrong",
    ),
}
"""Every point by group; a hole is one that no run meets."""


class Run:
    """A recorded trace by signal name.

    Parameters
    ----------
    config : Configuration
    manifest : dict
        Of the generated Verilog.
    path : Path
        The trace that the co-simulation recorded.
    """

    def __init__(self, config: Configuration, manifest: dict, path: Path):
        self.config = config
        values = np.concatenate([*TraceReader(path, layout_of(manifest)).chunks(1 << 16)])
        self.values = layout_of(manifest).unpack(values)
        signals = [*input_signals(config), *output_signals(config)]
        self._columns = {(s.name, s.tile, s.lane): column for column, s in enumerate(signals)}

    def __call__(self, name: str, tile: int | None = None, lane: int | None = None) -> np.ndarray:
        """A signal in every cycle."""
        return self.values[:, self._columns[name, tile, lane]]

    def operation(self, *names: str) -> np.ndarray:
        """Whether one of these operations is at the head of the chain."""
        return np.isin(self("broadcast.op"), [OPERATIONS[name] for name in names])


def functional(config: Configuration, manifest: dict, path: Path) -> Counter:
    """How often each (group, point) of :data:`POINTS` was met, and each table's entries.

    Entries of tables: ("table NAME", index); how many there are: ("entries NAME", count).
    """
    run, met = Run(config, manifest, path), Counter()

    def meet(group: str, point: str, when) -> None:
        assert point in POINTS[group], (group, point)
        met[group, point] += int(np.count_nonzero(when))

    _packets(run, meet)
    _shapes(config, meet)
    _stalls(run, meet)
    _saturations(run, meet)
    _preactivations(run, meet, met)
    _updates(run, meet)
    _softmax(run, meet, met)
    return +met


def _packets(run: Run, meet) -> None:
    op, first, last = run("broadcast.op"), run("broadcast.first") == 1, run("broadcast.last") == 1
    for name in POINTS["operation"]:
        meet("operation", name, run.operation(name))
    sent = op[op != 0]
    for pair in POINTS["operation after operation"]:
        before, after = (OPERATIONS[name] for name in pair.split())
        meet("operation after operation", pair, (sent[:-1] == before) & (sent[1:] == after))
    row = run.operation("FORWARD", "FUSED")
    previous, current = run("broadcast.x_prev") != 0, run("broadcast.x_cur") != 0
    for point, when in {
        "first": first,
        "last": last,
        "first and last": first & last,
        "inner": ~first & ~last,
        "x_prev zero": ~previous & current,
        "x_cur zero": previous & ~current,
        "neither zero": previous & current & ~first,
        "bias alone": first & last,
    }.items():
        meet("row", point, row & when)
    word, correction = run("feedback.op"), run("feedback.correction")
    meet("feedback", "SCALAR", word == FEEDBACK_OPERATIONS["SCALAR"])
    meet("feedback", "DELTA shadow", (word == FEEDBACK_OPERATIONS["DELTA"]) & (correction == 0))
    meet("feedback", "DELTA correction", (word == FEEDBACK_OPERATIONS["DELTA"]) & (correction == 1))
    activate, gram = run.operation("ACTIVATE"), run("broadcast.value")
    for point, when in {
        "corrects": first,
        "corrects nothing": ~first,
        "gram positive": first & (gram > 0),
        "gram negative": first & (gram < 0),
        "gram zero": first & (gram == 0),
    }.items():
        meet("ACTIVATE", point, activate & when)


def _shapes(config: Configuration, meet) -> None:
    lanes, tiles, passes = config.array.tiles * config.array.lanes, config.array.tiles, config.passes
    for number, item in enumerate(passes):
        alone = sum(other.layer == item.layer for other in passes) == 1
        for point, when in {
            "full": item.neurons == lanes,
            "one lane short": item.neurons == lanes - 1,
            "one neuron": item.neurons == 1,
            "fewer neurons than tiles": item.neurons < tiles,
            "the only one of its layer": alone,
            "followed by another": number + 1 < len(passes) and passes[number + 1].layer == item.layer,
        }.items():
            meet("pass", point, when)
    groups = config.output_groups
    meet("output group", "one", len(groups) == 1)
    meet("output group", "several", len(groups) > 1)
    meet("output group", "last one not full", groups[-1][0].neurons < lanes)


def _stalls(run: Run, meet) -> None:
    u, v = run("sequencer.pending_u") == 1, run("sequencer.pending_v") == 1
    for point, when in {"none": ~u & ~v, "U": u & ~v, "V": ~u & v, "U and V": u & v}.items():
        meet("pending updates", point, when)
    state = run("sequencer.state")
    begins = (state == STATES["SWEEP"]) & (np.roll(state, 1) != STATES["SWEEP"])
    # A sample shows complete for one cycle more than it waits.
    complete = run("samples.complete") == 1
    taken = begins & complete & ~np.roll(complete, -1)
    train = run("settings.train") == 1
    for point, when in {"TRAIN": taken & train, "INFER": taken & ~train, "NULL": begins & ~taken}.items():
        meet("sweep", point, when)
    sweep, row = state == STATES["SWEEP"], run("sequencer.row")
    same = sweep & (np.roll(row, 1) == row) & (np.roll(run("sequencer.slot"), 1) == run("sequencer.slot"))
    held = same & (np.roll(state, 1) == STATES["SWEEP"])
    activate, output = run("sequencer.activate") == 1, run("sequencer.output") == 1
    inner = np.roll(activate, 1) & activate
    layer_of = np.array([item.layer for item in run.config.passes])
    deeper = layer_of[np.minimum(run("sequencer.slot"), len(layer_of) - 1)] > 1
    valid, ready = run("samples.valid") == 1, run("samples.ready") == 1
    for point, when in {
        "samples wait for the host": ready & ~valid,
        "the host waits for samples.ready": valid & ~ready,
        "the host does not take results": (run("results.valid") == 1) & (run("results.ready") == 0),
        "the host does not take weights": (run("weights_out.valid") == 1) & (run("weights_out.ready") == 0),
        "the host has no weights": (run("weights_in.ready") == 1) & (run("weights_in.valid") == 0),
        "a sample waits for the sweep before": complete & (state != STATES["IDLE"]),
        "a sweep's row waits": held,
        "rows wait for deltas": held & (row == 0) & (run("sequencer.delivered") == 0),
        "rows wait for the layer below": held & deeper & (run("activations.available") <= row),
        "ACTIVATE waits for corrections": inner & (run("sequencer.corrected") == 0),
        "ACTIVATE waits for the collector": inner & (run("collector.busy") == 1),
        "ACTIVATE waits for an output group": inner & output,
        "an output group waits for the error unit": output & np.roll(output, 1) & (run("sequencer.output_row") == 0),
    }.items():
        meet("stall", point, when)


def _saturations(run: Run, meet) -> None:
    config, formats = run.config, run.config.formats

    def ends(name: str, fmt: QFormat, values: np.ndarray, when=True) -> None:
        meet("saturation", f"{name} high", (values == fmt.hi) & when)
        meet("saturation", f"{name} low", (values == fmt.lo) & when)

    ends("gram", config.gram, run("broadcast.value"), run.operation("ACTIVATE") & (run("broadcast.first") == 1))
    ends("logit", formats.logit, run("logit.value"), run("logit.valid") == 1)
    ends("error", formats.delta, run("error.value"), run("error.valid") == 1)
    updates = np.isin(run("sequencer.state"), [STATES["IDLE"], STATES["SWEEP"]])
    for tile in range(config.array.tiles):
        ends("error scalar", formats.delta, run("error_scalar", tile))
        for lane in range(config.array.lanes):
            written = (run("weight_write.enable", tile, lane) == 1) & updates
            ends("weight", formats.weight, run("weight_write.data", tile, lane), written)
            activation = run("activation", tile, lane)
            meet("saturation", "activation high", activation == formats.activation.hi)
            # No function goes to the lowest code; minus 1.0, or what is nearest to it, is as low as they go.
            meet("saturation", "activation low", activation == -formats.activation.one)
            ends("delta", formats.delta, run("delta", tile, lane))
            if config.accumulator_saturates:
                ends("accumulator", config.accumulator, run("result", tile, lane))


def rounding(exact: np.ndarray, bits: int) -> dict[str, np.ndarray]:
    """Which quotient by ``2**bits`` was rounded how, to nearest."""
    rest, half = exact & ((1 << bits) - 1), 1 << (bits - 1) if bits > 0 else 0
    inexact = bits > 0
    return {
        "down": inexact & (rest > 0) & (rest < half),
        "up": inexact & (rest > half),
        "half, positive": inexact & (rest == half) & (exact > 0),
        "half, negative": inexact & (rest == half) & (exact < 0),
        "exact": rest == 0,
        "to zero": inexact & (rest != 0) & ((exact + half) >> bits == 0),
    }


def _preactivations(run: Run, meet, met: Counter) -> None:
    """Sums as they are taken: result and correction of lane k in cycle h + Y + k of an ACTIVATE in h."""
    config, formats, latency = run.config, run.config.formats, run.config.latency
    bits, fmt = formats.product_fraction - formats.preactivation.fraction_bits, formats.preactivation
    heads = np.flatnonzero(run.operation("ACTIVATE"))
    visited = set()
    for tile in range(config.array.tiles):
        for lane in range(config.array.lanes):
            places = run("broadcast.slot")[heads]
            lives = [item.neurons > lane * config.array.tiles + tile for item in config.passes]
            taken = heads[np.array(lives, dtype=bool)[places]] + 1 + tile + latency.correct + lane
            taken = taken[taken < len(run.values)]
            exact = run("result", tile, lane)[taken] - run("correction", tile, lane)[taken]
            rounded = (exact + (1 << bits >> 1)) >> bits
            z = np.clip(rounded, fmt.lo, fmt.hi)
            meet("preactivation", "saturates high", rounded > fmt.hi)
            meet("preactivation", "saturates low", rounded < fmt.lo)
            meet("preactivation", "zero", z == 0)
            for point, when in rounding(exact, bits).items():
                meet("preactivation", point, when)
            visited |= set(np.minimum(np.abs(z), fmt.hi).tolist())
    if config.network.activation is Activation.TANH:
        _entries(met, "tanh", visited, fmt.hi + 1)


def _updates(run: Run, meet) -> None:
    """Of FUSED rows: the lane's delta, a cycle after the packet, times x_prev."""
    config, bits = run.config, run.config.formats.update_shift
    heads = np.flatnonzero(run.operation("FUSED"))
    x = run("broadcast.x_prev")[heads]
    stochastic = config.training.rounding is Rounding.STOCHASTIC
    noise = np.zeros((0, 0, 0), dtype=np.int64)
    if stochastic:
        words = run("broadcast.noise")[heads].astype(np.uint32)
        noise = lane_bits(words, config.array.tiles, config.array.lanes, bits)
    for tile in range(config.array.tiles):
        for lane in range(config.array.lanes):
            at = heads + 2 + tile
            counts = at < len(run.values)
            counts[counts] = run("delta.valid", tile, lane)[at[counts]] == 1
            exact = run("delta", tile, lane)[at[counts]] * x[counts]
            if not stochastic:
                for point, when in rounding(exact, bits).items():
                    meet("update, nearest", point, when)
                continue
            up = (exact + noise[counts, lane, tile]) >> bits != exact >> bits
            inexact = exact & ((1 << bits) - 1) != 0
            for point, when in {"up": up, "down": inexact & ~up, "exact": ~inexact}.items():
                meet("update, stochastic", point, when)


def _softmax(run: Run, meet, met: Counter) -> None:
    config = run.config
    if config.network.error is not ErrorKind.SOFTMAX_CROSS_ENTROPY:
        return
    classes, fe = config.network.classes, config.formats.error.fraction_bits
    z = run("logit.value")[run("logit.valid") == 1]
    z = z[: len(z) // classes * classes].reshape(-1, classes)
    below = z.max(axis=1, keepdims=True) - z
    table = np.floor(np.exp(-np.arange(1 << 16) * 2.0**-config.formats.logit.fraction_bits) * 2.0**fe + 0.5)
    size = 1 << int(np.argmax(table == 0)).bit_length()
    meet("softmax", "difference beyond the table", below >= size - 1)
    below = np.minimum(below, size - 1)
    meet("softmax", "one class certain", (table[below] == 0).sum(axis=1) == classes - 1)
    meet("softmax", "tie for the largest", (below == 0).sum(axis=1) > 1)
    _entries(met, "exponential", set(below.ravel().tolist()), size)
    total = table[below].sum(axis=1).astype(np.int64)
    r = min(fe, 10)
    q = np.array([int(s).bit_length() - 1 - fe for s in total])
    _entries(met, "reciprocal", {(int(s) >> int(p + fe - r)) - (1 << r) for s, p in zip(total, q, strict=True)}, 1 << r)
    error = run("error.value")[run("error.valid") == 1]
    meet("softmax", "target right", error == 0)
    meet("softmax", "target wrong", error < 0)


def _entries(met: Counter, table: str, visited: set[int], size: int) -> None:
    met[f"table {table}", "entries met"] += len(visited)
    met[f"table {table}", "entries"] += size
