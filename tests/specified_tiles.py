"""The tiles of docs/architecture.md section 4 register by register, in plain Python: packets, tokens and deltas."""

from collections import defaultdict
from functools import partial

import numpy as np
from specified_machine import activate, lane_bits, rhu, sat, tile_word

from dfarray.configuration import Configuration, Rounding
from dfarray.feedback import routes
from dfarray.placement import to_banks
from dfarray.trace import input_signals, output_signals

FORWARD, FUSED, LOAD_WEIGHT, READ = range(1, 5)
HIDDEN, OUTPUT, WEIGHT = range(3)


class SpecifiedTiles:
    """All tiles and the chains through them; a subclass decides what is sent and takes what leaves.

    An action reads what the registers show in its own cycle and writes what they show in a later one.
    """

    def __init__(self, config: Configuration, weights):
        self.config, self.passes = config, config.passes
        self.tiles, self.lanes = config.array.tiles, config.array.lanes
        self.k, self.q = config.latency.align, config.latency.result
        self.inputs = [s.name for s in input_signals(config)]
        self.outputs = [(s.name, s.tile, s.lane) for s in output_signals(config)]
        self.cycle = 0
        self.later: dict[int, list] = defaultdict(list)
        self.actions: dict[int, list] = defaultdict(list)
        self.now: dict[tuple, int] = {}
        self.held: dict[tuple, int] = defaultdict(int, {("samples.ready", None, None): 1})
        self.route = {(r.slot, r.tile): r for r in routes(config)}
        self.bank = {index: int(w) for index, w in np.ndenumerate(to_banks(config, weights))}
        self.accumulator: dict[tuple[int, int], int] = defaultdict(int)
        self.shadow: dict[tuple[int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
        self.slope: dict[tuple[int, int, int], int] = {}
        self.noise_state = config.training.seed or 1

    def leave(self, kind: int, value: int) -> None:
        """A return word is at the exit."""
        raise NotImplementedError

    # Registers

    def shows(self, cycle: int, name: str, value: int, tile=None, lane=None) -> None:
        """A held register shows a value from a later cycle on."""
        assert cycle > self.cycle
        self.later[cycle].append(partial(self.held.__setitem__, (name, tile, lane), value))

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

    def send(self, op, address, x_prev, x_cur, first, last) -> None:
        """The packet decided now is at the head three cycles later."""
        head = self.cycle + 3
        fields = {"op": op, "address": address, "x_prev": x_prev, "x_cur": x_cur, "first": first, "last": last}
        state = self.noise_state if op == FUSED and self.config.training.rounding is Rounding.STOCHASTIC else None
        noise = 0 if state is None else tile_word(state, address, 0)
        self.word(head, {f"broadcast.{name}": value for name, value in (fields | {"noise": noise}).items()})
        for tile in range(self.tiles):
            if first and op != READ:
                self.at(head + 1 + tile, self.swap, tile)
            self.at(head + 2 + tile, self.in_lanes, tile, head, fields, state)

    def swap(self, tile: int) -> None:
        for lane in range(self.lanes):
            delta, valid = self.shadow[tile, lane]
            self.shows(self.cycle + 1, "delta", delta, tile, lane)
            self.shows(self.cycle + 1, "delta.valid", valid, tile, lane)
            self.later[self.cycle + 1].insert(0, partial(self.shadow.__setitem__, (tile, lane), (delta, 0)))

    def in_lanes(self, tile: int, head: int, fields, noise_state: int | None) -> None:
        """Read the bank and the deltas, one cycle behind the hop register; the noise came with the packet."""
        op, address = fields["op"], fields["address"]
        formats = self.config.formats
        drop = formats.update_shift
        for lane in range(self.lanes):
            weight = self.bank.get((address, lane, tile), 0)
            if op == FUSED and self.sees("delta.valid", tile, lane):
                r = 2**drop // 2
                if noise_state is not None:
                    r = lane_bits(tile_word(noise_state, address, tile), lane, drop)
                step = (self.sees("delta", tile, lane) * fields["x_prev"] + r) >> drop
                weight = sat(weight - step, formats.weight)
                written = head + 3 + tile + self.k
                self.word(written, self.writing(address, weight), tile, lane)
                self.at(written, self.write, address, lane, tile, weight)
            total = weight * fields["x_cur"] + (0 if fields["first"] else self.accumulator[tile, lane])
            if formats.accumulator != "auto":
                total = sat(total, formats.accumulator)
            self.accumulator[tile, lane] = total
            if fields["last"]:
                self.shows(head + tile + self.q, "result", total, tile, lane)

    def writing(self, address: int, data: int) -> dict[str, int]:
        return {"weight_write.enable": 1, "weight_write.address": address, "weight_write.data": data}

    def write(self, address: int, lane: int, tile: int, data: int) -> None:
        """A write in this cycle is read in the next one."""
        self.later[self.cycle + 1].append(partial(self.bank.__setitem__, (address, lane, tile), data))

    # Collecting

    def collect(self, kind: int, slot: int, counts: list[int]) -> None:
        """Send the tokens of the packet decided now."""
        token = last = self.cycle + 3 + self.q - 1
        for lane, count in enumerate(counts):
            fields = {"valid": 1, "lane": lane, "kind": kind, "slot": slot, "count": count}
            self.word(token, {f"token.{name}": value for name, value in fields.items()})
            for tile in range(count):
                self.at(token + 1 + 2 * tile, self.answer, tile, lane, kind, slot)
            last, token = token, token + count
        self.shows(self.cycle + 1, "collector.busy", 1)
        self.shows(last + self.tiles, "collector.busy", 0)

    def answer(self, tile: int, lane: int, kind: int, slot: int) -> None:
        formats, value = self.config.formats, self.sees("result", tile, lane)
        if kind == OUTPUT:
            value = sat(rhu(value, formats.product_fraction - formats.logit.fraction_bits), formats.logit)
        elif kind == HIDDEN:
            z = rhu(value, formats.product_fraction - formats.preactivation.fraction_bits)
            value, slope = activate(self.config, sat(z, formats.preactivation))
            self.later[self.cycle + 4].append(partial(self.slope.__setitem__, (slot, tile, lane), slope))
        appears = self.cycle + 4
        for hop in range(tile, self.tiles):
            word = {"return.valid": 1, "return.kind": kind, "return.value": value}
            self.word(appears + hop - tile, word, hop)
        exit_cycle = appears + self.tiles - 1 - tile
        self.at(exit_cycle, self.leave, kind, value)

    # Deltas

    def shadow_delta(self, tile: int, lane: int, slot: int) -> None:
        h, delta = self.sees("error_scalar", tile), self.config.formats.delta
        if not self.passes[slot].output:
            scaled = rhu(h * self.slope[slot, tile, lane], self.config.formats.activation.fraction_bits)
            h = sat(self.route[slot, tile].lane_signs[lane] * scaled, delta)
        else:
            h = sat(h, delta)
        self.later[self.cycle + 3].append(partial(self.shadow.__setitem__, (tile, lane), (h, 1)))
