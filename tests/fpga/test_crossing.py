"""Between two clocks every word arrives once and in order, whatever the two are and whoever waits."""

import random

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from dfarray.fpga.boards import BOARDS
from dfarray.fpga.clocks import ClockGenerator
from dfarray.fpga.link.crossing import STRETCH, Crossing

WORDS = 200

STREAM = wiring.Signature({"valid": Out(1), "ready": wiring.In(1), "data": Out(8), "last": Out(1)})

CHANNELS = {
    "samples": ("link_samples", "array_samples", ("data", "last"), "link"),
    "weights_in": ("link_weights_in", "array_weights_in", ("data", "last"), "link"),
    "results": ("array_results", "link_results", ("data", "last"), "array"),
    "weights_out": ("array_weights_out", "link_weights_out", ("data", "last"), "array"),
}
"""By channel: where it comes from and goes to, its payload, and who sends."""


def bench():
    m = Module()
    m.domains += [ClockDomain("link", reset_less=True), ClockDomain("array", reset_less=True)]
    m.submodules.crossing = crossing = Crossing(STREAM, STREAM, STREAM, "link", "array")
    return m, crossing


@pytest.mark.parametrize("period", [4.0, 1.0, 0.3, 2.7])
def test_every_word_arrives_once_and_in_order(period):
    m, crossing = bench()
    draw = random.Random(period)
    simulator = Simulator(m)
    simulator.add_clock(1e-6, domain="array")
    simulator.add_clock(period * 1e-6, phase=0.37e-6, domain="link")
    sent, got = {}, {}

    def sender(channel, bus, fields, domain):
        async def process(ctx):
            for _ in range(WORDS):
                while draw.random() < 0.3:
                    await ctx.tick(domain)
                word = [draw.randrange(1 << len(getattr(bus, field))) for field in fields]
                for field, value in zip(fields, word, strict=True):
                    ctx.set(getattr(bus, field), value)
                ctx.set(bus.valid, 1)
                _, _, ready = await ctx.tick(domain).sample(bus.ready)
                while not ready:
                    _, _, ready = await ctx.tick(domain).sample(bus.ready)
                ctx.set(bus.valid, 0)
                sent[channel].append(word)

        return process

    def taker(channel, bus, fields, domain):
        async def process(ctx):
            while len(got[channel]) < WORDS:
                ctx.set(bus.ready, draw.random() < 0.6)
                signals = (bus.valid, bus.ready, *(getattr(bus, field) for field in fields))
                _, _, valid, ready, *word = await ctx.tick(domain).sample(*signals)
                if valid and ready:
                    got[channel].append(word)

        return process

    for channel, (source, target, fields, side) in CHANNELS.items():
        sent[channel], got[channel] = [], []
        other = "array" if side == "link" else "link"
        simulator.add_testbench(sender(channel, getattr(crossing, source), fields, side))
        simulator.add_testbench(taker(channel, getattr(crossing, target), fields, other))
    simulator.run()
    assert got == sent
    assert all(len(words) == WORDS for words in got.values())


@pytest.mark.parametrize("period", [4.0, 1.0, 0.3, 2.7])
def test_every_request_is_done_once_and_its_answer_is_its_own(period):
    m, crossing = bench()
    draw = random.Random(period)
    near, far = crossing.link_registers, crossing.array_registers
    fields = ("write", "address", "data", "strobe")
    asked, seen, answers, got = [], [], [], []

    async def link(ctx):
        for _ in range(WORDS):
            await ctx.tick("link").repeat(draw.randrange(1, 4))
            request = [draw.randrange(1 << len(getattr(near, field))) for field in fields]
            for field, value in zip(fields, request, strict=True):
                ctx.set(getattr(near, field), value)
            ctx.set(near.valid, 1)
            asked.append(request)
            words, done = [], 0
            while not done:
                _, _, done, beat, word, refused = await ctx.tick("link").sample(
                    near.done, near.beat, near.word, near.refused
                )
                words += [word] * beat
            ctx.set(near.valid, 0)
            got.append((words, refused))

    async def array(ctx):
        for _ in range(WORDS):
            valid = 0
            while not valid:
                _, _, valid, *request = await ctx.tick("array").sample(
                    far.valid, *(getattr(far, field) for field in fields)
                )
            seen.append(request)
            await ctx.tick("array").repeat(draw.randrange(1, 4))
            words, refused = [draw.randrange(1 << 16) for _ in range(2)], draw.randrange(2)
            for beat, word in enumerate(words):
                ctx.set(far.word, word)
                ctx.set(far.beat, not request[0])
                ctx.set(far.done, beat)
                ctx.set(far.refused, beat and refused)
                await ctx.tick("array")
            ctx.set(far.beat, 0)
            ctx.set(far.done, 0)
            answers.append(([] if request[0] else words, refused))

    simulator = Simulator(m)
    simulator.add_clock(1e-6, domain="array")
    simulator.add_clock(period * 1e-6, phase=0.37e-6, domain="link")
    simulator.add_testbench(link)
    simulator.add_testbench(array)
    simulator.run()
    assert seen == asked
    assert got == answers
    assert len(got) == WORDS


def test_busy_from_the_first_word_until_the_array_rests():
    """No gap between a word's way through its queue and what the array makes of it, and none at the end."""
    m, crossing = bench()
    seen = []

    async def link(ctx):
        assert not ctx.get(crossing.link_busy)
        ctx.set(crossing.link_samples.valid, 1)
        await ctx.tick("link")
        ctx.set(crossing.link_samples.valid, 0)
        for _ in range(80):
            seen.append(ctx.get(crossing.link_busy))
            await ctx.tick("link")

    async def array(ctx):
        ctx.set(crossing.array_samples.ready, 1)
        valid = 0
        while not valid:
            _, _, valid = await ctx.tick("array").sample(crossing.array_samples.valid)
        await ctx.tick("array").repeat(3)
        ctx.set(crossing.array_busy, 1)
        await ctx.tick("array").repeat(100)
        ctx.set(crossing.array_busy, 0)

    simulator = Simulator(m)
    simulator.add_clock(1e-6, domain="array")
    simulator.add_clock(4e-6, phase=0.37e-6, domain="link")
    simulator.add_testbench(link)
    simulator.add_testbench(array)
    simulator.run()
    length = sum(seen)
    assert seen == [1] * length + [0] * (80 - length)
    assert 100 / 4 + STRETCH <= length <= 100 / 4 + STRETCH + 8


def test_a_second_clock_is_an_ecp5s():
    with pytest.raises(ValueError, match="icebreaker makes no second clock at 30 MHz; slowdown must be 1, not 2"):
        ClockGenerator(BOARDS["icebreaker"], 30.0, 2)


def test_busy_while_a_word_waits_for_the_array():
    """Although the array rests: it is not ready for the word."""
    m, crossing = bench()

    async def link(ctx):
        ctx.set(crossing.link_samples.valid, 1)
        await ctx.tick("link")
        ctx.set(crossing.link_samples.valid, 0)
        for _ in range(10 * STRETCH):
            assert ctx.get(crossing.link_busy)
            await ctx.tick("link")

    simulator = Simulator(m)
    simulator.add_clock(1e-6, domain="array")
    simulator.add_clock(4e-6, phase=0.37e-6, domain="link")
    simulator.add_testbench(link)
    simulator.run()
