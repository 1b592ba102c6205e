"""Sections 4.5 and 4.6 of docs/architecture.md register by register: output sums, error, and the deltas' feedback."""

from collections import deque
from functools import partial

from specified_machine import output_error, rhu, sat
from specified_tiles import GRAM, SpecifiedTiles

from dfarray.configuration import Configuration, ErrorKind

SCALAR, DELTA = 1, 2
LONG_AGO = -(10**9)


class SpecifiedErrors(SpecifiedTiles):
    """What becomes of a sample's output sums; a subclass asks for deltas and says when."""

    def __init__(self, config: Configuration, weights):
        super().__init__(config, weights)
        self.classes, self.softmax = config.network.classes, config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
        self.g = [[0] * self.classes for _ in range(2)]
        self.sums: dict[int, int] = {}
        self.results: deque[dict[str, int]] = deque()
        self.requests: dict[str, tuple | None] = {"delivered": None, "corrected": None}
        self.latest_request: dict[str, int] = {"delivered": 0, "corrected": 0}
        self.walk_until = LONG_AGO
        self.before: dict = {"ready": (0, 0), "quiet": True, "untransferred": 0}  # What was seen in the cycle before.

    def frozen(self, layer: int, freeze: int) -> bool:
        return bool(freeze >> (layer - 1) & 1)

    def gram(self, total: int) -> int:
        shift = 2 * self.config.formats.activation.fraction_bits - self.config.gram.fraction_bits
        return sat(rhu(total, shift), self.config.gram)

    # Output sums, error

    def sum_leaves(self, op: int, row: int, value: int, owner: dict) -> None:
        group, base = self.groups[owner["slot"]]
        self.sums[self.classes if op == GRAM else row - base] += value
        if op == GRAM and group == len(self.groups) - 1:
            self.answer_sample(owner)

    def answer_sample(self, owner: dict) -> None:
        """The last gram is at the exit."""
        formats, classes, parity = self.config.formats, self.classes, owner["parity"]
        trains = owner["kind"] == "TRAIN"
        corrects = trains and owner["v"] and not self.frozen(len(self.config.network.layers) - 1, owner["freeze_v"])
        gram, z = self.gram(self.sums[classes]), []
        latency, interval = self.config.latency, self.config.class_interval
        for c in range(classes):
            kappa = rhu(self.g[1 - parity][c] * gram, self.config.correction_shift) if corrects else 0
            drop = formats.product_fraction - formats.logit.fraction_bits
            z.append(sat(rhu(self.sums[c] - kappa, drop), formats.logit))
            self.word(self.cycle + latency.readout + interval * (c + 1), {"logit.valid": 1, "logit.value": z[c]})
        x = self.cycle + latency.readout + interval * classes
        for c, logit in enumerate(z):
            offer = {"valid": 1, "logit": logit, "prediction": z.index(max(z)), "last": int(c == classes - 1)}
            named = {f"results.{name}": value for name, value in offer.items()}
            self.later[x + 2].append(partial(self.results.append, named))
        if not trains:
            return
        fe, fd, (mantissa, exponent) = formats.error.fraction_bits, formats.delta.fraction_bits, owner["rate"]
        up, first = max(0, fd - fe), x + (classes + latency.softmax if self.softmax else latency.squared)
        for c, e in enumerate(output_error(self.config, z, owner["label"])):
            g = sat(rhu((e * mantissa) << up, exponent + fe - fd + up), formats.delta)
            written = first + interval * (c + 2)
            self.word(written, {"error.valid": 1, "error.class": c, "error.value": g})
            self.later[written + 1].append(partial(self.g[parity].__setitem__, c, g))
        self.shows(first + interval * (classes + 1) + 1, "ready", 1, parity)
        self.shows(first + interval * (classes + 1) + 1, "learning", 0)

    # Feedback

    def request(self, flag: str, slot: int, pending: int, freeze: int, bank: int) -> None:
        self.latest_request[flag] += 1
        done = not pending or self.frozen(self.passes[slot].layer, freeze)
        self.shows(self.cycle + 1, f"sequencer.{flag}", int(done))
        waiting = None if done else (slot, bank, self.latest_request[flag])
        # It waits from the next cycle on, and one before it no longer does; to be seen waiting takes one more.
        self.later[self.cycle + 1].append(partial(self.requests.__setitem__, flag, None))
        self.later[self.cycle + 2].append(partial(self.requests.__setitem__, flag, waiting))

    def walks(self) -> None:
        for flag in ("corrected", "delivered"):
            request = self.requests[flag]
            if self.cycle > self.walk_until and request and self.before["ready"][request[1]]:
                self.requests[flag] = None
                self.walk(flag, *request)

    def walk(self, flag: str, slot: int, bank: int, number: int) -> None:
        item, s, f = self.passes[slot], self.config.feedback.nonzeros, self.cycle
        common = {"slot": slot, "bank": bank, "correction": int(flag == "corrected")}
        scalars, every, head = item.active_tiles * s, self.config.lane_interval, f + self.config.latency.walk
        for tile in range(item.active_tiles):
            fields = {"op": SCALAR, "index": tile, "count": 0, "value": self.scalar(slot, tile, bank)}
            self.feedback(head + (tile + 1) * s, common | fields)
        for lane in range(item.active_lanes):
            fields = {"op": DELTA, "index": lane, "count": item.tiles_of_lane(lane), "value": 0}
            self.feedback(head + 1 + scalars + lane * every, common | fields)
        # A row decided then has its deltas when it comes to the lanes.
        late = max(0, self.config.latency.delta + every - self.config.latency.fetch)
        last = head + 1 + scalars + (item.active_lanes - 1) * every
        self.later[last + late].append(partial(self.served, flag, number))
        self.walk_until = last + late - 1 if self.config.latency.serial else f + scalars + item.active_lanes * every

    def served(self, flag: str, number: int) -> None:
        if number == self.latest_request[flag]:
            self.held[f"sequencer.{flag}", None, None] = 1

    def scalar(self, slot: int, tile: int, bank: int) -> int:
        route, k = self.route[slot, tile], self.config.feedback.log2_scale
        total = sum(sign * self.g[bank][c] for c, sign in zip(route.classes, route.class_signs, strict=True))
        return sat(rhu(total, -k), self.config.formats.delta)
