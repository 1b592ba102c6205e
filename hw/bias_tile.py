"""The bias tile: the end of the chains, one lane for the output biases, whose presynaptic activation is always one."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay
from dfarray.hw.bias_lane import BiasLane
from dfarray.hw.decoder import BiasDecoder
from dfarray.hw.packets import (
    Kind,
    broadcast_packet,
    collect_token,
    late_packet,
    partial_sum,
    return_word,
    tile_events,
)
from dfarray.hw.partial_chain import partial_hop
from dfarray.trace import index_bits


def bias_ports(config: Configuration) -> dict:
    """The last tile's chains and the exit."""
    return {
        "broadcast_in": In(broadcast_packet(config)),
        "late_in": In(late_packet(config)),
        "token_in": In(collect_token(config)),
        "return_in": In(return_word(config)),
        "return_out": Out(return_word(config)),
        "weight_leaves": Out(1),
        "partial_in": In(partial_sum(config)),
        "partial_out": Out(partial_sum(config)),
        "events_in": In(tile_events(config)),
        "events_out": Out(tile_events(config)),
    }


class BiasTile(wiring.Component):
    """Tile T: adds b_c to the output sums and learns it like any output weight.

    Parameters
    ----------
    config : Configuration
    biases : sequence of int
        Initial output biases, weight codes.

    Attributes
    ----------
    broadcast_in, late_in, token_in, return_in, partial_in, events_in : In
        From the last tile; timing as in :class:`dfarray.hw.tile.Tile`.
    return_out, partial_out, events_out : Out
        The exit; the partial whole.
    weight_leaves : Out(1)
        The word at the exit is a weight; a register of its own, for all that it is written to.
    """

    def __init__(self, config: Configuration, biases):
        self._config = config
        base = config.output_groups[0][1]
        self._rows = range(base, base + config.network.classes)
        # Rows of other groups wrap around into it, unused: whatever their address, a word is read.
        rows = range(base, base + (1 << index_bits(config.network.classes)))
        self.lanes = [BiasLane(config, list(biases), rows)]
        self.returned = Signal(return_word(config))
        self.partial = Signal(partial_sum(config))
        super().__init__(bias_ports(config))

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.lane_0 = lane = self.lanes[0]
        m.submodules.decoder = decoder = BiasDecoder(config, self._rows)
        m.d.comb += [
            decoder.packet_in.eq(self.broadcast_in),
            decoder.late_in.eq(self.late_in),
            lane.command.eq(decoder.command),
            lane.load.eq(decoder.load),
            lane.here.eq(decoder.takes_part),
            lane.reads.eq(decoder.reads),
        ]
        levels = max(0, (config.array.lanes - 1).bit_length())
        products = delay(m, lane.product, levels, "product_sum")
        partial_hop(m, config, self.partial_in.value, products, decoder.partial_valid, self.partial)
        m.d.comb += [
            self.partial_out.eq(self.partial),
            self.events_out.eq(self.events_in),
            self.events_out.weights.eq(self.events_in.weights + lane.saturated),
        ]

        token, word = Signal(collect_token(config)), Signal(return_word(config))
        m.d.sync += [
            token.eq(self.token_in),
            word.valid.eq(token.valid & (token.count > config.array.tiles)),
            word.kind.eq(Kind.WEIGHT),
            word.value.eq(lane.weight),
            self.returned.eq(Mux(word.valid, word, self.return_in)),
            self.weight_leaves.eq(word.valid | (self.return_in.valid & (self.return_in.kind == Kind.WEIGHT))),
        ]
        m.d.comb += self.return_out.eq(self.returned)
        return m
