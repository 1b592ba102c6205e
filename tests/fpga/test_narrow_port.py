"""The narrow port reaches every input and observes every output."""

import random

import pytest
from accelerators import accelerator
from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from dfarray.fpga.narrow_port import WORD, NarrowPort
from dfarray.hw.accelerator import Accelerator
from dfarray.initial_weights import initial_weights


class Mirror(wiring.Component):
    """Every input and, registered, an output of its shape; more bits than a word of the port."""

    shapes = (signed(9), 1, data.StructLayout({"a": 20, "b": signed(5)}), WORD, 7)

    def __init__(self):
        ports = {f"i_{n}": In(shape) for n, shape in enumerate(self.shapes)}
        ports |= {f"o_{n}": Out(shape) for n, shape in enumerate(self.shapes)}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        for n in range(len(self.shapes)):
            m.d.comb += Value.cast(getattr(self, f"o_{n}")).eq(Value.cast(getattr(self, f"i_{n}")))
        return m


async def shift(ctx, port, bits):
    """Send all bits, the last input bit first, and strobe."""
    for bit in reversed(bits):
        ctx.set(port.serial_in, bit)
        await ctx.tick()
    ctx.set(port.strobe, 1)
    await ctx.tick()
    ctx.set(port.strobe, 0)


def simulate(port, testbench):
    simulator = Simulator(port)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_a_pattern_reaches_the_inputs():
    port, rng = NarrowPort(Mirror()), random.Random(1)
    width = len(port.inputs)
    assert width > 2 * WORD

    async def testbench(ctx):
        for _ in range(3):
            bits = [rng.getrandbits(1) for _ in range(width)]
            await shift(ctx, port, bits)
            # The next pattern may follow at once: the strobe has a lead on its bits.
            await ctx.tick().repeat(-(-width // WORD) + 1)
            got = ctx.get(port.inputs)
            assert got == sum(bit << n for n, bit in enumerate(bits)), f"got {got:#x}"

    simulate(port, testbench)


def test_inputs_hold_while_the_next_pattern_is_shifted():
    port = NarrowPort(Mirror())
    width = len(port.inputs)

    async def testbench(ctx):
        await shift(ctx, port, [1] * width)
        await ctx.tick().repeat(width)
        for _ in range(width):
            assert ctx.get(port.inputs) == (1 << width) - 1
            ctx.set(port.serial_in, 0)
            await ctx.tick()

    simulate(port, testbench)


def test_every_output_bit_reaches_the_pin():
    port = NarrowPort(Mirror())
    width = len(port.inputs)

    async def testbench(ctx):
        settle = -(-width // WORD) + 1 + port.latency
        for position in [None, *range(width)]:
            await shift(ctx, port, [int(n == position) for n in range(width)])
            await ctx.tick().repeat(settle)
            assert ctx.get(port.serial_out) == (position is not None), f"output bit {position}"

    simulate(port, testbench)


def test_latency_of_the_output():
    outputs = Signal(70)

    class Source(wiring.Component):
        def __init__(self):
            super().__init__({"i": In(1), "o": Out(70)})

        def elaborate(self, platform):
            m = Module()
            m.d.comb += self.o.eq(outputs)
            return m

    port = NarrowPort(Source())

    async def testbench(ctx):
        seen = []
        for cycle in range(port.latency + 3):
            ctx.set(outputs, 1 << 69 if cycle == 0 else 0)
            await ctx.tick()
            seen.append(ctx.get(port.serial_out))
        assert seen.index(1) + 1 == port.latency
        assert sum(seen) == 1

    simulate(port, testbench)


@pytest.mark.parametrize("error", ["mse", "softmax-cross-entropy"])
def test_every_port_of_the_accelerator_is_connected(error):
    config = accelerator([3, 4, 2], 2, 1, error=error)
    component = Accelerator(config, initial_weights(config))
    port = NarrowPort(component)
    widths = {In: 0, Out: 0}
    for _, member, value in component.signature.flatten(component):
        widths[member.flow] += len(Value.cast(value))
    assert (len(port.inputs), len(port.outputs)) == (widths[In], widths[Out])
    assert min(widths.values()) > 60

    async def testbench(ctx):
        # All inputs high, but for the streams, which then would move.
        await shift(ctx, port, [1] * len(port.inputs))
        await ctx.tick().repeat(len(port.inputs) // WORD + 2)
        assert ctx.get(port.inputs) == (1 << len(port.inputs)) - 1
        assert ctx.get(component.registers.wstrb) == 0b1111
        assert ctx.get(component.samples.valid) == 1

    simulate(port, testbench)


def test_a_component_without_outputs_is_refused():
    with pytest.raises(ValueError, match="needs inputs and outputs"):
        NarrowPort(wiring.Component({"i": In(4)}))


def test_folding_is_exact():
    """An odd number of high outputs, whatever their number: exclusive-or, not or."""
    port, rng = NarrowPort(Mirror()), random.Random(2)
    width = len(port.inputs)

    async def testbench(ctx):
        for _ in range(5):
            bits = [rng.getrandbits(1) for _ in range(width)]
            await shift(ctx, port, bits)
            await ctx.tick().repeat(-(-width // WORD) + 1 + port.latency)
            assert ctx.get(port.serial_out) == sum(bits) % 2
            assert ctx.get(Cat(port.outputs).xor()) == sum(bits) % 2

    simulate(port, testbench)
