"""docs/architecture.md section 4 register by register: a clocked machine in plain Python, nothing of dfarray.golden.

The golden cycle model works out what a packet does in all tiles when it is decided. This one steps: where the machine
as specified would use a register too early or too late, the two disagree.
"""

from collections import deque
from functools import partial

import numpy as np
from specified_errors import LONG_AGO, SpecifiedErrors
from specified_intake import SpecifiedIntake
from specified_machine import next_state
from specified_tiles import (
    ACTIVATE,
    FORWARD,
    FUSED,
    GRAM,
    HIDDEN,
    LOAD_WEIGHT,
    OUT,
    OUT_FUSED,
    READ,
    WEIGHT,
)

from dfarray.configuration import Configuration
from dfarray.latency import COMPLETE

IDLE, SWEEP, LOAD, DUMP = range(4)
TRAIN, INFER, NULL = "TRAIN", "INFER", "NULL"


class SpecifiedCycles(SpecifiedErrors):
    """One accelerator; :meth:`advance` as in the golden cycle model."""

    def __init__(self, config: Configuration, weights):
        super().__init__(config, weights)
        self.waiting = dict.fromkeys(("seed", "flush", "load", "dump"), False)
        self.intake = SpecifiedIntake(config)
        self.noise_state = config.training.seed or 1
        self.held["last packet", None, None] = self.held["last activate", None, None] = LONG_AGO
        self.last_row = dict.fromkeys(range(len(self.passes)), LONG_AGO)
        self.last_first = self.last_load = LONG_AGO
        self.freeze_u = self.freeze_v = 0
        hidden = config.network.layers[1:-2]
        # Of the sweep under way and of the two before.
        self.a = {layer: [[0] * n for _ in range(3)] for layer, n in enumerate(hidden, 1)}
        self.entries: dict[int, list[tuple[int, int, int]]] = {layer: [] for layer in self.a}
        self.arrived = 0
        self.sweep: dict = {}
        self.activating: dict = {}
        self.group: dict = {}
        self.offered: deque[int] = deque()
        self.untransferred = 0

    def advance(self, inputs: np.ndarray) -> np.ndarray:
        return np.array([self.step(row) for row in inputs.tolist()], dtype=np.int64)

    def step(self, row: list[int]) -> list[int]:
        pins = dict(zip(self.inputs, row, strict=True))
        self.was, self.now = self.now, {}
        for write in self.later.pop(self.cycle, []):
            write()
        ready = self.intake.step(self.cycle)
        self.streams(ready)
        shown = [self.now.get(key, self.held.get(key, 0)) for key in self.outputs]
        for action in self.actions.pop(self.cycle, []):
            action()
        self.walks()
        seen = {
            "error busy": self.error_busy,
            "output": self.sees("sequencer.output"),
            "activate": self.sees("sequencer.activate"),
            "collecting": self.sees("collector.busy"),
            "corrected": self.sees("sequencer.corrected"),
            "delivered": self.sees("sequencer.delivered"),
            "ready": (self.sees("ready", 0), self.sees("ready", 1)),
            "quiet": self.quiet,
            "untransferred": self.untransferred,
        }
        self.gram_decided = False
        self.decide(pins)
        seen["output"] = seen["output"] and not self.gram_decided
        if self.sees("sequencer.state") == IDLE:
            self.idle(pins)
        if ready and pins["samples.valid"]:
            self.intake.transfer(self.cycle, pins)
        self.results_pins(pins)
        for name in self.waiting:
            if pins[f"command.{name}"]:
                self.waiting[name] = True
        self.before = seen
        self.cycle += 1
        return shown

    # Streams

    def streams(self, ready: bool) -> None:
        loads = self.sees("sequencer.state") == LOAD and self.divisible
        wires = {
            "samples.ready": ready,
            "samples.complete": self.intake.complete(self.cycle),
            "weights_in.ready": loads,
        }
        if self.results:
            wires |= self.results[0]
        if self.offered:
            wires |= {"weights_out.valid": 1, "weights_out.data": self.offered[0]}
        self.now |= {(name, None, None): int(value) for name, value in wires.items()}

    @property
    def divisible(self) -> bool:
        return self.cycle % self.config.latency.interval == 0

    def results_pins(self, pins) -> None:
        if self.results and pins["results.ready"]:
            self.results.popleft()
            if not self.results:
                self.shows(self.cycle + 1, "answering", 0)
        if self.offered and pins["weights_out.ready"]:
            self.offered.popleft()
            self.untransferred -= 1
            if not self.untransferred:
                self.later[self.cycle + 1].append(self.row_done)

    def row_done(self) -> None:
        """The last word of a loaded or dumped row is transferred."""
        done = self.sees("sequencer.row") + 1 == self.row_count
        self.shows(self.cycle + 1, "sequencer.row", 0 if done else self.sees("sequencer.row") + 1)
        if done:
            self.shows(self.cycle + 1, "sequencer.state", IDLE)

    # IDLE

    @property
    def error_busy(self) -> bool:
        return bool(self.sees("answering") or self.sees("learning"))

    @property
    def quiet(self) -> bool:
        at_work = self.sees("sequencer.activate") or self.sees("sequencer.output") or self.error_busy
        idles = self.sees("sequencer.state") == IDLE
        return idles and not at_work and self.cycle - self.sees("last packet") > self.config.latency.settle

    def idle(self, pins) -> None:
        u, v, waiting = self.sees("sequencer.pending_u"), self.sees("sequencer.pending_v"), self.waiting
        if any(waiting.values()):
            if not self.before["quiet"]:
                return
            if u or v:
                self.start(NULL)
            elif waiting["seed"]:
                waiting["seed"], self.noise_state = False, pins["settings.seed"] or 1
            elif waiting["flush"]:
                waiting["flush"] = False
            else:
                name = "load" if waiting["load"] else "dump"
                waiting[name] = False
                self.row_first, self.row_count = pins["settings.row_first"], pins["settings.row_count"]
                self.place = 0
                self.shows(self.cycle + 1, "sequencer.state", LOAD if name == "load" else DUMP)
        elif self.intake.complete(self.cycle) and self.cycle - self.last_load > self.k and not self.held_up:
            if (not pins["settings.train"] and (u or v)) or (u and not v):
                self.start(NULL)
            else:
                self.start(TRAIN if pins["settings.train"] else INFER)
                rate = pins["settings.rate_mantissa"], pins["settings.rate_exponent"]
                self.sweep |= {"freeze": pins["settings.freeze"], "rate": rate, "label": self.intake.label}
                self.intake.take(self.cycle)
                self.sweep |= {"rows": self.intake.lists[-1], "gram": self.intake.grams[-1]}

    @property
    def held_up(self) -> bool:
        """Without lists a sweep waits for the ACTIVATEs and the first output row of the sample before."""
        opens = self.sees("sequencer.output") and not self.sees("sequencer.output_row")
        opens = opens and self.groups[self.group["slot"]][0] == 0
        return not self.config.lists and bool(self.sees("sequencer.activate") or opens)

    def start(self, kind: str) -> None:
        u, v = self.sees("sequencer.pending_u"), self.sees("sequencer.pending_v")
        rows = [(i, x, 0) for i, _, x in self.intake.lists[-2 if v else -1]]
        self.sweep = {
            "kind": kind,
            "u": u,
            "v": v,
            "freeze_u": self.freeze_u,
            "freeze_v": self.freeze_v,
            "freeze": 0,
            "parity": self.sees("sequencer.parity"),
            "noise": self.noise_state,
            "rows": rows,
            "gram": 0,
        }
        self.a = {layer: [[], values[0], values[1]] for layer, values in self.a.items()}
        self.entries = {layer: [] for layer in self.a}
        self.arrived = 0
        self.shows(self.cycle + 1, "sequencer.state", SWEEP)
        for name in ("activations.received", "activations.available", *(f"complete {layer}" for layer in self.a)):
            self.shows(self.cycle + 1, name, 0)

    # Packets

    def decide(self, pins) -> None:
        if not self.divisible:
            return
        state = self.sees("sequencer.state")
        if state == LOAD:
            self.load(pins)
        elif state == DUMP:
            self.dump()
        elif not (self.output_row() or self.activate() or state != SWEEP):
            self.hidden_row()

    def output_row(self) -> bool:
        if not self.sees("sequencer.output"):
            return False
        owner, c = self.group, self.sees("sequencer.output_row")
        group, base = self.groups[owner["slot"]]
        opens = group == 0 and c == 0
        if self.cycle < owner["output from"] or (opens and self.before["error busy"]):
            return False
        answered = int(owner["kind"] != NULL)
        if opens and answered:
            self.sums = dict.fromkeys(range(self.classes + 1), 0)
            self.shows(self.cycle + 1, "answering", 1)
            self.shows(self.cycle + 1, "learning", int(owner["kind"] == TRAIN))
        if c == self.classes:
            self.packet(GRAM, owner, address=base, last=answered)
            self.gram_decided = True
            self.shows(self.cycle + 1, "sequencer.output", 0)
            self.shows(self.cycle + 1, "sequencer.output_row", 0)
            return True
        if owner["u"] and not self.frozen(len(self.config.network.layers) - 1, owner["freeze_u"]):
            self.packet(OUT_FUSED, owner, address=base + c, last=answered, value=self.g[owner["parity"]][c])
        else:
            self.packet(OUT, owner, address=base + c, last=answered)
        self.shows(self.cycle + 1, "sequencer.output_row", c + 1)
        return True

    def activate(self) -> bool:
        owner = self.activating
        if not self.sees("sequencer.activate") or self.before["output"] or self.before["collecting"]:
            return False
        if self.cycle <= owner["last row"] + self.k or (owner["correct"] and not self.before["corrected"]):
            return False
        slot = owner["slot"]
        gram = owner["layer gram"] if owner["correct"] else 0
        self.packet(ACTIVATE, owner, slot=slot, parity=owner["parity"], first=int(owner["correct"]), value=gram)
        if slot + 1 < len(self.passes):
            pending = owner["kind"] == TRAIN and owner["v"]
            self.request("corrected", slot + 1, pending, owner["freeze_v"], 1 - owner["parity"])
        else:
            self.request("corrected", 0, owner["kind"] == TRAIN, owner["freeze"], owner["parity"])
        self.shows(self.cycle + 1, "sequencer.activate", 0)
        self.shows(self.cycle + 1, "last activate", self.cycle)
        item = self.passes[slot]
        if slot in self.groups:
            self.group = owner | {"output from": self.cycle + self.config.latency.output_wait(self.lanes)}
            self.shows(self.cycle + 1, "sequencer.output", 1)
        else:
            self.collect(HIDDEN, [item.tiles_of_lane(lane) for lane in range(item.active_lanes)])
        return True

    def hidden_row(self) -> None:
        slot, row, owner = self.sees("sequencer.slot"), self.sees("sequencer.row"), self.sweep
        item, u = self.passes[slot], owner["u"]
        last_slot = slot + 1 == len(self.passes)
        delivered = self.before["delivered"] and self.cycle - self.last_first > 2
        if row == 0 and u and not self.frozen(item.layer, owner["freeze_u"]) and not delivered:
            return
        if row == 0 and self.cycle - self.last_row[slot] <= self.k + 2:
            return
        if row == 0 and self.config.latency.serial and self.sums_wanted():
            return
        if item.layer == 1:
            rows, complete = owner["rows"], True
        else:
            rows, complete = self.entries[item.layer - 1], self.sees(f"complete {item.layer - 1}")
            if not complete and len(rows) <= row:
                return
        last = bool(complete) and row == len(rows)
        if last:
            if self.sees("sequencer.activate") or self.before["activate"]:
                return
            if self.cycle - self.sees("last activate") <= self.lanes - 1:
                return
            if last_slot and u and not self.before["ready"][owner["parity"]]:
                return
        i, x_prev, x_cur = rows[row - 1] if row else (-1, self.one, self.one)
        values = {"address": item.base + 1 + i, "x_prev": x_prev, "x_cur": x_cur, "first": int(row == 0)}
        self.packet(FUSED if u else FORWARD, owner, **values, last=int(last))
        self.last_row[slot] = self.cycle
        self.last_first = self.cycle if row == 0 else self.last_first
        if row == 0:
            bank, freeze = (1 - owner["parity"], "freeze_v") if last_slot else (owner["parity"], "freeze_u")
            asked = 0 if last_slot else slot + 1, owner["v"] if last_slot else u, owner[freeze], bank
            self.later[self.cycle + 1].append(partial(self.request, "delivered", *asked))
        self.shows(self.cycle + 1, "sequencer.row", 0 if last else row + 1)
        if last:
            self.end_slot(slot, last_slot)

    def sums_wanted(self) -> bool:
        """A serial family: the slot before is not answered, or an ACTIVATE was decided in Y + L cycles before."""
        recent = self.cycle - self.sees("last activate") <= self.y + self.lanes
        return bool(self.sees("sequencer.activate") or self.sees("sequencer.output") or recent)

    def end_slot(self, slot: int, last_slot: bool) -> None:
        owner, layer = self.sweep, self.passes[slot].layer
        correct = owner["v"] and owner["kind"] == TRAIN and not self.frozen(layer, owner["freeze_v"])
        if layer == 1:
            total = owner["gram"]
        else:
            now, before, _ = self.a[layer - 1]
            total = sum(x * y for x, y in zip(now, before, strict=True))
        self.activating = owner | {"slot": slot, "correct": bool(correct), "last row": self.cycle}
        self.activating["layer gram"] = self.gram(total + self.one**2)
        self.shows(self.cycle + 1, "sequencer.activate", 1)
        self.shows(self.cycle + 1, "sequencer.slot", 0 if last_slot else slot + 1)
        if not last_slot:
            return
        trains = owner["kind"] == TRAIN
        self.shows(self.cycle + 1, "sequencer.state", IDLE)
        self.shows(self.cycle + 1, "sequencer.pending_u", owner["v"])
        self.shows(self.cycle + 1, "sequencer.pending_v", int(trains))
        self.shows(self.cycle + 1, "sequencer.parity", 1 - owner["parity"])
        self.freeze_u, self.freeze_v = self.freeze_v, owner["freeze"]
        if trains:
            self.shows(self.cycle + 1, "ready", 0, owner["parity"])
        if owner["u"]:
            self.noise_state = next_state(self.noise_state)

    def load(self, pins) -> None:
        if not pins["weights_in.valid"]:
            return
        order = [(tile, 0) for tile in range(self.tiles + 1)]
        order += [(tile, lane) for lane in range(1, self.lanes) for tile in range(self.tiles)]
        tile, lane = order[self.place]
        address = self.row_first + self.sees("sequencer.row")
        self.last_load = self.cycle
        self.packet(LOAD_WEIGHT, address=address, tile=tile, lane=lane, value=pins["weights_in.data"])
        self.place = (self.place + 1) % len(order)
        if not self.place:
            self.row_done()

    def dump(self) -> None:
        if self.untransferred or self.before["untransferred"] or self.sees("collector.busy"):
            return
        self.untransferred = self.tiles * self.lanes + 1
        address = self.row_first + self.sees("sequencer.row")
        self.packet(READ, address=address, x_prev=0, x_cur=1, first=1, last=1)
        self.collect(WEIGHT, [self.tiles + 1] + [self.tiles] * (self.lanes - 1))

    def leave(self, kind: int, value: int) -> None:
        if kind == WEIGHT:
            self.later[self.cycle + 2].append(partial(self.offered.append, value))
            return
        layer = next(layer for layer, n in enumerate(self.config.network.layers[1:-2], 1) if len(self.a[layer][0]) < n)
        now, _, earlier = self.a[layer]
        i = len(now)
        now.append(value)
        self.shows(self.cycle + 1, "activations.received", self.sees("activations.received") + 1)
        if value or earlier[i] or not self.config.array.zero_skipping:
            self.arrived += 1
            self.shows(self.cycle + 2, "activations.available", self.arrived)
            self.later[self.cycle + 2].append(partial(self.entries[layer].append, (i, earlier[i], value)))
        if len(now) == self.config.network.layers[layer]:
            self.shows(self.cycle + COMPLETE, f"complete {layer}", 1)
