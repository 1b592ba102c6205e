"""What the register file tells the array: settings that hold, and command strobes."""

from amaranth.lib import data

from dfarray.configuration import Configuration
from dfarray.learning_rate import EXPONENT_BITS, MANTISSA_BITS
from dfarray.trace import index_bits


def settings_layout(config: Configuration) -> data.StructLayout:
    """Latched by the array when a sample's sweep, or a command, starts."""
    rows = config.array.bank_rows
    return data.StructLayout(
        {
            "train": 1,
            "events": 1,
            "rate_mantissa": MANTISSA_BITS,
            "rate_exponent": EXPONENT_BITS,
            "freeze": len(config.network.layers) - 1,
            "seed": 32,
            "row_first": index_bits(rows),
            "row_count": index_bits(rows + 1),
        }
    )


COMMANDS = data.StructLayout({"seed": 1, "flush": 1, "load": 1, "dump": 1})
"""Strobes of one cycle; each is remembered until the sequencer is idle."""
