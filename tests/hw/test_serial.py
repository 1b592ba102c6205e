"""What a small family makes a bit a cycle, against Python integers."""

import random

import pytest
from accelerators import accelerator
from amaranth.hdl import signed, unsigned
from amaranth.sim import Simulator
from specified_machine import output_error, rhu, sat

from dfarray.hw.error_unit import ErrorUnit
from dfarray.hw.serial import SerialProduct
from dfarray.hw.serial_readout import SerialReadout

FORMATS = {"weight": "Q2.13", "activation": "Q0.7", "logit": "Q6.4", "delta": "Q-4.19", "gram": "Q10.5"}


def simulate(dut, testbench, *background):
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for process in background:
        simulator.add_testbench(process, background=True)
    simulator.add_testbench(testbench)
    simulator.run()


@pytest.mark.parametrize(
    ("a", "b", "left", "addend"),
    [
        (signed(4), unsigned(3), 0, 0),
        (signed(4), signed(3), 0, 5),
        (signed(3), unsigned(3), 2, 3),
        (signed(3), signed(1), 1, 0),
        (signed(5), signed(4), 0, 8),
    ],
    ids=str,
)
def test_product(a, b, left, addend):
    """Of all operands: when it is there, and then what every further shift leaves and shifts out."""
    dut = SerialProduct(a, b, left, addend)
    values = [range(-(1 << s.width - 1), 1 << s.width - 1) if s.signed else range(1 << s.width) for s in (a, b)]

    async def testbench(ctx):
        for x in values[0]:
            for y in values[1]:
                ctx.set(dut.load, 1)
                ctx.set(dut.b, y)
                await ctx.tick()
                ctx.set(dut.load, 0)
                ctx.set(dut.a, x)
                for _ in range(b.width):
                    assert ctx.get(dut.running)
                    await ctx.tick()
                assert not ctx.get(dut.running)
                product = (x * y + addend) << left
                assert (ctx.get(dut.value), ctx.get(dut.half)) == (product, 0), (x, y)
                ctx.set(dut.shift, 1)
                for places in range(1, 5):
                    await ctx.tick()
                    expected = (product >> places, product >> (places - 1) & 1)
                    assert (ctx.get(dut.value), ctx.get(dut.half)) == expected, (x, y, places)
                ctx.set(dut.shift, 0)
                await ctx.tick()
                assert ctx.get(dut.value) == product >> 4

    simulate(dut, testbench)


def test_product_refuses():
    with pytest.raises(ValueError, match="a must be signed, not unsigned"):
        SerialProduct(unsigned(4), signed(4))
    for addend in (-1, 8):
        with pytest.raises(ValueError, match=f"Addend must be 0 to 7, not {addend}"):
            SerialProduct(signed(4), signed(4), addend=addend)


@pytest.mark.parametrize(
    ("neurons", "formats"), [(4, {}), (11, {}), (5, {"gram": "Q-1.9", "logit": "Q1.4"}), (5, {"delta": "Q-4.17"})]
)
def test_readout(neurons, formats):
    """As the general one's: sums over the groups, lessened by kappa, to logits; rows come every other cycle."""
    config = accelerator([4, neurons, 5], 1, 4, family="ice40up5k", zero_skipping=False, formats=FORMATS | formats)
    dut, draw, formats = SerialReadout(config), random.Random(neurons), config.formats
    classes, groups, shift = config.network.classes, len(config.output_groups), config.correction_shift
    gram_shift = 2 * formats.activation.fraction_bits - config.gram.fraction_bits
    errors = [draw.randrange(formats.delta.lo, formats.delta.hi + 1) for _ in range(classes)]

    async def bank_of_errors(ctx):
        while True:
            wanted = ctx.get(dut.read_class)
            await ctx.tick()
            ctx.set(dut.error, errors[wanted] if wanted < classes else 0)

    async def testbench(ctx):
        for sample in range(8):
            sums, correct, reach = [0] * (classes + 1), sample % 2, 1 << draw.choice((10, 17, 21))
            ctx.set(dut.correct, correct)
            for group in range(groups):
                for row in range(classes + 1):
                    value = draw.choice((draw.randrange(-reach, reach), 0, 1 << gram_shift - 1))
                    sums[row] += value
                    ctx.set(dut.partial, {"valid": 1, "value": value})
                    await ctx.tick()
                    ctx.set(dut.partial, {"valid": 0, "value": 0})
                    if row < classes or group < groups - 1:
                        await ctx.tick()
            gram = sat(rhu(sums[classes], gram_shift), config.gram)
            # The last GRAM row was a cycle ago, a logit was there in the cycle before.
            for c in range(classes):
                for _ in range(config.readout_latency - 1 if c == 0 else config.class_interval - 1):
                    assert not ctx.get(dut.logit.valid)
                    await ctx.tick()
                kappa = rhu(errors[c] * gram, shift) if correct else 0
                drop = formats.product_fraction - formats.logit.fraction_bits
                assert ctx.get(dut.logit.valid), (sample, c)
                assert ctx.get(dut.logit.value) == sat(rhu(sums[c] - kappa, drop), formats.logit), (sample, c)
                await ctx.tick()

    simulate(dut, testbench, bank_of_errors)


@pytest.mark.parametrize("error", ["mse", "softmax-cross-entropy"])
@pytest.mark.parametrize("formats", [{}, {"error": "Q0.11", "delta": "Q-4.13"}, {"error": "Q0.9", "logit": "Q3.5"}])
def test_scaled_errors(error, formats):
    """g of random logits, near and far from each other, and of every kind of learning rate."""
    config = accelerator(
        [4, 4, 5], 1, 4, family="ice40up5k", zero_skipping=False, error=error, formats=FORMATS | formats
    )
    dut, draw, formats = ErrorUnit(config), random.Random(7), config.formats
    classes, interval = config.network.classes, config.class_interval
    have, want = formats.error.fraction_bits, formats.delta.fraction_bits
    up = max(0, want - have)

    async def testbench(ctx):
        ctx.set(dut.results.ready, 1)
        for mantissa, exponent, reach in [(255, 0, 1.0), (1, 0, 0.1), (200, 9, 1.0), (129, 15, 0.02), (255, 31, 1.0)]:
            middle = draw.randrange(formats.logit.lo, formats.logit.hi + 1)
            spread = int(reach * formats.logit.hi)
            z = [min(max(middle + draw.randint(-spread, spread), formats.logit.lo), formats.logit.hi) for _ in range(5)]
            label = draw.randrange(classes)
            ctx.set(dut.start, 1)
            settings = {"train": 1, "label": label, "mantissa": mantissa, "exponent": exponent, "freeze": 0}
            ctx.set(dut.context, {"settings": settings, "parity": draw.randrange(2)})
            await ctx.tick()
            ctx.set(dut.start, 0)
            await ctx.tick().repeat(3)
            for logit in z:
                ctx.set(dut.logit, {"valid": 1, "value": logit})
                await ctx.tick()
                ctx.set(dut.logit, {"valid": 0, "value": formats.logit.lo})
                await ctx.tick().repeat(interval - 1)
            # From the last logit on.
            cycle, found = interval, {}
            while not ctx.get(dut.idle):
                if ctx.get(dut.write_enable):
                    found[cycle] = (ctx.get(dut.write_class), ctx.get(dut.write_value))
                await ctx.tick()
                cycle += 1
            g = [
                sat(rhu((e * mantissa) << up, exponent + have - want + up), formats.delta)
                for e in output_error(config, z, label)
            ]
            first = config.first_error
            assert found == {first + c * interval: (c, g[c]) for c in range(classes)}, (mantissa, exponent, z)

    simulate(dut, testbench)
