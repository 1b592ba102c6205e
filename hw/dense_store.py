"""The input store of a small family: every input of four samples, no lists."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from dfarray.hw.arithmetic import delay, odd_cycles, q_shape, round_half_up, saturate
from dfarray.hw.blocks import block_ram
from dfarray.hw.input_store import InputStore
from dfarray.latency import MERGE_END
from dfarray.trace import index_bits


class DenseStore(InputStore):
    """As :class:`dfarray.hw.input_store.InputStore`, where no row is left out.

    Two memories of two samples each, sample n in memory n div 2 mod 2: what a row wants, samples n - 2 and n, is in
    different ones. Rows are read in even cycles; in odd ones the sample before the incoming one, for its gram.
    """

    def elaborate(self, platform):
        m = Module()
        config, inputs = self._config, self._config.network.inputs
        value = q_shape(config.formats.activation)
        queue, taken, discard = self._receive(m)
        m.d.comb += [
            self.next_rows.eq(inputs),
            self.rows_newest.eq(inputs),
            self.rows_older.eq(inputs),
        ]
        index, step, used, done = self._steps(m, queue, taken | discard)
        x = Signal(value)
        m.d.comb += x.eq(Mux(used, queue.head.entry.value, 0))

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
            self.read.index.eq(delay(m, self.entry[:bits], 1, "entry")),
            self.read.previous.eq(previous),
            self.read.current.eq(current),
        ]
        self._sum(m, current, odd, step, x, taken, discard)
        finishing = delay(m, done, MERGE_END - 1, "finishing", reset_less=False)
        m.d.sync += self.complete.eq((self.complete | finishing) & ~taken)
        return m

    def _steps(self, m, queue, restart):
        """Index after index, the next one ``merge_interval`` cycles later: (index, step, transfer used up, end)."""
        every, inputs = self._config.merge_interval, self._config.network.inputs
        index, rest = Signal(index_bits(inputs)), Signal(range(every))
        ended, beyond = Signal(), Signal()  # The last transfer is used up; so are all inputs.
        may, step, used, done = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            may.eq((queue.head.valid | ended) & (rest == 0)),
            step.eq(may & ~beyond),
            used.eq(queue.head.valid & (queue.head.entry.index == index)),
            queue.take.eq(step & used),
            done.eq(may & beyond),
        ]
        with m.If(rest != 0):
            m.d.sync += rest.eq(rest - 1)
        with m.If(step):
            m.d.sync += [rest.eq(every - 1), index.eq(index + 1), beyond.eq(index == inputs - 1)]
            with m.If(used & queue.head.entry.last):
                m.d.sync += ended.eq(1)
        with m.If(done):
            m.d.sync += [ended.eq(0), rest.eq(every - 1)]
        with m.If(restart):
            m.d.sync += [index.eq(0), beyond.eq(0), ended.eq(0), rest.eq(0)]
        return index, step, used, done

    def _sum(self, m, latest, odd, step, x, taken, discard):
        """Add x times the latest sample's to the gram, a bit of x a cycle."""
        config, formats = self._config, self._config.formats
        width = formats.activation.width
        pairs = max(config.network.layers[:-1]) + 1
        total = Signal(signed(1 + (pairs * formats.activation.lo**2).bit_length()), init=formats.activation.one**2)
        multiplicand, multiplier = Signal(signed(2 * width)), Signal(width)
        to_do = Signal(range(width + 1))
        runs, negative = Signal(), Signal()
        m.d.comb += [runs.eq(to_do != 0), negative.eq(to_do == 1)]
        chosen = Mux(multiplier[0], multiplicand, 0) ^ (negative & multiplier[0]).replicate(2 * width)
        term = chosen[: 2 * width].as_signed()
        with m.If(runs):
            m.d.sync += [
                multiplicand.eq(Cat(Const(0, 1), multiplicand)),
                multiplier.eq(multiplier >> 1),
                to_do.eq(to_do - 1),
                total.eq(total + term + (negative & multiplier[0])),
            ]
        with m.Elif(~odd):
            # Read in the cycle before.
            m.d.sync += multiplicand.eq(latest)
        with m.If(step):
            m.d.sync += [multiplier.eq(x), to_do.eq(width)]
        with m.If(taken | discard):
            m.d.sync += [total.eq(formats.activation.one**2), to_do.eq(0)]
        rounded = round_half_up(total, 2 * formats.activation.fraction_bits - config.gram.fraction_bits)
        with m.If(taken):
            m.d.sync += self.gram.eq(saturate(m, rounded, config.gram.width, "exact_total"))


def make_input_store(config) -> InputStore:
    """The input store that family and zero-skipping want."""
    return InputStore(config) if config.lists else DenseStore(config)
