"""Gram and readout against Python integers, in Amaranth's own simulator."""

import random

import pytest
from accelerators import accelerator
from amaranth.sim import Simulator

from dfarray.hw.gram import GramAccumulator
from dfarray.hw.readout import Readout


def clocked(dut, *testbenches):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for testbench in testbenches:
        simulator.add_testbench(testbench)
    simulator.run()


def requantized(value: int, shift: int, fmt) -> int:
    value = value + (1 << shift >> 1) >> shift if shift >= 0 else value << -shift
    return min(max(value, fmt.lo), fmt.hi)


@pytest.mark.parametrize("formats", [{}, {"gram": "Q-1.9"}, {"activation": "Q1.5", "gram": "Q8.10"}])
def test_gram(formats):
    """The bias input's product and all pairs, from clear to clear; what is on its way when it is cleared is lost."""
    config = accelerator([40, 4, 3], 2, 2, formats=formats)
    dut, draw, fmt = GramAccumulator(config), random.Random(3), config.formats.activation
    shift = 2 * fmt.fraction_bits - config.gram.fraction_bits

    async def testbench(ctx):
        async def pairs(count):
            total = 0
            for _ in range(count):
                a, b = (draw.choice((fmt.lo, fmt.hi, 0, draw.randrange(fmt.lo, fmt.hi + 1))) for _ in range(2))
                valid = draw.random() < 0.7
                ctx.set(dut.valid, valid)
                ctx.set(dut.a, a)
                ctx.set(dut.b, b)
                total += a * b * valid
                await ctx.tick()
            ctx.set(dut.valid, 0)
            return total

        for count in (0, 1, 5, 40, 3):
            total = await pairs(count)
            # ``latency`` counts from the last pair's own cycle.
            await ctx.tick().repeat(dut.latency - 1)
            expected = requantized(fmt.one**2 + total, shift, config.gram)
            assert ctx.get(dut.total) == expected, (count, ctx.get(dut.total), expected)
            if count == 5:
                await pairs(4)
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)

    clocked(dut, testbench)


@pytest.mark.parametrize(
    ("neurons", "formats"),
    [(4, {}), (11, {}), (11, {"gram": "Q-1.9", "logit": "Q1.4"}), (5, {"gram": "Q8.6", "delta": "Q0.9"})],
)
def test_readout(neurons, formats):
    """Sums over the groups, lessened by kappa, to logits: when they come, and what they are."""
    config = accelerator([4, neurons, 5], 2, 2, formats=formats)
    dut, draw, classes = Readout(config), random.Random(neurons), config.network.classes
    groups, formats = len(config.output_groups), config.formats
    gram_shift = 2 * formats.activation.fraction_bits - config.gram.fraction_bits
    logit_shift = formats.product_fraction - formats.logit.fraction_bits
    logits, last_gram, first_logit = [], [], []
    errors = [draw.randrange(formats.delta.lo, formats.delta.hi + 1) for _ in range(classes)]
    samples = [(correct, draw.choice((10, 22, 26))) for correct in (0, 1, 1, 0, 1)]
    expected, cycle = [], 0

    async def exit_of_the_chain(ctx):
        for correct, bits in samples:
            sums, gram = [0] * classes, 0
            ctx.set(dut.start, 1)
            ctx.set(dut.correct, correct)
            await ctx.tick()
            ctx.set(dut.start, 0)
            await ctx.tick()  # The first partial is many cycles behind the start.
            for _ in range(groups):
                for row in range(classes + 1):
                    limit = 1 << (bits if row < classes else 17)
                    value = draw.randrange(-limit, limit)
                    sums = [s + value * (c == row) for c, s in enumerate(sums)]
                    gram += value * (row == classes)
                    ctx.set(dut.partial, {"valid": 1, "value": value})
                    if row == classes:
                        last_gram.append(cycle)
                    await ctx.tick()
                    ctx.set(dut.partial, {"valid": 0, "value": 0})
                    if draw.random() < 0.5:
                        await ctx.tick().repeat(draw.choice((1, 7)))
            scalar = requantized(gram, gram_shift, config.gram)
            for total, error in zip(sums, errors, strict=True):
                shift = config.correction_shift
                product = error * scalar
                kappa = product + (1 << shift >> 1) >> shift if shift >= 0 else product << -shift
                expected.append(requantized(total - kappa * correct, logit_shift, formats.logit))
            await ctx.tick().repeat(config.readout_latency + classes + 2)

    async def bank_of_errors(ctx):
        while True:
            wanted = ctx.get(dut.read_class)
            await ctx.tick()
            ctx.set(dut.error, errors[wanted])

    async def error_unit(ctx):
        nonlocal cycle
        while True:
            if ctx.get(dut.logit.valid):
                if len(logits) % classes == 0:
                    first_logit.append(cycle)
                logits.append(ctx.get(dut.logit.value))
            await ctx.tick()
            cycle += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(error_unit, background=True)  # First: it counts the cycles.
    simulator.add_testbench(bank_of_errors, background=True)
    simulator.add_testbench(exit_of_the_chain)
    simulator.run()
    assert logits == expected
    assert first_logit == [when + config.readout_latency for when in last_gram[groups - 1 :: groups]]
