"""What travels on the chains: broadcast packets, collect tokens, return words, partial sums, feedback words.

Fields and codes: docs/architecture.md section 4.
"""

from amaranth.hdl import signed, unsigned
from amaranth.lib import data, enum

from dfarray.configuration import Configuration, Rounding
from dfarray.trace import (
    FEEDBACK_OPERATIONS,
    KINDS,
    OPERATIONS,
    index_bits,
    packet_width,
    partial_width,
    return_width,
)


class Operation(enum.Enum, shape=4):
    """What a broadcast packet asks of the lanes."""

    IDLE = OPERATIONS["IDLE"]
    FORWARD = OPERATIONS["FORWARD"]
    FUSED = OPERATIONS["FUSED"]
    LOAD = OPERATIONS["LOAD"]
    READ = OPERATIONS["READ"]
    ACTIVATE = OPERATIONS["ACTIVATE"]
    OUT = OPERATIONS["OUT"]
    OUT_FUSED = OPERATIONS["OUT_FUSED"]
    GRAM = OPERATIONS["GRAM"]


class Kind(enum.Enum, shape=2):
    """What a token asks for and a return word carries."""

    HIDDEN = KINDS["HIDDEN"]
    WEIGHT = KINDS["WEIGHT"]


class FeedbackOperation(enum.Enum, shape=2):
    """What a feedback word asks of the tiles."""

    IDLE = FEEDBACK_OPERATIONS["IDLE"]
    SCALAR = FEEDBACK_OPERATIONS["SCALAR"]
    DELTA = FEEDBACK_OPERATIONS["DELTA"]


def broadcast_packet(config: Configuration) -> data.StructLayout:
    """One cycle of the broadcast chain.

    Presynaptic activations and ``value`` (a weight, a gram, or an output's error) share their wires. ``swap`` is 1 in
    the first row of a slot: its own wire to the registers of all lanes.
    """
    activation = signed(config.formats.activation.width)
    fields = {
        "op": Operation,
        "address": index_bits(config.array.bank_rows),
        "payload": data.UnionLayout(
            {"x": data.StructLayout({"prev": activation, "cur": activation}), "value": signed(packet_width(config))}
        ),
        "first": 1,
        "swap": 1,
        "last": 1,
        "tile": index_bits(config.array.tiles + 1),
        "lane": index_bits(config.array.lanes),
        "slot": index_bits(len(config.passes)),
        "parity": 1,
    }
    return data.StructLayout(fields)


def late_packet(config: Configuration) -> data.StructLayout:
    """What a broadcast packet's row needs later, on a chain of its own, so that no tile has to keep it meanwhile.

    ``payload`` as bits; ``noise`` with stochastic rounding only; :func:`lateness` says when each comes. In a serial
    family a tile keeps them itself, and payload leaves it for the bias tile alone.
    """
    packet = broadcast_packet(config)
    fields = {"payload": packet["payload"].width}
    if not config.latency.serial:
        fields["address"] = packet["address"].shape
    if config.training.rounding is Rounding.STOCHASTIC:
        fields["noise"] = 32
    return data.StructLayout(fields)


def lateness(config: Configuration) -> dict[str, int]:
    """Cycles from a packet in a tile's hop register to each field of its :func:`late_packet` there."""
    latency = config.latency
    return {
        "payload": latency.read + latency.weight_read,
        "address": latency.align + 1,
        "noise": latency.multiply,
    }


def collect_token(config: Configuration) -> data.StructLayout:
    """Asks lane ``lane`` of tiles 0..count-1 for its activation or result."""
    return data.StructLayout(
        {"valid": 1, "lane": index_bits(config.array.lanes), "kind": Kind, "count": index_bits(config.array.tiles + 2)}
    )


def tile_events(config: Configuration) -> data.StructLayout:
    """What is counted in the tiles up to here: saturated weights and sums, deltas of 0."""
    tiles, lanes = config.array.tiles, config.array.lanes
    return data.StructLayout(
        {
            "weights": unsigned((tiles * lanes + 1).bit_length()),
            "sums": unsigned(tiles.bit_length()),
            "zeros": unsigned(tiles.bit_length()),
        }
    )


def return_word(config: Configuration) -> data.StructLayout:
    """A lane's answer: an activation or a weight, by ``kind``."""
    return data.StructLayout({"valid": 1, "kind": Kind, "value": signed(return_width(config))})


def partial_sum(config: Configuration) -> data.StructLayout:
    """Sum of an output row's products over the tiles so far; on its way skewed, see :mod:`dfarray.hw.partial_chain`."""
    return data.StructLayout({"valid": 1, "value": signed(partial_width(config))})


def feedback_word(config: Configuration) -> data.StructLayout:
    """An error scalar for one tile, or the order to turn it into one lane's delta.

    ``bank`` holds the f' of the sample it belongs to; with ``correction`` it is the delta of the next ACTIVATE, else
    that of the next rows.
    """
    return data.StructLayout(
        {
            "op": FeedbackOperation,
            "index": max(index_bits(config.array.tiles + 1), index_bits(config.array.lanes)),
            "slot": index_bits(len(config.passes)),
            "bank": 1,
            "correction": 1,
            "count": index_bits(config.array.tiles + 1),
            "value": signed(config.formats.delta.width),
        }
    )
