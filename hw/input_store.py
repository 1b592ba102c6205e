"""The input store: takes samples in, dense or as events, and merges them into the row lists that sweeps send."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, q_shape
from dfarray.hw.gram import GramAccumulator
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
    rows, gram : Out
        Of the latest sample: entries, and the gram with the sample before.
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
                "rows": Out(rows),
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

        # A merge step: the smallest index of the incoming sample's, and of the two samples before.
        value = q_shape(config.formats.activation)
        index = index_bits(config.network.inputs)
        event = data.StructLayout({"index": index, "value": value})
        places = index_bits(config.network.inputs + 1)
        own_counts = Array(Signal(places, name=f"own_count_{bank}") for bank in range(BANKS))
        row_counts = Array(Signal(places, name=f"row_count_{bank}") for bank in range(BANKS))
        position = {name: Signal(places, name=f"position_{name}") for name in "uv"}
        bank_of = {"u": older, "v": newest}
        ports, stores = [], []
        for bank in range(BANKS):
            m.submodules[f"own_{bank}"] = own = Memory(shape=event, depth=max(2, config.network.inputs), init=[])
            m.submodules[f"rows_{bank}"] = rows = Memory(
                shape=row_entry(config), depth=max(2, config.network.inputs), init=[]
            )
            ports.append(own.read_port())
            stores.append((own.write_port(), rows.write_port(), rows.read_port()))
        own_read = Array(port.data for port in ports)
        valid = {name: Signal(name=f"valid_{name}") for name in "uv"}
        ahead = {name: Signal(places, name=f"ahead_{name}") for name in "uv"}
        key_a, smallest = Signal(index + 1), Signal(index + 1)
        m.d.comb += key_a.eq(Cat(head.index, ~head.valid))
        keys = {}
        for name in "uv":
            keys[name] = Signal(index + 1, name=f"key_{name}")
            m.d.comb += [
                valid[name].eq(position[name] != own_counts[bank_of[name]]),
                keys[name].eq(Cat(own_read[bank_of[name]]["index"], ~valid[name])),
            ]
        for bank, port in enumerate(ports):
            m.d.comb += port.addr.eq(Mux(older == bank, ahead["u"], ahead["v"]))

        waiting = Signal(range(MERGE_START), init=MERGE_START - 1)
        merging, step, done = Signal(init=1), Signal(), Signal()
        last_used = closed & ~head.valid
        smaller = Mux(key_a < keys["u"], key_a, keys["u"])
        m.d.comb += [
            smallest.eq(Mux(keys["v"] < smaller, keys["v"], smaller)),
            step.eq(merging & (waiting == 0) & (head.valid | last_used)),
            done.eq(step & last_used & ~valid["u"]),
        ]
        with m.If(waiting != 0):
            m.d.sync += waiting.eq(waiting - 1)
        takes = {"a": Signal(), "u": Signal(), "v": Signal()}
        m.d.comb += [
            takes["a"].eq(step & ~done & (key_a == smallest)),
            used.eq(takes["a"]),
        ]
        for name in "uv":
            m.d.comb += [
                takes[name].eq(step & ~done & (keys[name] == smallest)),
                ahead[name].eq(position[name] + takes[name]),
            ]
            m.d.sync += position[name].eq(ahead[name])
        x = {
            "a": Mux(takes["a"], head.value, 0),
            "u": Mux(takes["u"], own_read[older].value, 0),
            "v": Mux(takes["v"], own_read[newest].value, 0),
        }
        every = Const(not config.array.zero_skipping)
        keep_row = step & ~done & ((x["a"] != 0) | (x["u"] != 0) | (every & takes["a"]))
        keep_own = takes["a"] & ((x["a"] != 0) | every)
        for bank, (own_write, row_write, _) in enumerate(stores):
            m.d.comb += [
                own_write.en.eq(keep_own & (incoming == bank)),
                own_write.addr.eq(own_counts[incoming]),
                own_write.data.index.eq(smallest),
                own_write.data.value.eq(x["a"]),
                row_write.en.eq(keep_row & (incoming == bank)),
                row_write.addr.eq(row_counts[incoming]),
                row_write.data.index.eq(smallest),
                row_write.data.previous.eq(x["u"]),
                row_write.data.current.eq(x["a"]),
            ]
        with m.If(keep_own):
            m.d.sync += own_counts[incoming].eq(own_counts[incoming] + 1)
        with m.If(keep_row):
            m.d.sync += row_counts[incoming].eq(row_counts[incoming] + 1)

        m.submodules.gram_accumulator = gram = GramAccumulator(config)
        m.d.comb += [
            gram.valid.eq(takes["a"] & takes["v"]),
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
                merging.eq(1),
                position["u"].eq(0),
                position["v"].eq(0),
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
        self._read(m, [read for _, _, read in stores], row_counts, newest, older)
        return m

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

    def _read(self, m, ports, counts, newest, older):
        bank = Signal(2)
        m.d.comb += [bank.eq(Mux(self.previous, older, newest)), self.rows.eq(counts[bank])]
        address = delay(m, self.entry[: len(ports[0].addr)], 2, "entry")
        for port in ports:
            m.d.comb += port.addr.eq(address)
        words = [delay(m, port.data, 1, f"word_{index}") for index, port in enumerate(ports)]
        chosen = delay(m, bank, 4, "bank")
        m.d.comb += self.read.eq(delay(m, Array(words)[chosen], STORE_READ - 4, "read"))
