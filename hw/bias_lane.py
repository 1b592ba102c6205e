"""The bias tile's lane: what of a lane the output biases need."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import delay, overflows, q_shape, saturate
from dfarray.hw.blocks import weight_bank
from dfarray.hw.lane import lane_command, rounding_bits
from dfarray.trace import index_bits


def times_one(config: Configuration, value: Value) -> Value:
    """The product of a value and the activation one."""
    one = config.formats.activation.one
    bits = one.bit_length()
    scaled = value << (bits - 1) if one == 1 << (bits - 1) else (value << bits) - value
    return scaled[: len(value) + config.formats.activation.width].as_signed()


def bias_command(config: Configuration) -> data.StructLayout:
    """What the bias tile's lane uses of a :func:`dfarray.hw.lane.lane_command`, at the same stages."""
    fields = ("address", "value", "output_update", "loads", "loaded", "write_address", "gram")
    noise = ("noise",) if config.training.rounding is Rounding.STOCHASTIC else ()
    command = lane_command(config)
    return data.StructLayout({name: command[name].shape for name in (*fields, *noise)})


class BiasRegisters:
    """What the trace shows of the bias tile's lane."""

    def __init__(self, config: Configuration):
        formats = config.formats
        self.write_enable = Signal()
        self.write_address = Signal(index_bits(config.array.bank_rows))
        # A GRAM row's activation goes the same way, and may be wider than a weight.
        self.write_data = Signal(signed(max(formats.weight.width, formats.activation.width)))
        # When a lane's result register would have the weight; the trace alone looks at it.
        self.result = Signal(signed(max(config.accumulator.width, formats.weight.width)))


class BiasLane(BiasRegisters, wiring.Component):
    """As :class:`dfarray.hw.lane.Lane`, for weights whose presynaptic activation is always one.

    It has no multiplier, no deltas of its own, and sums nothing.

    Parameters
    ----------
    config : Configuration
    weights : sequence of int
        The bank's initial rows, weight codes.
    rows : range
        The bank rows that it holds.

    Attributes
    ----------
    command : In(bias_command)
    load : In(1)
        The weight of the command before is replaced by ``command.loaded``.
    here, reads : In(1)
        ``align + 1`` cycles after the command: its row is one of ``rows``; it asks for the weight.
    product : Out
        Of the weight and one, of one and one for a GRAM; 0 if the row is elsewhere. ``align + 1 + multiply`` cycles
        after the command.
    weight : Out(weight)
        Read last, 0 if its row is elsewhere; from ``align + 2`` cycles after the command.
    saturated : Out(1)
        The weight that is written was clipped.

    Latency: a weight is written ``align + 1`` cycles after its command.
    """

    def __init__(self, config: Configuration, weights, rows: range):
        self._config, self._weights, self._rows = config, weights, rows
        formats = config.formats
        BiasRegisters.__init__(self, config)
        wiring.Component.__init__(
            self,
            {
                "command": In(bias_command(config)),
                "load": In(1),
                "here": In(1),
                "reads": In(1),
                "product": Out(signed(len(self.write_data) + formats.activation.width)),
                "weight": Out(q_shape(formats.weight)),
                "saturated": Out(1),
            },
        )

    def elaborate(self, platform):
        m = Module()
        config, latency = self._config, self._config.latency
        formats, command, align, multiply = config.formats, self.command, latency.align, latency.multiply
        m.submodules.bank = bank = weight_bank(
            config.array.family, q_shape(formats.weight), len(self._rows), self._weights, latency.weight_read
        )
        step = delay(m, times_one(config, command.value), multiply, "step")
        rounded = Signal(signed(len(step) + 1 - formats.update_shift), reset_less=True)
        updates = command.output_update
        with m.If(delay(m, updates, multiply, "updating", reset_less=False)):
            m.d.sync += rounded.eq((step + rounding_bits(config, command, 0)) >> formats.update_shift)
        with m.Else():
            m.d.sync += rounded.eq(0)
        rounded = delay(m, rounded, align - multiply - 2, "rounded")
        loads = delay(m, command.loads, 1, "loads", reset_less=False)
        read = Mux(loads, command.loaded, bank.read_data)
        before = delay(m, read, align - 1 - latency.read - latency.weight_read, "before")
        difference = delay(m, before - rounded, 1, "difference")
        updated = saturate(m, difference, formats.weight.width, "updated")
        writes = delay(m, updates, 1, "updates", reset_less=False) | self.load
        writing = delay(m, writes, align - 1, "writing", reset_less=False)
        gram = delay(m, command.gram, 1, "gram", reset_less=False)
        m.d.sync += [
            self.write_enable.eq(writing),
            self.saturated.eq(writing & overflows(difference, formats.weight.width)),
            self.write_address.eq(command.write_address),
            self.write_data.eq(Mux(gram, formats.activation.one, updated)),
        ]
        m.d.comb += [
            bank.read_address.eq(command.address - self._rows.start),
            bank.write_enable.eq(self.write_enable),
            bank.write_address.eq(self.write_address - self._rows.start),
            bank.write_data.eq(self.write_data[: formats.weight.width]),
        ]
        counted = Mux(self.here, times_one(config, self.write_data), 0).as_signed()
        m.d.comb += self.product.eq(delay(m, counted, multiply, "product"))
        with m.If(self.reads):
            m.d.sync += self.weight.eq(Mux(self.here, self.write_data, 0))
        m.d.comb += self.result.eq(delay(m, self.weight, multiply + latency.accumulate, "result"))
        return m
