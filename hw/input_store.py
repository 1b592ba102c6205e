"""The input store: takes samples in, dense or as events, and merges them into the row lists that sweeps send."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, is_less, q_shape
from dfarray.hw.blocks import block_ram
from dfarray.hw.frames import Frames, input_word, sample_word
from dfarray.hw.gram import GramAccumulator
from dfarray.hw.list_reader import READ, ListReader
from dfarray.hw.stores import row_entry
from dfarray.hw.waiting_queue import WaitingQueue
from dfarray.latency import MERGE_END
from dfarray.trace import index_bits

BANKS = 3
"""A row list of the sample coming in, and of the two before it."""

LISTED = 3
"""From the end of a merge to its lists being written and counted."""


def pair_entry(config: Configuration) -> data.StructLayout:
    """An input with its values in a sample and in the one before."""
    value = q_shape(config.formats.activation)
    return data.StructLayout({"index": index_bits(config.network.inputs), "older": value, "newer": value})


VALUES = ("older", "newer", "current")
"""Of two samples before, of the one before, and of the sample coming in."""


def merged_entry(config: Configuration) -> data.StructLayout:
    """What a merge step has of an input."""
    value = q_shape(config.formats.activation)
    return data.StructLayout({"index": index_bits(config.network.inputs), **dict.fromkeys(VALUES, value)})


class InputStore(wiring.Component):
    """Three row lists that rotate, and two pair lists that take turns; docs/architecture.md section 4.4.

    Attributes
    ----------
    samples : In stream of sample_word
    events : In(1)
        Transfers are events (index, value); otherwise all inputs come in order.
    complete, label : Out
        The incoming sample is complete, until the cycle after ``take``; its label.
    take : In(1)
        It becomes the latest sample.
    next_rows, rows_newest, rows_older : Out
        Entries of the incoming sample's list, of the latest sample's, and of the one's before; the latter two are
        those of the cycle before ``take`` for one cycle more.
    gram : Out
        Of the latest sample with the one before.
    previous : In(1)
        Show the row list of the sample before the latest instead.
    entry : In
        Place in the list; not yet in the cycle after ``take``.
    read : Out(row_entry)
        The entry asked for ``store_read`` cycles before.
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
        config, inputs = self._config, self._config.network.inputs
        queue, taken, discard = self._receive(m)
        # The first sample's pairs are written to the other list.
        m.submodules.pair_reader = pairs = ListReader(pair_entry(config), 2 * inputs + 2, inputs, inputs + 1)
        step, done = self._merge(m, queue, pairs, discard)

        # A cycle later what was used up is looked at, and in the next one listed.
        listed, some = Signal(merged_entry(config)), {}
        values = {
            "older": (step.paired, step.pair.older, pairs.head.entry.older),
            "newer": (step.paired, step.pair.newer, pairs.head.entry.newer),
            "current": (step.sent, step.word.value, queue.head.entry.value),
        }
        for name, (used, item, coming) in values.items():
            nonzero = delay(m, coming.any(), 1, f"nonzero_{name}")
            m.d.sync += listed[name].eq(Mux(used, item, 0))
            some[name] = used & nonzero
        m.d.sync += listed.index.eq(Mux(step.sent, step.word.index, step.pair.index))
        row = some["older"] | some["current"] if config.array.zero_skipping else some["older"] | step.sent
        keep_row = delay(m, row & ~discard, 1, "keep_row", reset_less=False)
        keep_pair = delay(m, (some["newer"] | some["current"]) & ~discard, 1, "keep_pair", reset_less=False)
        finishing = [done]
        for stage in range(1, MERGE_END):
            finishing.append(delay(m, finishing[-1], 1, f"finishing_{stage}", reset_less=False))
        self._keep_pairs(m, pairs, keep_pair, listed, finishing, discard)
        self._keep_rows(m, keep_row, listed, taken, discard)

        m.submodules.gram_accumulator = gram = GramAccumulator(config)
        held = Signal.like(self.gram)
        m.d.comb += [
            gram.valid.eq(step.sent & step.paired),
            gram.a.eq(step.word.value),
            gram.b.eq(step.pair.newer),
            gram.clear.eq(taken | discard),
            # A sweep without entries wants it in the cycle after ``take``.
            self.gram.eq(Mux(taken, gram.total, held)),
        ]
        with m.If(taken):
            m.d.sync += held.eq(gram.total)
        with m.If(finishing[-1]):
            m.d.sync += self.complete.eq(1)
        with m.If(taken):
            m.d.sync += self.complete.eq(0)
        return m

    def _receive(self, m):
        """Frames into the queue of waiting transfers: the queue; the sample is taken; it is discarded."""
        config = self._config
        m.submodules.frames = frames = Frames(config)
        m.submodules.queue = queue = WaitingQueue(input_word(config), config.latency.waiting)
        wiring.connect(m, wiring.flipped(self.samples), frames.samples)
        # The sequencer decides late in a cycle that it takes the sample: all follows in the next one.
        taken = delay(m, self.take, 1, "taken", reset_less=False)
        m.d.comb += [
            frames.events.eq(self.events),
            frames.occupied.eq(queue.occupied),
            frames.taken.eq(taken),
            queue.enter.eq(frames.enter),
            queue.word.eq(frames.word),
            queue.clear.eq(frames.discard),
            self.label.eq(frames.label),
            self.framing_error.eq(frames.discard),
        ]
        return queue, taken, frames.discard

    def _merge(self, m, queue, pairs, discard):
        """Use up the smallest index of the waiting transfers and the pairs.

        Comparisons are made ahead: of the heads of the next cycle, whichever will have moved on. Returns the heads of
        the cycle before with what was used up of them, and the strobe that ends the merge.
        """
        config = self._config
        step = Signal(
            data.StructLayout({"sent": 1, "paired": 1, "word": input_word(config), "pair": pair_entry(config)})
        )
        ended, done, ends = Signal(), Signal(), Signal()

        takes_queue, takes_pair = Signal(), Signal()
        # Of the next cycle, both heads having moved on, or one of them: one that waits is not the first of both. That
        # the first pair comes without one being used up does not matter: it is there before a transfer can be.
        there = queue.following.valid | ended | (queue.head.valid & queue.head.entry.last)  # If the queue moves on.
        both, waits, alone = takes_pair & queue.moves, takes_pair & ~queue.moves, ~takes_pair
        sent, pair = queue.following, pairs.following
        m.d.sync += [
            takes_queue.eq(
                (both & _first(sent, pairs.following, sent.valid))
                | (waits & _first(queue.head, pairs.following, Const(1)))
                | (alone & _first(sent, pairs.head, sent.valid))
            ),
            # Pairs go on as long as transfers wait or the last one has been used up.
            takes_pair.eq(
                (both & there & _first(pair, queue.following, pair.valid))
                | (waits & _first(pair, queue.head, pair.valid))
                | (alone & there & _first(pairs.head, queue.following, pairs.head.valid))
            ),
        ]
        m.d.comb += [
            queue.take.eq(takes_queue),
            pairs.take.eq(takes_pair),
            ends.eq(takes_queue & queue.head.entry.last),
            done.eq(ended & ~pairs.head.valid),
        ]
        with m.If(done):
            m.d.sync += ended.eq(0)
        with m.Elif(ends):
            m.d.sync += ended.eq(1)
        with m.If(discard):
            m.d.sync += [takes_queue.eq(0), takes_pair.eq(0), ended.eq(0)]
        m.d.sync += [
            step.sent.eq(takes_queue & ~discard),
            step.paired.eq(takes_pair & ~discard),
            step.word.eq(queue.head.entry),
            step.pair.eq(pairs.head.entry),
        ]
        return step, done

    def _keep_pairs(self, m, reader, keep, listed, finishing, discard):
        """Both pair lists in one memory. A merge's end, or a discarded sample, has the reader begin anew."""
        config, inputs = self._config, self._config.network.inputs
        # A place behind each list that is never written: where a reader that has come to the end looks.
        start = inputs + 1
        m.submodules.pairs = memory = block_ram(config.array.family, pair_entry(config), 2 * start, latency=READ)
        upper = Signal()  # The list being written is the second one.
        address, count = Signal(range(2 * start)), Signal(range(inputs + 1))
        count_before = Signal.like(count)
        restart = Signal()
        m.d.comb += [
            memory.write_enable.eq(keep),
            memory.write_address.eq(address),
            memory.write_data.index.eq(listed.index),
            memory.write_data.older.eq(listed.newer),
            memory.write_data.newer.eq(listed.current),
            memory.read_address.eq(reader.address),
            reader.word.eq(memory.read_data),
            reader.restart.eq(restart),
            reader.first.eq(Mux(upper, 0, start)),
            reader.count.eq(count_before),
        ]
        m.d.sync += restart.eq(finishing[LISTED] | discard)
        with m.If(keep):
            m.d.sync += [address.eq(address + 1), count.eq(count + 1)]
        with m.If(finishing[LISTED - 1]):
            m.d.sync += [upper.eq(~upper), count_before.eq(count)]
        with m.If(restart):
            m.d.sync += [address.eq(Mux(upper, start, 0)), count.eq(0)]

    def _keep_rows(self, m, keep, listed, taken, discard):
        """Row lists: written for the sample coming in, read for the latest one and the one before."""
        config = self._config
        count = Signal(range(config.network.inputs + 1))
        newest_count, older_count = Signal.like(count), Signal.like(count)
        incoming, newest, older = (Signal(BANKS, init=1 << bank) for bank in range(BANKS))
        with m.If(keep):
            m.d.sync += count.eq(count + 1)
        # A cycle late, which is in time for the next sample's first entry.
        with m.If(delay(m, taken | discard, 1, "over", reset_less=False)):
            m.d.sync += count.eq(0)
        with m.If(taken):
            m.d.sync += [
                newest_count.eq(count),
                older_count.eq(newest_count),
                incoming.eq(older),
                newest.eq(incoming),
                older.eq(newest),
            ]
        m.d.comb += [
            self.next_rows.eq(count),
            self.rows_newest.eq(newest_count),
            self.rows_older.eq(older_count),
        ]
        depth = max(2, config.network.inputs)
        # Registers before the memory, in it, and behind it.
        before, inside = (0, 1) if config.latency.store_read == 1 else (2, READ)
        behind = config.latency.store_read - before - inside
        place = delay(m, self.entry[: index_bits(depth)], before, "place")
        shown = delay(m, Mux(self.previous, older, newest), before + inside, "shown")
        words = []
        for bank in range(BANKS):
            m.submodules[f"rows_{bank}"] = memory = block_ram(
                config.array.family, row_entry(config), depth, latency=inside
            )
            m.d.comb += [
                memory.write_enable.eq(keep & incoming[bank]),
                memory.write_address.eq(count),
                memory.write_data.index.eq(listed.index),
                memory.write_data.previous.eq(listed.older),
                memory.write_data.current.eq(listed.current),
                memory.read_address.eq(place),
            ]
            words.append(delay(m, Mux(shown[bank], memory.read_data.as_value(), 0), min(behind, 1), f"word_{bank}"))
        merged = words[0] | words[1] | words[2]
        m.d.comb += self.read.eq(delay(m, merged, max(0, behind - 1), "read"))


def _first(x, y, wanted):
    """Whether ``x`` is wanted, and ``y`` is not there or its index not below: both in the comparison's own chain."""
    return ~is_less(Cat(y.entry.index, ~y.valid), Cat(x.entry.index, Const(0, 1), ~wanted))
