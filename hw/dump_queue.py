"""The dump queue: read weights on their way out."""

from amaranth.hdl import Module, Mux, Shape, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import q_shape
from dfarray.hw.blocks import lut_ram


def queue_rows(config: Configuration) -> int:
    """Words of its memory, a power of two: more than the most it holds, which is a bank row of all lanes."""
    words = config.array.tiles * config.array.lanes + 1
    return 1 << words.bit_length()


class DumpQueue(wiring.Component):
    """First in, first out, for a bank row; a word is offered two cycles after it came in.

    Amaranth's own has a memory that becomes a block RAM whose output register is left out.

    Attributes
    ----------
    write : In(1)
    value : In(weight)
        A word; there must be room for it.
    words : Out stream of weights
    """

    def __init__(self, config: Configuration):
        self._config = config
        weight = q_shape(config.formats.weight)
        super().__init__({"write": In(1), "value": In(weight), "words": Out(stream.Signature(weight))})

    def elaborate(self, platform):
        m = Module()
        rows = queue_rows(self._config)
        m.submodules.memory = memory = lut_ram(self._config.array.family, Shape.cast(self.value.shape()), rows)
        end, place, following = Signal(range(rows)), Signal(range(rows)), Signal(range(rows))
        after = Signal(range(rows), init=1)
        transfer = Signal()
        m.d.comb += [
            transfer.eq(self.words.valid & self.words.ready),
            following.eq(Mux(transfer, after, place)),
            memory.read_address.eq(following),
            memory.write_enable.eq(self.write),
            memory.write_address.eq(end),
            memory.write_data.eq(self.value),
            self.words.payload.eq(memory.read_data),
        ]
        m.d.sync += [
            place.eq(following),
            end.eq(end + self.write),
            self.words.valid.eq(Mux(transfer, after != end, place != end)),
        ]
        with m.If(transfer):
            m.d.sync += after.eq(after + 1)
        return m
