"""docs/architecture.md section 4 register by register: a clocked machine in plain Python, nothing of dfarray.golden.

The golden cycle model computes a whole sweep at once from its timetable. This one steps: where the machine as specified
would use a register too early or too late, the two disagree.
"""

from collections import deque
from functools import partial

import numpy as np
from specified_machine import next_state, output_error, requant, rhu, sat
from specified_tiles import FORWARD, FUSED, HIDDEN, LOAD_WEIGHT, OUTPUT, READ, WEIGHT, SpecifiedTiles

from dfarray.configuration import Configuration, ErrorKind

IDLE, SWEEP, DRAIN, LOAD, DUMP = range(5)
SCALAR, DELTA = 1, 2


class SpecifiedCycles(SpecifiedTiles):
    """One accelerator; :meth:`advance` as in the golden cycle model."""

    def __init__(self, config: Configuration, weights):
        super().__init__(config, weights)
        self.waiting = dict.fromkeys(("seed", "flush", "load", "dump"), False)
        self.incoming: list[int] = []
        self.incoming_label, self.discarding = 0, False
        hidden = sum(config.network.layers[1:-1])
        self.x = [[0] * config.network.inputs for _ in range(2)]  # current, previous
        self.a = [[0] * hidden for _ in range(2)]
        self.g = [0] * config.network.classes
        self.logits: list[int] = []
        self.freeze = self.sample_freeze = 0
        self.results: deque[dict[str, int]] = deque()
        self.error_idle_from, self.results_left = 0, 0
        self.offered: deque[int] = deque()
        self.untransferred = 0

    def advance(self, inputs: np.ndarray) -> np.ndarray:
        return np.array([self.step(row) for row in inputs.tolist()], dtype=np.int64)

    def step(self, row: list[int]) -> list[int]:
        pins = dict(zip(self.inputs, row, strict=True))
        self.now = {}
        for write in self.later.pop(self.cycle, []):
            write()
        for name in self.results[0] if self.results else ():
            self.now[name, None, None] = self.results[0][name]
        if self.offered:
            self.now["weights_out.valid", None, None] = 1
            self.now["weights_out.data", None, None] = self.offered[0]
        shown = [self.now.get(key, self.held.get(key, 0)) for key in self.outputs]
        for action in self.actions.pop(self.cycle, []):
            action()
        state = self.sees("sequencer.state")
        (self.idle, self.sweep, self.drain, self.load, self.dump)[state](pins)
        self.sample_pins(pins)
        self.result_pins(pins)
        for name in self.waiting:
            if pins[f"command.{name}"]:
                self.waiting[name] = True
        self.cycle += 1
        return shown

    # Streams

    def sample_pins(self, pins) -> None:
        if not (pins["samples.valid"] and self.sees("samples.ready")):
            return
        if self.discarding:
            self.discarding = not pins["samples.last"]
            return
        self.incoming.append(pins["samples.value"])
        complete = len(self.incoming) == self.config.network.inputs
        if complete and pins["samples.last"]:
            self.incoming_label = pins["samples.label"]
            self.shows(self.cycle + 1, "samples.ready", 0)
        elif complete or pins["samples.last"]:
            self.discarding = not pins["samples.last"]
            self.incoming = []

    def result_pins(self, pins) -> None:
        if self.results and pins["results.ready"]:
            self.results.popleft()
            self.results_left -= 1
            self.error_idle_from = max(self.error_idle_from, self.cycle + 1)
        if self.offered and pins["weights_out.ready"]:
            self.offered.popleft()
            self.untransferred -= 1
            if not self.untransferred:
                done = self.sees("sequencer.row") + 1 == self.row_count
                self.shows(self.cycle + 1, "sequencer.row", 0 if done else self.sees("sequencer.row") + 1)
                if done:
                    self.shows(self.cycle + 1, "sequencer.state", IDLE)

    # Sequencer

    def idle(self, pins) -> None:
        pending = self.sees("sequencer.pending")
        waiting = self.waiting
        full = not self.sees("samples.ready")
        if waiting["seed"]:
            waiting["seed"] = False
            self.noise_state = pins["settings.seed"] or 1
        elif pending and (waiting["flush"] or waiting["load"] or waiting["dump"]):
            waiting["flush"] = False
            self.start(sample=False, fused=True)
        elif waiting["flush"]:
            waiting["flush"] = False
        elif waiting["load"] or waiting["dump"]:
            name = "load" if waiting["load"] else "dump"
            waiting[name] = False
            self.row_first, self.row_count = pins["settings.row_first"], pins["settings.row_count"]
            self.place = 0
            self.shows(self.cycle + 1, "sequencer.state", LOAD if name == "load" else DUMP)
            self.shows(self.cycle + 1, "weights_in.ready", int(name == "load"))
        elif full:
            self.train, self.sample_freeze = pins["settings.train"], pins["settings.freeze"]
            self.mantissa, self.exponent = pins["settings.rate_mantissa"], pins["settings.rate_exponent"]
            self.label = self.incoming_label
            self.x = [self.incoming, self.x[0]]
            self.a = [[0] * len(self.a[0]), self.a[0]]
            self.incoming, self.logits = [], []
            self.error_idle_from, self.results_left = 0, self.config.network.classes
            self.shows(self.cycle + 1, "samples.ready", 1)
            self.shows(self.cycle + 1, "sequencer.received", 0)
            self.start(sample=True, fused=bool(pending))

    def start(self, *, sample: bool, fused: bool) -> None:
        self.sampling, self.fused = sample, fused
        self.shows(self.cycle + 1, "sequencer.state", SWEEP)

    def sweep(self, _pins) -> None:
        item, i = self.passes[self.sees("sequencer.slot")], self.sees("sequencer.row")
        layers = self.config.network.layers
        last = i == item.fan_in
        if i == 0 and self.fused and not self.frozen(item, self.freeze) and not self.sees("sequencer.delivered"):
            return
        before = sum(layers[1 : item.layer - 1])
        if self.sampling and item.layer >= 2 and i >= 1 and self.sees("sequencer.received") < before + i:
            return
        if self.sampling and last and self.sees("collector.busy"):
            return
        presynaptic = []
        for x, a in zip(self.x, self.a, strict=True):
            source = x if item.layer == 1 else a[before : before + item.fan_in]
            presynaptic.append(source[i - 1] if i else self.config.formats.activation.one)
        current, previous = presynaptic if self.sampling else (0, presynaptic[0])
        self.send(FUSED if self.fused else FORWARD, item.base + i, previous, current, int(i == 0), int(last))
        if self.sampling and last:
            counts = [item.tiles_of_lane(lane) for lane in range(item.active_lanes)]
            self.collect(OUTPUT if item.output else HIDDEN, item.slot, counts)
        if i == 0 and self.fused and item.slot + 1 < len(self.passes):
            self.request(self.passes[item.slot + 1], self.freeze)
        self.shows(self.cycle + 1, "sequencer.row", 0 if last else i + 1)
        if last:
            over = item.slot + 1 == len(self.passes)
            self.shows(self.cycle + 1, "sequencer.slot", 0 if over else item.slot + 1)
            if over:
                self.shows(self.cycle + 1, "sequencer.state", DRAIN)
                self.drain_left = self.q

    def drain(self, _pins) -> None:
        self.drain_left -= 1
        if self.sampling:
            if self.results_left or self.cycle < self.error_idle_from:
                return
        elif self.drain_left:
            return
        self.shows(self.cycle + 1, "sequencer.state", IDLE)
        if self.fused:
            self.noise_state = next_state(self.noise_state)
        self.shows(self.cycle + 1, "sequencer.pending", int(self.sampling and self.train))
        if self.sampling:
            self.freeze = self.sample_freeze
            if self.train:
                self.request(self.passes[0], self.freeze)

    def load(self, pins) -> None:
        if not pins["weights_in.valid"]:
            return
        row, rest = divmod(self.place, self.tiles * self.lanes)
        lane, tile = divmod(rest, self.tiles)
        address, data = self.row_first + row, pins["weights_in.data"]
        self.place += 1
        fields = {"op": LOAD_WEIGHT, "address": address, "tile": tile, "lane": lane, "data": data}
        self.word(self.cycle + 3, {f"broadcast.{name}": value for name, value in fields.items()})
        self.at(self.cycle + 6 + tile, self.write, address, lane, tile, data)
        self.word(self.cycle + 6 + tile, self.writing(address, data), tile, lane)
        done = self.place == self.row_count * self.tiles * self.lanes
        self.shows(self.cycle + 1, "sequencer.row", 0 if done else self.place // (self.tiles * self.lanes))
        if done:
            self.shows(self.cycle + 1, "sequencer.state", IDLE)
            self.shows(self.cycle + 1, "weights_in.ready", 0)

    def dump(self, _pins) -> None:
        if self.untransferred or self.sees("collector.busy"):
            return
        self.untransferred = self.tiles * self.lanes
        self.send(READ, self.row_first + self.sees("sequencer.row"), 0, 1, 1, 1)
        self.collect(WEIGHT, 0, [self.tiles] * self.lanes)

    def frozen(self, item, freeze: int) -> bool:
        return bool(freeze >> (item.layer - 1) & 1)

    def leave(self, kind: int, value: int) -> None:
        if kind == WEIGHT:
            self.later[self.cycle + 2].append(partial(self.offered.append, value))
        elif kind == HIDDEN:
            received = self.sees("sequencer.received")
            self.later[self.cycle + 1].append(partial(self.a[0].__setitem__, received, value))
            self.shows(self.cycle + 1, "sequencer.received", received + 1)
        else:
            self.logits.append(value)
            if len(self.logits) == self.config.network.classes:
                self.answer_sample()

    # Error and feedback

    def answer_sample(self) -> None:
        """The last logit is at the exit."""
        config, z, classes = self.config, self.logits, self.config.network.classes
        for c, logit in enumerate(z):
            word = {"valid": 1, "logit": logit, "prediction": z.index(max(z)), "last": int(c == classes - 1)}
            offer = {f"results.{name}": value for name, value in word.items()}
            self.later[self.cycle + 2].append(partial(self.results.append, offer))
        if not self.train:
            return
        softmax = config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
        fe, fd = config.formats.error.fraction_bits, config.formats.delta.fraction_bits
        up = max(0, fd - fe)
        for c, e in enumerate(output_error(config, z, self.label)):
            g = sat(rhu((e * self.mantissa) << up, self.exponent + fe - fd + up), config.formats.delta)
            written = self.cycle + (classes + 10 if softmax else 5) + c
            self.word(written, {"error.valid": 1, "error.class": c, "error.value": g})
            self.later[written + 1].append(partial(self.g.__setitem__, c, g))
        self.error_idle_from = self.cycle + (2 * classes + 10 if softmax else classes + 5)

    def request(self, item, freeze: int) -> None:
        f = self.cycle
        if self.frozen(item, freeze):
            self.shows(f + 1, "sequencer.delivered", 1)
            return
        self.shows(f + 1, "sequencer.delivered", 0)
        s = 1 if item.output else self.config.feedback.nonzeros
        for tile in range(item.active_tiles):
            self.feedback(f + 4 + (tile + 1) * s, SCALAR, tile, item.slot, 0, self.scalar(item, tile))
        for lane in range(item.active_lanes):
            self.feedback(f + 5 + item.active_tiles * s + lane, DELTA, lane, item.slot, item.tiles_of_lane(lane), 0)
        self.shows(f + 4 + item.active_tiles * s + item.active_lanes, "sequencer.delivered", 1)

    def scalar(self, item, tile: int) -> int:
        if item.output:
            return self.g[item.first_neuron + tile]
        route, k = self.route[item.slot, tile], self.config.feedback.log2_scale
        total = sum(sign * self.g[c] for c, sign in zip(route.classes, route.class_signs, strict=True))
        return sat(requant(total, 0, k), self.config.formats.delta)

    def feedback(self, head: int, op: int, index: int, slot: int, count: int, value: int) -> None:
        fields = {"op": op, "index": index, "slot": slot, "count": count, "value": value}
        self.word(head, {f"feedback.{name}": v for name, v in fields.items()})
        if op == SCALAR:
            self.shows(head + 2 + index, "error_scalar", value, index)
        for tile in range(count):
            self.at(head + 1 + tile, self.shadow_delta, tile, index, slot)
