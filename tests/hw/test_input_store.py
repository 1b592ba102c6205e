"""The input store against a merge of dictionaries, whatever comes in."""

import random

import pytest
from accelerators import accelerator
from amaranth.sim import Simulator
from specified_intake import SpecifiedIntake

from dfarray.hw.dense_store import make_input_store
from dfarray.trace import index_bits

SMALL = {"weight": "Q2.13", "delta": "Q-4.19", "gram": "Q10.5"}
"""Formats that fit a small family's multiplier."""

WORD = ("value", "index", "label", "last")


def specified_lists(config, samples):
    """Section 4.4, from what was sent of each sample, {index: value}: (row list, gram) of each."""
    gram_format, activation = config.gram, config.formats.activation
    shift = 2 * activation.fraction_bits - gram_format.fraction_bits
    lists = []
    for n, sample in enumerate(samples):
        older, newer = (samples[n - k] if n >= k else {} for k in (2, 1))
        rows = []
        for i in range(config.network.inputs):
            before, current = older.get(i, 0), sample.get(i, 0)
            if before or current or (i in sample and not config.array.zero_skipping) or not config.lists:
                rows.append((i, before, current))
        gram = activation.one**2 + sum(value * newer.get(i, 0) for i, value in sample.items())
        gram = gram + (1 << shift >> 1) >> shift
        lists.append((rows, min(max(gram, gram_format.lo), gram_format.hi)))
    return lists


def broken_frames(config, draw):
    """Transfers (value, index, label, last, events) of samples that must be discarded, each after its first mistake."""
    n, reach = config.network.inputs, 1 << index_bits(config.network.inputs)
    frames = [[(0, True)] * (n + 2), [(n - 1, True), (n - 1, True), (0, True)]]
    frames += [[(k, False) for k in range(n + 3)], [(n - 1, True), (0, False), (0, False)]]
    if n > 1:
        frames += [[(0, False)] * (n - 1), [(1, True), (0, True), (1, True)]]
    if reach > n:
        frames += [[(0, True), (reach - 1, True)], [(n, True), (n, True)]]
    frame = draw.choice(frames)
    for place, (index, events) in enumerate(frame):
        yield draw.randrange(1, 8), index, 0, int(place == len(frame) - 1), int(events)


def good_frame(config, draw, sent, label, events):
    n = config.network.inputs
    transfers = sorted(sent.items()) if events else [(None, sent.get(i, 0)) for i in range(n)]
    for place, (index, value) in enumerate(transfers):
        index = draw.randrange(1 << index_bits(n)) if index is None else index
        yield value, index, label, int(place == len(transfers) - 1), int(events)


@pytest.mark.parametrize(
    ("inputs", "zero_skipping", "formats", "gaps", "family"),
    [
        (9, True, {}, 0.3, "generic"),
        (9, True, {}, 0, "generic"),
        (9, False, {}, 0.3, "generic"),
        (1, True, {}, 0.3, "generic"),
        (1, False, {}, 0, "generic"),
        (8, True, {"activation": "Q1.6", "gram": "Q0.5"}, 0.3, "generic"),
        (40, True, {}, 0.05, "generic"),
        (9, False, SMALL, 0.3, "ice40up5k"),
        (1, False, SMALL, 0, "ice40up5k"),
        (8, False, SMALL | {"activation": "Q1.6", "gram": "Q0.5"}, 0, "ice40up5k"),
    ],
)
def test_merge(inputs, zero_skipping, formats, gaps, family):
    """Lists and grams of whatever is taken, and every cycle's ``ready`` and ``complete``."""
    config = accelerator([inputs, 4, 3], 2, 2, zero_skipping=zero_skipping, formats=formats, family=family)
    dense = not config.lists
    draw, fmt = random.Random(inputs), config.formats.activation
    words, samples, labels, broken = [], [], [], 0
    for _ in range(25):
        while draw.random() < 0.4:
            words += broken_frames(config, draw)
            broken += 1
        share, events = draw.choice((0.0, 0.2, 0.6, 1.0)), draw.random() < 0.5
        sent = {i: draw.randrange(fmt.lo, fmt.hi + 1) for i in range(inputs) if draw.random() < share}
        sent = sent or {draw.randrange(inputs): 0} if events else {i: sent.get(i, 0) for i in range(inputs)}
        samples.append(sent)
        labels.append(draw.randrange(3))
        words += good_frame(config, draw, sent, labels[-1], events)
    dut = make_input_store(config)
    specified = SpecifiedIntake(config)
    errors = cycle = 0

    async def host(ctx):
        for value, index, label, last, events in words:
            while draw.random() < gaps:
                await ctx.tick()
            ctx.set(dut.samples.valid, 1)
            ctx.set(dut.samples.payload, {"value": value, "index": index, "label": label, "last": last})
            ctx.set(dut.events, events)
            while not ctx.get(dut.samples.ready):
                await ctx.tick()
            await ctx.tick()
            ctx.set(dut.samples.valid, 0)

    async def every_cycle(ctx):
        nonlocal errors, cycle
        while True:
            ready, valid = specified.step(cycle), ctx.get(dut.samples.valid)
            assert ctx.get(dut.samples.ready) == ready, cycle
            assert ctx.get(dut.complete) == specified.complete(cycle), cycle
            if ctx.get(dut.take):
                specified.take(cycle)
            if valid and ready:
                word = {f"samples.{name}": int(ctx.get(dut.samples.payload[name])) for name in WORD}
                specified.transfer(cycle, word | {"settings.events": ctx.get(dut.events)})
            errors += ctx.get(dut.framing_error)
            await ctx.tick()
            cycle += 1

    async def rows(ctx, count):
        found = []
        for place in range(ctx.get(count)):
            if dense and cycle % 2 == 0:  # Which still counts the cycle before: rows are read in even ones.
                await ctx.tick()
            ctx.set(dut.entry, place)
            await ctx.tick().repeat(config.latency.store_read)
            entry = ctx.get(dut.read)
            found.append((place if dense else entry["index"], entry["previous"], entry["current"]))
        return found

    async def sequencer(ctx):
        before = [(i, 0, 0) for i in range(inputs)] if dense else []
        for n, (expected, gram) in enumerate(specified_lists(config, samples)):
            for _ in range(1500):
                if ctx.get(dut.complete):
                    break
                await ctx.tick()
            assert ctx.get(dut.complete), f"sample {n} does not become complete"
            await ctx.tick().repeat(draw.choice((1, 2, 30)))
            assert ctx.get(dut.label) == labels[n]
            assert ctx.get(dut.next_rows) == len(expected)
            ctx.set(dut.take, 1)
            await ctx.tick()
            ctx.set(dut.take, 0)
            assert dense or ctx.get(dut.gram) == gram, n
            await ctx.tick()
            assert not ctx.get(dut.complete)
            assert ctx.get(dut.gram) == gram, n
            assert await rows(ctx, dut.rows_newest) == expected, n
            ctx.set(dut.previous, 1)
            older = await rows(ctx, dut.rows_older)
            if dense:
                # Of the sample before, a NULL sweep wants what was current then; the rest may be overwritten already.
                older, before = ([(index, current) for index, _, current in some] for some in (older, before))
            assert older == before, n
            ctx.set(dut.previous, 0)
            before = expected

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(host)
    simulator.add_testbench(sequencer)
    simulator.add_testbench(every_cycle, background=True)
    simulator.run()
    assert errors == broken > 0
