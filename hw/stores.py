"""Row lists: what a sweep sends, entry after entry."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, lookup, q_shape
from dfarray.hw.blocks import block_ram
from dfarray.hw.gram import GramAccumulator
from dfarray.latency import COMPLETE
from dfarray.trace import index_bits


def row_entry(config: Configuration) -> data.StructLayout:
    """A row with its presynaptic activations: of U's sample, and of the current one."""
    value = q_shape(config.formats.activation)
    return data.StructLayout(
        {"index": index_bits(max(config.network.layers[:-1])), "previous": value, "current": value}
    )


class ActivationStore(wiring.Component):
    """Row lists of the hidden layers that another hidden layer reads; docs/architecture.md section 4.2.

    Attributes
    ----------
    write : In {enable, value}
        The next hidden activation of the sweep, all layers numbered through.
    start : In(1)
        A new sweep starts.
    layer : In
        The layer, 1-based, whose inputs are shown in ``rows``, ``complete`` and ``gram``.
    rows, complete, gram : Out
        Entries so far, whether they are all, and the layer's gram.
    received, available : Out
        Activations stored; entries.
    entry : In
        Place in the list.
    read : Out(row_entry)
        The entry asked for ``store_read`` cycles before.
    """

    def __init__(self, config: Configuration):
        self._config = config
        self._widths = config.network.layers[1:-2]
        count = sum(self._widths)
        places = index_bits(count + 1)
        rows = index_bits(max(config.array.bank_rows, max(config.network.layers[:-1]) + 1))
        super().__init__(
            {
                "write": In(data.StructLayout({"enable": 1, "value": q_shape(config.formats.activation)})),
                "start": In(1),
                "layer": In(index_bits(len(config.network.layers))),
                "rows": Out(rows),
                "complete": Out(1),
                "gram": Out(q_shape(config.gram)),
                "received": Out(places),
                "available": Out(places),
                "entry": In(rows),
                "read": Out(row_entry(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, widths = self._config, self._widths
        if not widths:
            m.d.comb += [self.received.eq(0), self.available.eq(0)]
            return m
        value = q_shape(config.formats.activation)
        count = max(2, sum(widths))
        starts = [sum(widths[:index]) for index in range(len(widths))]
        layer = Signal(index_bits(len(widths)))
        position = Signal(index_bits(max(widths)))
        ends = position == lookup(m, layer, [width - 1 for width in widths], "last_position")

        m.submodules.history = history = block_ram(
            config.array.family, data.StructLayout({"newer": value, "older": value}), count
        )
        shallow = config.latency.store_read == 1
        m.submodules.entries = entries = block_ram(
            config.array.family, row_entry(config), count, latency=1 if shallow else 2
        )
        # Read ahead: two cycles later, its activation arrived a cycle ago.
        following = Signal.like(self.received)
        m.d.comb += [
            following.eq(Mux(self.start, 0, self.received + self.write.enable)),
            history.read_address.eq(following),
        ]
        m.d.sync += self.received.eq(following)
        word = delay(m, self.write, 1, "word", reset_less=False)
        at, index, belongs = (
            delay(m, self.received, 1, "at"),
            delay(m, position, 1, "index"),
            delay(m, layer, 1, "belongs"),
        )
        matters = (word.value != 0) | (history.read_data.older != 0) | (not config.array.zero_skipping)
        row_count = Array(Signal.like(self.rows, name=f"rows_{k}") for k in range(len(widths)))
        m.d.comb += [
            history.write_enable.eq(word.enable),
            history.write_address.eq(at),
            history.write_data.newer.eq(word.value),
            history.write_data.older.eq(history.read_data.newer),
            entries.write_enable.eq(word.enable & matters),
            entries.write_address.eq(row_count[belongs] + lookup(m, belongs, starts, "list_start")),
            entries.write_data.index.eq(index),
            entries.write_data.previous.eq(history.read_data.older),
            entries.write_data.current.eq(word.value),
        ]
        with m.If(self.write.enable):
            m.d.sync += position.eq(position + 1)
            with m.If(ends):
                m.d.sync += [position.eq(0), layer.eq(layer + 1)]
        with m.If(entries.write_enable):
            m.d.sync += [self.available.eq(self.available + 1), row_count[belongs].eq(row_count[belongs] + 1)]

        m.submodules.gram_accumulator = gram = GramAccumulator(config)
        finished = delay(m, self.write.enable & ends, COMPLETE - 2, "finished", reset_less=False)
        finished_layer = delay(m, layer, COMPLETE - 2, "finished_layer")
        grams = Array(Signal.like(self.gram, name=f"gram_{k}") for k in range(len(widths)))
        complete = Array(Signal(name=f"complete_{k}") for k in range(len(widths)))
        completes, completes_layer = (
            delay(m, finished, 1, "completes", reset_less=False),
            delay(m, finished_layer, 1, "completes_layer"),
        )
        m.d.comb += [
            gram.valid.eq(word.enable),
            gram.a.eq(word.value),
            gram.b.eq(history.read_data.newer),
            gram.clear.eq(completes),
        ]
        with m.If(finished):
            m.d.sync += grams[finished_layer].eq(gram.total)
        with m.If(completes):
            m.d.sync += complete[completes_layer].eq(1)
        with m.If(self.start):
            m.d.sync += [self.available.eq(0), position.eq(0), layer.eq(0)]
            m.d.sync += [flag.eq(0) for flag in complete] + [rows.eq(0) for rows in row_count]

        below = Signal.like(layer)
        m.d.comb += [
            below.eq(self.layer - 2),
            self.rows.eq(row_count[below]),
            self.complete.eq(complete[below]),
            self.gram.eq(grams[below]),
        ]
        m.d.comb += [
            entries.read_address.eq(delay(m, self.entry[: len(entries.read_address)], 0 if shallow else 2, "entry")),
            self.read.eq(
                delay(m, entries.read_data, 0 if shallow else config.latency.store_read - 2 - entries.latency, "read")
            ),
        ]
        return m
