"""The decoder: every command at its stage, counted from the packet in the hop register."""

import pytest
from accelerators import accelerator
from amaranth.sim import Simulator

from dfarray.golden import noise
from dfarray.hw.decoder import BiasDecoder, Decoder
from dfarray.trace import OPERATIONS

TILE = 1


def seen(config, packet: dict, watch: dict, *, late=None, biases=None, cycles=40) -> dict[str, dict[int, int]]:
    """Send one packet; of each watched signal, its values but zeros by cycle. In cycle 0 the hop register has it.

    ``late`` is what follows on the late chain, a field in the cycle in which it shall be in its hop register.
    """
    late = late or {}
    dut = Decoder(config, TILE) if biases is None else BiasDecoder(config, biases)
    found: dict[str, dict[int, int]] = {name: {} for name in watch}

    async def testbench(ctx):
        ctx.set(dut.packet_in, packet)
        ctx.set(dut.late_in, late.get(0, {}))
        await ctx.tick()
        ctx.set(dut.packet_in, {})
        for cycle in range(cycles):
            ctx.set(dut.late_in, late.get(cycle + 1, {}))
            for name, choose in watch.items():
                if value := ctx.get(choose(dut)):
                    found[name][cycle] = value
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
    return found


@pytest.fixture(scope="module")
def config():
    return accelerator([5, 9, 3], 2, 3, rounding="stochastic")


def row(operation, **fields):
    return {"op": OPERATIONS[operation], "address": 3, "payload": {"x": {"prev": 5, "cur": -7}}, **fields}


def test_hidden_row(config):
    """Lane stage 1 cycle behind the hop register; what follows is as section 4.1 has it, with K, M and E."""
    align, multiply = config.latency.align, config.latency.multiply
    arrives, width = config.latency.read + config.latency.weight_read, config.formats.activation.width
    watch = {
        "address": lambda dut: dut.command.address,
        "loaded": lambda dut: dut.command.loaded,
        "swap": lambda dut: dut.swap,
        "factor": lambda dut: dut.command.factor,
        "update": lambda dut: dut.command.update,
        "write_address": lambda dut: dut.command.write_address,
        "x_cur": lambda dut: dut.command.x_cur,
        "accumulate": lambda dut: dut.command.accumulate,
        "capture": lambda dut: dut.command.capture,
        "noise": lambda dut: dut.command.noise,
        "partial": lambda dut: dut.partial_valid,
        "load": lambda dut: dut.load,
    }
    packet = row("FUSED", first=1, swap=1, last=1)
    late = {
        multiply: {"noise": 0x12345678},
        arrives: {"payload": 5 | (-7 & 2**width - 1) << width},
        align + 1: {"address": 3},
    }
    assert seen(config, packet, watch, late=late) == {
        "address": {1 + config.latency.read: 3},
        "loaded": {1 + arrives: 5 | -7 << width},
        "swap": {0: 1},
        "factor": {1: 5},
        "update": {1: 1},
        "write_address": {1 + align: 3},
        "x_cur": {2 + align: -7},
        "accumulate": {1 + align + multiply: 1},
        "capture": {1 + align + multiply: 1},
        "noise": {1 + multiply: 0x12345678},
        "partial": {},
        "load": {},
    }
    forward = seen(config, row("FORWARD", last=0), watch)
    assert forward["update"] == forward["swap"] == forward["capture"] == {}
    assert forward["accumulate"] == {1 + align + multiply: 1}


def test_output_row(config):
    """The sum of the lanes' products leaves their adder tree in h + E - 1 + S, if it is wanted."""
    levels = (config.array.lanes - 1).bit_length()
    watch = {
        "update": lambda dut: dut.command.output_update,
        "gram": lambda dut: dut.command.gram,
        "partial": lambda dut: dut.partial_valid,
        "accumulate": lambda dut: dut.command.accumulate,
    }
    align, out = config.latency.align, config.latency.sum - 1 + levels
    assert seen(config, row("OUT_FUSED", last=1), watch) == {
        "update": {1: 1},
        "gram": {},
        "partial": {out: 1},
        "accumulate": {},
    }
    assert seen(config, row("OUT", last=0), watch)["partial"] == {}
    assert seen(config, row("GRAM", last=1), watch)["gram"] == {align: 1}


def test_activate(config):
    multiply = config.latency.multiply
    watch = {
        "activate": lambda dut: dut.command.activate,
        "factor": lambda dut: dut.command.factor,
        "correct": lambda dut: dut.command.correct,
        "correction": lambda dut: dut.command.correction,
        "start": lambda dut: dut.activation_start.valid,
        "slot": lambda dut: dut.activation_start.slot,
        "parity": lambda dut: dut.activation_start.parity,
    }
    packet = {"op": OPERATIONS["ACTIVATE"], "payload": {"value": 700}, "first": 1, "slot": 1, "parity": 1}
    begin = config.latency.correct
    assert seen(config, packet, watch) == {
        "activate": {0: 1},
        "factor": {1: 700},
        "correct": {1: 1},
        "correction": {multiply: 1},
        "start": {begin: 1},
        "slot": {begin: 1},
        "parity": {begin: 1},
    }


@pytest.mark.parametrize(("tile", "lane", "load"), [(TILE, 2, 0b100), (TILE, 0, 0b001), (0, 2, 0)])
def test_load_addresses_one_lane(config, tile, lane, load):
    packet = {"op": OPERATIONS["LOAD"], "address": 3, "payload": {"value": -9}, "tile": tile, "lane": lane}
    found = seen(config, packet, {"load": lambda dut: dut.load, "value": lambda dut: dut.command.value})
    assert found == {"load": {2: load} if load else {}, "value": {1: -9}}


def test_bias_tile_takes_part_in_its_rows_alone(config):
    base = config.output_groups[0][1]
    biases = range(base, base + config.network.classes)
    watch = {
        "takes_part": lambda dut: dut.takes_part,
        "update": lambda dut: dut.command.output_update,
        "load": lambda dut: dut.load,
        "reads": lambda dut: dut.reads,
        "partial": lambda dut: dut.partial_valid,
    }
    for address in (base - 1, base, base + 2, base + 3):
        inside = address in biases
        found = seen(config, {**row("OUT_FUSED", last=1), "address": address}, watch, biases=biases)
        assert bool(found["takes_part"]) == bool(found["update"]) == inside
        assert found["partial"], "the sum passes through"
        load = {"op": OPERATIONS["LOAD"], "address": address, "tile": config.array.tiles, "lane": 0}
        assert bool(seen(config, load, watch, biases=biases)["load"]) == inside
    assert seen(config, row("FUSED"), watch, biases=biases)["reads"] == {}
    assert seen(config, row("READ"), watch, biases=biases)["reads"] == {2 + config.latency.align: 1}


def test_packets_go_on_with_stepped_noise(config):
    word = 0x89ABCDEF
    watch = {"noise": lambda dut: dut.late_out.noise, "address": lambda dut: dut.packet_out.address}
    found = seen(config, row("FUSED"), watch, late={0: {"noise": word}})
    assert found["address"] == {0: 3}
    assert found["noise"] == {0: int(noise.tile_words(noise.row_words(1, [3]) * 0 + word, 2)[0][1])}
