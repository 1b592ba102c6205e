"""The decoder: a tile's hop register, and its packet turned into commands at the pipeline stages that use them."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import any_of, delay
from dfarray.hw.bias_lane import bias_command
from dfarray.hw.lane import lane_command
from dfarray.hw.noise import STEPS_A_TILE, lfsr_steps
from dfarray.hw.packets import Operation, broadcast_packet, late_packet, lateness


class RowDecoder(wiring.Component):
    """Passes packets on, and decodes what every tile takes part in: output rows, and loading and reading of weights.

    Parameters
    ----------
    config : Configuration
    index : int
        The tile's position.
    lanes : int
    command : data.StructLayout
        At least ``address``, ``value``, ``output_update``, ``loads``, ``loaded``, ``write_address``, ``gram`` of
        :func:`dfarray.hw.lane.lane_command`, and ``noise`` if rounding is stochastic.
    more : dict
        Further ports.

    Attributes
    ----------
    packet_in, packet_out : broadcast_packet
    late_in, late_out : late_packet
        One cycle; the noise changes on its way.
    command : Out(command)
    load : Out, one bit a lane
        A cycle after the command.
    partial_valid : Out(1)
        With the sum of the lanes' products, a cycle before the partial register has the sum over the tiles, which is
        E + ceil(log2 lanes of the array's tiles) cycles after a wanted output row in the hop register.
    """

    def __init__(self, config: Configuration, index: int, lanes: int, command: data.StructLayout, more: dict):
        self._config, self._index = config, index
        super().__init__(
            {
                "packet_in": In(broadcast_packet(config)),
                "packet_out": Out(broadcast_packet(config)),
                "late_in": In(late_packet(config)),
                "late_out": Out(late_packet(config)),
                "command": Out(command),
                "load": Out(lanes),
                "partial_valid": Out(1),
                **more,
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, latency = self._config, self._config.latency
        stochastic = config.training.rounding is Rounding.STOCHASTIC
        self._packet = packet = Signal(broadcast_packet(config), name="packet")  # The hop register.
        self._late = late = Signal(late_packet(config), name="late")
        self._stage = stage = Signal(packet.shape(), name="stage", reset_less=True)
        m.d.comb += [self.packet_out.eq(packet), self.late_out.eq(late)]
        m.d.sync += [packet.eq(self.packet_in), late.eq(self.late_in), stage.eq(packet)]

        inside = self._inside(m)
        self._output_row = self._beside_hop(m, "output_row", Operation.OUT, Operation.OUT_FUSED, Operation.GRAM)
        load = self._beside_hop(m, "load_weight", Operation.LOAD)
        load_here = self._flag(m, "load_here", inside & load & (packet.tile == self._index))
        for k in range(len(self.load)):
            m.d.sync += self.load[k].eq(load_here & (stage.lane == k))

        align, command, arrives = latency.align, self.command, lateness(config)["payload"]
        loads = self._flag(m, "loads", load)
        gram = self._flag(m, "gram", self._beside_hop(m, "gram_row", Operation.GRAM))
        fused = self._flag(m, "output_fused", self._beside_hop(m, "out_fused", Operation.OUT_FUSED) & inside)
        self._late_payload = data.View(packet.shape()["payload"].shape, delay(m, late.payload, 1, "late_payload"))
        m.d.comb += [
            command.address.eq(delay(m, stage.address, latency.read, "address")),
            command.value.eq(stage.payload.value),
            command.output_update.eq(fused),
            command.loads.eq(delay(m, loads, arrives - 1, "loads")),
            command.loaded.eq(self._late_payload.value[: len(command.loaded)]),
            command.write_address.eq(late.address),
            command.gram.eq(delay(m, gram, align - 1, "gram", reset_less=False)),
        ]
        if stochastic:
            m.d.comb += [
                self.late_out.noise.eq(lfsr_steps(late.noise, STEPS_A_TILE)),
                command.noise.eq(delay(m, late.noise, 1, "noise")),
            ]
        # The hop register is cycle h, the stage after it h + 1.
        wanted = self._flag(m, "wanted", self._output_row & packet.last)
        tree = max(0, (config.array.lanes - 1).bit_length())
        m.d.comb += self.partial_valid.eq(delay(m, wanted, latency.sum + tree - 2, "wanted", reset_less=False))
        return m

    def _inside(self, m):
        """Whether the packet's row is here."""
        raise NotImplementedError

    def _beside_hop(self, m, name, *operations):
        """A register beside the hop register, so that all lanes are near it: whether the packet is one of these."""
        return self._flag(m, name, any_of(self.packet_in.op == operation for operation in operations))

    @staticmethod
    def _flag(m, name, condition):
        decoded = Signal(name=name)
        m.d.sync += decoded.eq(condition)
        return decoded


class Decoder(RowDecoder):
    """Of a tile of lanes, where every row is: hidden rows and ACTIVATEs, too.

    Parameters
    ----------
    config : Configuration
    index : int
        The tile's position.

    Attributes
    ----------
    command : Out(lane_command)
    swap : Out(1)
    activation_start : Out {valid, slot, parity}
        Y cycles after an ACTIVATE in the hop register.
    activation_next : Out(1)
        ``activation_start.valid`` of the next cycle.
    activation_ahead : Out {valid, slot}
        So long before that activations to update with are there ``early`` cycles before the new ones.
    """

    def __init__(self, config: Configuration, index: int):
        slot = broadcast_packet(config)["slot"].shape
        more = {
            "swap": Out(1),
            "activation_start": Out(data.StructLayout({"valid": 1, "slot": slot, "parity": 1})),
            "activation_next": Out(1),
            "activation_ahead": Out(data.StructLayout({"valid": 1, "slot": slot})),
        }
        super().__init__(config, index, config.array.lanes, lane_command(config), more)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        latency, packet, stage = self._config.latency, self._packet, self._stage
        activates = self._beside_hop(m, "activates", Operation.ACTIVATE)
        hidden = self._beside_hop(m, "hidden", Operation.FORWARD, Operation.FUSED, Operation.READ)
        forward = self._flag(m, "forward", hidden)
        fused = self._flag(m, "fused", self._beside_hop(m, "hidden_fused", Operation.FUSED))
        output, activate = self._flag(m, "output", self._output_row), self._flag(m, "activate", activates)
        factor = Signal.like(self.command.factor, reset_less=True)
        m.d.sync += factor.eq(Mux(activates, packet.payload.value, packet.payload.x.prev))

        align, multiply = latency.align, latency.multiply
        sum_stage = align + 1 + multiply
        command, arrives = self.command, lateness(self._config)["payload"]
        m.d.comb += [
            self.swap.eq(packet.swap),
            command.factor.eq(factor),
            command.output.eq(self._output_row),
            command.activate.eq(activates),
            command.correct.eq(stage.first),
            command.update.eq(fused),
            command.x_cur.eq(delay(m, self._late_payload.x.cur, align + 1 - arrives, "x_cur")),
            command.output_forward.eq(delay(m, output, align, "output", reset_less=False)),
            command.accumulate.eq(delay(m, forward, sum_stage - 1, "accumulate", reset_less=False)),
            command.capture.eq(delay(m, forward & stage.last, sum_stage - 1, "capture", reset_less=False)),
            command.correction.eq(delay(m, activate, multiply - 1, "correction", reset_less=False)),
        ]
        start, ahead = self.activation_start, self.activation_ahead
        before = latency.correct - 1 + latency.activated - latency.history - latency.early
        m.d.comb += [
            ahead.valid.eq(delay(m, activate, before, "activation_ahead", reset_less=False)),
            ahead.slot.eq(delay(m, stage.slot, before, "activation_slot_ahead")),
            self.activation_next.eq(delay(m, activate, latency.correct - 2, "activation", reset_less=False)),
            start.valid.eq(delay(m, self.activation_next, 1, "activation_starts", reset_less=False)),
            start.slot.eq(delay(m, stage.slot, latency.correct - 1, "activation_slot")),
            start.parity.eq(delay(m, stage.parity, latency.correct - 1, "activation_parity")),
        ]
        return m

    def _inside(self, m):
        return Const(1)


class BiasDecoder(RowDecoder):
    """Of the bias tile, which takes part in output rows, loading and reading of the biases' rows and nowhere else.

    Parameters
    ----------
    config : Configuration
    biases : range
        Bank rows.

    Attributes
    ----------
    command : Out(bias_command)
    takes_part : Out(1)
        Whether a packet's row is here, align + 1 cycles after its lane stage.
    reads : Out(1)
        With ``takes_part``: the packet is a READ.
    """

    def __init__(self, config: Configuration, biases: range):
        self._biases = biases
        more = {"takes_part": Out(1), "reads": Out(1)}
        super().__init__(config, config.array.tiles, 1, bias_command(config), more)

    def elaborate(self, platform):
        m = super().elaborate(platform)
        align = self._config.latency.align
        reads = self._flag(m, "reads", self._packet.op == Operation.READ)
        m.d.comb += [
            self.takes_part.eq(delay(m, self._here, align + 1, "takes_part")),
            self.reads.eq(delay(m, reads, align + 1, "reads", reset_less=False)),
        ]
        return m

    def _inside(self, m):
        inside, address = Signal(name="inside"), self._packet.address
        m.d.comb += inside.eq((address >= self._biases.start) & (address < self._biases.stop))
        self._here = self._flag(m, "here", inside)
        return inside
