"""The tile: L lanes, one error scalar, an activation unit, and what it remembers of the two samples before."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.activation import ActivationUnit
from dfarray.hw.arithmetic import (
    adder_tree,
    delay,
    fabric_product,
    fabric_product_latency,
    lookup,
    q_shape,
    round_half_up,
    saturate,
)
from dfarray.hw.decoder import Decoder
from dfarray.hw.lane import Lane, lane_activations
from dfarray.hw.packets import (
    FeedbackOperation,
    Kind,
    broadcast_packet,
    collect_token,
    feedback_word,
    partial_sum,
    return_word,
)
from dfarray.latency import DELTA
from dfarray.trace import index_bits

CHAINS = {
    "broadcast": broadcast_packet,
    "token": collect_token,
    "return": return_word,
    "partial": partial_sum,
    "feedback": feedback_word,
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
    broadcast_in, broadcast_out : packet chain, one cycle a tile
    token_in, token_out : collect token chain, two cycles a tile
    return_in, return_out : return chain, one cycle a tile; a collected word enters 2 cycles after its token
    partial_in, partial_out : output sums, one cycle a tile
    feedback_in, feedback_out : feedback chain, one cycle a tile
    """

    def __init__(self, config: Configuration, index: int, weights, signs):
        self._config, self._index, self._signs = config, index, signs
        rows = range(config.array.bank_rows)
        self.lanes = [Lane(config, k, weights[:, k].tolist(), rows) for k in range(config.array.lanes)]
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

    def elaborate(self, platform):
        m = Module()
        for k, lane in enumerate(self.lanes):
            m.submodules[f"lane_{k}"] = lane
        derivatives = self._derivative_memory(m)
        self._broadcast(m)
        self._activate(m, derivatives.write_port())
        self._collect(m)
        self._feedback(m, derivatives.read_port())
        return m

    def _broadcast(self, m):
        m.submodules.decoder = decoder = Decoder(self._config, self._index)
        m.d.comb += [decoder.packet_in.eq(self.broadcast_in), self.broadcast_out.eq(decoder.packet_out)]
        for k, lane in enumerate(self.lanes):
            m.d.comb += [
                lane.command.eq(decoder.command),
                lane.load.eq(decoder.load[k]),
                lane.swap.eq(decoder.swap),
            ]
        self._activation_start = decoder.activation_start
        total = adder_tree(m, [lane.product for lane in self.lanes], "product_sum")
        m.d.sync += [
            self.partial.valid.eq(decoder.partial_valid),
            self.partial.value.eq(self.partial_in.value + total),
        ]
        m.d.comb += self.partial_out.eq(self.partial)

    def _derivative_memory(self, m):
        shape = unsigned(self._config.formats.activation.fraction_bits + 1)
        depth = 2 << (index_bits(len(self._config.passes)) + index_bits(self._config.array.lanes))
        m.submodules.derivatives = memory = Memory(shape=shape, depth=depth, init=[])
        return memory

    def _place(self, slot, lane):
        return Cat(lane[: index_bits(self._config.array.lanes)], slot)

    def _activate(self, m, derivative_write):
        """Lane after lane: sum and correction to activation, which joins those of the two samples before."""
        config, formats, lanes = self._config, self._config.formats, self.lanes
        start = self._activation_start
        slot, parity = Signal.like(start.slot), Signal()
        active, lane = Signal(), Signal(index_bits(len(lanes)))
        # Cycle h + Y: the first lane's registers are read.
        now, last = Signal(), Signal()
        m.d.comb += [now.eq(start.valid | active), last.eq(lane == len(lanes) - 1)]
        m.d.sync += active.eq(now & ~last)
        m.d.sync += lane.eq(Mux(now & ~last, lane + 1, 0))
        with m.If(start.valid):
            m.d.sync += [slot.eq(start.slot), parity.eq(start.parity)]
        this_slot = Mux(start.valid, start.slot, slot)
        this_parity = Mux(start.valid, start.parity, parity)

        # Select, subtract, round, saturate: a cycle each.
        total = delay(m, Array(lane.result for lane in lanes)[lane], 1, "selected_result")
        correction = delay(m, Array(lane.correction for lane in lanes)[lane], 1, "selected_correction")
        difference = delay(m, total - correction, 1, "difference")
        shift = formats.product_fraction - formats.preactivation.fraction_bits
        exact = delay(m, round_half_up(difference, shift), 1, "rounded_z")
        z = delay(m, saturate(m, exact, formats.preactivation.width, "exact_z"), 1, "z")
        m.submodules.activation = activation = ActivationUnit(config)
        m.d.comb += activation.z.eq(z)

        # What the neuron answered in the two sweeps before; read in time, written with the new activation.
        value = q_shape(formats.activation)
        history = data.StructLayout({"newer": value, "older": value})
        depth = 1 << (index_bits(len(config.passes)) + index_bits(len(lanes)))
        m.submodules.history = memory = Memory(shape=history, depth=depth, init=[])
        read, write = memory.read_port(), memory.write_port()
        place = self._place(this_slot, lane)
        steps = 4 + activation.latency
        strobe = delay(m, now, steps, "activation_strobe", reset_less=False)
        m.d.comb += read.addr.eq(delay(m, place, steps - 1, "history_place"))
        at = delay(m, read.addr, 1, "activation_place")
        bank = delay(m, this_parity, steps, "activation_parity")
        counts = [item.neurons for item in config.passes]
        exists = self._exists(m, place, counts)
        present = delay(m, exists, steps, "activation_present")
        m.d.comb += [
            write.en.eq(strobe),
            write.addr.eq(at),
            write.data.newer.eq(activation.value),
            write.data.older.eq(read.data.newer),
            derivative_write.en.eq(strobe),
            derivative_write.addr.eq(Cat(at, bank)),
            derivative_write.data.eq(activation.derivative),
        ]
        for k, target in enumerate(lanes):
            register = self.activations[k]
            with m.If(strobe & (at[: index_bits(len(lanes))] == k)):
                m.d.sync += register.eq(0)
                with m.If(present):
                    m.d.sync += [
                        register.current.eq(activation.value),
                        register.gram.eq(read.data.newer),
                        register.update.eq(read.data.older),
                    ]
            m.d.comb += target.activations.eq(register)

    def _exists(self, m, place, counts):
        """Whether a neuron lives in the place (slot, lane) of this tile."""
        lane_bits = index_bits(len(self.lanes))
        places = range(len(counts) << lane_bits)
        lives = [
            int((index & ((1 << lane_bits) - 1)) * self._config.array.tiles + self._index < counts[index >> lane_bits])
            for index in places
        ]
        return lookup(m, place, lives, "lives")

    def _collect(self, m):
        config = self._config
        token = Signal(collect_token(config))
        m.d.sync += [token.eq(self.token_in), self.token_out.eq(token)]
        word = Signal(return_word(config))
        results = Array(lane.result for lane in self.lanes)
        activations = Array(lane.activations.current for lane in self.lanes)
        m.d.sync += [
            word.valid.eq(token.valid & (token.count > self._index)),
            word.kind.eq(token.kind),
            word.value.eq(Mux(token.kind == Kind.WEIGHT, results[token.lane], activations[token.lane])),
            self.returned.eq(Mux(word.valid, word, self.return_in)),
        ]
        m.d.comb += self.return_out.eq(self.returned)

    def _feedback(self, m, read):
        config, formats = self._config, self._config.formats
        fraction = formats.activation.fraction_bits
        word = Signal(feedback_word(config))
        m.d.sync += word.eq(self.feedback_in)
        m.d.comb += self.feedback_out.eq(word)
        with m.If((word.op == FeedbackOperation.SCALAR) & (word.index == self._index)):
            m.d.sync += self.error_scalar.eq(word.value)

        compute = (word.op == FeedbackOperation.DELTA) & (word.count > self._index)
        place = self._place(word.slot, word.index)
        m.d.comb += read.addr.eq(Cat(place, word.bank))
        derivative = delay(m, Cat(read.data, Const(0, 1)).as_signed(), 1, "derivative")
        scalar = delay(m, self.error_scalar, 2, "scalar")
        product = fabric_product(m, scalar, derivative, "slope")
        rounded = delay(m, round_half_up(product, fraction), 1, "rounded_delta")
        # Read, register, multiply, round, and the sign.
        steps = 3 + fabric_product_latency(len(derivative)) + 1
        negative = delay(m, self._negative(place), steps - 1, "negative")
        signed_delta = delay(m, Mux(negative, -rounded, rounded), 1, "signed_delta")
        scaled = saturate(m, signed_delta, formats.delta.width, "exact_delta")
        spare = DELTA - 1 - steps
        scaled = delay(m, scaled, spare, "scaled_delta")
        strobe = delay(m, compute, steps + spare, "delta_strobe", reset_less=False)
        lane = delay(m, word.index[: index_bits(len(self.lanes))], steps + spare, "delta_lane")
        correction = delay(m, word.correction, steps + spare, "delta_correction")
        for k, target in enumerate(self.lanes):
            here = strobe & (lane == k)
            m.d.comb += [
                target.shadow.enable.eq(here & ~correction),
                target.shadow.value.eq(scaled),
                target.correcting.enable.eq(here & correction),
                target.correcting.value.eq(scaled),
            ]

    def _negative(self, place):
        """Whether b of the neuron in that slot and lane is negative."""
        lane_bits = index_bits(len(self.lanes))
        mask = sum(1 << (s << lane_bits | k) for (s, k), sign in self._signs.items() if sign < 0)
        return Const(mask, 1 << len(place)).bit_select(place, 1)
