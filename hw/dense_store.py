"""The input store of a small family: every input of four samples, no lists."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, odd_cycles, q_shape, saturate
from dfarray.hw.blocks import block_ram
from dfarray.hw.input_store import InputStore
from dfarray.latency import MERGE_END, REOPEN
from dfarray.trace import index_bits


class DenseStore(InputStore):
    """As :class:`dfarray.hw.input_store.InputStore`, where no row is left out.

    Two memories of two samples each, sample n in memory n div 2 mod 2: what a row wants, samples n - 2 and n, is in
    different ones. Rows are read in even cycles; in odd ones the sample before the incoming one, for its gram. Entry i
    is input i: nobody wants its index.

    One transfer waits at most. All before it is used up when it comes, so the next index to be kept is the one that it
    must have, or the lowest that it may.
    """

    def elaborate(self, platform):
        m = Module()
        config, inputs = self._config, self._config.network.inputs
        value = q_shape(config.formats.activation)
        taken = delay(m, self.take, 1, "taken", reset_less=False)
        index, step, used, last = Signal(index_bits(inputs)), Signal(), Signal(), Signal()
        beyond = Signal()  # All inputs are kept.
        word, waits = self._receive_one(m, index, beyond, taken, step & used)
        self._steps(m, index, step, used & last, beyond, waits, taken | self.framing_error)
        x = Signal(value)
        m.d.comb += [
            self.next_rows.eq(inputs),
            self.rows_newest.eq(inputs),
            self.rows_older.eq(inputs),
            used.eq(waits & (~self._of_events | (word.index == index))),
            last.eq(word.last),
            x.eq(Mux(used, word.value, 0)),
        ]

        incoming = Signal(2)  # Sample number modulo 4.
        with m.If(taken):
            m.d.sync += incoming.eq(incoming + 1)
        bits = index_bits(inputs)
        odd = odd_cycles(m)
        # Of the latest sample, or the one before; and two before that, in the other memory at the same place.
        shown = Signal(2)
        m.d.comb += shown.eq(incoming - 1 - (self.previous & ~odd))
        place = Mux(odd, index, self.entry[:bits])
        read = []
        for half in range(2):
            m.submodules[f"samples_{half}"] = memory = block_ram(config.array.family, value, 2 << bits, latency=1)
            m.d.comb += [
                memory.read_address.eq(Cat(place, shown[0])),
                memory.write_address.eq(Cat(index, incoming[0])),
                memory.write_enable.eq(step & (incoming[1] == half)),
                memory.write_data.eq(x),
            ]
            read.append(memory.read_data)
        upper = delay(m, shown[1], 1, "upper")
        current, previous = Mux(upper, read[1], read[0]), Mux(upper, read[0], read[1])
        m.d.comb += [
            self.read.previous.eq(previous),
            self.read.current.eq(current),
        ]
        self._sum(m, current, odd, step, x, taken, taken | self.framing_error)
        return m

    def _receive_one(self, m, index, beyond, taken, used_up):
        """The transfer that waits, and whether it may be used up: two cycles after it came it is known to be right."""
        inputs = self._config.network.inputs
        transfer, occupied, closed, bad = Signal(), Signal(), Signal(), Signal()
        word, events = Signal(self.samples.payload.shape(), reset_less=True), Signal()
        self._of_events = events
        with m.If(transfer):
            m.d.sync += [word.eq(self.samples.payload), events.eq(self.events)]
        arrived = delay(m, transfer, 1, "arrived", reset_less=False)
        checked = delay(m, arrived, 1, "checked", reset_less=False)
        is_wrong, wrong = Signal(), Signal()
        m.d.comb += [
            self.samples.ready.eq(~closed & ~occupied),
            transfer.eq(self.samples.valid & self.samples.ready),
            is_wrong.eq(
                beyond
                | Mux(
                    events,
                    (word.index < index) | (word.index >= inputs),
                    word.last ^ (index == inputs - 1),
                )
            ),
            self.framing_error.eq(wrong),
            self.label.eq(word.label),
        ]
        # The rest of a wrong frame comes and goes.
        ends = arrived & word.last
        reopens = delay(m, ends & (bad | is_wrong), REOPEN - 2, "reopens", reset_less=False)
        m.d.sync += [
            wrong.eq(arrived & is_wrong & ~bad),
            bad.eq((bad & ~ends) | (wrong & ~word.last)),
            occupied.eq((occupied | (transfer & ~bad)) & ~(used_up | wrong)),
            closed.eq((closed | (transfer & self.samples.payload.last)) & ~(taken | reopens)),
        ]
        return word, occupied & ~arrived & ~checked

    def _steps(self, m, index, step, ends, beyond, waits, restart):
        """Index after index, the next one ``merge_interval`` cycles later, until all are kept and the last one came."""
        every, inputs = self._config.merge_interval, self._config.network.inputs
        rest = Signal(range(max(every, MERGE_END)))
        ended, finishing = Signal(), Signal()  # The last transfer is used up; all inputs are kept, too.
        may, done = Signal(), Signal()
        m.d.comb += [
            may.eq((waits | ended) & (rest == 0)),
            step.eq(may & ~beyond),
            done.eq(may & beyond),
        ]
        with m.If(rest != 0):
            m.d.sync += rest.eq(rest - 1)
        with m.If(step):
            m.d.sync += [rest.eq(every - 1), index.eq(index + 1), beyond.eq(index == inputs - 1)]
            with m.If(ends):
                m.d.sync += ended.eq(1)
        with m.If(done):
            m.d.sync += [ended.eq(0), finishing.eq(1), rest.eq(MERGE_END - 2)]
        with m.If(finishing & (rest == 0)):
            m.d.sync += [finishing.eq(0), self.complete.eq(1)]
        with m.If(restart):
            m.d.sync += [index.eq(0), beyond.eq(0), ended.eq(0), rest.eq(0), self.complete.eq(0)]

    def _sum(self, m, latest, odd, step, x, taken, restart):
        """Add x times the latest sample's to the gram, a bit of x a cycle."""
        config, formats = self._config, self._config.formats
        width = formats.activation.width
        pairs = max(config.network.layers[:-1]) + 1
        dropped = 2 * formats.activation.fraction_bits - config.gram.fraction_bits
        # The half that rounds is there from the first.
        empty = formats.activation.one**2 + ((1 << dropped) >> 1)
        total = Signal(signed(2 + (pairs * formats.activation.lo**2).bit_length()), init=empty)
        multiplicand, multiplier = Signal(signed(2 * width)), Signal(width)
        to_do = Signal(range(width + 1))
        runs, negative, soon = Signal(), Signal(), Signal()  # The sign bit of x, now or in the next cycle.
        m.d.comb += [runs.eq(to_do != 0), negative.eq(to_do == 1), soon.eq(to_do == 2)]
        with m.If(runs):
            m.d.sync += [
                multiplicand.eq(Cat(Const(0, 1), multiplicand)[: 2 * width] ^ soon.replicate(2 * width)),
                multiplier.eq(multiplier >> 1),
                to_do.eq(to_do - 1),
            ]
        with m.Elif(~odd):
            # Read in the cycle before.
            m.d.sync += multiplicand.eq(latest)
        with m.If(runs & multiplier[0]):
            m.d.sync += total.eq(total + multiplicand + negative)
        with m.If(step):
            m.d.sync += [multiplier.eq(x), to_do.eq(width)]
        with m.If(restart):
            m.d.sync += [total.eq(empty), to_do.eq(0)]
        with m.If(taken):
            m.d.sync += self.gram.eq(saturate(m, total >> dropped, config.gram.width, "exact_total"))


def make_input_store(config: Configuration) -> InputStore:
    """The input store that family and zero-skipping want."""
    return InputStore(config) if config.lists else DenseStore(config)
