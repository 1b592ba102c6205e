"""The bias tile of a small family: it keeps of a packet what output biases need, and that no longer than they do."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import any_of, delay, held, odd_cycles, overflows, q_shape, saturate
from dfarray.hw.bias_lane import BiasRegisters, times_one
from dfarray.hw.bias_tile import bias_ports
from dfarray.hw.blocks import weight_bank
from dfarray.hw.packets import Kind, Operation, partial_sum, return_word
from dfarray.hw.serial_decoder import even_cycle
from dfarray.hw.serial_lane import below_weight
from dfarray.trace import index_bits


class SerialBiasTile(wiring.Component):
    """As :class:`dfarray.hw.bias_tile.BiasTile`.

    A packet is still in the last tile when it would be in this tile's hop register, and its payload follows on the
    late chain: both are used where they are. A row is named by its class; what is no output row of group 0, no LOAD
    for this tile and no READ leaves everything as it is, so that a weight read stays at the bank's output.

    Parameters
    ----------
    config : Configuration
    biases : sequence of int
        Initial output biases, weight codes.

    Attributes
    ----------
    broadcast_in, late_in, token_in, return_in, partial_in, events_in : In
        From the last tile; timing as in :class:`dfarray.hw.serial_tile.SerialTile`.
    return_out, weight_leaves, partial_out, events_out : Out
        The exit.
    """

    def __init__(self, config: Configuration, biases):
        self._config, self._biases = config, list(biases)
        self.lanes = [BiasRegisters(config)]
        super().__init__(bias_ports(config))
        self.returned, self.partial = Signal(return_word(config)), Signal(partial_sum(config))

    def elaborate(self, platform):
        m = Module()
        config, formats, lane = self._config, self._config.formats, self.lanes[0]
        packet, odd = self.broadcast_in, odd_cycles(m)

        def phase(offset):
            """1 in the cycles that are so many after one in which this tile's hop register would have a packet."""
            return even_cycle(config, odd, config.array.tiles, offset)

        def flag(value, cycles, name):
            return delay(m, value, cycles, name, reset_less=False)

        # Its operation is there a cycle before; the flags are 1 when it would be in the hop register.
        fused = flag(packet.op == Operation.OUT_FUSED, 1, "fused")
        gram = flag(packet.op == Operation.GRAM, 1, "gram")
        output = flag(
            any_of(packet.op == op for op in (Operation.OUT, Operation.OUT_FUSED, Operation.GRAM)), 1, "output"
        )
        loads = flag((packet.op == Operation.LOAD) & (packet.tile == config.array.tiles), 1, "loads")
        reads = flag(packet.op == Operation.READ, 1, "reads")
        first_row = config.output_groups[0][1]
        row = Signal.like(packet.address, name="row")
        here = Signal(name="here")
        place = Signal(data.StructLayout({"row": index_bits(config.network.classes), "here": 1}))
        m.d.comb += [row.eq(packet.address - first_row), here.eq(row < config.network.classes)]
        read = Signal.like(place, name="read_place")
        with m.If(output | loads | reads):
            m.d.comb += [read.row.eq(row), read.here.eq(here)]
            m.d.sync += place.eq(read)
        with m.Else():
            m.d.comb += read.eq(place)
        m.submodules.bank = bank = weight_bank(
            config.array.family, q_shape(formats.weight), 1 << len(place.row), self._biases, 1
        )
        m.d.comb += bank.read_address.eq(read.row)

        # Cycles 0, 1, 2: the step, the difference, the weight; two rows are two cycles apart.
        value = packet.payload.value[: formats.delta.width].as_signed()
        step = delay(m, Mux(fused, times_one(config, value), 0), 1, "step")
        noise = Const(0)
        if config.training.rounding is Rounding.STOCHASTIC:
            noise = delay(m, self.late_in.noise, 1, "noise")
        extended = Cat(below_weight(config, noise, 0), bank.read_data).as_signed()
        exact = delay(m, (extended - step) >> formats.update_shift, 1, "exact")
        updated = saturate(m, exact, formats.weight.width, "updated")
        written = Mux(flag(loads, 2, "loaded"), self.late_in.payload[: formats.weight.width].as_signed(), updated)
        updates = flag(fused & here, 2, "updates")
        grams, written_place = flag(gram, 2, "grams"), Signal.like(place)
        with m.If(phase(2)):
            m.d.sync += [
                lane.write_data.eq(Mux(grams, formats.activation.one, written)),
                written_place.eq(place),
            ]
        m.d.sync += lane.write_enable.eq(updates | flag(loads & here, 2, "loads_here"))
        saturated = delay(m, updates & overflows(exact, formats.weight.width), 1, "saturated", reset_less=False)
        m.d.comb += [
            bank.write_enable.eq(lane.write_enable),
            bank.write_address.eq(written_place.row),
            bank.write_data.eq(lane.write_data[: formats.weight.width]),
            lane.write_address.eq(written_place.row + first_row),
        ]

        # The weight is there in cycles 3 and 4, its product when the tiles' sum is.
        levels = max(0, (config.array.lanes - 1).bit_length())
        counted = Mux(written_place.here, lane.write_data, 0).as_signed()
        late = held(m, counted, levels, "counted", phase(4))
        product = delay(m, times_one(config, late), 1, "product")
        valid = flag(output & packet.last, config.latency.sum + levels - 1, "wanted")
        m.d.sync += [
            self.partial.valid.eq(valid),
            self.partial.value.eq(self.partial_in.value + product),
        ]
        m.d.comb += [
            self.partial_out.eq(self.partial),
            self.events_out.eq(self.events_in),
            self.events_out.weights.eq(self.events_in.weights + saturated),
        ]

        weight = Mux(place.here, bank.read_data, 0).as_signed()
        asked = flag(self.token_in.valid & (self.token_in.count > config.array.tiles), 2, "asked")
        m.d.sync += self.returned.eq(self.return_in)
        with m.If(asked):
            m.d.sync += [
                self.returned.valid.eq(1),
                self.returned.kind.eq(Kind.WEIGHT),
                self.returned.value.eq(weight),
            ]
        m.d.comb += [
            self.return_out.eq(self.returned),
            self.weight_leaves.eq(self.returned.valid & (self.returned.kind == Kind.WEIGHT)),
        ]
        # When a lane's result register would have the weight; the trace alone looks at it.
        shows = flag(reads, config.latency.sum, "shows")
        with m.If(shows):
            m.d.sync += lane.result.eq(weight)
        return m
