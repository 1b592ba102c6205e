"""Fixed-point expressions: saturation, rounding, requantization, delay lines.

Source: docs/architecture.md section 2.
"""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed

from dfarray.qformat import QFormat


def saturate(m: Module, value: Value, width: int, name: str) -> Value:
    """Clip a signed value to ``signed(width)``; ``name`` names the unclipped wire.

    Only the bits above the result decide: they all equal the sign exactly when the value fits.

    Raises
    ------
    ValueError
        If ``value`` is unsigned.
    """
    if not value.shape().signed:
        raise ValueError(f"Saturation needs a signed value, not {value.shape()!r}")
    if len(value) <= width:
        return value
    exact = Signal(value.shape(), name=name)
    m.d.comb += exact.eq(value)
    top = exact[width - 1 :]
    limit = Mux(exact[-1], Const(1 << (width - 1), width), Const((1 << (width - 1)) - 1, width))
    return Mux(top.all() | ~top.any(), exact[:width], limit).as_signed()


def overflows(value: Value, width: int) -> Value:
    """Whether :func:`saturate` would change a signed value; the logic is shared with it."""
    top = value[width - 1 :]
    return ~(top.all() | ~top.any())


def saturate_registered(m: Module, value: Value, width: int, name: str) -> Value:
    """:func:`saturate` a cycle later, the register between finding an overflow and the multiplexer.

    Registers and multiplexer take half the levels of logic each; what follows shares a cycle with the multiplexer.
    """
    if not value.shape().signed:
        raise ValueError(f"Saturation needs a signed value, not {value.shape()!r}")
    if len(value) <= width:
        return delay(m, value, 1, name)
    return clipped(*overflow_registered(m, value, width, name))


def clipped(fits: Value, negative: Value, low: Value) -> Value:
    """What :func:`overflow_registered` found, saturated."""
    limit = Cat((~negative).replicate(len(low) - 1), negative)
    return Mux(fits, low, limit).as_signed()


def overflow_registered(m: Module, value: Value, width: int, name: str) -> tuple[Value, Value, Value]:
    """Registers: whether a signed value fits ``signed(width)``, its sign, its lowest bits."""
    exact = Signal(value.shape(), name=f"{name}_exact")
    fits = Signal(name=f"{name}_fits", reset_less=True)
    negative = Signal(name=f"{name}_negative", reset_less=True)
    low = Signal(width, name=f"{name}_low", reset_less=True)
    top = exact[width - 1 :]
    m.d.comb += exact.eq(value)
    m.d.sync += [
        fits.eq(~(top[:-1] ^ top[-1].replicate(len(top) - 1)).any()),
        negative.eq(exact[-1]),
        low.eq(exact[:width]),
    ]
    return fits, negative, low


def round_half_up(value: Value, bits: int) -> Value:
    """Drop ``bits`` fraction bits, a half rounds towards plus infinity."""
    return (value + (1 << (bits - 1))) >> bits if bits else value


def is_less(a: Value, b: Value) -> Value:
    """``a < b``, as the sign of their difference: a sum's bit, where a carry would have to leave its chain."""
    return (a - b)[-1]


def requantize(value: Value, from_fraction: int, to_fraction: int) -> Value:
    """Move a value's binary point, rounding half up where bits are dropped."""
    if from_fraction >= to_fraction:
        return round_half_up(value, from_fraction - to_fraction)
    return value << (to_fraction - from_fraction)


def delay(m: Module, value: Value, cycles: int, name: str, *, reset_less: bool = True) -> Value:
    """``value`` as it was ``cycles`` clock cycles ago; ``name`` names the registers."""
    for stage in range(1, cycles + 1):
        register = Signal.like(value, name=f"{name}_{stage}", reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = register
    return value


def odd_cycles(m: Module) -> Signal:
    """1 in every second cycle, 0 in the first after reset: what comes every other cycle comes in known ones."""
    odd = Signal(name="odd")
    m.d.sync += odd.eq(~odd)
    return odd


def held(m: Module, value: Value, cycles: int, name: str, when: Value) -> Value:
    """:func:`delay` of what is looked at every other cycle only, namely when ``when`` is 1."""
    for stage in range(1, (cycles + 1) // 2 + 1):
        register = Signal.like(value, name=f"{name}_{stage}", reset_less=True)
        with m.If(when):
            m.d.sync += register.eq(value)
        value = register
    return value


def q_shape(fmt: QFormat) -> Shape:
    """The Amaranth shape of a fixed-point format's codes."""
    return signed(fmt.width)


def lookup(m: Module, index: Value, values, name: str) -> Signal:
    """A small combinational table of constants, ``values[index]``.

    A packed constant rather than a Switch: Icarus would not evaluate a Switch over constants before ``index`` changes.
    """
    width = max(1, max(values).bit_length())
    packed = sum(value << position * width for position, value in enumerate(values))
    entry = Signal(width, name=name)
    m.d.comb += entry.eq(Const(packed, width * len(values)).word_select(index, width))
    return entry


def one_of(chosen, values):
    """The value whose bit of ``chosen`` is set, 0 if none is."""
    return any_of(Mux(bit, value, 0) for bit, value in zip(chosen, values, strict=True))


def any_of(values):
    """The bitwise or of values of which all but one are 0."""
    return reduce(or_, values)


def adder_tree(m: Module, values, name: str) -> Value:
    """Add values pairwise, a register a level: ``ceil(log2(len(values)))`` cycles."""
    values, level = list(values), 0
    while len(values) > 1:
        level += 1
        pairs = [sum(values[k : k + 2]) for k in range(0, len(values), 2)]
        values = [delay(m, pair, 1, f"{name}_{level}_{index}") for index, pair in enumerate(pairs)]
    return values[0]


def sign_extended(m: Module, value: Value, width: int, name: str) -> Value:
    """A signed value of so many bits."""
    extended = Signal(signed(width), name=name)
    m.d.comb += extended.eq(value)
    return extended


def parts_of(width: int, count: int) -> list[slice]:
    """A word in so many parts, the lowest first."""
    return [slice(width * part // count, width * (part + 1) // count) for part in range(count)]


def skewed(m: Module, value: Value, count: int, name: str) -> Value:
    """Each of so many parts of a word a cycle later than the one below it."""
    parts = parts_of(len(value), count)
    return Cat(delay(m, value[part], k, f"{name}_{k}") for k, part in enumerate(parts)).as_signed()


def aligned(m: Module, value: Value, count: int, name: str) -> Value:
    """A skewed word whole again, with its highest part."""
    parts = parts_of(len(value), count)
    return Cat(delay(m, value[part], count - 1 - k, f"{name}_{k}") for k, part in enumerate(parts)).as_signed()


def skewed_sum(m: Module, a: Value, b: Value, count: int, name: str, *, minus: bool = False) -> Value:
    """``a + b``, or ``a - b``, of skewed words of one width, a cycle later; no carry goes further than a part."""
    sums, carry = [], None
    for k, part in enumerate(parts_of(len(a), count)):
        total = Signal(part.stop - part.start, name=f"{name}_{k}", reset_less=True)
        carries = [Signal(name=f"{name}_carry_{k}", reset_less=True)] if k < count - 1 else []
        m.d.sync += Cat(total, carries).eq(add_with_carry(a[part], b[part], carry, minus=minus))
        sums.append(total)
        carry = Cat(carries)
    return Cat(sums).as_signed()


def add_with_carry(a: Value, b: Value, carry: Value | None, *, minus: bool = False) -> Value:
    """Sum or difference of unsigned words and a carry or borrow in one chain, its last bit the next one's."""
    if carry is None:
        return (a - b) if minus else (a + b)
    # A place below the lowest, out of which the carry comes.
    above, below = Cat(Const(0) if minus else carry, a), Cat(carry, b)
    return ((above - below) if minus else (above + below))[1:]


def fabric_product(m: Module, a: Value, b: Value, name: str) -> Value:
    """Signed product of adders, two bits of ``b`` a term; no multiplier block is spent on what is seldom needed.

    Latency: :func:`fabric_product_latency` cycles.
    """
    if not (a.shape().signed and b.shape().signed):
        raise ValueError(f"Operands must be signed, not {a.shape()!r} and {b.shape()!r}")
    width = len(a) + len(b)
    terms = []
    for low in range(0, len(b), 2):
        high = low + 1 < len(b)
        one, two = Mux(b[low], a, 0), Mux(b[low + 1], a, 0) << 1 if high else Const(0)
        top = low + 2 >= len(b)  # Whose highest bit counts negative.
        term = (one - two if high else -one) if top else one + two
        terms.append(delay(m, (term << low)[:width].as_signed(), 1, f"{name}_{low // 2}"))
    return adder_tree(m, terms, name)[:width].as_signed()


def fabric_product_latency(b_width: int) -> int:
    """Cycles of :func:`fabric_product`."""
    terms = -(-b_width // 2)
    return 1 + (terms - 1).bit_length()
