"""Every memory of an accelerator and of its host link, and the block RAMs that they become, without running a tool.

Weight banks and the larger of the other memories are a family's block RAMs by their own choice of shape, the smaller
ones LUT RAM; see :mod:`dfarray.hw.blocks`. What is inferred, as everything is without a family's hard blocks and all
but the weight banks of an iCE40, yosys makes of what costs least by its own count: block RAM, LUT RAM or logic. Its
costs are repeated here.

Source: yosys, ``passes/memory/memory_libmap.cc``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from amaranth.hdl import Shape

from dfarray.configuration import Activation, Configuration, ErrorKind
from dfarray.fpga.boards import Family
from dfarray.fpga.link.protocol import BUFFER_MEMORY, REPLY_MEMORY
from dfarray.hw.activation import tanh_table
from dfarray.hw.blocks import LUT_RAM_ROWS, ecp5, gowin, ice40up5k
from dfarray.hw.blocks.tiling import BlockShape, fewest_blocks
from dfarray.hw.dump_queue import queue_rows
from dfarray.hw.event_counters import WALK, WORD_BITS
from dfarray.hw.readout import partial_width
from dfarray.hw.softmax import exponential_table, reciprocal_table
from dfarray.hw.stores import row_entry
from dfarray.trace import index_bits


class Component(Enum):
    """Of :mod:`dfarray.hw.blocks`, or none."""

    WEIGHT_BANK = "weight_bank"
    BLOCK_RAM = "block_ram"
    LUT_RAM = "lut_ram"
    INFERRED = "inferred"


@dataclass(frozen=True)
class MemoryShape:
    """So many equal memories, each with one write port, or none.

    Attributes
    ----------
    name : str
    count, rows, width, reads : int
        Memories; words, bits a word and read ports of each.
    written : bool
        False for a table.
    component : Component
        What it is made by.
    """

    name: str
    count: int
    rows: int
    width: int
    reads: int = 1
    written: bool = True
    component: Component = Component.BLOCK_RAM


@dataclass(frozen=True)
class InferredMemory:
    """What yosys knows of a family's memories, and how it counts.

    Attributes
    ----------
    shapes : sequence of BlockShape
        Of a block RAM with one write and one read port.
    block_cost : int
        Of a block RAM; a LUT RAM of 16 x 4 bits costs 4, a written bit in logic 1, a bit of a table a sixteenth.
    byte : int
        Bits that share a write enable: words are padded to a multiple.
    lut_ram : bool
        Whether there are LUT RAMs.
    shared_lut_ram : bool
        Whether a LUT RAM of which only some bits are used costs less.
    """

    shapes: Sequence[BlockShape]
    block_cost: int
    byte: int
    lut_ram: bool
    shared_lut_ram: bool = False

    def blocks(self, memory: MemoryShape) -> int:
        """Block RAMs of one such memory; 0 if it becomes something smaller."""
        cost, blocks = min((self._in_blocks(memory, shape) for shape in self.shapes), key=lambda found: found[0])
        # yosys keeps the cost to beat without its fraction.
        bits = memory.rows * memory.width
        best = bits if memory.written else bits // 16
        if self.lut_ram and memory.written and (lut_ram := self._in_lut_ram(memory)) < best:
            best = int(lut_ram)
        return blocks if cost < best else 0

    def _in_blocks(self, memory: MemoryShape, shape: BlockShape) -> tuple[float, int]:
        stacked = -(-memory.rows // shape.rows)
        byte = min(self.byte, shape.width) if memory.written else 1
        # What is stacked need not start in a block of its own.
        blocks = -(-stacked * _padded(memory.width, byte) // shape.width) * memory.reads
        return self.block_cost * blocks + _around(memory, stacked), blocks

    def _in_lut_ram(self, memory: MemoryShape) -> float:
        stacked = -(-memory.rows // 16)
        width = memory.width if self.shared_lut_ram else _padded(memory.width, 4)
        return stacked * width * memory.reads + _around(memory, stacked)


def _padded(width: int, byte: int) -> int:
    return -(-width // byte) * byte


def _around(memory: MemoryShape, stacked: int) -> float:
    """Cost of choosing one of several blocks in depth, and of the read ports' registers."""
    written = stacked / 2 if stacked > 1 and memory.written else 0
    return (stacked - 1) * memory.width * memory.reads / 2 + written + 2 * memory.reads


_BLOCKS_OF_18K = tuple(BlockShape(1 << (14 - bits), width) for bits, width in enumerate((1, 2, 4, 9, 18, 36)))

INFERRED = {
    Family.ECP5: InferredMemory(_BLOCKS_OF_18K, 128, 9, lut_ram=True),
    Family.ICE40: InferredMemory(ice40up5k.Ram40.shapes[::-1], 64, 1, lut_ram=False),
    Family.GOWIN: InferredMemory(_BLOCKS_OF_18K, 128, 9, lut_ram=True, shared_lut_ram=True),
}
"""By family, from ``brams*.txt`` and ``lutrams*.txt`` in yosys' ``share``."""


def weight_banks(config: Configuration) -> tuple[MemoryShape, MemoryShape]:
    """The lanes' banks, and that of the output biases."""
    lanes, width = config.array.tiles * config.array.lanes, config.formats.weight.width
    return (
        MemoryShape("weight banks", lanes, config.array.bank_rows, width, component=Component.WEIGHT_BANK),
        MemoryShape("bias bank", 1, 1 << index_bits(config.network.classes), width, component=Component.WEIGHT_BANK),
    )


def other_memories(config: Configuration) -> Iterator[MemoryShape]:
    """All other memories."""
    network, formats, tiles = config.network, config.formats, config.array.tiles
    value, classes = formats.activation.width, network.classes
    derivative = formats.activation.fraction_bits + 1
    lut_ram, inferred = Component.LUT_RAM, Component.INFERRED
    if network.activation is Activation.TANH:
        table = tanh_table(config)
        width = max(entry for entry, _ in table).bit_length() + derivative
        yield MemoryShape("tanh tables", tiles, len(table), width, written=False)
    places = 1 << (index_bits(len(config.passes)) + index_bits(config.array.lanes))
    yield MemoryShape("histories", tiles, places, 2 * value)
    yield MemoryShape("derivatives", tiles, 2 * places, derivative)
    entry = Shape.cast(row_entry(config)).width
    if config.lists:
        yield MemoryShape("pair lists", 1, 2 * network.inputs + 2, index_bits(network.inputs) + 2 * value)
        yield MemoryShape("row lists", 3, max(2, network.inputs), entry)
    else:
        yield MemoryShape("samples", 2, 2 << index_bits(network.inputs), value)
    if hidden := sum(network.layers[1:-2]):
        yield MemoryShape("activation history", 1, max(2, hidden), 2 * value)
        yield MemoryShape("activation list", 1, max(2, hidden), entry)
    if network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY:
        exponentials, reciprocals = exponential_table(config), reciprocal_table(min(formats.error.fraction_bits, 10))
        bits = formats.error.fraction_bits + 1
        yield MemoryShape("exponential table", 1, len(exponentials), bits, written=False)
        yield MemoryShape("reciprocal table", 1, len(reciprocals), max(reciprocals).bit_length(), written=False)
        yield MemoryShape("exponentials", 1, classes, bits, component=lut_ram)
    yield MemoryShape("logits", 2, classes, formats.logit.width, component=lut_ram)
    yield MemoryShape("scaled errors", 3, 2 << index_bits(classes), formats.delta.width, component=lut_ram)
    sums = partial_width(config) + (len(config.output_groups) - 1).bit_length()
    yield MemoryShape("output sums", 1 if config.latency.serial else 2, classes + 1, sums)
    yield MemoryShape("dump queue", 1, queue_rows(config), formats.weight.width, component=lut_ram)
    yield MemoryShape("event counters", 1, WALK, WORD_BITS, component=lut_ram)
    connections = config.feedback.nonzeros * sum(item.active_tiles for item in config.passes)
    width = index_bits(classes) + 1
    if not config.latency.serial:
        yield MemoryShape("feedback topology", 1, max(2, connections), width, written=False, component=inferred)


LINK_MEMORIES = (
    MemoryShape("frames", 1, BUFFER_MEMORY, 8, component=Component.INFERRED),
    MemoryShape("replies", 1, REPLY_MEMORY, 8, component=Component.INFERRED),
)
"""Of a board's host link."""


def block_rams(config: Configuration, family: Family, others: Sequence[MemoryShape] = ()) -> dict[str, int]:
    """Block RAMs by what is in them; of an iCE40, ``SPRAM`` is told apart.

    Parameters
    ----------
    config : Configuration
        ``array.family`` is the family's, or generic: then the weight banks are inferred, too.
    family : Family
    others : sequence of MemoryShape
        What is beside the accelerator.
    """
    found = {}
    for memory in (*weight_banks(config), *other_memories(config), *others):
        if config.array.family == "generic":
            found[memory.name] = memory.count * INFERRED[family].blocks(memory)
        elif spram := _sprams(memory, family):
            found["SPRAM"] = memory.count * spram
        else:
            found[memory.name] = memory.count * _blocks(memory, family)
    return {name: count for name, count in found.items() if count}


def _sprams(memory: MemoryShape, family: Family) -> int:
    if family is not Family.ICE40 or memory.component is not Component.WEIGHT_BANK:
        return 0
    if memory.rows <= ice40up5k.RAM40_LARGEST_DEPTH:
        return 0
    # Interleaved: 1, 2 or 4.
    return 1 << (-(-memory.rows // ice40up5k.SPRAM_ROWS) - 1).bit_length()


def _blocks(memory: MemoryShape, family: Family) -> int:
    bank = memory.component is Component.WEIGHT_BANK
    if memory.component is Component.INFERRED or (family is Family.ICE40 and not bank):
        return INFERRED[family].blocks(memory)
    if memory.component is Component.LUT_RAM or (memory.rows <= LUT_RAM_ROWS and not bank):
        return 0
    shape = fewest_blocks(memory.rows, memory.width, _BLOCK_SHAPES[family])
    stacked, beside = shape.grid(memory.rows, memory.width)
    return stacked * beside


_BLOCK_SHAPES = {
    Family.ECP5: ecp5.BlockRam.shapes,
    Family.ICE40: ice40up5k.Ram40.shapes,
    Family.GOWIN: gowin.BlockRam.shapes,
}
