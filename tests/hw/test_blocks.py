"""Small blocks against plain Python integers, in Amaranth's own simulator."""

import random

import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from dfarray.golden import noise
from dfarray.hw.arithmetic import (
    adder_tree,
    fabric_product,
    fabric_product_latency,
    lookup,
    requantize,
    round_half_up,
    saturate,
    saturate_registered,
)
from dfarray.hw.blocks import BlockRam, Multiplier
from dfarray.hw.noise import STEPS_A_TILE, NoiseState, RowNoise, lfsr_steps


def evaluate(build, width, values):
    """Combinational ``build(m, input)`` for every value."""
    m = Module()
    given, result = Signal(signed(width)), Signal(signed(64))
    m.d.comb += result.eq(build(m, given))
    found = []

    async def testbench(ctx):
        for value in values:
            ctx.set(given, value)
            found.append(ctx.get(result))

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
    return found


@pytest.mark.parametrize("width", [2, 4, 6, 7, 9])
def test_saturate_every_value(width):
    values = range(-64, 64)
    found = evaluate(lambda m, v: saturate(m, v, width, "exact"), 7, values)
    assert found == [min(max(v, -(1 << (width - 1))), (1 << (width - 1)) - 1) for v in values]


@pytest.mark.parametrize("bits", [0, 1, 3])
def test_round_half_up_every_value(bits):
    values = range(-64, 64)
    assert evaluate(lambda m, v: round_half_up(v, bits), 7, values) == [
        (2 * v + (1 << bits)) >> (bits + 1) for v in values
    ]


def test_requantize_both_ways():
    assert evaluate(lambda m, v: requantize(v, 2, 4), 5, [-16, -1, 0, 15]) == [-64, -4, 0, 60]
    assert evaluate(lambda m, v: requantize(v, 4, 2), 5, [-6, -2, 1, 2, 15]) == [-1, 0, 0, 1, 4]


def test_saturate_refuses_unsigned():
    with pytest.raises(ValueError, match="signed"):
        saturate(Module(), Signal(unsigned(4)), 3, "exact")


def test_lookup():
    table = [5, 0, 3]
    assert evaluate(lambda m, v: lookup(m, v[:2], table, "entry"), 4, [0, 1, 2]) == table


def clocked(dut, testbench):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize("count", [2, 3, 7, 8])
def test_adder_tree(count):
    """A sum a cycle, and as many cycles as levels."""
    latency = (count - 1).bit_length()
    m = Module()
    inputs = [Signal(signed(6), name=f"input_{k}") for k in range(count)]
    total = Signal(signed(10))
    m.d.comb += total.eq(adder_tree(m, inputs, "sum"))
    draw = random.Random(count)
    given = [[draw.randrange(-32, 32) for _ in range(count)] for _ in range(10)] + [[-32] * count, [31] * count]

    async def testbench(ctx):
        found = []
        for values in given + [given[-1]] * latency:
            for signal, value in zip(inputs, values, strict=True):
                ctx.set(signal, value)
            found.append(ctx.get(total))
            await ctx.tick()
        assert found[latency:] == [sum(values) for values in given]

    clocked(m, testbench)


@pytest.mark.parametrize(("a_width", "b_width"), [(5, 2), (4, 3), (6, 5), (3, 8), (4, 9)])
def test_fabric_product(a_width, b_width):
    """Every pair of operands, a product a cycle."""
    latency = fabric_product_latency(b_width)
    m = Module()
    a, b = Signal(signed(a_width)), Signal(signed(b_width))
    product = Signal(signed(a_width + b_width))
    m.d.comb += product.eq(fabric_product(m, a, b, "product"))
    operands = range(-(1 << a_width - 1), 1 << a_width - 1), range(-(1 << b_width - 1), 1 << b_width - 1)
    pairs = [(x, y) for x in operands[0] for y in operands[1]]

    async def testbench(ctx):
        found = []
        for x, y in pairs + [pairs[-1]] * latency:
            ctx.set(a, x)
            ctx.set(b, y)
            found.append(ctx.get(product))
            await ctx.tick()
        assert found[latency:] == [x * y for x, y in pairs]

    clocked(m, testbench)


def test_fabric_product_refuses_unsigned():
    with pytest.raises(ValueError, match="must be signed"):
        fabric_product(Module(), Signal(signed(4)), Signal(unsigned(4)), "product")


@pytest.mark.parametrize("latency", [1, 2, 3, 5])
def test_multiplier_latency(latency):
    dut = Multiplier(signed(5), signed(4), latency)
    pairs = [(-16, -8), (15, 7), (-16, 7), (3, -5), (0, 1)]

    async def testbench(ctx):
        found = []
        for cycle in range(len(pairs) + latency):
            a, b = pairs[min(cycle, len(pairs) - 1)]
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            found.append(ctx.get(dut.product))
            await ctx.tick()
        assert found[latency:] == [a * b for a, b in pairs]

    clocked(dut, testbench)


def test_multiplier_refuses():
    with pytest.raises(ValueError, match="must be signed"):
        Multiplier(unsigned(4), signed(4), 1)
    with pytest.raises(ValueError, match="latency must be 1 or more, not 0"):
        Multiplier(signed(4), signed(4), 0)


@pytest.mark.parametrize("latency", [1, 2, 3])
def test_memory_latency(latency):
    dut = BlockRam(signed(6), 8, [1, -2, 3], latency)

    async def testbench(ctx):
        ctx.set(dut.write_enable, 1)
        ctx.set(dut.write_address, 7)
        ctx.set(dut.write_data, -31)
        await ctx.tick()
        ctx.set(dut.write_enable, 0)
        found = []
        rows = [0, 1, 2, 7, 3]
        for cycle in range(len(rows) + latency):
            ctx.set(dut.read_address, rows[min(cycle, len(rows) - 1)])
            found.append(ctx.get(dut.read_data))
            await ctx.tick()
        assert found[latency:] == [1, -2, 3, -31, 0]

    clocked(dut, testbench)


@pytest.mark.parametrize("width", [1, 3, 5, 7])
def test_registered_saturation(width):
    m = Module()
    given, result = Signal(signed(6)), Signal(signed(8))
    m.d.comb += result.eq(saturate_registered(m, given, width, "given"))
    lo, hi = -(1 << width >> 1), (1 << width >> 1) - 1

    async def testbench(ctx):
        for value in range(-32, 32):
            ctx.set(given, value)
            await ctx.tick()
            assert ctx.get(result) == min(max(value, lo), hi), value

    clocked(m, testbench)


def test_memory_refuses():
    with pytest.raises(ValueError, match="must be positive"):
        BlockRam(signed(6), 0)


def test_noise_state_follows_the_model():
    """From a seed of zero on; a new seed counts, and one of zero counts as one."""
    dut = NoiseState(0)

    async def testbench(ctx):
        state = noise.first_state(0)
        for step in range(4):
            assert ctx.get(dut.state) == state, step
            ctx.set(dut.advance, 1)
            await ctx.tick()
            ctx.set(dut.advance, 0)
            await ctx.tick()
            state = noise.next_state(state)
        ctx.set(dut.reseed, 1)
        for seed in (77, 0):
            ctx.set(dut.seed, seed)
            await ctx.tick()
            assert ctx.get(dut.state) == noise.first_state(seed)

    clocked(dut, testbench)


def test_row_noise_follows_the_model():
    """A word a cycle, ``latency`` cycles after state and row."""
    dut = RowNoise(11)
    asked = [(state, row) for state in (1, 0xFFFFFFFF, 0x12345678) for row in (0, 1, 2, 1720, 5)]

    async def testbench(ctx):
        found = []
        for state, row in asked + [asked[-1]] * dut.latency:
            ctx.set(dut.state, state)
            ctx.set(dut.row, row)
            found.append(ctx.get(dut.word))
            await ctx.tick()
        assert found[dut.latency :] == [noise.row_words(state, [row])[0] for state, row in asked]

    clocked(dut, testbench)


def test_tiles_see_the_words_of_the_model():
    words = noise.tile_words(noise.row_words(1, [3]), 4)[0]
    stepped = evaluate(lambda m, v: lfsr_steps(v[:32], STEPS_A_TILE), 33, [int(w) for w in words])
    assert stepped[:3] == [int(w) for w in words[1:]]
