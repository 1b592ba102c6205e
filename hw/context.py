"""What belongs to one sample on its way through sequencer and error unit."""

from amaranth.lib import data

from dfarray.configuration import Configuration
from dfarray.learning_rate import EXPONENT_BITS, MANTISSA_BITS
from dfarray.trace import index_bits


def sample_settings(config: Configuration) -> data.StructLayout:
    """Latched when the sample's sweep starts."""
    return data.StructLayout(
        {
            "train": 1,
            "label": index_bits(config.network.classes),
            "mantissa": MANTISSA_BITS,
            "exponent": EXPONENT_BITS,
            "freeze": len(config.network.layers) - 1,
        }
    )


def output_context(config: Configuration) -> data.StructLayout:
    """Of a sample's output rows.

    ``null``: nobody wants the answer; ``update``: the rows apply U's update; ``correct``: the sums are corrected for
    V's; ``parity``: of the sweep, U's bank and later the sample's own; ``noise``: state of the rounding noise.
    """
    return data.StructLayout(
        {"settings": sample_settings(config), "null": 1, "update": 1, "correct": 1, "parity": 1, "noise": 32}
    )
