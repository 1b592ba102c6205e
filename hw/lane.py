"""The lane: one neuron at a time, one weight bank, one update and one forward multiplier."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import delay, q_shape, saturate
from dfarray.hw.blocks import Multiplier, WeightBank
from dfarray.trace import index_bits


def lane_command(config: Configuration) -> data.StructLayout:
    """A decoded packet, every field delayed to the pipeline stage that uses it.

    Stage numbers count cycles from the packet in the tile's lane stage: ``address``, ``x_prev``, ``update``,
    ``load_weight``: 0; ``noise``: multiply; ``write_address``: align (0 for a LOAD); ``x_cur``: align + 1;
    ``accumulate``, ``first``: align + 1 + multiply; ``capture``: align + 2 + multiply.
    """
    activation = signed(config.formats.activation.width)
    address = index_bits(config.array.bank_rows)
    fields = {
        "address": address,
        "x_prev": activation,
        "update": 1,
        "load_weight": signed(config.formats.weight.width),
        "write_address": address,
        "x_cur": activation,
        "accumulate": 1,
        "first": 1,
        "capture": 1,
    }
    if config.training.rounding is Rounding.STOCHASTIC:
        fields["noise"] = 32
    return data.StructLayout(fields)


class Lane(wiring.Component):
    """Fused sweep: read a weight, apply the previous sample's update, write it back, use it forward.

    Parameters
    ----------
    config : Configuration
    index : int
        Position in the tile; selects the noise bits.
    weights : sequence of int
        The bank's initial rows, weight codes.

    Attributes
    ----------
    command : In(lane_command)
        One row a cycle.
    load : In(1)
        Write ``command.load_weight`` to ``command.write_address``.
    shadow : In {enable, value}
        Stores a delta for the pass to come.
    swap : In(1)
        The shadow delta becomes the active one in the next cycle.
    result : Out(signed)
        The last finished pre-activation, weight + activation fraction bits; from align + multiply + 3 cycles
        after the command with ``last``.

    Latency: a loaded weight is written 1, an updated one ``align + 1`` cycles after its command.
    """

    def __init__(self, config: Configuration, index: int, weights):
        self._config, self._index, self._weights = config, index, weights
        self.latency = config.latency.align + config.latency.multiply + 3
        self.delta = Signal(q_shape(config.formats.delta))
        self.delta_valid = Signal()
        self.write_enable = Signal()
        self.write_address = Signal(index_bits(config.array.bank_rows))
        self.write_data = Signal(q_shape(config.formats.weight))
        super().__init__(
            {
                "command": In(lane_command(config)),
                "load": In(1),
                "shadow": In(data.StructLayout({"enable": 1, "value": q_shape(config.formats.delta)})),
                "swap": In(1),
                "result": Out(signed(max(config.accumulator.width, config.formats.weight.width))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, latency = self._config, self._config.latency
        formats = config.formats
        command = self.command
        align = latency.align

        self._double_buffer(m)

        m.submodules.bank = bank = WeightBank(
            q_shape(formats.weight), config.array.bank_rows, self._weights, latency.weight_read
        )
        m.submodules.update_multiplier = update = Multiplier(
            q_shape(formats.delta), q_shape(formats.activation), latency.multiply
        )
        m.submodules.forward_multiplier = forward = Multiplier(
            q_shape(formats.weight), q_shape(formats.activation), latency.multiply
        )

        m.d.comb += [
            bank.read_address.eq(command.address),
            update.a.eq(self.delta),
            update.b.eq(command.x_prev),
        ]
        rounded = Signal(signed(len(update.product) + 1 - formats.update_shift), reset_less=True)
        m.d.sync += rounded.eq((update.product + self._rounding_bits(m)) >> formats.update_shift)
        rounded = delay(m, rounded, align - latency.multiply - 1, "rounded")
        weight = delay(m, bank.read_data, align - latency.weight_read, "weight")

        updating = delay(m, command.update & self.delta_valid, align, "updating", reset_less=False)
        updated = saturate(m, weight - rounded, formats.weight.width, "updated")
        m.d.sync += [
            self.write_enable.eq(self.load | updating),
            self.write_address.eq(command.write_address),
            self.write_data.eq(Mux(self.load, command.load_weight, Mux(updating, updated, weight))),
        ]
        m.d.comb += [
            bank.write_enable.eq(self.write_enable),
            bank.write_address.eq(self.write_address),
            bank.write_data.eq(self.write_data),
            forward.a.eq(self.write_data),
            forward.b.eq(command.x_cur),
        ]
        self._accumulate(m, forward.product)
        return m

    def _double_buffer(self, m):
        shadow, shadow_valid = Signal.like(self.delta, name="shadow_delta"), Signal()
        with m.If(self.swap):
            m.d.sync += [self.delta.eq(shadow), self.delta_valid.eq(shadow_valid), shadow_valid.eq(0)]
        with m.If(self.shadow.enable):
            m.d.sync += [shadow.eq(self.shadow.value), shadow_valid.eq(1)]

    def _rounding_bits(self, m):
        bits = self._config.formats.update_shift
        if bits == 0:
            return Const(0)
        if self._config.training.rounding is Rounding.NEAREST:
            return Const(1 << (bits - 1))
        rotated = self.command.noise.rotate_left(5 * self._index % 32)[:bits]
        return Cat(rotated, Const(0, 1)).as_signed()

    def _accumulate(self, m, product):
        width = self._config.accumulator.width
        accumulator = Signal(signed(width))
        total = Mux(self.command.first, 0, accumulator) + product
        if self._config.accumulator_saturates:
            total = saturate(m, total, width, "total")
        with m.If(self.command.accumulate):
            m.d.sync += accumulator.eq(total)
        with m.If(self.command.capture):
            m.d.sync += self.result.eq(accumulator)
