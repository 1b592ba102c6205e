"""The decoder of a small family: packets come every other cycle at most, and each register keeps its value for two."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import any_of, delay, odd_cycles
from dfarray.hw.noise import STEPS_A_TILE, lfsr_steps
from dfarray.hw.packets import Operation, broadcast_packet, late_packet
from dfarray.hw.serial_lane import serial_command


def even_cycle(config: Configuration, odd: Signal, index: int, offset: int):
    """1 in cycles h + ``offset`` +- 2, ...; in h a packet may come into tile ``index``'s hop register."""
    return odd if (config.latency.fetch + 1 + index + offset) % 2 else ~odd


class SerialDecoder(wiring.Component):
    """Passes packets on and decodes them.

    Parameters
    ----------
    config : Configuration
    index : int
        The tile's position.

    Attributes
    ----------
    packet_in, packet_out : broadcast_packet
        One cycle; all but operation and ``swap`` stay for two.
    late_in, late_out : late_packet
        The payload of ``late_out`` is in the two cycles after those of ``packet_out``. The noise changes on its way.
    command : Out(serial_command)
    load : Out, one bit a lane
        2 cycles after a packet in the hop register.
    swap : Out(1)
        A cycle before the packet is in the hop register.
    activation : Out {start, slot, parity}
        ``start`` Y cycles after an ACTIVATE in the hop register; ``slot`` and ``parity`` until the next one.
    partial_valid : Out(1)
        With the sum of the lanes' products, a cycle before the partial register has the sum over the tiles.
    """

    def __init__(self, config: Configuration, index: int):
        self._config, self._index = config, index
        packet = broadcast_packet(config)
        super().__init__(
            {
                "packet_in": In(packet),
                "packet_out": Out(packet),
                "late_in": In(late_packet(config)),
                "late_out": Out(late_packet(config)),
                "command": Out(serial_command(config)),
                "load": Out(config.array.lanes),
                "swap": Out(1),
                "activation": Out(data.StructLayout({"start": 1, "slot": packet["slot"].shape, "parity": 1})),
                "partial_valid": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, latency, command = self._config, self._config.latency, self.command
        packet, late = Signal(broadcast_packet(config)), Signal(late_packet(config))
        odd = odd_cycles(m)
        m.d.comb += [self.packet_out.eq(packet), self.late_out.eq(late), self.swap.eq(self.packet_in.swap)]
        m.d.sync += [packet.op.eq(self.packet_in.op), packet.swap.eq(self.packet_in.swap)]
        address = Signal.like(packet.address, name="late_address")
        with m.If(even_cycle(config, odd, self._index, -1)):
            m.d.sync += [
                packet[name].eq(self.packet_in[name]) for name, _ in packet.shape() if name not in ("op", "swap")
            ]
        with m.If(even_cycle(config, odd, self._index, 1)):
            m.d.sync += [address.eq(packet.address), late.payload.eq(packet.payload)]

        def is_one_of(*operations):
            return any_of(packet.op == operation for operation in operations)

        def flag(condition, cycles, name):
            return delay(m, condition, cycles, name, reset_less=False)

        hidden = is_one_of(Operation.FORWARD, Operation.FUSED)
        output = is_one_of(Operation.OUT, Operation.OUT_FUSED, Operation.GRAM)
        read, activates = packet.op == Operation.READ, packet.op == Operation.ACTIVATE
        loads = flag(packet.op == Operation.LOAD, 1, "loads")
        works = flag(packet.op != Operation.IDLE, 1, "works")
        answers = flag(output, 3, "answers")
        sums = hidden | read | output
        late_payload = data.View(packet.payload.shape(), late.payload)
        m.d.comb += [
            command.address.eq(Mux(even_cycle(config, odd, self._index, 0), packet.address, address)),
            command.factor.eq(Mux(packet.op == Operation.FUSED, packet.payload.x.prev, packet.payload.value)),
            command.hidden.eq(packet.op == Operation.FUSED),
            command.output.eq(packet.op == Operation.OUT_FUSED),
            command.corrects.eq(activates),
            command.loads.eq(loads),
            command.loaded.eq(packet.payload.value[: len(command.loaded)]),
            command.activates.eq(flag(activates, 1, "activates")),
            command.works.eq(works),
            command.fused.eq(flag(packet.op == Operation.FUSED, 2, "fused")),
            command.output_fused.eq(flag(packet.op == Operation.OUT_FUSED, 2, "output_fused")),
            command.gram.eq(flag(packet.op == Operation.GRAM, 2, "gram")),
            command.x_cur.eq(late_payload.x.cur),
            command.answers.eq(answers),
            command.fresh.eq(flag(output | ((hidden | read) & packet.first), 3, "fresh")),
            command.sums.eq(flag(sums, 4, "sums")),
            command.alone.eq(delay(m, answers, 1, "alone")),
            command.shows.eq(flag((hidden | read) & packet.last, latency.sum, "shows")),
        ]
        here = Signal()
        m.d.comb += here.eq(loads & (packet.tile == self._index))
        for k in range(config.array.lanes):
            m.d.comb += self.load[k].eq(flag(here & (packet.lane == k), 1, f"load_{k}"))
        if config.training.rounding is Rounding.STOCHASTIC:
            with m.If(even_cycle(config, odd, self._index, -1)):
                m.d.sync += late.noise.eq(self.late_in.noise)
            m.d.comb += [
                command.noise.eq(late.noise),
                self.late_out.noise.eq(lfsr_steps(late.noise, STEPS_A_TILE)),
            ]
        tree = max(0, (config.array.lanes - 1).bit_length())
        with m.If(activates):
            m.d.sync += [self.activation.slot.eq(packet.slot), self.activation.parity.eq(packet.parity)]
        m.d.comb += [
            self.activation.start.eq(flag(activates, latency.correct, "activation")),
            self.partial_valid.eq(flag(output & packet.last, latency.sum + tree - 1, "wanted")),
        ]
        return m
