"""The golden cycle model: every architectural signal in every clock cycle.

Written from docs/architecture.md section 4 as a timeline: once a sweep starts, the cycle of everything in it follows
from latencies, so it is computed at once and laid into a trace buffer; only what depends on the host is stepped.
"""

from collections.abc import Generator

import numpy as np

from dfarray.configuration import Configuration, ErrorKind
from dfarray.golden import arithmetic, noise
from dfarray.golden.array_model import ArrayModel
from dfarray.golden.inputs import IncomingSample, InputWindow
from dfarray.golden.trace_buffer import TraceBuffer
from dfarray.initial_weights import initial_weights
from dfarray.latency import FETCH, error_latency
from dfarray.learning_rate import LearningRate
from dfarray.passes import Pass
from dfarray.placement import from_banks
from dfarray.trace import STATES, output_signals

Steps = Generator[None, None, int]
"""A part of the machine's life: yields while it needs inputs of later cycles, returns the cycle that follows it."""


class CycleModel:
    """Predicts the trace of an accelerator from its recorded inputs.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1}) or None
        Initial weights; None for the configuration's.

    Attributes
    ----------
    sweep_starts : list of int
        First SWEEP cycle of every sample.
    """

    def __init__(self, config: Configuration, weights=None):
        self.config = config
        self._trace = TraceBuffer(output_signals(config))
        self._window = InputWindow(config)
        self._incoming = IncomingSample(config)
        self._array = ArrayModel(config, initial_weights(config) if weights is None else weights, self._trace)
        classes, hidden = config.network.classes, sum(config.network.layers[1:-1])
        self._softmax = config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
        self._x = np.zeros((2, config.network.inputs), dtype=np.int64)  # current, previous
        self._a = np.zeros((2, hidden), dtype=np.int64)
        self._errors = np.zeros(classes, dtype=np.int64)
        self._pending = False
        self._freeze = 0
        self._waiting = {"seed": False, "flush": False, "load": False, "dump": False}
        self._strobes_read = 0
        self._delivered = 0
        self._collector_idle = 0
        self.sweep_starts: list[int] = []
        self._trace.set(0, samples__ready=1)
        self._ready_shown = True
        self._life = self._machine()
        next(self._life)

    @property
    def weights(self) -> list[np.ndarray]:
        """The banks' contents as matrices, all decided packets included."""
        return from_banks(self.config, self._array.banks[: self.config.bank_rows_used].astype(np.int32))

    @property
    def noise_state(self) -> int:
        """Of the stochastic rounding, all decided packets included."""
        return self._array.noise_state

    def advance(self, inputs: np.ndarray) -> np.ndarray:
        """The trace of the next cycles.

        Parameters
        ----------
        inputs : int64 array (cycles, input signals)
            Recorded inputs in the order of :func:`dfarray.trace.input_signals`.

        Returns
        -------
        int64 array (cycles, output signals), in the order of :func:`dfarray.trace.output_signals`.
        """
        self._window.extend(inputs)
        self._read_samples()
        next(self._life)
        self._read_samples()
        # The machine waits for a cycle that is not yet known: all strobes so far come before it.
        self._read_strobes(self._window.end)
        return self._trace.take(len(inputs))

    def _read_samples(self) -> None:
        self._incoming.read(self._window)
        if self._incoming.full_from is not None and self._ready_shown:
            self._trace.set(self._incoming.full_from, samples__ready=0)
            self._ready_shown = False

    def _until(self, cycle: int) -> Generator[None, None, None]:
        """Go on when the inputs of ``cycle`` are known."""
        while self._window.end <= cycle:
            yield

    def _first(self, name: str, cycle: int) -> Steps:
        """The first cycle, not before ``cycle``, in which an input is not zero."""
        while True:
            yield from self._until(cycle)
            found = self._window.cycles_where(name, cycle)
            if len(found):
                return int(found[0])
            cycle = self._window.end

    def _machine(self) -> Steps:
        cycle = 0
        while True:
            cycle = yield from self._idle(cycle)

    def _idle(self, cycle: int) -> Steps:
        """From the first IDLE cycle to the next one."""
        while True:
            yield from self._until(cycle)
            self._read_strobes(cycle)
            waiting = self._waiting
            self._read_samples()
            full = self._incoming.full_from
            if waiting["seed"]:
                waiting["seed"] = False
                self._array.noise_state = noise.first_state(self._window.at(cycle, "settings.seed"))
            elif (waiting["flush"] or waiting["load"] or waiting["dump"]) and self._pending:
                waiting["flush"] = False
                return self._flush(cycle)
            elif waiting["flush"]:
                waiting["flush"] = False
            elif waiting["load"]:
                waiting["load"] = False
                return (yield from self._load(cycle))
            elif waiting["dump"]:
                waiting["dump"] = False
                return (yield from self._dump(cycle))
            elif full is not None and full <= cycle:
                return (yield from self._sample(cycle))
            else:
                cycle = self._next_event(cycle)
                continue
            cycle += 1

    def _read_strobes(self, cycle: int) -> None:
        """Strobes before ``cycle`` are waiting in it."""
        for name in self._waiting:
            if len(self._window.cycles_where(f"command.{name}", self._strobes_read, cycle)):
                self._waiting[name] = True
        self._strobes_read = max(self._strobes_read, cycle)

    def _next_event(self, cycle: int) -> int:
        """The next IDLE cycle in which something may apply."""
        strobes = [self._window.cycles_where(f"command.{name}", cycle) for name in self._waiting]
        candidates = [int(found[0]) + 1 for found in strobes if len(found)]
        if self._incoming.full_from is not None:
            candidates.append(max(self._incoming.full_from, cycle + 1))
        return min([*candidates, self._window.end])

    def _flush(self, cycle: int) -> int:
        # x_prev is the latest sample's, and nothing flows forward.
        end = self._sweep(cycle + 1, update=True, sample=False, x=(self._x[0], None), a=(self._a[0], None))
        last_drain = end + self.config.latency.result
        self._end_update(last_drain, pending=False)
        return last_drain + 1

    def _sample(self, cycle: int) -> Steps:
        window, config = self._window, self.config
        train = bool(window.at(cycle, "settings.train"))
        rate = LearningRate(window.at(cycle, "settings.rate_mantissa"), window.at(cycle, "settings.rate_exponent"))
        freeze = window.at(cycle, "settings.freeze")
        label = self._incoming.label
        self._x = np.stack([self._incoming.values, self._x[0]])
        self._a = np.stack([np.zeros_like(self._a[0]), self._a[0]])
        self._incoming.take(cycle)
        self._trace.set(cycle + 1, samples__ready=1, sequencer__received=0)
        self._ready_shown = True
        self._read_samples()
        self.sweep_starts.append(cycle + 1)
        update = self._pending
        self._logits: list[int] = []
        end = self._sweep(cycle + 1, update=update, sample=True, x=self._x[::-1], a=self._a[::-1])

        last_logit = self._last_exit
        logits = np.array(self._logits, dtype=np.int64)
        idle = 0
        if train:
            error = arithmetic.output_error(config, logits, label)
            self._errors = arithmetic.scaled_error(config, error, rate)
            classes = np.arange(config.network.classes)
            first = last_logit + (config.network.classes + 10 if self._softmax else 5)
            for name, values in (("valid", 1), ("class", classes), ("value", self._errors)):
                self._trace.put(first + classes, self._trace.column(f"error.{name}"), values)
            idle = last_logit + error_latency(config.network.classes, self._softmax)
        results_sent = yield from self._results(last_logit + 2, logits)
        last_drain = max(end + 1, idle, results_sent)
        self._freeze = freeze
        if update:
            self._end_update(last_drain, pending=train)
        else:
            self._idle_from(last_drain + 1, pending=train)
        if train:
            self._request(config.passes[0], last_drain)
        return last_drain + 1

    def _results(self, cycle: int, logits: np.ndarray) -> Steps:
        """Offer the logits; returns the cycle after the last transfer."""
        prediction = int(logits.argmax())
        for index, logit in enumerate(logits):
            last = int(index == len(logits) - 1)
            self._trace.set(
                cycle,
                results__valid=1,
                results__logit=int(logit),
                results__prediction=prediction,
                results__last=last,
            )
            cycle = (yield from self._first("results.ready", cycle)) + 1
        self._trace.set(cycle, results__valid=0, results__logit=0, results__prediction=0, results__last=0)
        return cycle

    def _end_update(self, last_drain: int, *, pending: bool) -> None:
        self._array.noise_state = noise.next_state(self._array.noise_state)
        self._idle_from(last_drain + 1, pending=pending)

    def _idle_from(self, cycle: int, *, pending: bool) -> None:
        self._pending = pending
        self._trace.set(cycle, sequencer__state=STATES["IDLE"], sequencer__pending=int(pending))

    def _request(self, item: Pass, cycle: int) -> None:
        """Feedback of the pending sample for one pass."""
        if self._freeze >> (item.layer - 1) & 1:
            self._delivered = cycle + 1
        else:
            self._trace.set(cycle + 1, sequencer__delivered=0)
            self._delivered = self._array.deliver(item, cycle, self._errors)
        self._trace.set(self._delivered, sequencer__delivered=1)

    def _sweep(self, start: int, *, update: bool, sample: bool, x, a) -> int:
        """All passes of one sweep whose first SWEEP cycle is ``start``; returns the cycle of the last decision."""
        trace, config = self._trace, self.config
        trace.set(start, sequencer__state=STATES["SWEEP"])
        available = np.zeros(0, dtype=np.int64)  # first cycle in which each hidden activation may be used
        decided = start - 1
        for item in config.passes:
            earliest = np.full(item.rows, decided + 1)
            if update:
                earliest[0] = max(earliest[0], self._delivered)
            offset = sum(config.network.layers[1 : item.layer - 1])
            if sample and item.layer > 1:
                earliest[1:] = np.maximum(earliest[1:], available[offset : offset + item.fan_in])
            if sample:
                earliest[-1] = max(earliest[-1], self._collector_idle)
            order = np.arange(item.rows)
            decisions = np.maximum.accumulate(earliest - order) + order
            decided = int(decisions[-1])
            self._pointer_events(item, decisions)
            heads = decisions + FETCH
            x_prev, x_cur = self._presynaptic(item, offset, x, a)
            addresses = item.base + order
            op = "FUSED" if update else "FORWARD"
            self._array.packets(
                heads, op, addresses, x_prev=x_prev, x_cur=x_cur, first=order == 0, last=order == item.rows - 1
            )
            sums = self._array.sweep(item, heads, x_prev, x_cur, update)
            if update and item.slot + 1 < len(config.passes):
                self._request(config.passes[item.slot + 1], int(decisions[0]))
            if sample:
                received = self._collect(item, decided, sums)
                available = np.concatenate([available, received])
        trace.set(decided + 1, sequencer__state=STATES["DRAIN"])
        return decided

    def _presynaptic(self, item: Pass, offset: int, x, a):
        """x_prev and x_cur of every row of a pass, the bias input first; None means zeros (flush)."""
        one = self.config.formats.activation.one
        rows = []
        for inputs, hidden in zip(x, a, strict=True):
            if inputs is None:
                rows.append(np.zeros(item.rows, dtype=np.int64))
            else:
                source = inputs if item.layer == 1 else hidden[offset : offset + item.fan_in]
                rows.append(np.concatenate([[one], source]))
        return rows

    def _pointer_events(self, item: Pass, decisions) -> None:
        """``slot`` and ``row`` after each decision."""
        trace = self._trace
        next_row = np.arange(1, item.rows + 1) % item.rows
        trace.put(decisions + 1, trace.column("sequencer.row"), next_row)
        next_slot = (item.slot + 1) % len(self.config.passes)
        trace.put(decisions[-1] + 1, trace.column("sequencer.slot"), next_slot)

    def _collect(self, item: Pass, decided: int, sums) -> np.ndarray:
        """Collect a pass; returns from which cycle on each of its activations may be used (none for logits)."""
        counts = [item.tiles_of_lane(lane) for lane in range(item.active_lanes)]
        if item.output:
            values, kind = arithmetic.logits(self.config, sums), "OUTPUT"
        else:
            values, kind = self._array.activate(item, sums), "HIDDEN"
        exits = self._collect_words(decided, kind, item.slot, counts, values)
        words = np.concatenate([values[lane, :count] for lane, count in enumerate(counts)])
        self._last_exit = int(exits[-1])
        if item.output:
            self._logits += words.tolist()
            return np.zeros(0, dtype=np.int64)
        offset = sum(self.config.network.layers[1 : item.layer]) + item.first_neuron
        self._a[0, offset : offset + len(words)] = words
        trace = self._trace
        trace.put(exits + 1, trace.column("sequencer.received"), offset + 1 + np.arange(len(words)))
        return exits + 1

    def _collect_words(self, decided: int, kind: str, slot: int, counts, values) -> np.ndarray:
        exits, last_token = self._array.collect(decided + FETCH, kind, slot, counts, values)
        self._collector_idle = last_token + self.config.array.tiles
        self._trace.set(decided + 1, collector__busy=1)
        self._trace.set(self._collector_idle, collector__busy=0)
        return exits

    def _load(self, cycle: int) -> Steps:
        trace, array = self._trace, self.config.array
        first, rows = self._window.at(cycle, "settings.row_first"), self._window.at(cycle, "settings.row_count")
        trace.set(cycle + 1, sequencer__state=STATES["LOAD"], weights_in__ready=1)
        for row in range(rows):
            for lane in range(array.lanes):
                for tile in range(array.tiles):
                    cycle = yield from self._first("weights_in.valid", cycle + 1)
                    weight = int(self._window.values("weights_in.data", np.array([cycle]))[0])
                    head = cycle + FETCH
                    self._array.packets(head, "LOAD", first + row, tile=tile, lane=lane, data=weight)
                    self._array.load(head, first + row, lane, tile, weight)
            trace.set(cycle + 1, sequencer__row=(row + 1) % rows)
        trace.set(cycle + 1, sequencer__state=STATES["IDLE"], weights_in__ready=0)
        return cycle + 1

    def _dump(self, cycle: int) -> Steps:
        trace, array = self._trace, self.config.array
        first, rows = self._window.at(cycle, "settings.row_first"), self._window.at(cycle, "settings.row_count")
        trace.set(cycle + 1, sequencer__state=STATES["DUMP"])
        for row in range(rows):
            decided = max(cycle + 1, self._collector_idle)
            head = decided + FETCH
            self._array.packets(head, "READ", first + row, x_prev=0, x_cur=1, first=1, last=1)
            weights = self._array.read(head, first + row)
            exits = self._collect_words(decided, "WEIGHT", 0, [array.tiles] * array.lanes, weights)
            for weight, exit_cycle in zip(weights.ravel(), exits, strict=True):
                offered = max(cycle + 1, int(exit_cycle) + 2)
                trace.set(offered, weights_out__valid=1, weights_out__data=int(weight))
                cycle = yield from self._first("weights_out.ready", offered)
                trace.set(cycle + 1, weights_out__valid=0, weights_out__data=0)
            trace.set(cycle + 1, sequencer__row=(row + 1) % rows)
        trace.set(cycle + 1, sequencer__state=STATES["IDLE"])
        return cycle + 1
