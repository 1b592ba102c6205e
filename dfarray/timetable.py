"""Cycles of a training sample from the configuration alone: when the sequencer decides what.

The rules of docs/architecture.md sections 4.3 and 4.6 for a steady stream of training samples: the host never waits,
and no layer is frozen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dfarray.configuration import Configuration
from dfarray.latency import ACCEPT, COMPLETE, MERGE_END

WARM_UP, COUNTED = 8, 12
"""Samples until nothing of the start is left, and samples counted: a few may take turns."""


@dataclass(frozen=True)
class SampleCycles:
    """Cycles of one training sample, by what the sequencer does in them; means over samples.

    Attributes
    ----------
    total : float
        From one sample to the next.
    rows, activations, outputs : float
        For hidden rows, biases included; for one ACTIVATE a slot; for output rows and gram rows.
    """

    total: float
    rows: float
    activations: float
    outputs: float

    @property
    def waiting(self) -> float:
        """Cycles without a packet."""
        return self.total - self.rows - self.activations - self.outputs


@dataclass(frozen=True)
class SampleWork:
    """What a sample's inputs make of it.

    Attributes
    ----------
    entries : int
        Of the input layer's row list.
    steps : int
        In which it is merged with the two samples before.
    """

    entries: int
    steps: int


def dense_work(config: Configuration) -> SampleWork:
    """Work of a sample none of whose inputs is zero."""
    return SampleWork(config.network.inputs, config.network.inputs)


def event_work(x: np.ndarray) -> list[SampleWork]:
    """Work of samples that come as events, zeros skipped.

    Parameters
    ----------
    x : int array (samples, n_0)
        Activation codes, in the order in which they are sent.
    """
    sent = np.asarray(x) != 0
    work = []
    for n, nonzero in enumerate(sent):
        oldest = sent[n - 2] if n > 1 else np.zeros_like(nonzero)
        latest = sent[n - 1] if n > 0 else oldest
        listed = nonzero | oldest
        merged = listed | latest
        merged[0] |= not nonzero.any()  # An empty sample still sends one event.
        work.append(SampleWork(int(listed.sum()), int(merged.sum())))
    return work


def sample_cycles(config: Configuration, work: Sequence[SampleWork] | None = None) -> SampleCycles:
    """Mean cycles of a training sample in a steady stream.

    Layers behind the second are taken to send all their rows, as they do unless activations are zero.

    Parameters
    ----------
    config : Configuration
    work : sequence of SampleWork or None
        Samples in order, more than WARM_UP + 1, of which all but the first WARM_UP count; None for dense ones.

    Raises
    ------
    ValueError
        If there are fewer samples.
    """
    work = [dense_work(config)] * (WARM_UP + COUNTED + 1) if work is None else work
    counted = len(work) - WARM_UP - 1
    if counted < 1:
        raise ValueError(f"At least {WARM_UP + 2} samples are needed, not {len(work)}")
    machine = _Sequencer(config, work)
    while len(machine.starts) < len(work):
        machine.step()
    entries = float(np.mean([item.entries for item in work[WARM_UP:-1]]))
    rows = sum(1 + (entries if item.layer == 1 else item.fan_in) for item in config.passes)
    outputs = len(config.output_groups) * (config.network.classes + 1)
    interval = config.latency.interval
    total = (machine.starts[-1] - machine.starts[WARM_UP]) / counted
    return SampleCycles(total, interval * rows, interval * len(config.passes), interval * outputs)


@dataclass
class _Feedback:
    """What :class:`_Sequencer` knows of the feedback network: requests waiting, and when they will have been served."""

    config: Configuration
    idle_from: int = 0
    waiting: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # kind: (slot, sample, asked in)
    done: dict[str, float] = field(default_factory=lambda: {"shadow": 0.0, "correction": 0.0})

    def ask(self, kind: str, cycle: int, slot: int, sample: int) -> None:
        if sample < 0:
            self.waiting.pop(kind, None)
            self.done[kind] = cycle + 1
        else:
            self.waiting[kind], self.done[kind] = (slot, sample, cycle), float("inf")

    def step(self, cycle: int, known: dict[int, int]) -> None:
        """``known``: from which cycle on a sample's g are complete."""
        if cycle < self.idle_from:
            return
        for kind in ("correction", "shadow"):
            slot, sample, asked = self.waiting.get(kind, (0, -1, cycle))
            if asked < cycle - 1 and known.get(sample, cycle) < cycle:
                del self.waiting[kind]
                item = self.config.passes[slot]
                words = self.config.walk_words(item.active_tiles, item.active_lanes)
                self.idle_from = cycle + words + self.config.walk_rest + 1
                self.done[kind] = cycle + self.config.feedback_latency(item.active_tiles, item.active_lanes)
                return


class _Sequencer:
    """The rules of section 4.3, cycle by cycle, and nothing of the data."""

    def __init__(self, config: Configuration, work: Sequence[SampleWork]):
        self.config, self.passes = config, config.passes
        self.latency, self.tiles, self.lanes = config.latency, config.array.tiles, config.array.lanes
        self.first_group = config.output_groups[0][0].slot
        self.classes = config.network.classes
        self.work = work
        self.cycle = 0
        self.starts: list[int] = []
        self.complete_from = ACCEPT + config.merge_interval * work[0].steps + MERGE_END
        self.sweeping, self.slot, self.row = False, 0, 0
        self.activation: tuple[int, int] | None = None  # (slot, sample)
        self.output: tuple[int, int] | None = None
        self.output_row, self.output_from, self.activated = 0, 0, -(1 << 20)
        self.error_idle, self.collector_idle = 0, 0
        self.known: dict[int, int] = {}
        self.feedback = _Feedback(config)
        self.last_row = dict.fromkeys(range(len(self.passes)), -(1 << 20))
        self.arrivals: dict[int, list[int]] = {}  # layer: cycle from which each entry exists
        self.layer_complete: dict[int, int] = {}

    @property
    def sample(self) -> int:
        return len(self.starts) - 1

    def step(self) -> None:
        cycle = self.cycle
        held_up = not self.config.lists and (self.activation is not None or self._opens)
        self.feedback.step(cycle, self.known)
        if cycle % self.latency.interval == 0:
            any(decide() for decide in (self._output_row, self._activate, self._hidden_row))
        if not self.sweeping and self.ended != cycle and cycle >= self.complete_from and not held_up:
            self.starts.append(cycle)
            self.sweeping = True
            self.arrivals, self.layer_complete = {}, {}
            following = self.work[min(len(self.starts), len(self.work) - 1)]
            self.complete_from = cycle + 2 + ACCEPT + self.config.merge_interval * following.steps + MERGE_END
        self.cycle += 1

    @property
    def _opens(self) -> bool:
        """Whether a sample's first output row is waiting."""
        return self.output is not None and self.output[0] == 0 and self.output_row == 0

    ended = slot_ended = asked = output_ended = -2
    """Cycles of the last rows of the latest sweep, and of the latest slot, of the latest first row, and of the latest
    row of grams."""

    def _output_row(self) -> bool:
        if self.output is None or self.cycle < self.output_from:
            return False
        group, sample = self.output
        if group == 0 and self.output_row == 0:
            if self.cycle <= self.error_idle:
                return False
            self.error_idle = float("inf")
        self.output_row += 1
        if self.output_row > self.classes:
            self.output, self.output_row, self.output_ended = None, 0, self.cycle
            if group == len(self.config.output_groups) - 1:
                self._answer(sample)
        return True

    def _answer(self, sample: int) -> None:
        latency, interval = self.latency, self.config.class_interval
        levels = max(0, (self.lanes - 1).bit_length())
        partial = self.cycle + latency.fetch + 1 + self.tiles + latency.sum + levels
        last_logit = partial + self.config.readout_latency + (self.classes - 1) * interval
        learnt = last_logit + self.config.error_latency
        self.known[sample] = learnt
        self.error_idle = max(learnt, last_logit + 2 + self.classes)

    def _activate(self) -> bool:
        if self.activation is None or self.cycle <= max(self.output_ended, self.collector_idle):
            return False
        slot, sample = self.activation
        if self.output is not None or self.cycle - self.slot_ended <= self.latency.align:
            return False
        if sample > 0 and self.cycle <= self.feedback.done["correction"]:
            return False
        following = slot + 1 < len(self.passes)
        self.feedback.ask("correction", self.cycle, slot + 1 if following else 0, sample - 1 if following else sample)
        self.activation, self.activated = None, self.cycle
        if slot >= self.first_group:
            self.output = (slot - self.first_group, sample)
            self.output_from = self.cycle + self.latency.output_wait(self.lanes)
        else:
            self._collect(self.passes[slot])
        return True

    def _collect(self, item) -> None:
        token = self.cycle + self.latency.fetch + self.latency.correct + self.latency.activated
        arrivals = self.arrivals.setdefault(item.layer, [])
        for lane in range(item.active_lanes):
            last = token
            count = item.tiles_of_lane(lane)
            arrivals += [token + self.tiles + 5 + tile for tile in range(count)]
            token += count
        self.collector_idle = last + self.tiles + 1
        if len(arrivals) == self.config.network.layers[item.layer]:
            self.layer_complete[item.layer] = arrivals[-1] - 2 + COMPLETE

    def _sums_wanted(self) -> bool:
        """Whether an activation or its output rows still need what the lanes have of the slot before."""
        recent = self.cycle - self.activated < self.latency.activation_wait(self.lanes)
        return self.activation is not None or self.output is not None or recent

    def _hidden_row(self) -> bool:
        if not self.sweeping:
            return False
        item, sample, cycle = self.passes[self.slot], self.sample, self.cycle
        last_slot = self.slot == len(self.passes) - 1
        if self.row == 0:
            if sample > 1 and (cycle <= self.feedback.done["shadow"] or cycle - self.asked <= 2):
                return False
            if cycle - self.last_row[self.slot] <= self.latency.align + 2:
                return False
            if self.latency.serial and self._sums_wanted():
                return False
        if item.layer == 1:
            last = self.row == self.work[sample].entries
        else:
            arrived = self.arrivals.get(item.layer - 1, [])
            complete = cycle >= self.layer_complete.get(item.layer - 1, cycle + 1)
            if not complete and not (self.row < len(arrived) and arrived[self.row] <= cycle):
                return False
            last = complete and self.row == item.fan_in
        if last:
            if self.activation is not None or cycle - self.activated < max(2, self.lanes):
                return False
            if last_slot and sample > 1 and cycle <= self.known.get(sample - 2, cycle):
                return False
        if self.row == 0:
            self.asked = cycle
            self.feedback.ask(
                "shadow", cycle + 1, 0 if last_slot else self.slot + 1, sample - 1 if last_slot else sample - 2
            )
        self.last_row[self.slot] = cycle
        self.row += 1
        if last:
            self.activation, self.row, self.slot_ended = (self.slot, sample), 0, cycle
            self.slot += 1
            if last_slot:
                self.slot, self.sweeping, self.ended = 0, False, cycle
        return True
