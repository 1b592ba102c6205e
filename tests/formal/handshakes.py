"""Streams and AXI channels hold valid and payload until they are taken."""

from amaranth.hdl import Assert, Assume, Cover, Mux, Signal, Value

from dfarray.hw.error_unit import ErrorUnit
from dfarray.hw.registers import RegisterFile

from .harness import Harness, drive, fixed, opened, past, watched_memories
from .mutation import Edit
from .runner import Proof
from .small import small


class Results(Harness):
    """A sample's C logits are offered in order, each once, with one prediction, and hold while they are not taken.

    Samples come one after the other: a start when the unit is idle, then C logits; the lowest there is in between, as
    the readout shows it.
    """

    def check(self, m):
        config = small((2, 2, 3))
        classes, lowest = config.network.classes, config.formats.logit.lo
        m.submodules.unit = unit = ErrorUnit(config)
        with watched_memories(ErrorUnit):
            methods = opened(unit)
        inner, receive, answers = methods["_send_results"], methods["_receive"], methods["elaborate"]["answers"]
        start, logit = drive(m, unit.start, "start"), drive(m, unit.logit, "logit")
        drive(m, unit.context, "context")
        drive(m, unit.results.ready, "ready")
        results, payload = unit.results, unit.results.payload
        taken = results.valid & results.ready
        # The chosen class, its logit, and how far this sample is.
        chosen = fixed(m, range(classes), "chosen")
        come, sent, awaited = Signal(range(classes + 1)), Signal(range(classes + 1)), Signal()
        value = Signal.like(logit.value, name="chosen_logit")
        with m.If(start):
            m.d.sync += [awaited.eq(1), come.eq(0), sent.eq(0)]
        with m.If(logit.valid):
            m.d.sync += come.eq(come + 1)
            with m.If(come == chosen):
                m.d.sync += value.eq(logit.value)
        with m.If(taken):
            m.d.sync += sent.eq(sent + 1)
            with m.If(payload.last):
                m.d.sync += awaited.eq(0)
        stalled = past(m, results.valid & ~results.ready, name="stalled")
        complete = come == classes
        started = past(m, start, name="start")
        m.d.comb += [
            Assume(chosen < classes),
            Assume(~start | (unit.idle & ~awaited)),
            Assume(~logit.valid | (awaited & ~complete & ~started)),
            Assume(logit.valid | (logit.value == lowest)),
            Assert(
                ~stalled | (results.valid & (Value.cast(payload) == past(m, Value.cast(payload), name="payload"))),
                "holds while stalled",
            ),
            Assert(~taken | (awaited & complete & (sent < classes)), "no result unasked for"),
            Assert(~taken | (payload.last == (sent == classes - 1)), "last with the last"),
            Assert(~(taken & (sent == chosen)) | (payload.logit == value), "each logit in its turn"),
            Cover(stalled & past(m, taken, 2, name="before") & payload.last),
            Cover(taken & payload.last & (payload.prediction == classes - 1)),
        ]
        # What makes it inductive.
        index, after, pending, sending = (inner[name] for name in ("index", "after", "results_pending", "sending"))
        m.d.comb += [
            Assert(awaited == pending),
            Assert(~awaited | (come <= classes)),
            Assert(~results.valid | (awaited & complete & ~sending)),
            Assert(~sending | (awaited & complete & (sent == 0))),
            Assert(Mux(awaited & complete, index == sent, index == 0)),
            Assert(after == (index + 1)[: len(after)]),
            Assert(inner["at_last"] == (index == classes - 1)),
            Assert(~awaited | (sent < classes)),
            Assert(~awaited | complete | (sent == 0)),
            Assert(awaited | complete | (come == 0)),
            Assert(receive["count"] == Mux(complete, 0, come)),
            Assert(receive["at_last"] == (come == classes - 1)),
            answers.watched.eq(chosen),
            Assert(~awaited | (come <= chosen) | (answers.seen == value.as_unsigned())),
            Assert(~(results.valid & (index == chosen)) | (payload.logit == value)),
        ]


class AxiReads(Harness):
    """Every accepted address is answered once, three cycles later, or where a counter has been looked at; the answer
    holds until it is taken, and no address is accepted before."""

    def check(self, m):
        m.submodules.file = file = RegisterFile(small())
        bus, inner = file.bus, opened(file)["_read"]
        counts, counters = inner["counts"], inner["counters"]
        for name in ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready"):
            drive(m, getattr(bus, name), name)
        accepted, answered = bus.arvalid & bus.arready, bus.rvalid & bus.rready
        owed = Signal()
        m.d.sync += owed.eq((owed & ~answered) | accepted)
        stalled = past(m, bus.rvalid & ~bus.rready, name="stalled")
        refuses = Signal()
        m.d.comb += refuses.eq(owed & ~bus.rvalid & ~counts)
        waited = Signal(3)
        m.d.sync += waited.eq(Mux(refuses, waited + 1, 0))
        silent = Signal(3)
        m.d.sync += silent.eq(Mux(bus.arready | owed | past(m, bus.awready, name="w"), 0, silent + 1))
        m.d.comb += [
            Assert(
                ~stalled
                | (
                    bus.rvalid
                    & (bus.rdata == past(m, bus.rdata, name="data"))
                    & (bus.rresp == past(m, bus.rresp, name="resp"))
                ),
                "R holds while stalled",
            ),
            Assert(~bus.rvalid | owed, "no answer unasked for"),
            Assert(~accepted | ~owed, "one read at a time"),
            Assert(waited <= 2, "the answer comes"),
            Assert(silent <= 1, "ready comes back"),
            # What makes it inductive.
            Assert(~counts | (owed & ~bus.rvalid & ~inner["reading"] & ~inner["chosen"])),
            Assert(~counters.high | counts),
            Cover(stalled & (bus.rdata != 0) & (bus.rresp == 0)),
            Cover(bus.rvalid & (bus.rresp == 2)),
        ]


class AxiWrites(Harness):
    """Every accepted write is answered once, in the next cycle; the answer holds until it is taken."""

    def check(self, m):
        m.submodules.file = file = RegisterFile(small())
        bus = file.bus
        for name in ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready"):
            drive(m, getattr(bus, name), name)
        accepted, answered = bus.awvalid & bus.awready, bus.bvalid & bus.bready
        owed = Signal()
        m.d.sync += owed.eq((owed & ~answered) | accepted)
        stalled = past(m, bus.bvalid & ~bus.bready, name="stalled")
        m.d.comb += [
            Assert(~stalled | (bus.bvalid & (bus.bresp == past(m, bus.bresp, name="resp"))), "B holds while stalled"),
            Assert(bus.bvalid == owed, "an answer for each write"),
            Assert(accepted == (bus.wvalid & bus.wready), "address and data together"),
            Assert(~(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)) | accepted, "ready is never stuck"),
            Cover(stalled & (bus.bresp == 2)),
            Cover(answered & accepted),
        ]


PROOFS = [
    Proof(
        "results hold while stalled, each logit in its turn",
        "Results",
        4,
        (
            Edit("error_unit", "following.eq(Mux(transfer, after, index))", "following.eq(after)"),
            Edit("error_unit", "with m.If(transfer & payload.last):", "with m.If(payload.last):"),
        ),
        cover=13,
        quick=True,
    ),
    Proof(
        "AXI4-Lite R: one answer each, held while stalled",
        "AxiReads",
        6,
        (
            Edit("registers", "counts | bus.rvalid | written)", "counts | written)"),
            Edit(
                "registers",
                "with m.If(bus.rready):\n            m.d.sync += bus.rvalid.eq(0)",
                "with m.If(1):\n            m.d.sync += bus.rvalid.eq(0)",
            ),
        ),
        cover=12,
        quick=True,
    ),
    Proof(
        "AXI4-Lite B: one answer each, held while stalled",
        "AxiWrites",
        3,
        (
            Edit("registers", "(~bus.bvalid | bus.bready)", "bus.wvalid"),
            Edit(
                "registers",
                "with m.If(accept):\n"
                "            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(Mux(chosen.any(), OKAY, SLAVE_ERROR))]",
                "with m.If(bus.awvalid & bus.wvalid):\n"
                "            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(Mux(chosen.any(), OKAY, SLAVE_ERROR))]",
            ),
        ),
        cover=6,
        quick=True,
    ),
]
