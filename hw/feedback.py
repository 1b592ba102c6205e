"""The sparse feedback network: one error scalar to each tile in each pass."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.feedback import routes
from dfarray.hw.arithmetic import delay, lookup, q_shape, round_half_up, saturate
from dfarray.hw.packets import FeedbackOperation, feedback_word
from dfarray.hw.sequencer import feedback_request
from dfarray.trace import index_bits


def connections(config: Configuration) -> tuple[list[tuple[int, int]], list[int]]:
    """The generated topology: (class, sign) of every connection in the order in which they are walked.

    Returns
    -------
    list of (class, +-1), and for every slot the index of its first connection.
    """
    walked, starts, by_slot = [], [], {}
    for route in routes(config):
        by_slot.setdefault(route.slot, []).append(route)
    for item in config.passes:
        starts.append(len(walked))
        walked += [pair for route in by_slot[item.slot] for pair in zip(route.classes, route.class_signs, strict=True)]
    return walked, starts


class FeedbackNetwork(wiring.Component):
    """Walks the connections of one slot and sends each tile its scalar, then each lane its order.

    Only the classes a tile is connected to are read; a tile gets one word however many classes feed it.

    Attributes
    ----------
    shadow, correction : In(feedback_request)
        Deltas for the next rows, or for the next ACTIVATE; docs/architecture.md section 4.6.
    ready : In(2)
        Whether a bank's g are complete.
    delivered, corrected : Out(1)
        From the cycle of the last word of the walk, by kind.
    read_class, read_bank : Out
    scaled_error : In(delta)
        g of the ``read_class`` of the cycle before.
    word : Out(feedback_word)
        Head of the feedback chain; first word WALK + nonzeros cycles after the start of the walk.
    """

    def __init__(self, config: Configuration):
        self._config = config
        request = feedback_request(config)
        super().__init__(
            {
                "shadow": In(request),
                "correction": In(request),
                "ready": In(2),
                "delivered": Out(1),
                "corrected": Out(1),
                "read_class": Out(index_bits(config.network.classes)),
                "read_bank": Out(1),
                "scaled_error": In(q_shape(config.formats.delta)),
                "word": Out(feedback_word(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        walked, starts = connections(config)
        step = Signal(
            data.StructLayout(
                {
                    "scalar": 1,
                    "first": 1,
                    "complete": 1,
                    "delta": 1,
                    "final": 1,
                    "index": len(self.word.index),
                    "slot": len(self.word.slot),
                    "bank": 1,
                    "correction": 1,
                    "serial": 2,
                    "count": len(self.word.count),
                }
            )
        )
        rests, begin = Signal(init=1), Signal(feedback_request(config))
        corrects, serials = self._choose(m, rests, begin)
        connection = self._walk(m, step, starts, rests, begin, corrects, Mux(corrects, serials[1], serials[0]))

        class_bits = index_bits(config.network.classes)
        m.submodules.topology = rom = Memory(
            shape=data.StructLayout({"class": class_bits, "negative": 1}),
            depth=max(2, len(walked)),
            init=[{"class": c, "negative": int(sign < 0)} for c, sign in walked],
        )
        entry = rom.read_port()
        m.d.comb += [entry.addr.eq(connection), self.read_class.eq(entry.data["class"])]
        m.d.comb += self.read_bank.eq(delay(m, step.bank, 1, "read_bank"))
        negative = delay(m, entry.data.negative, 1, "negative")

        addend = delay(m, step, 2, "addend", reset_less=False)
        summed = delay(m, step, 4, "summed", reset_less=False)
        total = Signal(signed(config.formats.delta.width + config.feedback.nonzeros.bit_length()), reset_less=True)
        m.d.sync += total.eq(Mux(addend.first, 0, total) + Mux(negative, -self.scaled_error, self.scaled_error))

        scalar = delay(m, self._scaled(m, total), 1, "scalar")
        word = self.word
        m.d.sync += [
            word.op.eq(FeedbackOperation.IDLE),
            word.index.eq(summed.index),
            word.slot.eq(summed.slot),
            word.bank.eq(summed.bank),
            word.correction.eq(summed.correction),
            word.count.eq(summed.count),
            word.value.eq(0),
        ]
        with m.If(summed.scalar & summed.complete):
            m.d.sync += [word.op.eq(FeedbackOperation.SCALAR), word.value.eq(scalar)]
        with m.If(summed.delta):
            m.d.sync += word.op.eq(FeedbackOperation.DELTA)
        # The end of a walk whose request a newer one has replaced says nothing about the newer one.
        with m.If(summed.final & ~summed.correction & (summed.serial == serials[0])):
            m.d.sync += self.delivered.eq(1)
        with m.If(summed.final & summed.correction & (summed.serial == serials[1])):
            m.d.sync += self.corrected.eq(1)
        for request, flag in ((self.shadow, self.delivered), (self.correction, self.corrected)):
            with m.If(request.valid):
                m.d.sync += flag.eq(~request.needed)
        return m

    def _choose(self, m, rests, begin):
        """Keep one request of each kind, and begin the walk of one whose g are there; corrections first."""
        kept = {name: Signal(feedback_request(self._config), name=f"kept_{name}") for name in ("shadow", "correction")}
        # Whether each may begin was found out a cycle before.
        may = {name: Signal(name=f"may_{name}") for name in kept}
        corrects = Signal()
        m.d.comb += corrects.eq(may["correction"])
        m.d.comb += begin.eq(Mux(corrects, kept["correction"].as_value(), kept["shadow"].as_value()))
        m.d.comb += begin.valid.eq(rests & (may["shadow"] | may["correction"]))
        serials = [Signal(2, name=f"serial_{name}") for name in kept]
        for name, request, serial in zip(kept, (self.shadow, self.correction), serials, strict=True):
            with m.If(request.valid):
                m.d.sync += serial.eq(serial + 1)
            begins = begin.valid & (corrects == (name == "correction"))
            there = self.ready.bit_select(kept[name].bank, 1)
            m.d.sync += may[name].eq(kept[name].valid & there & ~begins & ~request.valid)
            with m.If(begins):
                m.d.sync += kept[name].valid.eq(0)
            with m.If(request.valid):
                m.d.sync += [kept[name].eq(request), kept[name].valid.eq(request.needed)]
        return corrects, serials

    def _scaled(self, m, total):
        width, k = self._config.formats.delta.width, self._config.feedback.log2_scale
        scaled = total << k if k >= 0 else round_half_up(total, -k)
        return saturate(m, scaled, width, "scalar")

    def _walk(self, m, step, starts, rests, begin, corrects, serial):
        """Count through one slot: its connections tile by tile, then its lanes. Returns the connection's index."""
        config = self._config
        passes = config.passes
        slot, bank, correction = Signal.like(begin.slot), Signal(), Signal()
        walked_serial = Signal(2)
        scalars, deltas = Signal(), Signal()
        connections_walked = starts[-1] + passes[-1].active_tiles * config.feedback.nonzeros
        connection = Signal(range(max(2, connections_walked)))
        tile, lane = Signal(index_bits(config.array.tiles)), Signal(index_bits(config.array.lanes))
        nonzero = Signal(index_bits(config.feedback.nonzeros))
        last_tile = lookup(m, slot, [item.active_tiles - 1 for item in passes], "last_tile")
        last_lane = lookup(m, slot, [item.active_lanes - 1 for item in passes], "last_lane")
        last_count = lookup(m, slot, [item.tiles_of_lane(item.active_lanes - 1) for item in passes], "last_count")
        start = lookup(m, begin.slot, starts, "first_connection")

        m.d.comb += [
            step.scalar.eq(scalars),
            step.first.eq(nonzero == 0),
            step.complete.eq(nonzero == config.feedback.nonzeros - 1),
            step.delta.eq(deltas),
            step.final.eq(step.delta & (lane == last_lane)),
            step.index.eq(Mux(deltas, lane, tile)),
            step.slot.eq(slot),
            step.bank.eq(bank),
            step.correction.eq(correction),
            step.serial.eq(walked_serial),
            step.count.eq(Mux(deltas, Mux(lane == last_lane, last_count, config.array.tiles), 0)),
        ]
        with m.If(scalars):
            m.d.sync += [connection.eq(connection + 1), nonzero.eq(nonzero + 1)]
            with m.If(step.complete):
                m.d.sync += [nonzero.eq(0), tile.eq(tile + 1)]
                with m.If(tile == last_tile):
                    m.d.sync += [scalars.eq(0), deltas.eq(1)]
        with m.If(deltas):
            m.d.sync += lane.eq(lane + 1)
            with m.If(lane == last_lane):
                m.d.sync += [deltas.eq(0), rests.eq(1)]
        # What begins late in a cycle sets no counter to 0.
        with m.If(rests):
            m.d.sync += [tile.eq(0), nonzero.eq(0), lane.eq(0)]
        with m.If(begin.valid):
            m.d.sync += [
                rests.eq(0),
                slot.eq(begin.slot),
                bank.eq(begin.bank),
                correction.eq(corrects),
                walked_serial.eq(serial),
                connection.eq(start),
                scalars.eq(1),
            ]
        return connection
