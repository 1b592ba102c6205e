"""The tile: L lanes, one error scalar, an activation unit with the stored derivatives."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.activation import ActivationUnit
from dfarray.hw.arithmetic import delay, q_shape, round_half_up, saturate
from dfarray.hw.lane import Lane, lane_command
from dfarray.hw.noise import STEPS_A_TILE, lfsr_steps
from dfarray.hw.packets import (
    FeedbackOperation,
    Kind,
    Operation,
    broadcast_packet,
    collect_token,
    feedback_word,
    hidden_slots,
    return_word,
)
from dfarray.trace import index_bits


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
    return_in, return_out : return chain, one cycle a tile; a collected word enters 4 cycles after its token
    feedback_in, feedback_out : feedback chain, one cycle a tile
    """

    def __init__(self, config: Configuration, index: int, weights, signs):
        self._config, self._index, self._signs = config, index, signs
        self.lanes = [Lane(config, k, weights[:, k].tolist()) for k in range(config.array.lanes)]
        self.error_scalar = Signal(q_shape(config.formats.delta))
        self.returned = Signal(return_word(config))
        chains = {
            "broadcast": broadcast_packet(config),
            "token": collect_token(config),
            "return": return_word(config),
            "feedback": feedback_word(config),
        }
        super().__init__(
            {f"{name}_{end}": flow(shape) for name, shape in chains.items() for end, flow in (("in", In), ("out", Out))}
        )

    def elaborate(self, platform):
        m = Module()
        for k, lane in enumerate(self.lanes):
            m.submodules[f"lane_{k}"] = lane
        self._broadcast(m)
        derivatives = self._derivative_memory(m)
        self._collect(m, derivatives)
        self._feedback(m, derivatives)
        return m

    def _broadcast(self, m):
        stochastic = self._config.training.rounding is Rounding.STOCHASTIC
        packet = Signal(broadcast_packet(self._config))  # The hop register.
        m.d.sync += packet.eq(self.broadcast_in)
        m.d.comb += self.broadcast_out.eq(packet)
        if stochastic:
            m.d.comb += self.broadcast_out.noise.eq(lfsr_steps(packet.noise, STEPS_A_TILE))

        sweep, forward, loads = Signal(), Signal(), Signal()
        stage = Signal(broadcast_packet(self._config))
        m.d.comb += sweep.eq((packet.op == Operation.FORWARD) | (packet.op == Operation.FUSED))
        m.d.sync += [
            stage.eq(packet),
            forward.eq(sweep | (packet.op == Operation.READ)),
            loads.eq(packet.op == Operation.LOAD),
        ]
        align, multiply = self._config.latency.align, self._config.latency.multiply
        sum_stage = align + 1 + multiply
        command = Signal(lane_command(self._config))
        m.d.comb += [
            command.address.eq(stage.address),
            command.x_prev.eq(stage.payload.x.prev),
            command.update.eq(stage.op == Operation.FUSED),
            command.load_weight.eq(stage.payload.weight),
            command.write_address.eq(Mux(loads, stage.address, delay(m, stage.address, align, "address"))),
            command.x_cur.eq(delay(m, stage.payload.x.cur, align + 1, "x_cur")),
            command.accumulate.eq(delay(m, forward, sum_stage, "accumulate", reset_less=False)),
            command.first.eq(delay(m, stage.first, sum_stage, "first")),
            command.capture.eq(delay(m, forward & stage.last, sum_stage + 1, "capture", reset_less=False)),
        ]
        if stochastic:
            m.d.comb += command.noise.eq(delay(m, stage.noise, multiply, "noise"))
        for k, lane in enumerate(self.lanes):
            load = Signal(name=f"load_{k}")
            m.d.sync += load.eq((packet.op == Operation.LOAD) & (packet.tile == self._index) & (packet.lane == k))
            m.d.comb += [
                lane.command.eq(command),
                lane.load.eq(load),
                lane.swap.eq(sweep & packet.first),
            ]

    def _derivative_memory(self, m):
        slots = hidden_slots(self._config)
        if slots == 0:
            return None
        shape = unsigned(self._config.formats.activation.fraction_bits + 1)
        depth = slots << index_bits(self._config.array.lanes)
        m.submodules.derivatives = memory = Memory(shape=shape, depth=depth, init=[])
        return memory

    def _place(self, slot, lane):
        return Cat(lane[: index_bits(self._config.array.lanes)], slot)

    def _collect(self, m, derivatives):
        config, formats = self._config, self._config.formats
        token = Signal(collect_token(config))
        m.d.sync += [token.eq(self.token_in), self.token_out.eq(token)]

        result = Signal.like(self.lanes[0].result)
        hit = Signal()
        m.d.sync += [
            result.eq(Array(lane.result for lane in self.lanes)[token.lane]),
            hit.eq(token.valid & (token.count > self._index)),
        ]
        kind, slot, lane = (delay(m, token[field], 1, f"token_{field}") for field in ("kind", "slot", "lane"))

        def at(fmt, name):
            rounded = round_half_up(result, formats.product_fraction - fmt.fraction_bits)
            return saturate(m, rounded, fmt.width, name)

        word = Signal(return_word(config))
        z = Signal(q_shape(formats.preactivation))
        m.d.sync += [
            z.eq(at(formats.preactivation, "exact_z")),
            word.valid.eq(hit),
            word.kind.eq(kind),
            word.value.eq(Mux(kind == Kind.WEIGHT, result, at(formats.logit, "exact_logit"))),
        ]
        ready = delay(m, word, 1, "ready", reset_less=False)
        value = Signal.like(word.value, name="emitted_value")
        m.d.comb += value.eq(ready.value)
        if derivatives is not None:
            m.submodules.activation = activation = ActivationUnit(config)
            write = derivatives.write_port()
            slot, lane = delay(m, slot, 2, "activated_slot"), delay(m, lane, 2, "activated_lane")
            m.d.comb += [
                activation.z.eq(z),
                write.en.eq(ready.valid & (ready.kind == Kind.HIDDEN)),
                write.addr.eq(self._place(slot, lane)),
                write.data.eq(activation.derivative),
            ]
            with m.If(ready.kind == Kind.HIDDEN):
                m.d.comb += value.eq(activation.value)
        m.d.sync += self.returned.eq(self.return_in)
        with m.If(ready.valid):
            m.d.sync += [self.returned.valid.eq(1), self.returned.kind.eq(ready.kind), self.returned.value.eq(value)]
        m.d.comb += self.return_out.eq(self.returned)

    def _feedback(self, m, derivatives):
        config, formats = self._config, self._config.formats
        fraction = formats.activation.fraction_bits
        word = Signal(feedback_word(config))
        m.d.sync += word.eq(self.feedback_in)
        m.d.comb += self.feedback_out.eq(word)
        with m.If((word.op == FeedbackOperation.SCALAR) & (word.index == self._index)):
            m.d.sync += self.error_scalar.eq(word.value)

        compute = (word.op == FeedbackOperation.DELTA) & (word.count > self._index)
        strobe = delay(m, compute, 2, "delta_strobe", reset_less=False)
        lane = delay(m, word.index, 2, "delta_lane")
        scaled = Signal(q_shape(formats.delta))
        if derivatives is None:
            m.d.comb += scaled.eq(delay(m, self.error_scalar, 1, "scalar"))
        else:
            read = derivatives.read_port()
            place = self._place(word.slot, word.index)
            m.d.comb += read.addr.eq(place)
            output = delay(m, word.slot >= hidden_slots(config), 1, "output")
            derivative = Signal(fraction + 2)
            m.d.comb += derivative.eq(Mux(output, 1 << fraction, read.data))
            product = self.error_scalar * derivative.as_signed()
            rounded = Signal.like(product, reset_less=True)
            m.d.sync += rounded.eq(round_half_up(product, fraction))
            negative = delay(m, self._negative(place, word.slot), 2, "negative")
            m.d.comb += scaled.eq(saturate(m, Mux(negative, -rounded, rounded), formats.delta.width, "signed_delta"))
        for k, target in enumerate(self.lanes):
            m.d.comb += [
                target.shadow.enable.eq(strobe & (lane == k)),
                target.shadow.value.eq(scaled),
            ]

    def _negative(self, place, slot):
        """Whether b of the neuron in that slot and lane is negative; output neurons have none."""
        lane_bits = index_bits(self._config.array.lanes)
        mask = sum(1 << (s << lane_bits | k) for (s, k), sign in self._signs.items() if sign < 0)
        bits = hidden_slots(self._config) << lane_bits
        return (slot < hidden_slots(self._config)) & Const(mask, bits).bit_select(place, 1)
