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


OPERATIONS = {"IDLE": 0, "FORWARD": 1, "FUSED": 2, "LOAD": 3, "READ": 4}
"""Broadcast packet operations."""

STATES = {"IDLE": 0, "SWEEP": 1, "DRAIN": 2, "LOAD": 3, "DUMP": 4}
"""Sequencer states."""

KINDS = {"HIDDEN": 0, "OUTPUT": 1, "WEIGHT": 2}
"""What a collect token asks for and a return word carries."""

FEEDBACK_OPERATIONS = {"IDLE": 0, "SCALAR": 1, "DELTA": 2}
"""Feedback words."""


def index_bits(count: int) -> int:
    """Bits of an index 0..count-1, at least 1."""
    return max(1, (count - 1).bit_length())


def return_width(config: Configuration) -> int:
    """Bits of a return word's value: the widest of activation, logit and weight."""
    formats = config.formats
    return max(formats.activation.width, formats.logit.width, formats.weight.width)


def input_signals(config: Configuration) -> tuple[TraceSignal, ...]:
    """What the array is given: stream pins and the register file's outputs. The golden model reads these."""
    formats, network = config.formats, config.network
    rows = config.array.bank_rows
    return (
        TraceSignal("samples.valid", 1),
        TraceSignal("samples.value", formats.activation.width, True),
        TraceSignal("samples.label", index_bits(network.classes)),
        TraceSignal("samples.last", 1),
        TraceSignal("results.ready", 1),
        TraceSignal("weights_in.valid", 1),
        TraceSignal("weights_in.data", formats.weight.width, True),
        TraceSignal("weights_out.ready", 1),
        TraceSignal("settings.train", 1),
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
    """What is compared, in trace order."""
    formats, network, array = config.formats, config.network, config.array
    slots = len(config.passes)
    address = index_bits(array.bank_rows)
    tile_bits, lane_bits, slot_bits = index_bits(array.tiles), index_bits(array.lanes), index_bits(slots)
    hidden = sum(network.layers[1:-1])
    row_bits = index_bits(max(array.bank_rows, max(network.layers[:-1]) + 1))
    signals = [
        TraceSignal("sequencer.state", 3),
        TraceSignal("sequencer.slot", slot_bits),
        TraceSignal("sequencer.row", row_bits),
        TraceSignal("sequencer.pending", 1),
        TraceSignal("sequencer.received", index_bits(hidden + 1)),
        TraceSignal("sequencer.delivered", 1),
        TraceSignal("collector.busy", 1),
        TraceSignal("samples.ready", 1),
        TraceSignal("results.valid", 1),
        TraceSignal("results.logit", formats.logit.width, True),
        TraceSignal("results.prediction", index_bits(network.classes)),
        TraceSignal("results.last", 1),
        TraceSignal("weights_in.ready", 1),
        TraceSignal("weights_out.valid", 1),
        TraceSignal("weights_out.data", formats.weight.width, True),
        TraceSignal("broadcast.op", 3),
        TraceSignal("broadcast.address", address),
        TraceSignal("broadcast.x_prev", formats.activation.width, True),
        TraceSignal("broadcast.x_cur", formats.activation.width, True),
        TraceSignal("broadcast.first", 1),
        TraceSignal("broadcast.last", 1),
        TraceSignal("broadcast.tile", tile_bits),
        TraceSignal("broadcast.lane", lane_bits),
        TraceSignal("broadcast.data", formats.weight.width, True),
        TraceSignal("token.valid", 1),
        TraceSignal("token.lane", lane_bits),
        TraceSignal("token.kind", 2),
        TraceSignal("token.slot", slot_bits),
        TraceSignal("token.count", index_bits(array.tiles + 1)),
        TraceSignal("error.valid", 1),
        TraceSignal("error.class", index_bits(network.classes)),
        TraceSignal("error.value", formats.delta.width, True),
        TraceSignal("feedback.op", 2),
        TraceSignal("feedback.index", max(tile_bits, lane_bits)),
        TraceSignal("feedback.slot", slot_bits),
        TraceSignal("feedback.count", index_bits(array.tiles + 1)),
        TraceSignal("feedback.value", formats.delta.width, True),
    ]
    if config.training.rounding is Rounding.STOCHASTIC:
        signals.append(TraceSignal("broadcast.noise", 32))
    for tile in range(array.tiles):
        signals += [
            TraceSignal("return.valid", 1, False, tile),
            TraceSignal("return.kind", 2, False, tile),
            TraceSignal("return.value", return_width(config), True, tile),
            TraceSignal("error_scalar", formats.delta.width, True, tile),
        ]
        for lane in range(array.lanes):
            signals += [
                TraceSignal("weight_write.enable", 1, False, tile, lane),
                TraceSignal("weight_write.address", address, False, tile, lane),
                TraceSignal("weight_write.data", formats.weight.width, True, tile, lane),
                TraceSignal("result", max(config.accumulator.width, formats.weight.width), True, tile, lane),
                TraceSignal("delta", formats.delta.width, True, tile, lane),
                TraceSignal("delta.valid", 1, False, tile, lane),
            ]
    return tuple(signals)
