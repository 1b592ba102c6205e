"""The input store: takes samples in, dense or as events, and merges them into the row lists that sweeps send."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, q_shape
from dfarray.hw.gram import GramAccumulator
from dfarray.hw.list_reader import ListReader
from dfarray.hw.stores import STORE_READ, row_entry
from dfarray.latency import MERGE_END, MERGE_START
from dfarray.trace import index_bits

BANKS = 3
"""A list of the sample coming in, and of the two before it."""


def sample_word(config: Configuration) -> data.StructLayout:
    """One input; ``index`` counts for events, ``label`` with ``last``."""
    return data.StructLayout(
        {
            "value": q_shape(config.formats.activation),
            "index": index_bits(config.network.inputs),
            "label": index_bits(config.network.classes),
            "last": 1,
        }
    )


class InputStore(wiring.Component):
    """Three row lists that rotate, and the nonzero inputs of as many samples; docs/architecture.md section 4.4.

    Attributes
    ----------
    samples : In stream of sample_word
    events : In(1)
        Transfers are events (index, value); otherwise all inputs come in order.
    complete, label : Out
        The incoming sample is complete; its label.
    take : In(1)
        It becomes the latest sample.
    next_rows, rows_newest, rows_older : Out
        Entries of the incoming sample's list, of the latest sample's, and of the one's before.
    gram : Out
        Of the latest sample with the one before.
    previous : In(1)
        Show the row list of the sample before the latest instead.
    entry : In
        Place in the list.
    read : Out(row_entry)
        The entry asked for STORE_READ cycles before.
    framing_error : Out(1)
        Strobe: a sample was discarded.
    """

    def __init__(self, config: Configuration):
        self._config = config
        rows = index_bits(max(config.array.bank_rows, max(config.network.layers[:-1]) + 1))
        super().__init__(
            {
                "samples": In(stream.Signature(sample_word(config))),
                "events": In(1),
                "complete": Out(1),
                "label": Out(index_bits(config.network.classes)),
                "take": In(1),
                "next_rows": Out(rows),
                "rows_newest": Out(rows),
                "rows_older": Out(rows),
                "gram": Out(q_shape(config.gram)),
                "previous": In(1),
                "entry": In(rows),
                "read": Out(row_entry(config)),
                "framing_error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        incoming, newest, older = Signal(2, init=0), Signal(2, init=1), Signal(2, init=2)
        restart, closed = Signal(), Signal()
        head, used = self._accept(m, closed, restart)

        value = q_shape(config.formats.activation)
        event = data.StructLayout({"index": index_bits(config.network.inputs), "value": value})
        places = index_bits(config.network.inputs + 1)
        own_counts = Array(Signal(places, name=f"own_count_{bank}") for bank in range(BANKS))
        row_counts = Array(Signal(places, name=f"row_count_{bank}") for bank in range(BANKS))
        own_ports, row_ports = [], []
        for bank in range(BANKS):
            depth = max(2, config.network.inputs)
            m.submodules[f"own_{bank}"] = own = Memory(shape=event, depth=depth, init=[])
            m.submodules[f"rows_{bank}"] = rows = Memory(shape=row_entry(config), depth=depth, init=[])
            own_ports.append((own.write_port(), own.read_port()))
            row_ports.append((rows.write_port(), rows.read_port()))
        u, v = self._readers(m, event, own_ports, own_counts, older, newest, restart)

        # A merge step takes what has the smallest index: of the incoming sample, and of the two before.
        waiting = Signal(range(MERGE_START), init=MERGE_START - 1)
        armed, merging = Signal(), Signal(init=1)
        step, done, last_used = Signal(), Signal(), Signal()
        with m.If(waiting != 0):
            m.d.sync += [waiting.eq(waiting - 1), armed.eq(waiting == 1)]
        m.d.comb += [
            last_used.eq(closed & ~head.valid),
            step.eq(merging & armed & (head.valid | last_used)),
            done.eq(step & last_used & u.exhausted),
        ]
        heads = {
            "a": (head.valid, head.index),
            **{n: (r.head.valid, r.head.entry.index) for n, r in (("u", u), ("v", v))},
        }
        takes = {name: Signal(name=f"takes_{name}") for name in heads}
        for name, (valid, index) in heads.items():
            others = [heads[other] for other in heads if other != name]
            first = ~Cat(other_valid & (other < index) for other_valid, other in others).any()
            m.d.comb += takes[name].eq(step & ~done & valid & first)
        m.d.comb += [used.eq(takes["a"]), u.take.eq(takes["u"]), v.take.eq(takes["v"])]

        # A cycle later it is written.
        taken = {name: delay(m, take & ~restart, 1, f"taken_{name}", reset_less=False) for name, take in takes.items()}
        values = {"a": head.value, "u": u.head.entry.value, "v": v.head.entry.value}
        x = {name: delay(m, Mux(takes[name], item, 0), 1, f"x_{name}") for name, item in values.items()}
        index = delay(m, Mux(takes["a"], head.index, u.head.entry.index), 1, "step_index")
        every = not config.array.zero_skipping
        keep_own = taken["a"] & ((x["a"] != 0) | every)
        keep_row = (taken["a"] & ((x["a"] != 0) | every)) | (taken["u"] & (x["u"] != 0))
        for bank, ((own_write, _), (row_write, _)) in enumerate(zip(own_ports, row_ports, strict=True)):
            m.d.comb += [
                own_write.en.eq(keep_own & (incoming == bank)),
                own_write.addr.eq(own_counts[incoming]),
                own_write.data.index.eq(index),
                own_write.data.value.eq(x["a"]),
                row_write.en.eq(keep_row & (incoming == bank)),
                row_write.addr.eq(row_counts[incoming]),
                row_write.data.index.eq(index),
                row_write.data.previous.eq(x["u"]),
                row_write.data.current.eq(x["a"]),
            ]
        with m.If(keep_own):
            m.d.sync += own_counts[incoming].eq(own_counts[incoming] + 1)
        with m.If(keep_row):
            m.d.sync += row_counts[incoming].eq(row_counts[incoming] + 1)

        m.submodules.gram_accumulator = gram = GramAccumulator(config)
        m.d.comb += [
            gram.valid.eq(taken["a"] & taken["v"]),
            gram.a.eq(x["a"]),
            gram.b.eq(x["v"]),
            gram.clear.eq(self.take | restart),
        ]
        finishing = delay(m, done & ~restart, MERGE_END - 1, "finishing", reset_less=False)
        with m.If(done):
            m.d.sync += merging.eq(0)
        with m.If(finishing):
            m.d.sync += self.complete.eq(1)
        with m.If(self.take | restart):
            m.d.sync += [
                waiting.eq(MERGE_START - 1),
                armed.eq(0),
                merging.eq(1),
            ]
        with m.If(restart):
            m.d.sync += [own_counts[incoming].eq(0), row_counts[incoming].eq(0)]
        with m.If(self.take):
            m.d.sync += [
                self.complete.eq(0),
                closed.eq(0),
                self.gram.eq(gram.total),
                incoming.eq(older),
                newest.eq(incoming),
                older.eq(newest),
                own_counts[older].eq(0),
                row_counts[older].eq(0),
            ]
        m.d.comb += [
            self.next_rows.eq(row_counts[incoming]),
            self.rows_newest.eq(row_counts[newest]),
            self.rows_older.eq(row_counts[older]),
        ]
        self._read(m, [read for _, read in row_ports], newest, older)
        return m

    def _readers(self, m, event, ports, counts, older, newest, restart):
        """Readers of the lists of the sample before the latest, and of the latest."""
        readers = []
        for name, role in (("u", older), ("v", newest)):
            m.submodules[f"reader_{name}"] = reader = ListReader(event, self._config.network.inputs)
            words = [delay(m, port.data, 1, f"own_word_{name}_{bank}") for bank, (_, port) in enumerate(ports)]
            m.d.comb += [
                reader.restart.eq(self.take | restart),
                reader.count.eq(counts[role]),
                reader.word.eq(delay(m, Array(words)[role], 1, f"word_{name}")),
            ]
            readers.append(reader)
        u, v = readers
        for bank, (_, port) in enumerate(ports):
            m.d.comb += port.addr.eq(Mux(older == bank, u.address, v.address))
        return u, v

    def _accept(self, m, closed, restart):
        """The waiting register A; returns it and the signal that uses it up."""
        config, payload = self._config, self.samples.payload
        inputs = config.network.inputs
        head = Signal(
            data.StructLayout({"valid": 1, "index": index_bits(inputs), "value": q_shape(config.formats.activation)})
        )
        used, transfer, discarding = Signal(), Signal(), Signal()
        following = Signal(index_bits(inputs + 1))  # Dense: this one's index. Events: the smallest allowed.
        index = Mux(self.events, payload.index, following)
        last = payload.last
        # Beyond the inputs: the transfers before were events.
        wrong_dense = (last ^ (following == inputs - 1)) | (following >= inputs)
        wrong_event = (payload.index < following) | (payload.index >= inputs)
        wrong = Mux(self.events, wrong_event, wrong_dense)
        m.d.comb += [
            self.samples.ready.eq(~closed & (~head.valid | used)),
            transfer.eq(self.samples.valid & self.samples.ready),
            restart.eq(transfer & ~discarding & wrong),
            self.framing_error.eq(restart),
        ]
        with m.If(used):
            m.d.sync += head.valid.eq(0)
        with m.If(transfer):
            with m.If(discarding):
                m.d.sync += discarding.eq(~last)
            with m.Elif(wrong):
                m.d.sync += [discarding.eq(~last), following.eq(0), head.valid.eq(0)]
            with m.Else():
                m.d.sync += [
                    head.valid.eq(1),
                    head.index.eq(index),
                    head.value.eq(payload.value),
                    following.eq(Mux(last, 0, index + 1)),
                    closed.eq(last),
                ]
                with m.If(last):
                    m.d.sync += self.label.eq(payload.label)
        return head, used

    def _read(self, m, ports, newest, older):
        bank = Signal(2)
        m.d.comb += bank.eq(Mux(self.previous, older, newest))
        address = delay(m, self.entry[: len(ports[0].addr)], 2, "entry")
        for port in ports:
            m.d.comb += port.addr.eq(address)
        words = [delay(m, port.data, 1, f"word_{index}") for index, port in enumerate(ports)]
        chosen = delay(m, bank, 4, "bank")
        m.d.comb += self.read.eq(delay(m, Array(words)[chosen], STORE_READ - 4, "read"))
