"""The dump queue: read weights on their way out."""

from amaranth.hdl import Array, Module, Mux, Shape, Signal
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

    Amaranth's own has a memory that becomes a block RAM whose output register is left out. A small family's memory is
    read in the cycle in which the host takes the word before; others know only a cycle later that it did.

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
        end, place = Signal(range(rows)), Signal(range(rows))
        m.d.comb += [
            memory.write_enable.eq(self.write),
            memory.write_address.eq(end),
            memory.write_data.eq(self.value),
        ]
        m.d.sync += end.eq(end + self.write)
        if self._config.latency.serial:
            self._show_next(m, memory, end, place)
        else:
            self._read_ahead(m, memory, place, rows)
        return m

    def _show_next(self, m, memory, end, place):
        following = Signal.like(place)
        m.d.comb += [
            following.eq(place + (self.words.valid & self.words.ready)),
            memory.read_address.eq(following),
            self.words.payload.eq(memory.read_data),
        ]
        m.d.sync += [place.eq(following), self.words.valid.eq(following != end)]

    def _read_ahead(self, m, memory, place, rows):
        left, some = Signal(range(rows)), Signal()  # Not yet asked for; whether there are any.
        # Words behind the memory: one that it has just read, and up to two that were not taken.
        fresh, held, asks, transfer = Signal(), Signal(range(3)), Signal(), Signal()
        kept = Array(Signal(Shape.cast(self.value.shape()), name=f"kept_{index}") for index in range(2))
        m.d.comb += [
            memory.read_address.eq(place),
            self.words.valid.eq(fresh | (held != 0)),
            self.words.payload.eq(Mux(held != 0, kept[0], memory.read_data)),
            transfer.eq(self.words.valid & self.words.ready),
            # Whether the host takes a word is known late: asked for is what there is room for if it takes none.
            asks.eq(some & (held + fresh <= 1)),
        ]
        m.d.sync += [
            place.eq(place + asks),
            some.eq(self.write | (some & ~(asks & (left == 1)))),
            fresh.eq(asks),
            held.eq(held + fresh - transfer),
        ]
        with m.If(self.write ^ asks):
            m.d.sync += left.eq(left + Mux(asks, -1, 1))
        with m.If(transfer):
            m.d.sync += kept[0].eq(Mux(held == 2, kept[1], memory.read_data))
        with m.Elif(held == 0):
            m.d.sync += kept[0].eq(memory.read_data)
        with m.If(held <= 1):
            m.d.sync += kept[1].eq(memory.read_data)
