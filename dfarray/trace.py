"""The architectural signals that co-simulation compares on every clock cycle.

``docs/architecture.md`` section 4 says what each one is. A payload is shown as zero while its word is invalid.
"""

from dataclasses import dataclass

from dfarray.configuration import Configuration, Rounding


@dataclass(frozen=True)
class TraceSignal:
    """One compared signal.

    Attributes
    ----------
    name : str
        Such as ``"weight_write.data"``.
    width : int
        Bits.
    signed : bool
        Whether the value is two's complement.
    tile, lane : int or None
        Where it is, None for signals of the whole array.
    """

    name: str
    width: int
    signed: bool = False
    tile: int | None = None
    lane: int | None = None

    def __str__(self) -> str:
        place = [f"tile {self.tile}"] if self.tile is not None else []
        place += [f"lane {self.lane}"] if self.lane is not None else []
        return " ".join([*place, self.name])


OPERATIONS = {
    "IDLE": 0,
    "FORWARD": 1,
    "FUSED": 2,
    "LOAD": 3,
    "READ": 4,
    "ACTIVATE": 5,
    "OUT": 6,
    "OUT_FUSED": 7,
    "GRAM": 8,
}
"""Broadcast packet operations."""

STATES = {"IDLE": 0, "SWEEP": 1, "LOAD": 2, "DUMP": 3}
"""Sequencer states."""

KINDS = {"HIDDEN": 0, "WEIGHT": 2}
"""What a collect token asks for and a return word carries."""

FEEDBACK_OPERATIONS = {"IDLE": 0, "SCALAR": 1, "DELTA": 2}
"""Feedback words."""


def index_bits(count: int) -> int:
    """Bits of an index 0..count-1, at least 1."""
    return max(1, (count - 1).bit_length())


def return_width(config: Configuration) -> int:
    """Bits of a return word's value: the wider of activation and weight."""
    return max(config.formats.activation.width, config.formats.weight.width)


def packet_width(config: Configuration) -> int:
    """Bits of a packet's ``value``: the widest of weight, gram and delta."""
    return max(config.formats.weight.width, config.gram.width, config.formats.delta.width)


def correction_width(config: Configuration) -> int:
    """Bits of kappa, which is exact."""
    return max(2, config.formats.delta.width + config.gram.width - config.correction_shift + 1)


def partial_width(config: Configuration) -> int:
    """Bits that hold any sum of a row of output products, or of gram products, over all lanes."""
    formats = config.formats
    widest = max(-formats.weight.lo, -formats.activation.lo) * -formats.activation.lo
    return 1 + (widest * (config.array.tiles * config.array.lanes + 1)).bit_length()


def input_signals(config: Configuration) -> tuple[TraceSignal, ...]:
    """What the array is given: stream pins and the register file's outputs. The golden model reads these."""
    formats, network = config.formats, config.network
    rows = config.array.bank_rows
    return (
        TraceSignal("samples.valid", 1),
        TraceSignal("samples.value", formats.activation.width, True),
        TraceSignal("samples.index", index_bits(network.inputs)),
        TraceSignal("samples.label", index_bits(network.classes)),
        TraceSignal("samples.last", 1),
        TraceSignal("results.ready", 1),
        TraceSignal("weights_in.valid", 1),
        TraceSignal("weights_in.data", formats.weight.width, True),
        TraceSignal("weights_out.ready", 1),
        TraceSignal("settings.train", 1),
        TraceSignal("settings.events", 1),
        TraceSignal("settings.rate_mantissa", 8),
        TraceSignal("settings.rate_exponent", 5),
        TraceSignal("settings.freeze", len(network.layers) - 1),
        TraceSignal("settings.seed", 32),
        TraceSignal("settings.row_first", index_bits(rows)),
        TraceSignal("settings.row_count", index_bits(rows + 1)),
        TraceSignal("command.seed", 1),
        TraceSignal("command.flush", 1),
        TraceSignal("command.load", 1),
        TraceSignal("command.dump", 1),
    )


def output_signals(config: Configuration) -> tuple[TraceSignal, ...]:
    """What is compared, in trace order. The bias tile is tile T: it has one lane and no feedback."""
    return (
        *_array_signals(config),
        *(s for tile in range(config.array.tiles + 1) for s in _tile_signals(config, tile)),
    )


def _array_signals(config: Configuration) -> tuple[TraceSignal, ...]:
    formats, network, array = config.formats, config.network, config.array
    slots = len(config.passes)
    tile_bits, lane_bits, slot_bits = index_bits(array.tiles + 1), index_bits(array.lanes), index_bits(slots)
    returned = index_bits(sum(network.layers[1:-2]) + 1)
    row_bits = index_bits(max(array.bank_rows, max(network.layers[:-1]) + 1))
    signals = (
        TraceSignal("sequencer.state", 2),
        TraceSignal("sequencer.slot", slot_bits),
        TraceSignal("sequencer.row", row_bits),
        TraceSignal("sequencer.pending_u", 1),
        TraceSignal("sequencer.pending_v", 1),
        TraceSignal("sequencer.parity", 1),
        TraceSignal("sequencer.activate", 1),
        TraceSignal("sequencer.output", 1),
        TraceSignal("sequencer.output_row", index_bits(network.classes + 1)),
        TraceSignal("sequencer.delivered", 1),
        TraceSignal("sequencer.corrected", 1),
        TraceSignal("collector.busy", 1),
        TraceSignal("activations.received", returned),
        TraceSignal("activations.available", returned),
        TraceSignal("samples.ready", 1),
        TraceSignal("samples.complete", 1),
        TraceSignal("results.valid", 1),
        TraceSignal("results.logit", formats.logit.width, True),
        TraceSignal("results.prediction", index_bits(network.classes)),
        TraceSignal("results.last", 1),
        TraceSignal("weights_in.ready", 1),
        TraceSignal("weights_out.valid", 1),
        TraceSignal("weights_out.data", formats.weight.width, True),
        TraceSignal("broadcast.op", 4),
        TraceSignal("broadcast.address", index_bits(array.bank_rows)),
        TraceSignal("broadcast.x_prev", formats.activation.width, True),
        TraceSignal("broadcast.x_cur", formats.activation.width, True),
        TraceSignal("broadcast.value", packet_width(config), True),
        TraceSignal("broadcast.first", 1),
        TraceSignal("broadcast.last", 1),
        TraceSignal("broadcast.tile", tile_bits),
        TraceSignal("broadcast.lane", lane_bits),
        TraceSignal("broadcast.slot", slot_bits),
        TraceSignal("broadcast.parity", 1),
        TraceSignal("token.valid", 1),
        TraceSignal("token.lane", lane_bits),
        TraceSignal("token.kind", 2),
        TraceSignal("token.count", index_bits(array.tiles + 2)),
        TraceSignal("logit.valid", 1),
        TraceSignal("logit.value", formats.logit.width, True),
        TraceSignal("error.valid", 1),
        TraceSignal("error.class", index_bits(network.classes)),
        TraceSignal("error.value", formats.delta.width, True),
        TraceSignal("feedback.op", 2),
        TraceSignal("feedback.index", max(tile_bits, lane_bits)),
        TraceSignal("feedback.slot", slot_bits),
        TraceSignal("feedback.bank", 1),
        TraceSignal("feedback.correction", 1),
        TraceSignal("feedback.count", index_bits(array.tiles + 1)),
        TraceSignal("feedback.value", formats.delta.width, True),
    )
    if config.training.rounding is Rounding.STOCHASTIC:
        signals += (TraceSignal("broadcast.noise", 32),)
    return signals


def _tile_signals(config: Configuration, tile: int) -> tuple[TraceSignal, ...]:
    formats, bias = config.formats, tile == config.array.tiles
    signals = [
        TraceSignal("return.valid", 1, False, tile),
        TraceSignal("return.kind", 2, False, tile),
        TraceSignal("return.value", return_width(config), True, tile),
        TraceSignal("partial.valid", 1, False, tile),
        TraceSignal("partial.value", partial_width(config), True, tile),
    ]
    signals += [] if bias else [TraceSignal("error_scalar", formats.delta.width, True, tile)]
    for lane in range(1 if bias else config.array.lanes):
        signals += [
            TraceSignal("weight_write.enable", 1, False, tile, lane),
            TraceSignal("weight_write.address", index_bits(config.array.bank_rows), False, tile, lane),
            TraceSignal("weight_write.data", formats.weight.width, True, tile, lane),
            TraceSignal("result", max(config.accumulator.width, formats.weight.width), True, tile, lane),
        ]
        signals += (
            []
            if bias
            else [
                TraceSignal("delta", formats.delta.width, True, tile, lane),
                TraceSignal("delta.valid", 1, False, tile, lane),
                TraceSignal("correction", correction_width(config), True, tile, lane),
                TraceSignal("activation", formats.activation.width, True, tile, lane),
                TraceSignal("gram_activation", formats.activation.width, True, tile, lane),
                TraceSignal("update_activation", formats.activation.width, True, tile, lane),
            ]
        )
    return tuple(signals)
