"""The bias tile: the end of the chains, one lane for the output biases, whose presynaptic activation is always one."""

from functools import partial

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, held, odd_cycles
from dfarray.hw.decoder import Decoder
from dfarray.hw.lane import Lane
from dfarray.hw.packets import (
    Kind,
    broadcast_packet,
    collect_token,
    late_packet,
    partial_sum,
    return_word,
    tile_events,
)
from dfarray.trace import index_bits


class MultiplierByOne(wiring.Component):
    """Multiplies by ``one``, by 1 or by 0, which is all that the bias tile needs, without a multiplier block.

    Attributes
    ----------
    a, b : In
    product : Out
        ``latency`` cycles later.
    """

    def __init__(self, one: int, a, b, latency: int):
        self._one, self.latency = one, latency
        super().__init__({"a": In(a), "b": In(b), "product": Out(signed(a.width + b.width))})

    def elaborate(self, platform):
        m = Module()
        bits, behind = self._one.bit_length(), 1
        # A register before each step that has a cycle of its own.
        before, between = min(1, self.latency - behind), min(1, max(0, self.latency - behind - 1))
        a, is_one = delay(m, self.a, before, "a"), delay(m, self.b == self._one, before, "is_one")
        is_odd = delay(m, self.b[0], before, "is_odd")
        scaled = a << (bits - 1) if self._one == 1 << (bits - 1) else (a << bits) - a
        scaled, a = delay(m, scaled, between, "scaled"), delay(m, a, between, "same")
        is_one, is_odd = delay(m, is_one, between, "scales"), delay(m, is_odd, between, "keeps")
        product = Signal.like(self.product, name="exact_product")
        m.d.comb += [
            product.eq(Mux(is_one, scaled, Mux(is_odd, a, 0))),
            self.product.eq(delay(m, product, self.latency - before - between, "product")),
        ]
        return m


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
        The exit.
    """

    def __init__(self, config: Configuration, biases):
        self._config = config
        base = config.output_groups[0][1]
        self._rows = range(base, base + config.network.classes)
        # Rows of other groups wrap around into it, unused: whatever their address, a word is read.
        rows = range(base, base + (1 << index_bits(config.network.classes)))
        self.lanes = [Lane(config, 0, list(biases), rows, partial(MultiplierByOne, config.formats.activation.one))]
        self.returned = Signal(return_word(config))
        self.partial = Signal(partial_sum(config))
        super().__init__(
            {
                "broadcast_in": In(broadcast_packet(config)),
                "late_in": In(late_packet(config)),
                "token_in": In(collect_token(config)),
                "return_in": In(return_word(config)),
                "return_out": Out(return_word(config)),
                "partial_in": In(partial_sum(config)),
                "partial_out": Out(partial_sum(config)),
                "events_in": In(tile_events(config)),
                "events_out": Out(tile_events(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        one = config.formats.activation.one
        m.submodules.lane_0 = lane = self.lanes[0]
        m.submodules.decoder = decoder = Decoder(config, config.array.tiles, self._rows)
        m.d.comb += [
            decoder.packet_in.eq(self.broadcast_in),
            decoder.late_in.eq(self.late_in),
            lane.command.eq(decoder.command),
            lane.command.x_cur.eq(Mux(decoder.takes_part, decoder.command.x_cur, 0)),
            lane.load.eq(decoder.load),
            lane.activations.current.eq(Mux(decoder.takes_part, one, 0)),
            lane.activations.gram.eq(one),
            lane.activations.update.eq(one),
        ]
        levels = max(0, (config.array.lanes - 1).bit_length())
        latency = config.latency
        if latency.serial:
            odd, arrives = odd_cycles(m), latency.fetch + config.array.tiles + latency.align + latency.multiply + 3
            product = held(m, lane.product, levels, "product", odd if arrives % 2 else ~odd)
        else:
            product = delay(m, lane.product, levels, "product")
        m.d.sync += [
            self.partial.valid.eq(decoder.partial_valid),
            self.partial.value.eq(self.partial_in.value + product),
        ]
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
            word.value.eq(lane.result),
            self.returned.eq(Mux(word.valid, word, self.return_in)),
        ]
        m.d.comb += self.return_out.eq(self.returned)
        return m
