"""Counted events are neither lost nor doubled, at the highest rates that there can be and at random ones."""

import random

import pytest
from accelerators import accelerator
from amaranth.sim import Simulator

from dfarray.event_counters import EVENT_COUNTERS, WALK, WORDS
from dfarray.hw import event_counters
from dfarray.hw.event_counters import EventCounters, event_amounts, event_rates

WALKS = 60
NARROW = 4
"""Bits of a word: with as few, all carries have their turn."""


@pytest.mark.parametrize("share", [1.0, 0.3])
@pytest.mark.parametrize("family", ["generic", "ice40up5k"])
def test_every_event_is_counted(family, share, monkeypatch):
    monkeypatch.setattr(event_counters, "WORD_BITS", NARROW)
    config = accelerator([9, 4, 3], 2, 2, family=family)
    rates, shape = event_rates(config), event_amounts(config)
    dut, draw = EventCounters(config), random.Random(1)
    expected = dict.fromkeys(EVENT_COUNTERS, 0)

    async def bench(ctx):
        for cycle in range(WALKS * WALK):
            amounts = {}
            for name, rate in rates.items():
                there = cycle % rate.spacing == 0 and draw.random() < share
                amounts[name] = (rate.largest if share == 1 else draw.randint(0, rate.largest)) if there else 0
                expected[name] += amounts[name]
            ctx.set(dut.amounts, amounts)
            await ctx.tick()
        ctx.set(dut.amounts, shape.const({}))
        for index, (name, count) in enumerate(expected.items()):
            assert count < 1 << NARROW * WORDS
            assert await read(ctx, index) == count, name

    async def read(ctx, index):
        found = 0
        for upper in range(2):
            ctx.set(dut.index, index)
            ctx.set(dut.upper, upper)
            ctx.set(dut.wanted, 1)
            # What was counted last is in the memory after a walk at the latest.
            await ctx.tick().repeat(2)
            while not ctx.get(dut.low):
                await ctx.tick()
            for half in range(2):
                found |= ctx.get(dut.word) << NARROW * (2 * upper + half)
                assert ctx.get(dut.high) == half
                await ctx.tick()
            ctx.set(dut.wanted, 0)
            await ctx.tick()
        return found

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    rated = {name for name, rate in rates.items() if rate.largest}
    assert all(expected[name] for name in rated)
