"""The feedback network of a small family: a walk lasts so long that nothing of it need be kept for later."""

from amaranth.hdl import Module, Mux, Signal, signed

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, lookup
from dfarray.hw.feedback import FeedbackNetwork, connections
from dfarray.hw.packets import FeedbackOperation
from dfarray.trace import index_bits

SUMMED = 2
"""Cycles from a connection's class to the sum with its g."""


class SerialFeedback(FeedbackNetwork):
    """As :class:`dfarray.hw.feedback.FeedbackNetwork`; a walk goes on until its deltas are delivered."""

    def elaborate(self, platform):
        m = Module()
        word = self.word
        walking, begins, done = Signal(), Signal(), Signal()
        corrects, waiting = self._wait(m, begins)
        slot, bank = (Mux(corrects, correction, shadow) for shadow, correction in waiting)
        m.d.comb += [begins.eq(~walking & self._may.any()), self.read_bank.eq(word.bank)]
        self._walk(m, walking, begins, slot, done)
        with m.If(begins):
            m.d.sync += [walking.eq(1), word.slot.eq(slot), word.bank.eq(bank), word.correction.eq(corrects)]
        with m.If(done):
            m.d.sync += walking.eq(0)

        # The end of a walk whose request a newer one has replaced says nothing about the newer one.
        replaced = Signal()
        kind = Mux(begins, corrects, word.correction)
        m.d.sync += replaced.eq((replaced & ~begins) | Mux(kind, self.correction.valid, self.shadow.valid))
        ends = done & ~replaced
        for request, flag, served in (
            (self.shadow, self.delivered, ends & ~word.correction),
            (self.correction, self.corrected, ends & word.correction),
        ):
            with m.If(served):
                m.d.sync += flag.eq(1)
            with m.If(request.valid):
                m.d.sync += flag.eq(~request.needed)
        return m

    def _wait(self, m, begins):
        """Keep one request of each kind: whether a correction is first to begin; slots, banks."""
        self._may = may = Signal(2)  # Found out a cycle before.
        slots, banks = [], []
        for k, request in enumerate((self.shadow, self.correction)):
            waits, slot, bank = Signal(), Signal.like(request.slot), Signal()
            begun = begins & (may[1] == k)
            m.d.sync += may[k].eq(waits & self.ready.bit_select(bank, 1) & ~begun & ~request.valid)
            with m.If(begun):
                m.d.sync += waits.eq(0)
            with m.If(request.valid):
                m.d.sync += [waits.eq(request.needed), slot.eq(request.slot), bank.eq(request.bank)]
            slots.append(slot)
            banks.append(bank)
        return may[1], (slots, banks)

    def _walk(self, m, walking, begins, slot, done):
        """Connection after connection, tile by tile; then lane after lane, an order in some cycles."""
        config, word = self._config, self.word
        passes, nonzeros, every = config.passes, config.feedback.nonzeros, config.lane_interval
        walked, starts = connections(config)
        deltas, connection = Signal(), Signal(range(max(2, len(walked))))
        nonzero, tile = Signal(index_bits(nonzeros)), Signal(index_bits(config.array.tiles))
        lane, beat = Signal(index_bits(config.array.lanes)), Signal(range(max(every, config.delivery + SUMMED)))
        last_tile = lookup(m, word.slot, [item.active_tiles - 1 for item in passes], "last_tile")
        last_lane = lookup(m, word.slot, [item.active_lanes - 1 for item in passes], "last_lane")
        last_count = lookup(m, word.slot, [item.tiles_of_lane(item.active_lanes - 1) for item in passes], "last_count")
        start = lookup(m, slot, starts, "first_connection")
        negative = lookup(m, connection, [int(sign < 0) for _, sign in walked], "negative")
        scalars, complete, at_last_lane = Signal(), Signal(), Signal()
        m.d.comb += [
            scalars.eq(walking & ~deltas),
            complete.eq(scalars & (nonzero == nonzeros - 1)),
            at_last_lane.eq(lane == last_lane),
            done.eq(deltas & at_last_lane & (beat == config.delivery + SUMMED - 1)),
            self.read_class.eq(lookup(m, connection, [c for c, _ in walked], "connected_class")),
        ]
        with m.If(scalars):
            m.d.sync += [connection.eq(connection + 1), nonzero.eq(nonzero + 1)]
        with m.If(complete):
            m.d.sync += [nonzero.eq(0), tile.eq(tile + 1), deltas.eq(tile == last_tile)]
        with m.If(deltas):
            m.d.sync += beat.eq(beat + 1)
            with m.If(~at_last_lane & (beat == every - 1)):
                m.d.sync += [beat.eq(0), lane.eq(lane + 1)]
        with m.If(begins):
            m.d.sync += connection.eq(start)
        with m.If(done):
            m.d.sync += [deltas.eq(0), tile.eq(0), lane.eq(0), beat.eq(0)]

        first = delay(m, nonzero == 0, 1, "first")
        minus = delay(m, negative, 1, "minus")
        total = Signal(signed(config.formats.delta.width + nonzeros.bit_length()), reset_less=True)
        error = self.scaled_error.as_unsigned()
        term = (error ^ minus.replicate(len(error))).as_signed()
        m.d.sync += total.eq(Mux(first, 0, total) + term + minus)
        scalar = delay(m, complete, SUMMED, "scalar", reset_less=False)
        orders = deltas & (beat == SUMMED)
        m.d.comb += [
            word.op.eq(Mux(scalar, FeedbackOperation.SCALAR, Mux(orders, FeedbackOperation.DELTA, 0))),
            word.index.eq(Mux(scalar, delay(m, tile, SUMMED, "summed_tile"), lane)),
            word.count.eq(Mux(scalar, 0, Mux(at_last_lane, last_count, config.array.tiles))),
            word.value.eq(self._scaled(m, total)),
        ]


def make_feedback(config: Configuration) -> FeedbackNetwork:
    """The feedback network that the family wants."""
    return SerialFeedback(config) if config.latency.serial else FeedbackNetwork(config)
