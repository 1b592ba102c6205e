"""The tile: L lanes, one error scalar, an activation unit, and what it remembers of the two samples before."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.activation import ActivationUnit
from dfarray.hw.arithmetic import (
    adder_tree,
    aligned,
    any_of,
    delay,
    fabric_product,
    fabric_product_latency,
    lookup,
    one_of,
    q_shape,
    round_half_up,
    saturate_registered,
    sign_extended,
    skewed,
    skewed_sum,
)
from dfarray.hw.blocks import block_ram
from dfarray.hw.decoder import Decoder
from dfarray.hw.lane import Lane, lane_activations
from dfarray.hw.packets import (
    FeedbackOperation,
    Kind,
    broadcast_packet,
    collect_token,
    feedback_word,
    late_packet,
    partial_sum,
    return_word,
    tile_events,
)
from dfarray.hw.partial_chain import partial_hop
from dfarray.trace import index_bits

CHAINS = {
    "broadcast": broadcast_packet,
    "late": late_packet,
    "token": collect_token,
    "return": return_word,
    "partial": partial_sum,
    "feedback": feedback_word,
    "events": tile_events,
}


class Tile(wiring.Component):
    """A pure consumer of packets, tokens and feedback words; it keeps no loop state.

    Parameters
    ----------
    config : Configuration
    index : int
        Position in the chains.
    weights : int array (rows, lanes)
        Initial bank contents, weight codes.
    signs : dict of (slot, lane) to +-1
        Sign of b of the hidden neurons that live here.

    Attributes
    ----------
    broadcast_in, broadcast_out, late_in, late_out : packet chains, one cycle a tile
    token_in, token_out : collect token chain, two cycles a tile
    return_in, return_out : return chain, one cycle a tile; a collected word enters 2 cycles after its token
    partial_in, partial_out : output sums, one cycle a tile
    feedback_in, feedback_out : feedback chain, one cycle a tile
    events_in, events_out : sums of what is counted
    """

    def __init__(self, config: Configuration, index: int, weights, signs):
        self._config, self._index, self._signs = config, index, signs
        rows = range(config.array.bank_rows)
        self.lanes = [self._lane(config, k, weights[:, k].tolist(), rows) for k in range(config.array.lanes)]
        self.error_scalar = Signal(q_shape(config.formats.delta))
        self.returned = Signal(return_word(config))
        self.partial = Signal(partial_sum(config))
        self.activations = [
            Signal(lane_activations(config), name=f"activations_{k}") for k in range(config.array.lanes)
        ]
        super().__init__(
            {
                f"{name}_{end}": flow(shape(config))
                for name, shape in CHAINS.items()
                for end, flow in (("in", In), ("out", Out))
            }
        )

    _lane, _decoder, _read, _spare = Lane, Decoder, 2, 1

    def elaborate(self, platform):
        m = Module()
        for k, lane in enumerate(self.lanes):
            m.submodules[f"lane_{k}"] = lane
        # Read for a sweep's deltas and written by its activations, never both for one neuron in a cycle.
        m.submodules.derivatives = derivatives = block_ram(
            self._config.array.family,
            unsigned(self._config.formats.activation.fraction_bits + 1),
            2 << (index_bits(len(self._config.passes)) + index_bits(len(self.lanes))),
            latency=self._read,
        )
        self._broadcast(m)
        sums = self._activate(m, derivatives)
        self._collect(m)
        zeros = self._feedback(m, derivatives)
        events, total = self.events_in, Signal.like(self.events_out)
        counts = {"weights": sum(lane.saturated for lane in self.lanes), "sums": sums, "zeros": zeros}
        m.d.sync += [
            total[name].eq(events[name] + delay(m, count, self._spare, name, reset_less=False))
            for name, count in counts.items()
        ]
        m.d.comb += self.events_out.eq(total)
        return m

    def _broadcast(self, m):
        m.submodules.decoder = decoder = self._decoder(self._config, self._index)
        m.d.comb += [
            decoder.packet_in.eq(self.broadcast_in),
            decoder.late_in.eq(self.late_in),
            self.broadcast_out.eq(decoder.packet_out),
            self.late_out.eq(decoder.late_out),
        ]
        for k, lane in enumerate(self.lanes):
            m.d.comb += [
                lane.command.eq(decoder.command),
                lane.load.eq(decoder.load[k]),
                lane.swap.eq(decoder.swap),
            ]
        self._follow(m, decoder)

    def _follow(self, m, decoder):
        """When lanes are activated, and the output rows' sums."""
        self._activation_start, self._activation_ahead = decoder.activation_start, decoder.activation_ahead
        self._activation_next = decoder.activation_next
        products = adder_tree(m, [lane.product for lane in self.lanes], "product_sum")
        passed = partial_hop(m, self._config, self.partial_in.value, products, decoder.partial_valid, self.partial)
        m.d.comb += [self.partial_out.valid.eq(self.partial.valid), self.partial_out.value.eq(passed)]

    def _place(self, slot, lane):
        return Cat(lane[: index_bits(self._config.array.lanes)], slot)

    def _activate(self, m, derivatives):
        """Lane after lane: sum and correction to activation, which joins those of the two samples before.

        Returns whether a neuron's sum saturates.
        """
        config, formats, lanes = self._config, self._config.formats, self.lanes
        start = self._activation_start
        # Lane k's registers are read in cycle h + Y + k.
        turns, place = self._turns(m, start, "place")
        for lane, following in zip(lanes, [self._activation_next, *turns], strict=False):
            m.d.comb += [lane.take_result.eq(following), lane.take_correction.eq(following)]
        parity = Signal()
        with m.If(start.valid):
            m.d.sync += parity.eq(start.parity)
        this_parity = Mux(start.valid, start.parity, parity)

        # Select, subtract, round: a cycle each, or for parts of a long sum one each.
        total = delay(m, any_of(lane.taken_result for lane in lanes), 1, "selected_result")
        correction = delay(m, any_of(lane.taken_correction for lane in lanes), 1, "selected_correction")
        parts = config.latency.accumulate
        minuend, subtrahend = (
            skewed(m, sign_extended(m, value, max(len(total), len(correction)) + 1, name), parts, name)
            for name, value in (("total", total), ("correction", correction))
        )
        difference = aligned(
            m, skewed_sum(m, minuend, subtrahend, parts, "difference", minus=True), parts, "difference"
        )
        shift = formats.product_fraction - formats.preactivation.fraction_bits
        exact = delay(m, round_half_up(difference, shift), 1, "rounded_z")
        m.submodules.activation = activation = ActivationUnit(config, len(exact))
        m.d.comb += activation.exact.eq(exact)
        rounding = parts + 2
        steps = rounding + activation.latency

        # What the neuron answered in the two sweeps before; read ahead, written with the new activation.
        value = q_shape(formats.activation)
        depth = 1 << (index_bits(len(config.passes)) + index_bits(len(lanes)))
        m.submodules.history = history = block_ram(
            config.array.family,
            data.StructLayout({"newer": value, "older": value}),
            depth,
            latency=self._read,
        )
        turns_ahead, place_ahead = self._turns(m, self._activation_ahead, "place_ahead")
        rounded = delay(m, Cat(turns).any(), rounding, "rounded_strobe", reset_less=False)
        strobe = delay(m, rounded, activation.latency, "activation_strobe", reset_less=False)
        at = delay(m, place, steps - 1, "activation_place")
        bank = delay(m, this_parity, steps, "activation_parity")
        lives = delay(m, self._exists(m, place, "lives"), rounding - 1, "rounded_lives")
        present = delay(m, lives, activation.latency, "activation_present")
        present_ahead = delay(m, self._exists(m, place_ahead, "lives_ahead"), history.latency, "present_ahead")
        # As long as the activation to update with comes before the new one.
        newer = delay(m, history.read_data.newer, config.latency.early, "newer")
        m.d.comb += [
            history.read_address.eq(place_ahead),
            history.write_enable.eq(strobe),
            history.write_address.eq(at),
            history.write_data.newer.eq(activation.value),
            history.write_data.older.eq(newer),
            derivatives.write_enable.eq(strobe),
            derivatives.write_address.eq(Cat(at, bank)),
            derivatives.write_data.eq(activation.derivative),
        ]
        before = [delay(m, turn, steps - 1, f"before_{k}", reset_less=False) for k, turn in enumerate(turns)]
        for k, target in enumerate(lanes):
            register = self.activations[k]
            with m.If(delay(m, before[k], 1, f"changes_{k}", reset_less=False)):
                m.d.sync += [register.current.eq(0), register.gram.eq(0)]
                with m.If(present):
                    m.d.sync += [register.current.eq(activation.value), register.gram.eq(newer)]
            with m.If(delay(m, turns_ahead[k], 1 + history.latency, f"changes_ahead_{k}", reset_less=False)):
                m.d.sync += register.update.eq(Mux(present_ahead, history.read_data.older, 0))
            m.d.comb += target.activations.eq(register)
        return delay(m, rounded & lives, activation.found, "sum_found", reset_less=False) & activation.saturated

    def _turns(self, m, start, name):
        """Strobes for the lanes of a slot in turn, the first with ``start``; their place a cycle later.

        Two ACTIVATEs are as many cycles apart as there are lanes.
        """
        lanes, turns, turn = len(self.lanes), [], start.valid
        for k in range(lanes):
            turn = delay(m, turn, 1, f"{name}_turn_{k}", reset_less=False) if k else turn
            turns.append(turn)
        slot = Signal.like(start.slot, name=f"{name}_slot")
        with m.If(start.valid):
            m.d.sync += slot.eq(start.slot)
        lane = one_of(turns, [Const(k, index_bits(lanes)) for k in range(lanes)])
        return turns, delay(m, self._place(Mux(start.valid, start.slot, slot), lane), 1, name)

    def _exists(self, m, place, name):
        """Whether a neuron lives in the place (slot, lane) of this tile."""
        lane_bits = index_bits(len(self.lanes))
        counts = [item.neurons for item in self._config.passes]
        places = range(len(counts) << lane_bits)
        lives = [
            int((index & ((1 << lane_bits) - 1)) * self._config.array.tiles + self._index < counts[index >> lane_bits])
            for index in places
        ]
        return lookup(m, place, lives, name)

    def _collect(self, m):
        config = self._config
        token = Signal(collect_token(config))
        m.d.sync += [token.eq(self.token_in), self.token_out.eq(token)]
        valid, kind, words = Signal(), Signal(Kind), []
        # One register in front of the choice among the lanes, one behind.
        for k, lane in enumerate(self.lanes):
            chosen = self.token_in.lane == k
            m.d.comb += [
                lane.choose_weight.eq(chosen & (self.token_in.kind == Kind.WEIGHT)),
                lane.choose_activation.eq(chosen & (self.token_in.kind == Kind.HIDDEN)),
            ]
        for name in ("weight", "activation"):
            word = Signal(self.returned.value.shape(), name=f"returned_{name}", reset_less=True)
            m.d.sync += word.eq(any_of(getattr(lane, f"chosen_{name}") for lane in self.lanes))
            words.append(word)
        m.d.sync += [
            valid.eq(token.valid & (token.count > self._index)),
            kind.eq(token.kind),
            self.returned.eq(self.return_in),
        ]
        with m.If(valid):
            m.d.sync += [
                self.returned.valid.eq(1),
                self.returned.kind.eq(kind),
                self.returned.value.eq(any_of(words)),
            ]
        m.d.comb += self.return_out.eq(self.returned)

    def _feedback(self, m, derivatives):
        """Returns whether a delta for an update is 0."""
        config = self._config
        word, mine = Signal(feedback_word(config)), Signal(name="scalar_of_this_tile")
        incoming = self.feedback_in
        m.d.sync += [
            word.eq(incoming),
            mine.eq((incoming.op == FeedbackOperation.SCALAR) & (incoming.index == self._index)),
        ]
        m.d.comb += self.feedback_out.eq(word)
        with m.If(mine):
            m.d.sync += self.error_scalar.eq(word.value)

        compute = (word.op == FeedbackOperation.DELTA) & (word.count > self._index)
        place = self._place(word.slot, word.index)
        m.d.comb += derivatives.read_address.eq(Cat(place, word.bank))
        return self._deltas(m, word, compute, derivatives, self._negative(place))

    def _deltas(self, m, word, compute, derivatives, negative):
        config, formats = self._config, self._config.formats
        fraction = formats.activation.fraction_bits
        derivative = Cat(derivatives.read_data, Const(0, 1)).as_signed()
        # The next walk's scalar comes two cycles after the last order of this one, or later: it changes the register
        # when this one's derivatives have been read.
        scalar = delay(m, self.error_scalar, max(0, derivatives.latency - 2), "scalar")
        product = fabric_product(m, scalar, derivative, "slope")
        multiplied = derivatives.latency + fabric_product_latency(len(derivative))
        negative = delay(m, negative, multiplied, "negative")
        # Minus p rounded half up is ~p rounded half up: ~p is -p - 1, and a half becomes just less than one.
        signed_product = Signal.like(product, name="signed_product")
        m.d.comb += signed_product.eq(product ^ negative.replicate(len(product)))
        if not fraction:
            signed_product = signed_product + negative
        delta = delay(m, round_half_up(signed_product, fraction), 1, "signed_delta")
        # The saturation has a register in it; then one that drives all lanes, and the lane's own.
        spare = config.delta_latency - multiplied - 3
        scaled = delay(m, saturate_registered(m, delta, formats.delta.width, "delta"), spare, "scaled_delta")
        steps = multiplied + 1 + spare
        strobe = delay(m, compute, steps, "delta_strobe", reset_less=False)
        lane = delay(m, word.index[: index_bits(len(self.lanes))], steps, "delta_lane")
        correction = delay(m, word.correction, steps, "delta_correction")
        for k, target in enumerate(self.lanes):
            here = strobe & (lane == k)
            m.d.comb += [
                target.shadow.enable.eq(delay(m, here & ~correction, 1, f"shadow_{k}", reset_less=False)),
                target.shadow.value.eq(scaled),
                target.correcting.enable.eq(delay(m, here & correction, 1, f"correcting_{k}", reset_less=False)),
                target.correcting.value.eq(scaled),
            ]
        return delay(m, strobe & ~correction, 1, "updating_strobe", reset_less=False) & (scaled == 0)

    def _negative(self, place):
        """Whether b of the neuron in that slot and lane is negative."""
        lane_bits = index_bits(len(self.lanes))
        mask = sum(1 << (s << lane_bits | k) for (s, k), sign in self._signs.items() if sign < 0)
        return Const(mask, 1 << len(place)).bit_select(place, 1)
