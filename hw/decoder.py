"""The decoder: a tile's hop register, and its packet turned into commands at the pipeline stages that use them."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import any_of, delay
from dfarray.hw.lane import lane_command
from dfarray.hw.noise import STEPS_A_TILE, lfsr_steps
from dfarray.hw.packets import Operation, broadcast_packet, late_packet, lateness


class Decoder(wiring.Component):
    """Passes packets on and decodes them.

    Parameters
    ----------
    config : Configuration
    index : int
        The tile's position.
    biases : range or None
        The bank rows of the bias tile, which takes part in output rows, loading and reading there and nowhere else.

    Attributes
    ----------
    packet_in, packet_out : broadcast_packet
    late_in, late_out : late_packet
        One cycle; the noise changes on its way.
    command : Out(lane_command)
    load : Out, one bit a lane
        A cycle after the command.
    takes_part : Out(1)
        Whether a packet's row is here, align + 1 cycles after its lane stage; always, but in the bias tile.
    swap : Out(1)
    activation_start : Out {valid, slot, parity}
        Y cycles after an ACTIVATE in the hop register.
    activation_next : Out(1)
        ``activation_start.valid`` of the next cycle.
    activation_ahead : Out {valid, slot}
        So long before that activations to update with are there ``early`` cycles before the new ones.
    partial_valid : Out(1)
        With the sum of the lanes' products, a cycle before the partial register has the sum over the tiles, which is
        E + ceil(log2 lanes of the array's tiles) cycles after a wanted output row in the hop register.
    """

    def __init__(self, config: Configuration, index: int, biases: range | None = None):
        self._config, self._index, self._biases = config, index, biases
        packet = broadcast_packet(config)
        start = data.StructLayout({"valid": 1, "slot": packet["slot"].shape, "parity": 1})
        super().__init__(
            {
                "packet_in": In(packet),
                "packet_out": Out(packet),
                "late_in": In(late_packet(config)),
                "late_out": Out(late_packet(config)),
                "command": Out(lane_command(config)),
                "load": Out(config.array.lanes if biases is None else 1),
                "takes_part": Out(1),
                "swap": Out(1),
                "activation_start": Out(start),
                "activation_next": Out(1),
                "activation_ahead": Out(data.StructLayout({"valid": 1, "slot": packet["slot"].shape})),
                "partial_valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, latency = self._config, self._config.latency
        stochastic = config.training.rounding is Rounding.STOCHASTIC
        packet = Signal(broadcast_packet(config))  # The hop register.
        late = Signal(late_packet(config))
        m.d.comb += [self.packet_out.eq(packet), self.late_out.eq(late)]
        m.d.sync += [packet.eq(self.packet_in), late.eq(self.late_in)]
        if stochastic:
            m.d.comb += self.late_out.noise.eq(lfsr_steps(late.noise, STEPS_A_TILE))

        def beside_hop(name, *operations):
            """A register beside the hop register, so that all lanes are near it: whether the packet is one of these."""
            decoded = Signal(name=name)
            m.d.sync += decoded.eq(any_of(self.packet_in.op == operation for operation in operations))
            return decoded

        m.d.comb += self.swap.eq(packet.swap)
        stage = Signal(packet.shape(), reset_less=True)
        factor = Signal.like(self.command.factor, reset_less=True)

        def flag(name, condition):
            decoded = Signal(name=name)
            m.d.sync += decoded.eq(condition)
            return decoded

        activates = beside_hop("activates", Operation.ACTIVATE)
        output_row = beside_hop("output_row", Operation.OUT, Operation.OUT_FUSED, Operation.GRAM)
        load = beside_hop("load_weight", Operation.LOAD)
        m.d.sync += [factor.eq(Mux(activates, packet.payload.value, packet.payload.x.prev)), stage.eq(packet)]
        if self._biases is None:
            inside = Const(1)
            forward = flag("forward", beside_hop("hidden", Operation.FORWARD, Operation.FUSED, Operation.READ))
        else:
            inside = Signal()
            m.d.comb += inside.eq((packet.address >= self._biases.start) & (packet.address < self._biases.stop))
            forward = flag("forward", beside_hop("read", Operation.READ))
        fused = flag("fused", beside_hop("hidden_fused", Operation.FUSED))
        output_fused = flag("output_fused", beside_hop("out_fused", Operation.OUT_FUSED) & inside)
        output = flag("output", output_row)
        wanted = flag("wanted", output_row & packet.last)
        gram = flag("gram", beside_hop("gram_row", Operation.GRAM))
        activate = flag("activate", activates)
        loads = flag("loads", load)
        load_here = flag("load_here", inside & load & (packet.tile == self._index))
        for k in range(len(self.load)):
            m.d.sync += self.load[k].eq(load_here & (stage.lane == k))

        here = flag("inside", inside)
        align, multiply = latency.align, latency.multiply
        sum_stage = align + 1 + multiply
        command, arrives = self.command, lateness(config)["payload"]
        late_payload = data.View(packet.shape()["payload"].shape, delay(m, late.payload, 1, "late_payload"))
        m.d.comb += [
            command.address.eq(delay(m, stage.address, latency.read, "address")),
            command.factor.eq(factor),
            command.value.eq(stage.payload.value),
            command.output.eq(output_row),
            command.activate.eq(activates),
            command.correct.eq(stage.first),
            command.update.eq(fused),
            command.output_update.eq(output_fused),
            command.loads.eq(delay(m, loads, arrives - 1, "loads")),
            command.loaded.eq(late_payload.value[: len(command.loaded)]),
            command.write_address.eq(late.address),
            command.gram.eq(delay(m, gram, align - 1, "gram", reset_less=False)),
            command.x_cur.eq(delay(m, late_payload.x.cur, align + 1 - arrives, "x_cur")),
            command.output_forward.eq(delay(m, output, align, "output", reset_less=False)),
            command.accumulate.eq(delay(m, forward, sum_stage - 1, "accumulate", reset_less=False)),
            command.capture.eq(delay(m, forward & stage.last, sum_stage - 1, "capture", reset_less=False)),
            command.correction.eq(delay(m, activate, multiply - 1, "correction", reset_less=False)),
        ]
        m.d.comb += self.takes_part.eq(delay(m, here, align + 1, "takes_part"))
        if stochastic:
            m.d.comb += command.noise.eq(delay(m, late.noise, 1, "noise"))
        tree = max(0, (config.array.lanes - 1).bit_length())
        # The hop register is cycle h, the stage after it h + 1.
        start, ahead = self.activation_start, self.activation_ahead
        before = latency.correct - 1 + latency.activated - latency.history - latency.early
        m.d.comb += [
            ahead.valid.eq(delay(m, activate, before, "activation_ahead", reset_less=False)),
            ahead.slot.eq(delay(m, stage.slot, before, "activation_slot_ahead")),
            self.activation_next.eq(delay(m, activate, latency.correct - 2, "activation", reset_less=False)),
            start.valid.eq(delay(m, self.activation_next, 1, "activation_starts", reset_less=False)),
            start.slot.eq(delay(m, stage.slot, latency.correct - 1, "activation_slot")),
            start.parity.eq(delay(m, stage.parity, latency.correct - 1, "activation_parity")),
            self.partial_valid.eq(delay(m, wanted, latency.sum + tree - 2, "wanted", reset_less=False)),
        ]
        return m
