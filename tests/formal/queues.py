"""Queues never over- or underflow, and give what they were given, in order."""

from amaranth.hdl import Assert, Assume, Cover, Mux, Signal, Value

from dfarray.hw.dump_queue import DumpQueue
from dfarray.hw.frames import Frames, input_word
from dfarray.hw.list_reader import AHEAD, READ, ListReader
from dfarray.hw.waiting_queue import WaitingQueue
from dfarray.latency import FAMILIES

from .harness import Harness, drive, free, ones, opened, past, watched_memories
from .mutation import Edit
from .runner import Proof
from .small import small

WAITING = FAMILIES["generic"].waiting


class Tagged:
    """One word among all that come in, chosen freely, and what must be said of it: where it is and when it leaves.

    Attributes
    ----------
    inside, ahead : Signal
        Whether the chosen word has come in and not left; words before it.
    count : Signal
        Words inside.
    """

    def __init__(self, m, word, *, enters, leaves, most, value=None, clear=None):
        self.count, self.ahead = Signal(range(most + 1)), Signal(range(most + 1))
        self.inside = Signal()
        self.value = Signal(len(Value.cast(word)))
        chosen = free(m, 1, "chosen")
        m.d.sync += self.count.eq(self.count + enters - leaves)
        with m.If(enters & chosen & ~self.inside):
            m.d.sync += [self.inside.eq(1), self.ahead.eq(self.count - leaves), self.value.eq(Value.cast(word))]
        with m.Elif(self.inside & leaves):
            m.d.sync += [self.ahead.eq(self.ahead - 1), self.inside.eq(self.ahead != 0)]
        if clear is not None:
            with m.If(clear):
                m.d.sync += [self.count.eq(0), self.inside.eq(0)]
        self.leaves_now = self.inside & (self.ahead == 0) & leaves


class Dump(Harness):
    """The dump queue: what is written leaves once and in order, and waits unchanged while it is not taken.

    There is never more inside than a bank row of all lanes; that the sequencer sees to this is another proof.
    """

    def check(self, m):
        config = small((2, 2, 2), 2, 2)
        most = config.array.tiles * config.array.lanes + 1
        m.submodules.queue = queue = DumpQueue(config)
        with watched_memories(DumpQueue):
            methods = opened(queue)
        inner = methods["elaborate"] | methods["_read_ahead"]
        memory = inner["memory"]
        write, value = drive(m, queue.write, "write"), drive(m, queue.value, "value")
        words = queue.words
        drive(m, words.ready, "ready")
        leaves = words.valid & words.ready
        tag = Tagged(m, value, enters=write, leaves=leaves, most=most)
        stalled = past(m, words.valid & ~words.ready, name="stalled")
        # Where words are: in the memory, just read, or kept.
        end, place, left, some, fresh, held = (
            inner[name] for name in ("end", "place", "left", "some", "fresh", "held")
        )
        kept = inner["kept"]
        shown = held + fresh
        waited = Signal(3)
        m.d.sync += waited.eq(Mux(words.valid | (tag.count == 0), 0, waited + 1))
        m.d.comb += [
            Assert(waited <= 1, "what was written is offered"),
            Assume(~write | (tag.count < most)),
            Assert(~words.valid | (tag.count != 0), "no underflow"),
            Assert(tag.count <= most, "no overflow"),
            Assert(~tag.leaves_now | (words.payload.as_unsigned() == tag.value), "each word in its turn"),
            Assert(
                ~stalled | (words.valid & (words.payload == past(m, words.payload, name="payload"))),
                "holds while stalled",
            ),
            # What makes it inductive: the counts agree, and the chosen word is in its place.
            Assert(tag.count == left + shown),
            Assert(some == (left != 0)),
            Assert((end - place)[: len(end)] == left),
            Assert(shown <= 2),
            Assert(~tag.inside | (tag.ahead < tag.count)),
            memory.watched.eq(place + tag.ahead - shown),
            Cover(stalled & (tag.count == most)),
            Cover(tag.leaves_now & (tag.value == 5)),
        ]
        behind = tag.ahead >= shown
        read = memory.read_data
        where = Mux(tag.ahead < held, Mux(tag.ahead == 0, kept[0], kept[1]), read)
        m.d.comb += Assert(
            ~tag.inside | Mux(behind, memory.seen == tag.value, Value.cast(where).as_unsigned() == tag.value),
            "in its place",
        )


class Waiting(Harness):
    """The waiting queue: entries leave once and in order, and there is as much room as is said."""

    def __init__(self, depth):
        super().__init__()
        self._depth = depth

    def check(self, m):
        config = small()
        depth = self._depth
        m.submodules.queue = queue = WaitingQueue(input_word(config), depth)
        inner = opened(queue)["elaborate"]
        enter, word = drive(m, queue.enter, "enter"), drive(m, queue.word, "word")
        take, clear = drive(m, queue.take, "take"), drive(m, queue.clear, "clear")
        tag = Tagged(m, word, enters=enter, leaves=take, most=depth, clear=clear)
        first = queue.head.valid
        m.d.comb += [
            Assume(~enter | ~queue.occupied[depth - 1]),
            Assume(~take | first),
            Assert(ones(queue.occupied) == tag.count, "nothing is lost or doubled"),
            Assert(~tag.inside | (tag.ahead < tag.count)),
            Assert(~tag.leaves_now | (Value.cast(queue.head.entry) == tag.value), "each entry in its turn"),
            # Occupied places have no gap but in front.
            *[Assert(~queue.occupied[k] | queue.occupied[k - 1]) for k in range(2, depth)],
            Cover(tag.leaves_now & past(m, queue.occupied.all(), name="was_full")),
        ]
        for k in range(depth):
            # Without a head, what follows is first.
            mine = tag.inside & queue.occupied[k] & (tag.ahead == (Mux(first, k, k - 1) if k else 0))
            m.d.comb += Assert(~mine | (Value.cast(inner["places"][k]) == tag.value), f"in place {k}")


class Intake(Harness):
    """Frames and the queue behind them: whatever transfers come and whenever they are used up, none comes to a full
    queue, and none is taken in while the incoming sample is closed."""

    def check(self, m):
        config = small()
        m.submodules.frames = frames = Frames(config)
        m.submodules.queue = queue = WaitingQueue(input_word(config), WAITING)
        for name in ("events", "taken"):
            drive(m, getattr(frames, name), name)
        drive(m, frames.samples.valid, "valid")
        drive(m, frames.samples.payload, "payload")
        take = free(m, 1, "take")
        m.d.comb += [
            frames.occupied.eq(queue.occupied),
            queue.enter.eq(frames.enter),
            queue.word.eq(frames.word),
            queue.clear.eq(frames.discard),
            queue.take.eq(take & queue.head.valid),
            Assert(~queue.enter | ~queue.occupied[WAITING - 1], "no overflow"),
            *[Assert(~queue.occupied[k] | queue.occupied[k - 1]) for k in range(2, WAITING)],
            Cover(queue.occupied.all()),
            Cover(frames.discard & queue.head.valid),
        ]


class Reader(Harness):
    """A list reader: it never asks for more than it has room for, and gives the list's entries once and in order."""

    def check(self, m):
        config = small()
        length = 7
        m.submodules.reader = reader = ListReader(input_word(config), 16, length, 0)
        restart, first, count = (drive(m, getattr(reader, name), name) for name in ("restart", "first", "count"))
        take = drive(m, reader.take, "take")
        # The memory: an entry is its address.
        address = past(m, reader.address, READ, name="address")
        m.d.comb += Value.cast(reader.word).eq(address)
        expected, left = Signal.like(reader.address), Signal.like(reader.count)
        with m.If(restart):
            m.d.sync += [expected.eq(first), left.eq(count)]
        with m.Elif(take):
            m.d.sync += [expected.eq(expected + 1), left.eq(left - 1)]
        waited = Signal(range(16))
        m.d.sync += waited.eq(Mux(restart | reader.head.valid | (left == 0), 0, waited + 1))
        before = past(m, count, name="count")
        # What makes it inductive: every entry that was asked for is on its way or in its place.
        inner = opened(reader)["elaborate"]
        places = opened(inner["queue"])["elaborate"]["places"]
        way = [past(m, inner["ask"] & ~restart, name="way_0")]
        way.append(past(m, way[0] & ~restart, name="way_1"))
        queued, occupied = ones(inner["queue"].occupied), inner["queue"].occupied
        m.d.comb += [
            Assert(inner["asked"] == queued + way[0] + way[1]),
            Assert(inner["left"] + inner["asked"] == left),
            Assert(inner["more"] == (inner["left"] != 0)),
            Assert(inner["full"] == (inner["asked"] == AHEAD)),
            Assert((expected + inner["asked"])[: len(expected)] == reader.address),
            Assert(~way[1] | (address == (expected + queued)[: len(expected)])),
            *[Assert(~occupied[k] | occupied[k - 1]) for k in range(2, AHEAD)],
            *[
                Assert(
                    ~occupied[k]
                    | (Value.cast(places[k]) == (expected + Mux(occupied[0], k, max(0, k - 1)))[: len(expected)])
                )
                for k in range(AHEAD)
            ],
        ]
        m.d.comb += [
            Assume(~take | reader.head.valid),
            Assume(~restart | (before == count)),
            Assume(count <= length),
            Assert(~reader.head.valid | (left != 0), "no entry behind the last one"),
            Assert(~reader.head.valid | (Value.cast(reader.head.entry) == expected), "each entry in its turn"),
            Assert(~reader.head.valid | ~reader.following.valid | (left > 1), "none follows the last one"),
            Assert(waited <= AHEAD, "the next entry comes"),
            Cover((left == 0) & past(m, take, name="took") & (expected == 9)),
        ]


PROOFS = [
    Proof(
        "the dump queue keeps order, and holds while stalled",
        "Dump",
        3,
        (
            Edit("dump_queue", "asks.eq(some & (held + fresh <= 1))", "asks.eq(some & (held <= 1))"),
            Edit(
                "dump_queue",
                "some.eq(self.write | (some & ~(asks & (left == 1))))",
                "some.eq(self.write | (some & ~asks))",
            ),
            Edit("dump_queue", "Mux(held == 2, kept[1], memory.read_data)", "kept[1]"),
        ),
        cover=12,
        quick=True,
    ),
    Proof(
        "the waiting queue keeps order (samples)",
        "Waiting",
        6,
        (
            Edit(
                "waiting_queue",
                "valid[k].eq(moved | (self.enter & (first | valid[k])))",
                "valid[k].eq(moved | (self.enter & valid[k]))",
            ),
            Edit("waiting_queue", "Mux(moved, behind, self.word)", "Mux(self.take, behind, self.word)"),
        ),
        (WAITING,),
        cover=10,
        quick=True,
    ),
    Proof(
        "the waiting queue keeps order (lists)",
        "Waiting",
        7,
        (Edit("waiting_queue", "with m.If(self.take | ~valid[0] | ~valid[k]):", "with m.If(self.take | ~valid[k]):"),),
        (AHEAD,),
        cover=10,
    ),
    Proof(
        "transfers never meet a full queue",
        "Intake",
        3,
        (
            Edit(
                "frames",
                "full = self.occupied[-1] | (self.occupied[-2] & arrived)",
                "full = self.occupied[-1]",
            ),
        ),
        cover=12,
        quick=True,
    ),
    Proof(
        "a list reader keeps order and room",
        "Reader",
        8,
        (
            Edit("list_reader", "following == AHEAD", "following == AHEAD + 1"),
            Edit("list_reader", "register.eq(way & ~self.restart)", "register.eq(way)"),
            Edit("list_reader", "more.eq(left != 1)", "more.eq(left != 0)"),
        ),
        cover=22,
    ),
]
