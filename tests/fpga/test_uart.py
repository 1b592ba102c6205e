"""Bytes cross the UART at clocks that do not quite agree; a missing stop bit is told."""

import random
from itertools import pairwise

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.sim import Simulator

from dfarray.fpga.boards import BOARDS
from dfarray.fpga.link.uart import TOLERANCE, UartReceiver, UartTransmitter, divisor_and_baud


def simulate(component, testbench):
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


async def receive(ctx, receiver, levels):
    """Show levels, one a cycle; the bytes and errors that come."""
    found = []
    for level in levels:
        ctx.set(receiver.line, level)
        await ctx.tick()
        if ctx.get(receiver.valid):
            found.append(ctx.get(receiver.data))
        if ctx.get(receiver.error):
            found.append(None)
    return found


def levels_of(data, cycles):
    """The line's level in each cycle; ``cycles`` a bit need not be whole."""
    bits = [1, 1] + [bit for byte in data for bit in (0, *(byte >> k & 1 for k in range(8)), 1)] + [1, 1]
    return [bits[int(k / cycles)] for k in range(int(len(bits) * cycles))]


@pytest.mark.parametrize("divisor", [4, 5, 10, 57])
@pytest.mark.parametrize("drift", [-TOLERANCE, 0, TOLERANCE])
def test_the_receiver_tolerates_another_clock(divisor, drift):
    data = [random.Random(divisor).randrange(256) for _ in range(40)] + [0, 255]
    receiver = UartReceiver(divisor)

    async def testbench(ctx):
        assert await receive(ctx, receiver, levels_of(data, divisor * (1 + drift))) == data

    simulate(receiver, testbench)


def test_a_break_is_one_error_and_ends():
    receiver = UartReceiver(4)

    async def testbench(ctx):
        assert await receive(ctx, receiver, [1] * 8 + [0] * 200 + [1] * 8 + levels_of([0x5A], 4)) == [None, 0x5A]

    simulate(receiver, testbench)


def test_a_glitch_is_no_byte():
    receiver = UartReceiver(10)

    async def testbench(ctx):
        assert await receive(ctx, receiver, [1] * 8 + [0] * 3 + [1] * 100 + levels_of([7], 10)) == [7]

    simulate(receiver, testbench)


class Loop(wiring.Component):
    """A transmitter whose line the receiver sees."""

    def __init__(self, divisor):
        self.transmitter, self.receiver = UartTransmitter(divisor), UartReceiver(divisor)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules += [self.transmitter, self.receiver]
        m.d.comb += self.receiver.line.eq(self.transmitter.line)
        return m


def test_back_to_back_bytes_take_ten_bits_each():
    loop, data, divisor = Loop(6), [0, 255, 0x55, 0xAA, 1], 6
    found, at = [], []

    async def testbench(ctx):
        sent = iter(data)
        ctx.set(loop.transmitter.data, next(sent))
        ctx.set(loop.transmitter.valid, 1)
        for cycle in range(len(data) * 10 * divisor + 40):
            ready = ctx.get(loop.transmitter.ready)
            await ctx.tick()
            if ready:
                following = next(sent, None)
                ctx.set(loop.transmitter.valid, following is not None)
                ctx.set(loop.transmitter.data, following or 0)
            if ctx.get(loop.receiver.valid):
                found.append(ctx.get(loop.receiver.data))
                at.append(cycle)

    simulate(loop, testbench)
    assert found == data
    assert {b - a for a, b in pairwise(at)} == {10 * divisor}


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_every_board_makes_its_baud_rate(board):
    assert divisor_and_baud(board.target_mhz, board.baud)[1] == 3_000_000


def test_a_clock_that_makes_no_fast_rate_takes_a_slower_one():
    assert divisor_and_baud(25.0) == (17, 1_500_000)
    assert divisor_and_baud(10.0) == (5, 2_000_000)
    assert divisor_and_baud(9.0, fastest=2_000_000) == (6, 1_500_000)
    with pytest.raises(ValueError, match="makes no baud rate"):
        divisor_and_baud(0.1)
