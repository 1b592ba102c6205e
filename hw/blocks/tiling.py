"""A memory as a grid of equal block RAMs with one read and one write port."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Array, Module, Shape, Signal

from dfarray.hw.arithmetic import delay
from dfarray.hw.blocks.generic import BlockRam, codes


@dataclass(frozen=True)
class BlockShape:
    """One way to organise a block RAM: ``rows`` (a power of two) words of ``width`` bits."""

    rows: int
    width: int

    def grid(self, depth: int, width: int) -> tuple[int, int]:
        """Blocks stacked in depth and side by side in width."""
        return -(-depth // self.rows), -(-width // self.width)


@dataclass(frozen=True)
class BlockPorts:
    """The signals of one block RAM; ``read_data`` and ``write_data`` are as wide as its shape."""

    read_address: Signal
    read_data: Signal
    write_enable: Signal
    write_address: Signal
    write_data: Signal


def fewest_blocks(depth: int, width: int, shapes: Sequence[BlockShape]) -> BlockShape:
    """The shape that needs the fewest blocks, then the fewest in depth: stacked outputs need a multiplexer."""

    def cost(shape: BlockShape) -> tuple[int, int]:
        stacked, beside = shape.grid(depth, width)
        return stacked * beside, stacked

    return min(shapes, key=cost)


class TiledBlockRam(BlockRam):
    """A memory of block RAMs; a family names their shapes and instantiates one in ``_instance``.

    Attributes
    ----------
    shapes : sequence of BlockShape
        To choose from, see :func:`fewest_blocks`.
    """

    shapes: Sequence[BlockShape]

    def elaborate(self, platform):
        m = Module()
        shape = fewest_blocks(self._depth, self._shape.width, self.shapes)
        stacked, beside = shape.grid(self._depth, self._shape.width)
        width = beside * shape.width
        address_bits = (shape.rows - 1).bit_length()

        read_address = Signal(address_bits, name="block_read_address")
        write_address = Signal(address_bits, name="block_write_address")
        write_data = Signal(Shape(width, signed=self._shape.signed), name="block_write_data")
        m.d.comb += [
            read_address.eq(self.read_address),
            write_address.eq(self.write_address),
            write_data.eq(self.write_data),
        ]
        words = []
        for row in range(stacked):
            write_enable = Signal(name=f"write_enable_{row}")
            word = Signal(width, name=f"word_{row}")
            m.d.comb += write_enable.eq(self.write_enable & (self.write_address >> address_bits == row))
            words.append(word)
            for column in range(beside):
                bits = slice(column * shape.width, (column + 1) * shape.width)
                data_in = Signal(shape.width, name=f"data_in_{row}_{column}")
                data_out = Signal(shape.width, name=f"data_out_{row}_{column}")
                m.d.comb += [data_in.eq(write_data[bits]), word[bits].eq(data_out)]
                m.submodules[f"block_{row}_{column}"] = self._instance(
                    shape,
                    self._contents(shape, row, column),
                    BlockPorts(read_address, data_out, write_enable, write_address, data_in),
                )
        chosen = words[0]
        if stacked > 1:
            row = delay(m, self.read_address[address_bits:], self.shortest_latency, "read_row")
            chosen = Array(words)[row]
        self._output(m, chosen[: self._shape.width])
        return m

    def _contents(self, shape: BlockShape, row: int, column: int) -> list[int]:
        """A block's words after configuration, as unsigned codes."""
        rows = self._init[row * shape.rows : (row + 1) * shape.rows]
        words = codes([code >> (column * shape.width) for code in rows], shape.width)
        return words + [0] * (shape.rows - len(words))

    def _instance(self, shape: BlockShape, contents: list[int], ports: BlockPorts):
        raise NotImplementedError
