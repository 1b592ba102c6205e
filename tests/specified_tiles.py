"""The tiles of docs/architecture.md section 4 register by register, in plain Python: packets, tokens and deltas."""

from collections import defaultdict
from functools import partial

import numpy as np
from specified_machine import activate, lane_bits, rhu, sat, tile_word

from dfarray.configuration import Configuration, Rounding
from dfarray.feedback import routes
from dfarray.placement import to_banks
from dfarray.trace import input_signals, output_signals

FORWARD, FUSED, LOAD_WEIGHT, READ, ACTIVATE, OUT, OUT_FUSED, GRAM = range(1, 9)
SCALAR = 1
HIDDEN, WEIGHT = 0, 2
SHADOW, CORRECTION = "shadow", "corrections"


class SpecifiedTiles:
    """All tiles and the chains through them; a subclass decides what is sent and takes what leaves.

    An action reads what the registers show in its own cycle and writes what they show in a later one.
    """

    def __init__(self, config: Configuration, weights):
        self.config, self.passes = config, config.passes
        self.tiles, self.lanes = config.array.tiles, config.array.lanes
        self.k, self.m, self.e = config.latency.align, config.latency.multiply, config.latency.sum
        self.y = config.latency.correct
        self.v = config.latency.operands
        self.activated, self.fetch = config.latency.activated, config.latency.fetch
        self.s = (self.lanes - 1).bit_length()
        self.one = config.formats.activation.one
        self.groups = {item.slot: (group, base) for group, (item, base) in enumerate(config.output_groups)}
        self.output_base = config.output_groups[0][1]
        self.inputs = [s.name for s in input_signals(config)]
        self.outputs = [(s.name, s.tile, s.lane) for s in output_signals(config)]
        self.cycle = 0
        self.later: dict[int, list] = defaultdict(list)
        self.actions: dict[int, list] = defaultdict(list)
        self.now: dict[tuple, int] = {}
        self.was: dict[tuple, int] = {}
        self.held: dict[tuple, int] = defaultdict(int)
        self.route = {(r.slot, r.tile): r for r in routes(config)}
        banks, biases = to_banks(config, weights)
        self.bank = {(row, lane, tile): int(w) for (row, lane, tile), w in np.ndenumerate(banks)}
        self.bank |= {(self.output_base + c, 0, self.tiles): int(w) for c, w in enumerate(biases)}
        self.accumulator: dict[tuple[int, int], int] = defaultdict(int)
        self.history: dict[tuple[int, int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.slope: dict[tuple[int, int, int, int], int] = {}

    def leave(self, kind: int, value: int) -> None:
        """A return word is at the exit."""
        raise NotImplementedError

    def sum_leaves(self, op: int, row: int, value: int, owner: dict) -> None:
        """A partial is at the exit."""
        raise NotImplementedError

    # Registers

    def shows(self, cycle: int, name: str, value: int, tile=None, lane=None) -> None:
        """A held register shows a value from a later cycle on."""
        assert cycle > self.cycle
        self.later[cycle].append(partial(self.held.__setitem__, (name, tile, lane), int(value)))

    def word(self, cycle: int, fields: dict[str, int], tile=None, lane=None) -> None:
        """Wires or a pipeline register show a word in one later cycle only; never two words at once."""

        def appear():
            for name, value in fields.items():
                assert (name, tile, lane) not in self.now, f"two words in {name} {tile} {lane}, cycle {self.cycle}"
                self.now[name, tile, lane] = value

        assert cycle > self.cycle
        self.later[cycle].append(appear)

    def at(self, cycle: int, action, *arguments) -> None:
        """Act on what the registers show in a later cycle."""
        assert cycle > self.cycle
        self.actions[cycle].append(partial(action, *arguments))

    def sees(self, name: str, tile=None, lane=None) -> int:
        return self.held[name, tile, lane]

    # Packets

    def packet(self, op: int, owner: dict | None = None, **fields: int) -> None:
        """The packet decided now; ``owner`` is the sweep that it belongs to."""
        owner = owner or {}
        stochastic = self.config.training.rounding is Rounding.STOCHASTIC
        state = owner["noise"] if stochastic and op in (FUSED, OUT_FUSED) else None
        head = self.cycle + self.fetch
        noise = 0 if state is None else tile_word(state, fields["address"], 0)
        shown = fields | {"op": op, "noise": noise} | ({"address": 0} if op == GRAM else {})
        self.word(head, {f"broadcast.{name}": value for name, value in shown.items()})
        for tile in range(self.tiles + 1):
            self.at(head + 1 + tile, self.arrives, tile, op, fields)
            if op in (FORWARD, FUSED) and fields["first"] and tile < self.tiles:
                self.at(head + tile + self.v, self.swap, tile)
            if op == READ or (op in (FORWARD, FUSED) and tile < self.tiles):
                self.at(head + 1 + tile + self.v, self.in_lanes, tile, op, fields, state)
            if op in (OUT, OUT_FUSED, GRAM):
                self.at(head + 1 + tile + self.v, self.in_output_lanes, tile, op, fields, state, owner)
        self.shows(self.cycle + 1, "last packet", self.cycle)

    def arrives(self, tile: int, op: int, fields: dict[str, int]) -> None:
        h = self.cycle
        if op == LOAD_WEIGHT and fields["tile"] == tile:
            self.load_weight(tile, fields["lane"], fields["address"], fields["value"])
        if op == ACTIVATE and tile < self.tiles:
            for lane in range(self.lanes):
                self.correct(tile, lane, fields)
                self.at(h + self.y + lane, self.activate_lane, tile, lane, fields)

    def lanes_of(self, tile: int) -> range:
        return range(1 if tile == self.tiles else self.lanes)

    def swap(self, tile: int) -> None:
        for lane in range(self.lanes):
            self.shows(self.cycle + 1, "delta", self.sees(SHADOW, tile, lane), tile, lane)
            self.shows(self.cycle + 1, "delta.valid", self.sees(SHADOW + " valid", tile, lane), tile, lane)
            self.later[self.cycle + 1].insert(0, partial(self.held.__setitem__, (SHADOW + " valid", tile, lane), 0))

    def in_lanes(self, tile: int, op: int, fields: dict[str, int], state: int | None) -> None:
        """Read the bank and the deltas, V cycles behind the hop register."""
        address, h = fields["address"], self.cycle - self.v
        for lane in self.lanes_of(tile):
            weight = self.bank.get((address, lane, tile), 0)
            if op == FUSED and self.sees("delta.valid", tile, lane):
                delta = self.sees("delta", tile, lane)
                weight = self.updated(weight, delta * fields["x_prev"], address, tile, lane, state)
                self.write(h + 2 + self.k, address, lane, tile, weight)
            total = weight * fields["x_cur"] + (0 if fields["first"] else self.accumulator[tile, lane])
            if self.config.formats.accumulator != "auto":
                total = sat(total, self.config.formats.accumulator)
            self.accumulator[tile, lane] = total
            if fields["last"]:
                self.shows(h + self.e + 1, "result", total, tile, lane)

    def in_output_lanes(self, tile: int, op: int, fields: dict[str, int], state: int | None, owner: dict) -> None:
        address, h, bias = fields["address"], self.cycle - self.v, tile == self.tiles
        foreign = bias and not self.output_base <= address < self.output_base + self.config.network.classes
        weights = {}
        for lane in () if foreign else self.lanes_of(tile):
            weight = self.bank.get((address, lane, tile), 0)
            if op == OUT_FUSED:
                of_u = self.one if bias else self.sees("update_activation", tile, lane)
                weight = self.updated(weight, fields["value"] * of_u, address, tile, lane, state)
                self.write(h + 2 + self.k, address, lane, tile, weight)
            weights[lane] = weight
        if fields["last"]:
            self.at(h + self.k + 2, self.sum_outputs, tile, op, address, weights, owner)

    def sum_outputs(self, tile: int, op: int, address: int, weights: dict[int, int], owner: dict) -> None:
        """Multiply by what the lanes answer, K + 2 cycles behind the hop register."""
        h, bias, total = self.cycle - self.k - 2, tile == self.tiles, 0
        for lane, weight in weights.items():
            a = self.one if bias else self.sees("activation", tile, lane)
            before = self.one if bias else self.sees("gram_activation", tile, lane)
            total += before * a if op == GRAM else weight * a
        register = h + self.e + self.s
        self.later[register].append(partial(self.add_partial, tile, total))
        if bias:
            self.at(register, self.sum_arrives, op, address, owner)

    def add_partial(self, tile: int, total: int) -> None:
        """Tile t's partial is that of tile t - 1 in the cycle before, plus its own products."""
        total += self.was.get(("partial.value", tile - 1, None), 0) if tile else 0
        assert ("partial.valid", tile, None) not in self.now
        self.now |= {("partial.valid", tile, None): 1, ("partial.value", tile, None): total}

    def sum_arrives(self, op: int, address: int, owner: dict) -> None:
        self.sum_leaves(op, address, self.now["partial.value", self.tiles, None], owner)

    def updated(self, weight: int, product: int, address: int, tile: int, lane: int, state: int | None) -> int:
        drop = self.config.formats.update_shift
        r = 2**drop // 2 if state is None else lane_bits(tile_word(state, address, tile), lane, drop)
        return sat(weight - ((product + r) >> drop), self.config.formats.weight)

    def load_weight(self, tile: int, lane: int, address: int, weight: int) -> None:
        classes = range(self.output_base, self.output_base + self.config.network.classes)
        if tile < self.tiles or address in classes:
            self.write(self.cycle + 2 + self.k, address, lane, tile, weight)

    def write(self, cycle: int, address: int, lane: int, tile: int, data: int) -> None:
        """A write in a cycle is read in the next one."""
        fields = {"weight_write.enable": 1, "weight_write.address": address, "weight_write.data": data}
        self.word(cycle, fields, tile, lane)
        self.later[cycle + 1].append(partial(self.bank.__setitem__, (address, lane, tile), data))

    # Activations

    def correct(self, tile: int, lane: int, fields: dict[str, int]) -> None:
        kappa = 0
        if fields["first"] and self.sees(CORRECTION + " valid", tile, lane):
            product = self.sees(CORRECTION, tile, lane) * fields["value"]
            kappa = rhu(product, self.config.correction_shift)
        self.shows(self.cycle + self.m + 2, "correction", kappa, tile, lane)
        self.shows(self.cycle + 1, CORRECTION + " valid", 0, tile, lane)

    def activate_lane(self, tile: int, lane: int, fields: dict[str, int]) -> None:
        formats, slot, shown = self.config.formats, fields["slot"], self.cycle + self.activated
        a = before = earlier = 0
        if self.passes[slot].neuron(tile, lane) is not None:
            total = self.sees("result", tile, lane) - self.sees("correction", tile, lane)
            z = sat(rhu(total, formats.product_fraction - formats.preactivation.fraction_bits), formats.preactivation)
            a, slope = activate(self.config, z)
            before, earlier = self.history[slot, tile, lane]
            self.history[slot, tile, lane] = a, before
            self.later[shown].append(partial(self.slope.__setitem__, (fields["parity"], slot, tile, lane), slope))
        self.shows(shown, "activation", a, tile, lane)
        self.shows(shown, "gram_activation", before, tile, lane)
        self.shows(shown - min(self.k + 1, self.config.latency.ahead), "update_activation", earlier, tile, lane)

    # Collecting

    def collect(self, kind: int, counts: list[int]) -> None:
        """Send the tokens of the packet decided now."""
        token = last = self.cycle + self.fetch + self.y + self.activated
        for lane, count in enumerate(counts):
            self.word(token, {"token.valid": 1, "token.lane": lane, "token.kind": kind, "token.count": count})
            for tile in range(count):
                self.at(token + 1 + 2 * tile, self.answer, tile, lane, kind)
            last, token = token, token + count
        self.shows(self.cycle + 1, "collector.busy", 1)
        self.shows(last + self.tiles + 1, "collector.busy", 0)

    def answer(self, tile: int, lane: int, kind: int) -> None:
        value = self.sees("activation" if kind == HIDDEN else "result", tile, lane)
        appears = self.cycle + 2
        for hop in range(tile, self.tiles + 1):
            word = {"return.valid": 1, "return.kind": kind, "return.value": value}
            self.word(appears + hop - tile, word, hop)
        self.at(appears + self.tiles - tile, self.leave, kind, value)

    # Feedback words

    def feedback(self, head: int, fields: dict[str, int]) -> None:
        self.word(head, {f"feedback.{name}": value for name, value in fields.items()})
        if fields["op"] == SCALAR:
            self.shows(head + 2 + fields["index"], "error_scalar", fields["value"], fields["index"])
            return
        for tile in range(fields["count"]):
            self.at(head + 1 + tile, self.new_delta, tile, fields)

    def new_delta(self, tile: int, fields: dict[str, int]) -> None:
        formats, lane = self.config.formats, fields["index"]
        slope = self.slope[fields["bank"], fields["slot"], tile, lane]
        scaled = rhu(self.sees("error_scalar", tile) * slope, formats.activation.fraction_bits)
        delta = sat(self.route[fields["slot"], tile].lane_signs[lane] * scaled, formats.delta)
        name = CORRECTION if fields["correction"] else SHADOW
        shown = self.cycle + self.config.latency.delta + self.config.lane_interval
        self.shows(shown, name, delta, tile, lane)
        self.shows(shown, name + " valid", 1, tile, lane)
