"""The cycle model against section 4 of the specification worked out on paper."""

import numpy as np
import pytest
from accelerators import accelerator
from host import Host
from recording import Recording, pins, record

from dfarray.golden.cycle import CycleModel
from dfarray.latency import ACCEPT, DISCARD, FAMILIES, MERGE_END, REOPEN
from dfarray.trace import STATES, input_signals

FORWARD, FUSED, ACTIVATE, OUT, OUT_FUSED, GRAM = 1, 2, 5, 6, 7, 8

GENERIC = FAMILIES["generic"]
FETCH, ACTIVATED, WALK = GENERIC.fetch, GENERIC.activated, GENERIC.walk
# G = 1.
READOUT, SQUARED = GENERIC.readout + 1, GENERIC.squared + 2


def test_two_samples_by_hand():
    """Section 4 worked out on paper. T = 2, L = 1, so P = 2 and S = 0; s = C = 2.

    Slots 0 and 1 hold the hidden neurons 0, 1 and 2 (rows 0-2 and 3-5), groups 0 and 1 their output weights (rows 6-9).
    """
    config = accelerator([2, 3, 2], 2, 1, nonzeros=2)
    k, e, y, wait = config.latency.align, config.latency.sum, config.latency.correct, config.latency.output_wait(1)
    assert 3 <= k <= 7, "row 5 waits for an ACTIVATE, but sample 1 does not wait for row 5"
    weights = [np.array([[900, 2000, -3000], [800, 5000, 700], [-600, 1234, 4321]]), np.full((2, 4), 3000)]
    weights[1][1] = -2000
    # A step for each of both transfers, and the one that ends the merge.
    taken = 1 + ACCEPT + 1 + MERGE_END
    inputs = pins(
        config,
        400,
        samples__valid=np.arange(400) < taken + 4,
        samples__value=np.where(np.arange(400) <= taken, 100, 150),
        results__ready=1,
        settings__train=1,
        settings__rate_mantissa=255,
        settings__rate_exponent=9,
    )
    last = [s.name for s in input_signals(config)].index("samples.last")
    inputs[[1, taken + 3], last] = 1
    seen = Recording(config, inputs, CycleModel(config, weights).advance(inputs))

    transfers = [0, 1, taken + 2, taken + 3]
    assert seen.cycles("samples.ready")[:4] == transfers
    again = taken + 3 + ACCEPT + 1 + MERGE_END
    assert seen.cycles("samples.complete") == [taken, taken + 1, again, again + 1]
    # Sample 0: rows 0-4, the ACTIVATE of slot 0, row 5; then the outputs of its group, and the ACTIVATE of slot 1,
    # which could have been decided long before but for those.
    first = taken + 1
    activate = first + 2 + k + 1
    group0 = activate + wait
    again_activate = group0 + 2 + 1
    group1 = again_activate + wait
    # Sample 1: rows 0 and 1, then the outputs and the ACTIVATE have their turns. Row 2 is the last of its slot
    # and waits for the ACTIVATE of sample 0's slot 1, row 5 for that of slot 0, which waits for corrections.
    start = again + 1
    assert start + 1 < group0
    x = group1 + 2 + FETCH + 1 + 2 + e + READOUT + 1
    walk = x + SQUARED + 3
    corrected = walk + WALK + 5
    third_activate = corrected + 1
    decided = {
        **dict.fromkeys([*range(first, first + 5), activate + 2, start, start + 1], FORWARD),
        **dict.fromkeys([*range(again_activate + 2, again_activate + 5), third_activate + 2], FORWARD),
        **dict.fromkeys([activate, again_activate, third_activate], ACTIVATE),
        **dict.fromkeys([group0, group0 + 1, group1, group1 + 1], OUT),
        **dict.fromkeys([group0 + 2, group1 + 2], GRAM),
    }
    heads = sorted(cycle + FETCH for cycle in decided)
    assert seen.cycles("broadcast.op")[: len(heads)] == heads
    assert seen.values("broadcast.op", heads) == [decided[head - FETCH] for head in heads]
    addresses = [0, 1, 2, 3, 4, 0, 5, 0, 1, 6, 7, 0, 0, 2, 3, 4, 8, 9, 0, 0, 5]
    assert seen.values("broadcast.address", heads) == addresses
    assert seen.values("broadcast.first", heads) == [1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    assert seen.values("broadcast.last", heads) == [0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1]
    states = [(first, 1), (activate + 3, 0), (start, 1), (third_activate + 3, 0)]
    assert seen.steps("sequencer.state") == states
    assert seen.steps("sequencer.pending_v") == [(activate + 3, 1)]
    assert seen.steps("sequencer.pending_u") == [(third_activate + 3, 1)]
    assert seen.changes("sequencer.parity") == [activate + 3, third_activate + 3]
    # Tile t holds the packet t cycles later; its neurons are 0, 1 and, in tile 0, 2.
    hop = FETCH + 1
    results = [first + 2 + hop + e + 1, activate + 2 + hop + e + 1]
    assert seen.changes("tile 0 lane 0 result")[:2] == results
    assert seen.changes("tile 1 lane 0 result")[:1] == [results[0] + 1]
    activated = [activate + hop + y + ACTIVATED, again_activate + hop + y + ACTIVATED]
    assert seen.changes("tile 0 lane 0 activation")[:2] == activated
    assert seen.changes("tile 1 lane 0 activation")[:2] == [cycle + 1 for cycle in activated]
    assert seen["tile 1 lane 0 activation"][activated[1] + 1] == 0, "slot 1 has no neuron in tile 1"
    partials = [cycle + hop + e for cycle in (group0, group0 + 1, group0 + 2, group1, group1 + 1, group1 + 2)]
    for tile in range(3):
        assert seen.cycles(f"tile {tile} partial.valid")[:6] == [cycle + tile for cycle in partials]
    one = config.formats.activation.one
    assert seen["tile 2 partial.value"][partials[2] + 2] == one * one, "no gram yet but the bias tile's"
    assert seen["tile 2 partial.value"][partials[5] + 2] == 0
    assert seen.cycles("logit.valid")[:2] == [x - 1, x]
    assert seen.cycles("results.valid")[:2] == [x + 2, x + 3]
    assert seen.cycles("error.valid")[:2] == [x + SQUARED, x + SQUARED + 1]
    # Corrections are served first; two tiles of two classes each.
    words = [walk + WALK + 2, walk + WALK + 4, walk + WALK + 5]
    words += [word + 2 * 2 + 1 + 1 for word in words]
    assert seen.cycles("feedback.op")[:6] == words
    assert seen.values("feedback.op", words) == [1, 1, 2, 1, 1, 2]
    assert seen.values("feedback.correction", words) == [1, 1, 1, 0, 0, 0]
    delivered = [(first + 2, 1), (again_activate + 5, 0), (words[5], 1)]
    assert seen.steps("sequencer.delivered")[:3] == delivered
    assert seen.steps("sequencer.corrected")[:3] == [(activate + 1, 1), (again_activate + 1, 0), (words[2], 1)]
    assert seen.changes("tile 0 error_scalar")[0] == words[0] + 2
    assert seen.changes("tile 0 lane 0 correction")[0] == third_activate + hop + config.latency.multiply + 2
    assert seen.changes("tile 1 lane 0 correction")[0] == third_activate + hop + config.latency.multiply + 3
    assert seen.values("broadcast.first", [third_activate + FETCH]) == [1]
    assert not any(seen.cycles(f"tile {tile} lane 0 weight_write.enable") for tile in range(3))


@pytest.mark.parametrize("wrong", [False, True])
def test_transfers_wait_by_hand(wrong):
    """Events behind the pairs of the sample before wait, four at most; a discarded sample leaves nothing behind."""
    config = accelerator([12, 3, 2], 2, 1)
    taken = 5 + ACCEPT + 1 + MERGE_END
    start = taken + 2
    transfers, indices, last = list(range(6)), list(range(6)), [5]
    if wrong:
        # The fourth transfer; one more of its frame comes when nothing waits any longer.
        discarded = start + 3 + DISCARD + 1
        transfers += [*range(start, start + 4), discarded]
        indices += [6, 7, 8, 8, 9]
        last.append(discarded)
        start = discarded + REOPEN
    # Pairs 0 to 5 are used up from the first cycle in which an event could be, then the first event.
    transfers += [*range(start, start + 4), start + ACCEPT + 6 + 1]
    indices += [6, 7, 8, 9, 10]
    last.append(transfers[-1])
    inputs = pins(config, 200, settings__train=1, settings__events=1, samples__valid=1, samples__value=50)
    names = [signal.name for signal in input_signals(config)]
    inputs[transfers, names.index("samples.index")] = indices
    inputs[last, names.index("samples.last")] = 1
    seen = Recording(config, inputs, CycleModel(config).advance(inputs))
    complete = transfers[-1] + ACCEPT + 1 + MERGE_END
    assert seen.cycles("samples.ready")[: len(transfers)] == transfers
    assert seen.cycles("samples.complete")[:3] == [taken, taken + 1, complete]


def test_updates_by_hand():
    """A flush after one sample: the first NULL sweep moves its update on, the second one applies it."""
    config = accelerator([2, 3, 2], 2, 1, nonzeros=2, zero_skipping=False)
    host = Host(config, 4, 1, events=False)
    seen = record(config, None, host)
    ops = seen.cycles("broadcast.op")
    rows = [head for head in ops if seen["broadcast.op"][head] == FUSED]
    outputs = [head for head in ops if seen["broadcast.op"][head] == OUT_FUSED]
    assert seen.values("broadcast.address", rows) == [0, 1, 2, 3, 4, 5]
    assert seen.values("broadcast.address", outputs) == [6, 7, 8, 9]
    assert seen.values("broadcast.x_prev", rows) == 2 * [config.formats.activation.one, *host.samples[0].tolist()]
    written = 1 + 2 + config.latency.align
    fused = sorted([*rows, *outputs])
    assert seen.cycles("tile 0 lane 0 weight_write.enable") == [head + written for head in fused]
    # Slot 1 has no neuron in tile 1, whose row of the output group is written back as it was.
    tile1 = [head for head in fused if seen["broadcast.address"][head] not in (3, 4, 5)]
    assert seen.cycles("tile 1 lane 0 weight_write.enable") == [head + 1 + written for head in tile1]
    assert seen.cycles("tile 2 lane 0 weight_write.enable") == [head + 2 + written for head in outputs[:2]]
    assert seen.values("broadcast.op", ops).count(FORWARD) == 6 + 2, "no sample before: bias rows only"
    assert len(seen.cycles("results.valid")) == 2, "NULL sweeps are not answered"


def test_load_and_dump_by_hand():
    """One row into 2 x 2 lanes and the bias tile and out again, both commands given at once."""
    config = accelerator([2, 2, 2], 2, 2)
    inputs = pins(config, 120, weights_in__valid=1, weights_in__data=np.arange(10, 130), weights_out__ready=1)
    names = [signal.name for signal in input_signals(config)]
    inputs[:, names.index("settings.row_first")] = 3
    inputs[:, names.index("settings.row_count")] = 1
    inputs[0, [names.index("command.load"), names.index("command.dump")]] = 1
    seen = Recording(config, inputs, CycleModel(config).advance(inputs))
    # The last of five words is decided in 6, so it is quiet from 6 + Q + 1 on, which a command sees a cycle later.
    read = 6 + config.latency.settle + 1 + 1 + 1
    token = read + FETCH + config.latency.correct + ACTIVATED
    out = token + 2 + 3 + 2
    states = [(2, STATES["LOAD"]), (7, STATES["IDLE"]), (read, STATES["DUMP"]), (out + 6, STATES["IDLE"])]
    assert seen.steps("sequencer.state") == states
    assert seen.cycles("weights_in.ready") == [2, 3, 4, 5, 6]
    assert seen.cycles("broadcast.op") == [*range(2 + FETCH, 7 + FETCH), read + FETCH]
    assert seen.values("broadcast.value", np.arange(2, 7) + FETCH) == [12, 13, 14, 15, 16]
    places = [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    for order, (tile, lane) in enumerate(places):
        cycle = 2 + order + FETCH + 1 + tile + 2 + config.latency.align
        assert seen.cycles(f"tile {tile} lane {lane} weight_write.enable") == [cycle]
        assert seen.values(f"tile {tile} lane {lane} weight_write.data", [cycle]) == [12 + order]
    assert seen.cycles("token.valid") == [token, token + 3]
    assert seen.values("token.count", [token, token + 3]) == [3, 2]
    assert seen.cycles("collector.busy") == list(range(read + 1, token + 3 + 2 + 1))
    assert seen.cycles("tile 2 return.valid") == list(range(token + 5, token + 10))
    assert seen.cycles("weights_out.valid") == list(range(out, out + 5))
    assert seen.values("weights_out.data", np.arange(out, out + 5)) == [12, 13, 14, 15, 16]
