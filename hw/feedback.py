"""The sparse feedback network: one error scalar to each tile in each pass."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.feedback import routes
from dfarray.hw.arithmetic import delay, lookup, q_shape, round_half_up, saturate
from dfarray.hw.packets import FeedbackOperation, feedback_word, hidden_slots
from dfarray.trace import index_bits


def connections(config: Configuration) -> tuple[list[tuple[int, int]], list[int]]:
    """The generated topology: (class, sign) of every connection in the order in which they are walked.

    Returns
    -------
    list of (class, +-1), and for every slot the index of its first connection.
    """
    walked, starts = [], []
    by_slot = {}
    for route in routes(config):
        by_slot.setdefault(route.slot, []).append(route)
    for item in config.passes:
        starts.append(len(walked))
        if item.output:
            walked += [(item.first_neuron + tile, 1) for tile in range(item.active_tiles)]
        else:
            walked += [
                pair for route in by_slot[item.slot] for pair in zip(route.classes, route.class_signs, strict=True)
            ]
    return walked, starts


class FeedbackNetwork(wiring.Component):
    """Walks the connections of one pass and sends each tile its scalar, then each lane its order.

    Only the classes a tile is connected to are read; a tile gets one word however many classes feed it.

    Attributes
    ----------
    request : In(1)
        Start delivering ``slot``; clears ``delivered``.
    slot : In
    frozen : In(1)
        With ``request``: the slot's layer does not learn, nothing is sent.
    delivered : Out(1)
        From the cycle of the last word.
    read_class : Out
    scaled_error : In(delta)
        Error of the ``read_class`` of the cycle before.
    word : Out(feedback_word)
        Head of the feedback chain; first word 4 + nonzeros cycles after ``request``.
    """

    def __init__(self, config: Configuration):
        self._config = config
        delta = q_shape(config.formats.delta)
        super().__init__(
            {
                "request": In(1),
                "slot": In(index_bits(len(config.passes))),
                "frozen": In(1),
                "delivered": Out(1),
                "read_class": Out(index_bits(config.network.classes)),
                "scaled_error": In(delta),
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
                    "slot": len(self.slot),
                    "count": len(self.word.count),
                }
            )
        )
        connection = self._walk(m, step, starts)

        class_bits = index_bits(config.network.classes)
        m.submodules.topology = rom = Memory(
            shape=data.StructLayout({"class": class_bits, "negative": 1}),
            depth=len(walked),
            init=[{"class": c, "negative": int(sign < 0)} for c, sign in walked],
        )
        entry = rom.read_port()
        m.d.comb += [entry.addr.eq(connection), self.read_class.eq(entry.data["class"])]
        negative = delay(m, entry.data.negative, 1, "negative")

        addend = delay(m, step, 2, "addend", reset_less=False)
        summed = delay(m, step, 3, "summed", reset_less=False)
        total = Signal(signed(config.formats.delta.width + config.feedback.nonzeros.bit_length()), reset_less=True)
        m.d.sync += total.eq(Mux(addend.first, 0, total) + Mux(negative, -self.scaled_error, self.scaled_error))

        word = self.word
        m.d.sync += [
            word.op.eq(FeedbackOperation.IDLE),
            word.index.eq(summed.index),
            word.slot.eq(summed.slot),
            word.count.eq(summed.count),
            word.value.eq(0),
        ]
        with m.If(summed.scalar & summed.complete):
            m.d.sync += [word.op.eq(FeedbackOperation.SCALAR), word.value.eq(self._scaled(m, total, summed.slot))]
        with m.If(summed.delta):
            m.d.sync += word.op.eq(FeedbackOperation.DELTA)
        with m.If(summed.final):
            m.d.sync += self.delivered.eq(1)
        with m.If(self.request):
            m.d.sync += self.delivered.eq(self.frozen)
        return m

    def _scaled(self, m, total, slot):
        width, k = self._config.formats.delta.width, self._config.feedback.log2_scale
        scaled = total << k if k >= 0 else round_half_up(total, -k)
        hidden = slot < hidden_slots(self._config)
        return Mux(hidden, saturate(m, scaled, width, "hidden_scalar"), saturate(m, total, width, "output_scalar"))

    def _walk(self, m, step, starts):
        """Count through one slot: its connections tile by tile, then its lanes. Returns the connection's index."""
        config = self._config
        passes = config.passes
        slot = Signal.like(self.slot)
        scalars, deltas = Signal(), Signal()
        connection = Signal(range(max(2, starts[-1] + passes[-1].active_tiles)))
        tile, lane = Signal(index_bits(config.array.tiles)), Signal(index_bits(config.array.lanes))
        nonzero = Signal(index_bits(config.feedback.nonzeros))

        last_tile = lookup(m, slot, [item.active_tiles - 1 for item in passes], "last_tile")
        last_lane = lookup(m, slot, [item.active_lanes - 1 for item in passes], "last_lane")
        last_count = lookup(m, slot, [item.tiles_of_lane(item.active_lanes - 1) for item in passes], "last_count")
        last_nonzero = Mux(slot < hidden_slots(config), config.feedback.nonzeros - 1, 0)
        start = lookup(m, self.slot, starts, "first_connection")

        m.d.comb += [
            step.scalar.eq(scalars),
            step.first.eq(nonzero == 0),
            step.complete.eq(nonzero == last_nonzero),
            step.delta.eq(deltas),
            step.final.eq(deltas & (lane == last_lane)),
            step.index.eq(Mux(deltas, lane, tile)),
            step.slot.eq(slot),
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
            with m.If(step.final):
                m.d.sync += deltas.eq(0)
        with m.If(self.request):
            m.d.sync += [
                slot.eq(self.slot),
                connection.eq(start),
                tile.eq(0),
                nonzero.eq(0),
                lane.eq(0),
                scalars.eq(~self.frozen),
            ]
        return connection
