"""What travels on the chains: broadcast packets, collect tokens, return words, feedback words.

Fields and codes: docs/architecture.md section 4.
"""

from amaranth.hdl import signed
from amaranth.lib import data, enum

from dfarray.configuration import Configuration, Rounding
from dfarray.trace import FEEDBACK_OPERATIONS, KINDS, OPERATIONS, index_bits, return_width


class Operation(enum.Enum, shape=3):
    """What a broadcast packet asks of the lanes."""

    IDLE = OPERATIONS["IDLE"]
    FORWARD = OPERATIONS["FORWARD"]
    FUSED = OPERATIONS["FUSED"]
    LOAD = OPERATIONS["LOAD"]
    READ = OPERATIONS["READ"]


class Kind(enum.Enum, shape=2):
    """What a token asks for and a return word carries."""

    HIDDEN = KINDS["HIDDEN"]
    OUTPUT = KINDS["OUTPUT"]
    WEIGHT = KINDS["WEIGHT"]


class FeedbackOperation(enum.Enum, shape=2):
    """What a feedback word asks of the tiles."""

    IDLE = FEEDBACK_OPERATIONS["IDLE"]
    SCALAR = FEEDBACK_OPERATIONS["SCALAR"]
    DELTA = FEEDBACK_OPERATIONS["DELTA"]


def broadcast_packet(config: Configuration) -> data.StructLayout:
    """One cycle of the broadcast chain.

    Presynaptic activations and the weight of a LOAD share their wires: a packet carries either.
    """
    activation, weight = config.formats.activation.width, config.formats.weight.width
    fields = {
        "op": Operation,
        "address": index_bits(config.array.bank_rows),
        "payload": data.UnionLayout(
            {
                "x": data.StructLayout({"prev": signed(activation), "cur": signed(activation)}),
                "weight": signed(weight),
            }
        ),
        "first": 1,
        "last": 1,
        "tile": index_bits(config.array.tiles),
        "lane": index_bits(config.array.lanes),
    }
    if config.training.rounding is Rounding.STOCHASTIC:
        fields["noise"] = 32
    return data.StructLayout(fields)


def collect_token(config: Configuration) -> data.StructLayout:
    """Asks lane ``lane`` of tiles 0..count-1 for its result."""
    return data.StructLayout(
        {
            "valid": 1,
            "lane": index_bits(config.array.lanes),
            "kind": Kind,
            "slot": index_bits(len(config.passes)),
            "count": index_bits(config.array.tiles + 1),
        }
    )


def return_word(config: Configuration) -> data.StructLayout:
    """A lane's answer: an activation, a logit or a weight, by ``kind``."""
    return data.StructLayout({"valid": 1, "kind": Kind, "value": signed(return_width(config))})


def feedback_word(config: Configuration) -> data.StructLayout:
    """An error scalar for one tile, or the order to turn it into one lane's delta."""
    return data.StructLayout(
        {
            "op": FeedbackOperation,
            "index": max(index_bits(config.array.tiles), index_bits(config.array.lanes)),
            "slot": index_bits(len(config.passes)),
            "count": index_bits(config.array.tiles + 1),
            "value": signed(config.formats.delta.width),
        }
    )


def hidden_slots(config: Configuration) -> int:
    """Passes of hidden layers; they come before the output layer's."""
    return sum(not item.output for item in config.passes)
