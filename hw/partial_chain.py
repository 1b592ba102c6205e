"""A hop of the chain that adds an output row's products over the tiles.

A word goes from tile to tile in as many parts as an addition has, each a cycle later than the one below it, so that a
tile adds for one cycle and no carry goes further than a part.
"""

from amaranth.hdl import Module, Value

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import aligned, sign_extended, skewed, skewed_sum


def partial_hop(m: Module, config: Configuration, incoming: Value, products: Value, valid: Value, partial) -> Value:
    """Add a tile's products to what comes in.

    Parameters
    ----------
    incoming, products : signed
        The sum so far, skewed; what is added, whole, with its lowest part.
    valid : Value
        A cycle before ``partial`` is.
    partial : partial_sum
        Becomes the sum, whole, with its highest part.

    Returns
    -------
    Value
        The sum, skewed.
    """
    parts, width = config.latency.accumulate, len(partial.value)
    addend = skewed(m, sign_extended(m, products, width, "products"), parts, "products")
    passed = skewed_sum(m, incoming, addend, parts, "partial")
    m.d.sync += partial.valid.eq(valid)
    m.d.comb += partial.value.eq(aligned(m, passed, parts, "partial"))
    return passed
