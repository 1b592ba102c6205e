"""The host link: frames stay whole in the receiver's ring, and what is offered holds until it is taken."""

from amaranth.hdl import Assert, Assume, Cover, Module, Mux, Signal, Value

from dfarray.fpga.link.protocol import DELIMITER, LinkParameters
from dfarray.fpga.link.receiver import FrameReceiver
from dfarray.fpga.link.replies import ReplyStore
from dfarray.fpga.link.samples import SampleFeeder

from .harness import Harness, drive, free, opened, past
from .mutation import Edit
from .runner import Proof
from .small import small

DEPTH = 16
"""Bytes of the ring."""


class Ring(Harness):
    """Whatever bytes come, whenever, and whatever their CRC is found to be: a frame that is taken in is shown as its
    length and its bytes, once and in order; any other leaves nothing; nothing unread is written over."""

    def check(self, m):
        m.submodules.receiver = receiver = FrameReceiver(DEPTH)
        inner = opened(receiver)["elaborate"]
        check, memory = inner["check"], inner["memory"]
        # A checker that finds anything.
        found = free(m, 1, "match")
        unchecked = Module()
        unchecked.d.comb += check.match_detected.eq(found)
        check.elaborate = lambda platform: unchecked
        look = memory.read_port(domain="comb")
        for name in ("data", "valid", "broken", "give_up"):
            drive(m, getattr(receiver, name), name)
        take = drive(m, receiver.take, "take")
        accepts, emits, full, length, place = (inner[n] for n in ("accepts", "emits", "full", "length", "place"))
        first, end, ends = inner["first"], inner["end"], inner["ends"]
        # Bytes to be read, lengths among them, and bytes of the frame coming in.
        held, came = Signal(range(DEPTH + 1)), Signal(range(DEPTH + 1))
        enters = emits & (place != first)
        m.d.sync += [
            held.eq(held - take + Mux(accepts, length + 1, 0)),
            came.eq(Mux(ends, 0, came + enters)),
        ]
        # One byte, or one length, chosen freely; before it is taken in, those before it in its frame are ahead.
        chosen = free(m, 1, "chosen")
        pending, inside, ahead, value = Signal(), Signal(), Signal(range(DEPTH + 1)), Signal(8)
        with m.If(inside & take):
            m.d.sync += [ahead.eq(ahead - 1), inside.eq(ahead != 0)]
        with m.If(pending & ends):
            kept = accepts & (ahead < length)
            m.d.sync += [pending.eq(0), inside.eq(kept), ahead.eq(held - take + 1 + ahead)]
        with m.Elif(chosen & ~pending & ~inside & accepts):
            m.d.sync += [inside.eq(1), ahead.eq(held - take), value.eq(length)]
        with m.Elif(chosen & ~pending & ~inside & enters):
            m.d.sync += [pending.eq(1), ahead.eq(came), value.eq(inner["emitted"])]
        shown = inside & (ahead == 0)
        m.d.comb += [
            Assume(~take | receiver.available),
            Assert(~receiver.available | (held != 0), "no underflow"),
            Assert(held + 1 + came <= DEPTH, "no overflow"),
            Assert(~(shown & receiver.available) | (receiver.head == value), "each byte in its turn"),
            Assert(~accepts | (length == came), "a frame's length is its bytes"),
            # What makes it inductive.
            Assert(held == (end - first)[: len(end)]),
            Assert(came == (place - end - 1)[: len(end)]),
            Assert(full | inner["wrong"] | (length == came)),
            Assert(~inside | (ahead < held)),
            Assert(~pending | (ahead < came)),
            Assert(~(pending & inside)),
            look.addr.eq(Mux(pending, end + 1, first) + ahead),
            Assert(~(pending | inside) | (look.data == value)),
            # A length is written when its frame is taken in, and read a cycle later at the earliest.
            Assert(~inner["there"] | (held != 0) | ~receiver.head_valid),
            Assert(~(shown & inner["there"] & receiver.head_valid) | (receiver.head == look.data)),
            Cover(shown & take & (value == 9) & past(m, receiver.available, 6, name="was_there")),
            Cover(receiver.overrun & (held != 0)),
        ]


class Replies(Harness):
    """A slot's bytes leave once and in order, and hold while the line is busy.

    Nothing is written to a slot that is being sent; that the executor sees to this is not proved here.
    """

    def check(self, m):
        m.submodules.store = store = ReplyStore(LinkParameters(512, 32, 2, 8))
        inner = opened(store)["elaborate"]
        look = inner["memory"].read_port(domain="comb")
        for name in ("slot", "begin", "data", "write", "finish", "send", "out_ready"):
            drive(m, getattr(store, name), name)
        taken = store.out_valid & store.out_ready
        stalled = past(m, store.out_valid & ~store.out_ready, name="stalled")
        ended = past(m, taken & (store.out == DELIMITER), name="ended")
        slot, sent = Signal.like(store.slot, name="own_slot"), Signal.like(inner["sent"], name="own_sent")
        with m.If(store.send):
            m.d.sync += [slot.eq(store.slot), sent.eq(0)]
        with m.Elif(taken):
            m.d.sync += sent.eq(sent + 1)
        m.d.comb += [
            Assume(~store.send | ~store.sending),
            Assume(~(store.occupied & inner["write"].en)),
            Assume(~(store.send & inner["write"].en)),
            look.addr.eq(sent + (slot << len(sent))),
            Assert(~stalled | (store.out_valid & (store.out == past(m, store.out, name="out"))), "holds while stalled"),
            Assert(~store.out_valid | (store.out == look.data), "each byte in its turn"),
            Assert(~ended | ~store.sending, "ends with the delimiter"),
            # What makes it inductive.
            Assert((slot == inner["sent_slot"]) | ~store.sending),
            Assert((sent == inner["sent"]) | ~store.sending),
            Cover(stalled & taken & (sent == 2)),
        ]


class Samples(Harness):
    """A transfer to the accelerator holds until it is taken, unless the frame is given up."""

    def check(self, m):
        config = small()
        m.submodules.feeder = feeder = SampleFeeder(config)
        for name in (
            "start",
            "discard",
            "stop",
            "layout",
            "last",
            "label",
            "head",
            "head_valid",
            "at_end",
            "last_byte",
        ):
            drive(m, getattr(feeder, name), name)
        samples = feeder.samples
        drive(m, samples.ready, "ready")
        payload = Value.cast(samples.value), samples.index, samples.label, samples.last
        stalled = past(m, samples.valid & ~samples.ready & ~feeder.stop, name="stalled")
        waits = past(m, feeder.busy & ~feeder.take, name="waits")
        for name in ("layout", "last", "label", "head", "at_end", "last_byte"):
            value = getattr(feeder, name)
            m.d.comb += Assume(~waits | (value == past(m, value, name=f"{name}_before")))
        m.d.comb += [
            Assume(~waits | feeder.head_valid | ~past(m, feeder.head_valid, name="head_valid_before")),
            Assert(~stalled | samples.valid, "valid until it is taken"),
            *[
                Assert(~stalled | (value == past(m, value, name=f"payload_{k}")), "holds while stalled")
                for k, value in enumerate(payload)
            ],
            Cover(stalled & feeder.transfers & (samples.index == 1)),
            Cover(stalled & feeder.transfers & samples.last),
        ]


PROOFS = [
    Proof(
        "the frame receiver's ring keeps frames whole",
        "Ring",
        3,
        (
            Edit("fpga.link.receiver", "room = place != first", "room = place != end"),
            Edit("fpga.link.receiver", "there.eq(first != end)", "there.eq(1)"),
            Edit("fpga.link.receiver", "m.d.sync += end.eq(place)", "m.d.sync += end.eq(place - 1)"),
            Edit("fpga.link.receiver", "self.head_valid.eq(~self.take)", "self.head_valid.eq(1)"),
        ),
        cover=40,
    ),
    Proof(
        "replies go out once and in order, and hold while stalled",
        "Replies",
        4,
        (
            Edit(
                "fpga.link.replies",
                "fetched.eq(self.sending & ~(self.out_valid & self.out_ready))",
                "fetched.eq(self.sending)",
            ),
            Edit(
                "fpga.link.replies",
                "with m.If(self.out_valid & self.out_ready):\n            m.d.sync += sent.eq(sent + 1)",
                "with m.If(self.out_ready):\n            m.d.sync += sent.eq(sent + 1)",
            ),
        ),
        cover=16,
    ),
    Proof(
        "the link's transfers hold until they are taken",
        "Samples",
        4,
        (
            Edit(
                "fpga.link.samples",
                "with m.If(self.transfers):\n                    m.d.comb += [self.take.eq(ends_byte)",
                "with m.If(samples.valid):\n                    m.d.comb += [self.take.eq(ends_byte)",
            ),
        ),
        cover=16,
    ),
]
