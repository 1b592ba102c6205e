"""The lane of a small family: its multipliers subtract, round and accumulate, and hold what nothing else holds."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import any_of, delay, overflows, q_shape, saturate
from dfarray.hw.blocks import multiply_accumulate, multiply_subtract, weight_bank
from dfarray.hw.lane import lane_ports
from dfarray.trace import correction_width, index_bits


def serial_command(config: Configuration) -> data.StructLayout:
    """A decoded packet, every field in the cycles that use it, counted from the packet in the hop register.

    ``factor``, ``hidden``, ``output``, ``corrects``: 0; ``loaded``, ``loads``, ``activates``, ``noise``,
    ``works``: 1; ``fused``, ``output_fused``, ``gram``: 2; ``x_cur``, ``answers``, ``fresh``: 3; ``sums``, ``alone``:
    4; ``shows``: 6;
    ``address``: of the row that is read 0, of the one that is written 3.
    """
    formats = config.formats
    flags = ("hidden", "output", "corrects", "loads", "activates", "works", "fused", "output_fused", "gram")
    fields = {
        "address": index_bits(config.array.bank_rows),
        "factor": signed(max(formats.delta.width, formats.activation.width, config.gram.width)),
        "loaded": q_shape(formats.weight),
        "x_cur": signed(formats.activation.width),
        **dict.fromkeys((*flags, "answers", "fresh", "sums", "alone", "shows"), 1),
    }
    if config.training.rounding is Rounding.STOCHASTIC:
        fields["noise"] = 32
    return data.StructLayout(fields)


def below_weight(config: Configuration, noise: Value, lane: int) -> Value:
    """What a weight is extended by for its update to be rounded when the bits below the weight are dropped.

    w - floor((p + r) / 2^D) is floor((w 2^D + 2^D - 1 - r - p) / 2^D); 2^D - 1 - r are r's bits, inverted.
    """
    bits = config.formats.update_shift
    if config.training.rounding is Rounding.NEAREST:
        return Const(((1 << bits) - 1) ^ (1 << bits >> 1), bits)
    return ~noise.rotate_left(5 * lane % 32)[:bits]


def half_of_z(config: Configuration) -> int:
    """What rounds a pre-activation, at the sum's binary point."""
    formats = config.formats
    return 1 << max(0, formats.product_fraction - formats.preactivation.fraction_bits) >> 1


def correction_minuend(config: Configuration) -> int:
    """From what delta x gram is subtracted, so that dropping bits leaves minus kappa and :func:`half_of_z`.

    Minus kappa is floor((2^(n-1) - 1 - p) / 2^n), n the bits that are dropped.
    """
    shift, half = config.correction_shift, half_of_z(config)
    return (half << shift) + (1 << shift >> 1) - (shift > 0) if shift >= 0 else half >> -shift


class SerialLane(wiring.Component):
    """As :class:`dfarray.hw.lane.Lane`, a row at most every other cycle.

    ``minuend - delta * x``, bits below the weight dropped, is the updated weight, and of an ACTIVATE what is added to
    the sum. Sum and correction stay in the multipliers: nothing follows before they are used.

    Parameters
    ----------
    config : Configuration
    index : int
        Position in the tile; selects the noise bits.
    weights : sequence of int
        The bank's initial rows, weight codes.
    rows : range
        The bank rows that it holds.

    Attributes
    ----------
    command : In(serial_command)
    load : In(1)
        The weight is replaced by ``command.loaded``; 2 cycles after the packet is in the hop register.
    shadow, correcting : In {enable, value}
        Store a delta for the slot to come, or for the next ACTIVATE.
    swap : In(1)
        The shadow delta becomes the active one in the next cycle.
    activations : In(lane_activations)
    total : Out(signed)
        An output row's product, or the sum so far; 5 cycles after the packet.
    rounded_correction : Out(signed)
        Minus kappa, and the half that rounds the pre-activation; from 2 cycles after an ACTIVATE until the next
        packet's update.
    saturated : Out(1)
        The weight that is written was clipped.

    Latency: a weight is written 3 cycles after its packet is in the hop register.
    """

    def __init__(self, config: Configuration, index: int, weights, rows: range):
        self._config, self._index, self._weights, self._rows = config, index, weights, rows
        formats = config.formats
        delta, weight = q_shape(formats.delta), q_shape(formats.weight)
        self.delta = Signal(delta)
        self.delta_valid = Signal()
        self.write_enable = Signal()
        self.write_address = Signal(index_bits(config.array.bank_rows))
        # A GRAM row's activation goes the same way to the multiplier, and may be wider than a weight.
        self.write_data = Signal(signed(max(weight.width, formats.activation.width)))
        # The sum or the weight as it was then, and kappa; the trace alone looks at them.
        self.result = Signal(signed(max(config.accumulator.width, weight.width)))
        self.correction = Signal(signed(correction_width(config)))
        self._factor = signed(max(delta.width, formats.activation.width))
        products = formats.delta.width + max(formats.activation.width, config.gram.width)
        self._activate = correction_minuend(config)
        self._rest = half_of_z(config) % (1 << max(0, -config.correction_shift))
        widest = max(weight.width + formats.update_shift, products, self._activate.bit_length() + 1)
        self._difference = signed(widest + 1)
        super().__init__(
            {
                "command": In(serial_command(config)),
                **lane_ports(config),
                "total": Out(signed(max(config.accumulator.width, len(self.write_data) + formats.activation.width))),
                "rounded_correction": Out(
                    signed(max(correction_width(config), half_of_z(config).bit_length() + 1) + 1)
                ),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, formats = self._config, self._config.formats
        command, local = self.command, self.activations
        m.submodules.bank = bank = weight_bank(
            config.array.family,
            q_shape(formats.weight),
            len(self._rows),
            self._weights,
            config.latency.weight_read,
        )
        m.submodules.update = update = multiply_subtract(
            config.array.family, self._factor, command.factor.shape(), self._difference
        )
        read = Mux(command.loads, command.loaded, bank.read_data)
        noise = command.noise if config.training.rounding is Rounding.STOCHASTIC else Const(0)
        m.d.comb += [
            update.a.eq(self._own_factor(m)),
            update.b.eq(command.factor),
            update.minuend.eq(
                Mux(
                    command.activates,
                    Const(self._activate),
                    Cat(below_weight(config, noise, self._index), read).as_signed(),
                )
            ),
            update.enable.eq(command.works),
        ]
        exact = update.difference >> formats.update_shift
        updated = saturate(m, exact, formats.weight.width, "updated")
        writing = command.output_fused | (command.fused & self.delta_valid) | self.load
        m.d.sync += [
            self.write_enable.eq(writing),
            self.saturated.eq(writing & overflows(exact, formats.weight.width)),
            self.write_data.eq(Mux(command.gram, local.gram, updated)),
        ]
        address = Signal(range(len(self._rows)))
        m.d.comb += [
            address.eq(command.address - self._rows.start),
            self.write_address.eq(command.address),
            bank.read_address.eq(address),
            bank.write_enable.eq(self.write_enable),
            bank.write_address.eq(address),
            bank.write_data.eq(self.write_data[: formats.weight.width]),
        ]
        m.submodules.forward = forward = multiply_accumulate(
            config.array.family,
            self.write_data.shape(),
            q_shape(formats.activation),
            self.total.shape(),
            config.accumulator.width if config.accumulator_saturates else None,
        )
        shift = config.correction_shift
        m.d.comb += [
            forward.a.eq(self.write_data),
            forward.b.eq(Mux(command.answers, local.current, command.x_cur)),
            forward.clear.eq(command.fresh),
            forward.add.eq(command.sums),
            forward.clips.eq(~command.alone),
            self.total.eq(forward.total),
            self.rounded_correction.eq(
                update.difference >> shift if shift >= 0 else (update.difference << -shift) + self._rest
            ),
        ]
        with m.If(command.shows):
            m.d.sync += self.result.eq(forward.total)
        corrected = delay(m, command.activates, 2, "corrected", reset_less=False)
        with m.If(corrected):
            m.d.sync += self.correction.eq(half_of_z(config) - self.rounded_correction)
        return m

    def _own_factor(self, m):
        """The factor of the lane's own: delta, correction delta or activation, 0 if there is nothing to update."""
        command = self.command
        shadow, shadow_valid = Signal.like(self.delta, name="shadow_delta"), Signal()
        with m.If(self.swap):
            m.d.sync += [self.delta.eq(shadow), self.delta_valid.eq(shadow_valid), shadow_valid.eq(0)]
        with m.If(self.shadow.enable):
            m.d.sync += [shadow.eq(self.shadow.value), shadow_valid.eq(1)]
        correction, valid = Signal.like(self.delta, name="correction_delta"), Signal(name="correction_valid")
        with m.If(command.corrects):
            m.d.sync += valid.eq(0)
        with m.If(self.correcting.enable):
            m.d.sync += [correction.eq(self.correcting.value), valid.eq(1)]
        chosen = (
            (command.hidden & self.delta_valid, self.delta),
            (command.corrects & valid, correction),
            (command.output, self.activations.update),
        )
        terms = []
        for wanted, value in chosen:
            terms.append(Signal(self._factor, name=f"factor_{len(terms)}"))
            m.d.comb += terms[-1].eq(Mux(wanted, value, 0))
        return any_of(terms)
