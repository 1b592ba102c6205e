"""The lane: one neuron at a time, one weight bank, one update and one forward multiplier."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.arithmetic import (
    add_with_carry,
    aligned,
    delay,
    overflows,
    parts_of,
    q_shape,
    round_half_up,
    saturate,
    sign_extended,
    skewed,
)
from dfarray.hw.blocks import multiplier, weight_bank
from dfarray.trace import correction_width, index_bits, packet_width

SELECTS = ("output", "activate", "loads", "gram", "output_forward", "accumulate", "capture", "correction")
"""Fields that each choose among words, or enable them, in a lane."""


def lane_command(config: Configuration) -> data.StructLayout:
    """A decoded packet, every field delayed to the pipeline stage that uses it.

    Stage numbers count cycles from the packet in the tile's lane stage: ``factor``, ``correct``, ``update``,
    ``output_update``, ``value``: 0; ``address``: read; ``loaded``: read + weight_read; ``noise``: multiply;
    ``write_address``: align; ``x_cur``: align + 1. What :data:`SELECTS` names comes a cycle earlier, for a register in
    every lane: ``output``, ``activate``: 0; ``loads``: read + weight_read; ``gram``: align; ``output_forward``:
    align + 1; ``accumulate``, ``capture``: align + 1 + multiply; ``correction``: multiply.
    """
    activation = signed(config.formats.activation.width)
    address = index_bits(config.array.bank_rows)
    fields = {
        "address": address,
        "factor": signed(max(config.formats.activation.width, config.gram.width)),
        "value": signed(packet_width(config)),
        "correct": 1,
        "update": 1,
        "output_update": 1,
        "loaded": q_shape(config.formats.weight),
        "write_address": address,
        "x_cur": activation,
        **dict.fromkeys(SELECTS, 1),
    }
    if config.training.rounding is Rounding.STOCHASTIC:
        fields["noise"] = 32
    return data.StructLayout(fields)


def lane_activations(config: Configuration) -> data.StructLayout:
    """A neuron's activation in this sweep, in the one before (gram), and in the one before that (update)."""
    activation = signed(config.formats.activation.width)
    return data.StructLayout({"current": activation, "gram": activation, "update": activation})


def lane_ports(config: Configuration) -> dict:
    """What every lane is given beside its commands."""
    strobed = data.StructLayout({"enable": 1, "value": q_shape(config.formats.delta)})
    return {
        "load": In(1),
        "shadow": In(strobed),
        "correcting": In(strobed),
        "swap": In(1),
        "activations": In(lane_activations(config)),
    }


def rounding_bits(config: Configuration, command, lane: int):
    """What rounds a lane's update: a half, or its own of the command's noise bits."""
    bits = config.formats.update_shift
    if bits == 0:
        return Const(0)
    if config.training.rounding is Rounding.NEAREST:
        return Const(1 << (bits - 1))
    return Cat(command.noise.rotate_left(5 * lane % 32)[:bits], Const(0, 1)).as_signed()


class Lane(wiring.Component):
    """Fused sweep: read a weight, apply an update, write it back, use it forward.

    In a hidden row the presynaptic activations come with the packet and the delta is the lane's; in an output row the
    error comes with the packet and the activations are the lane's own.

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
    command : In(lane_command)
        One row a cycle.
    load : In(1)
        The weight of the command before is replaced by ``command.loaded``.
    shadow, correcting : In {enable, value}
        Store a delta for the slot to come, or for the next ACTIVATE.
    swap : In(1)
        The shadow delta becomes the active one in the next cycle.
    activations : In(lane_activations)
    product : Out(signed)
        Of the forward multiplier, align + 1 + multiply cycles after the command.
    result : Out(signed)
        The last finished sum, weight + activation fraction bits; from align + multiply + accumulate + 2
        cycles after the command with ``last``.
    correction : Out(signed)
        kappa, from multiply + 1 cycles after the ACTIVATE.
    saturated : Out(1)
        The weight that is written was clipped.
    take_result, take_correction, choose_weight, choose_activation : In(1)
        In the next cycle the lane shows what follows, which is 0 in all others.
    taken_result, taken_correction, chosen_weight, chosen_activation : Out
        Result; correction; the result as a weight; its activation.

    Latency: a weight is written ``align + 1`` cycles after its command.
    """

    def __init__(self, config: Configuration, index: int, weights, rows: range):
        self._config, self._index, self._weights, self._rows = config, index, weights, rows
        delta, weight = q_shape(config.formats.delta), q_shape(config.formats.weight)
        self.delta = Signal(delta)
        self.delta_valid = Signal()
        self.write_enable = Signal()
        self.write_address = Signal(index_bits(config.array.bank_rows))
        # A GRAM row's activation goes the same way to the multiplier, and may be wider than a weight.
        self.write_data = Signal(signed(max(weight.width, config.formats.activation.width)))
        result = signed(max(config.accumulator.width, config.formats.weight.width))
        super().__init__(
            {
                "command": In(lane_command(config)),
                **lane_ports(config),
                "product": Out(signed(len(self.write_data) + config.formats.activation.width)),
                "result": Out(result),
                "saturated": Out(1),
                "correction": Out(signed(correction_width(config))),
                **dict.fromkeys(("take_result", "take_correction", "choose_weight", "choose_activation"), In(1)),
                "taken_result": Out(result),
                "taken_correction": Out(signed(correction_width(config))),
                "chosen_weight": Out(weight),
                "chosen_activation": Out(q_shape(config.formats.activation)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, latency = self._config, self._config.latency
        formats, command, align = config.formats, self.command, latency.align
        self._selects = selects = Signal(data.StructLayout(dict.fromkeys(SELECTS, 1)), name="selects")
        m.d.sync += [selects[name].eq(command[name]) for name in SELECTS]
        correction_delta, correction_valid = self._deltas(m)

        m.submodules.bank = bank = weight_bank(
            config.array.family, q_shape(formats.weight), len(self._rows), self._weights, latency.weight_read
        )
        m.submodules.update_multiplier = update = multiplier(
            config.array.family, q_shape(formats.delta), command.factor.shape(), latency.multiply
        )
        m.submodules.forward_multiplier = forward = multiplier(
            config.array.family, self.write_data.shape(), q_shape(formats.activation), latency.multiply
        )
        local = self.activations
        hidden_delta = Mux(selects.activate, correction_delta, self.delta)
        m.d.comb += [
            bank.read_address.eq(command.address - self._rows.start),
            update.a.eq(Mux(selects.output, command.value, hidden_delta)),
            update.b.eq(Mux(selects.output, local.update, command.factor)),
        ]
        updates = Signal()
        m.d.comb += updates.eq(command.output_update | (command.update & self.delta_valid))
        # A correction's product is wider, and nothing is rounded from it.
        step = update.product[: formats.delta.width + formats.activation.width].as_signed()
        rounded = Signal(signed(len(step) + 1 - formats.update_shift), reset_less=True)
        with m.If(delay(m, updates, latency.multiply, "updating", reset_less=False)):
            m.d.sync += rounded.eq((step + rounding_bits(config, command, self._index)) >> formats.update_shift)
        with m.Else():
            m.d.sync += rounded.eq(0)
        rounded = delay(m, rounded, align - latency.multiply - 2, "rounded")
        read = Mux(selects.loads, command.loaded, bank.read_data)
        before = delay(m, read, align - 1 - latency.read - latency.weight_read, "before")
        difference = delay(m, before - rounded, 1, "difference")
        updated = saturate(m, difference, formats.weight.width, "updated")
        writes = delay(m, updates, 1, "updates", reset_less=False) | self.load
        writing = delay(m, writes, align - 1, "writing", reset_less=False)
        m.d.sync += [
            self.write_enable.eq(writing),
            self.saturated.eq(writing & overflows(difference, formats.weight.width)),
            self.write_address.eq(command.write_address),
            self.write_data.eq(Mux(selects.gram, local.gram, updated)),
        ]
        m.d.comb += [
            bank.write_enable.eq(self.write_enable),
            bank.write_address.eq(self.write_address - self._rows.start),
            bank.write_data.eq(self.write_data[: formats.weight.width]),
            forward.a.eq(self.write_data),
            forward.b.eq(Mux(selects.output_forward, local.current, command.x_cur)),
            self.product.eq(forward.product),
        ]
        self._show(m)
        self._accumulate(m)
        self._correct(m, update.product, command.correct & correction_valid)
        return m

    def _deltas(self, m):
        """Shadow to active delta; and the delta of the correction, with its valid bit."""
        shadow, shadow_valid = Signal.like(self.delta, name="shadow_delta"), Signal()
        with m.If(self.swap):
            m.d.sync += [self.delta.eq(shadow), self.delta_valid.eq(shadow_valid), shadow_valid.eq(0)]
        with m.If(self.shadow.enable):
            m.d.sync += [shadow.eq(self.shadow.value), shadow_valid.eq(1)]
        correction, valid = Signal.like(self.delta, name="correction_delta"), Signal(name="correction_valid")
        with m.If(self._selects.activate):
            m.d.sync += valid.eq(0)
        with m.If(self.correcting.enable):
            m.d.sync += [correction.eq(self.correcting.value), valid.eq(1)]
        return correction, valid

    def _show(self, m):
        """A lane's own register in front of each word of gates.

        What is taken together has strobes of its own from outside: a lane's synthesis would see that they are equal,
        and one register would drive both words.
        """
        for strobe, name, value in (
            (self.take_result, "taken_result", self.result),
            (self.take_correction, "taken_correction", self.correction),
            (self.choose_weight, "chosen_weight", self.result),
            (self.choose_activation, "chosen_activation", self.activations.current),
        ):
            now = delay(m, strobe, 1, f"shows_{name}", reset_less=False)
            m.d.comb += getattr(self, name).eq(Mux(now, value, 0))

    def _accumulate(self, m):
        """One register behind the adder; the result's beside it, a cycle later."""
        cycles, selects = self._config.latency.accumulate, self._selects
        fresh = Signal(name="fresh")
        with m.If(selects.accumulate):
            m.d.sync += fresh.eq(selects.capture)
        add = self._sum_saturated if self._config.accumulator_saturates else self._sum_in_parts
        total = add(m, fresh, cycles)
        with m.If(delay(m, selects.capture, cycles, "captured", reset_less=False)):
            m.d.sync += self.result.eq(total)

    def _sum_saturated(self, m, fresh, cycles):
        width = self._config.accumulator.width
        accumulator = Signal(signed(width), name="accumulator")
        total = saturate(m, Mux(fresh, 0, accumulator) + self.product, width, "total")
        with m.If(self._selects.accumulate):
            m.d.sync += accumulator.eq(total)
        return delay(m, accumulator, cycles - 1, "accumulated")

    def _sum_in_parts(self, m, fresh, cycles):
        """As many parts as cycles, each a cycle behind the one below it, whose carry it gets."""
        product = sign_extended(m, self.product, self._config.accumulator.width, "addend")
        addend, sums, carry = skewed(m, product, cycles, "addend"), [], None
        for k, part in enumerate(parts_of(len(product), cycles)):
            accumulator = Signal(part.stop - part.start, name=f"accumulator_{k}")
            carries = [Signal(name=f"carry_{k}")] if k < cycles - 1 else []
            before = Mux(delay(m, fresh, k, f"fresh_{k}"), 0, accumulator)
            with m.If(delay(m, self._selects.accumulate, k, f"accumulate_{k}", reset_less=False)):
                m.d.sync += Cat(accumulator, carries).eq(add_with_carry(before, addend[part], carry))
            sums.append(accumulator)
            carry = Cat(carries)
        return aligned(m, Cat(sums), cycles, "accumulated")

    def _correct(self, m, product, wanted):
        shift, latency = self._config.correction_shift, self._config.latency
        wanted = delay(m, wanted, latency.multiply, "correction_wanted", reset_less=False)
        with m.If(self._selects.correction):
            m.d.sync += self.correction.eq(0)
            with m.If(wanted):
                m.d.sync += self.correction.eq(round_half_up(product, shift) if shift >= 0 else product << -shift)
