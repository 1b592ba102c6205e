"""Small blocks against plain Python integers, in Amaranth's own simulator."""

import pytest
from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.sim import Simulator

from dfarray.golden import noise
from dfarray.hw.arithmetic import lookup, requantize, round_half_up, saturate
from dfarray.hw.blocks import Multiplier, WeightBank
from dfarray.hw.noise import STEPS_A_TILE, RowNoise, lfsr_steps


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
def test_weight_bank_latency(latency):
    dut = WeightBank(signed(6), 8, [1, -2, 3], latency)

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


def test_weight_bank_refuses():
    with pytest.raises(ValueError, match="must be positive"):
        WeightBank(signed(6), 0)


def test_row_noise_follows_the_model():
    """The hardware's words, their latency and the generator's steps, from a seed of zero on."""
    dut = RowNoise(11, 0)
    rows = [0, 1, 2, 1720, 5]

    async def testbench(ctx):
        state = noise.first_state(0)
        for step in range(3):
            for row in rows:
                ctx.set(dut.row, row)
                await ctx.tick().repeat(RowNoise.latency)
                assert ctx.get(dut.word) == noise.row_words(state, [row])[0], (step, row)
            ctx.set(dut.advance, 1)
            await ctx.tick()
            ctx.set(dut.advance, 0)
            state = noise.next_state(state)
            assert ctx.get(dut.state) == state
        ctx.set(dut.seed, 77)
        ctx.set(dut.reseed, 1)
        await ctx.tick()
        assert ctx.get(dut.state) == 77

    clocked(dut, testbench)


def test_tiles_see_the_words_of_the_model():
    words = noise.tile_words(noise.row_words(1, [3]), 4)[0]
    stepped = evaluate(lambda m, v: lfsr_steps(v[:32], STEPS_A_TILE), 33, [int(w) for w in words])
    assert stepped[:3] == [int(w) for w in words[1:]]
