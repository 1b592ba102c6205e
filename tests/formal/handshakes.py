"""Streams and AXI channels hold valid and payload until they are taken."""

from amaranth.hdl import Assert, Assume, Cover, Mux, Signal, Value

from dfarray.hw.axi import AxiFront
from dfarray.hw.error_unit import ErrorUnit
from dfarray.hw.registers import STEPS, RegisterFile

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


class Axi(Harness):
    """Every accepted address is answered once, in the cycle after the register file is done; the answer holds until it
    is taken, and nothing is accepted before."""

    def check(self, m):
        m.submodules.front = front = AxiFront()
        axi, bus = front.axi, front.bus
        for name in ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready"):
            drive(m, getattr(axi, name), name)
        for name in ("done", "refused", "beat", "word"):
            drive(m, getattr(bus, name), f"file_{name}")
        writes, reads = axi.awvalid & axi.awready, axi.arvalid & axi.arready
        written, read = axi.bvalid & axi.bready, axi.rvalid & axi.rready
        owed = {"b": Signal(name="owed_b"), "r": Signal(name="owed_r")}
        m.d.sync += [owed["b"].eq((owed["b"] & ~written) | writes), owed["r"].eq((owed["r"] & ~read) | reads)]
        done = past(m, bus.done, name="was_done")
        m.d.comb += [
            Assume(bus.valid | ~(bus.done | bus.beat)),
            Assert(axi.awready == axi.wready, "address and data together"),
            Assert(~(writes | reads) | ~(owed["b"] | owed["r"]), "one request at a time"),
            Assert(~(writes & reads), "one request at a time, of two that come at once"),
            Assert(~done | (axi.bvalid ^ axi.rvalid), "the answer comes"),
            Assert(axi.bvalid | ~owed["b"] | (bus.valid & bus.write), "no write forgotten"),
            Assert(axi.rvalid | ~owed["r"] | (bus.valid & ~bus.write), "no read forgotten"),
            Assert(
                owed["b"]
                | owed["r"]
                | ((axi.awready | ~(axi.awvalid & axi.wvalid)) & (axi.arready | ~axi.arvalid | writes)),
                "ready is never stuck",
            ),
            Assert((~axi.bvalid | owed["b"]) & (~axi.rvalid | owed["r"]), "no answer unasked for"),
            Assert(~bus.valid | ~(axi.bvalid | axi.rvalid)),
            Assert(~bus.valid | Mux(bus.write, owed["b"], owed["r"])),
            Assert(~(owed["b"] & owed["r"])),
            Cover(written & (axi.bresp == 2)),
            Cover(read & (axi.rdata != 0) & (axi.rresp == 0)),
        ]
        for channel, payload in (("b", axi.bresp), ("r", axi.rdata), ("r", axi.rresp)):
            valid, ready = getattr(axi, f"{channel}valid"), getattr(axi, f"{channel}ready")
            name = f"{channel}{len(payload)}"
            stalled = past(m, valid & ~ready, name=f"stalled_{name}")
            m.d.comb += Assert(~stalled | (valid & (payload == past(m, payload, name=name))), "holds while stalled")


class Requests(Harness):
    """The register file is done with a request three cycles after it, or where a counter has been looked at, and never
    without one; a read has two beats, the second with the end."""

    def check(self, m):
        m.submodules.file = file = RegisterFile(small())
        bus, read = file.bus, opened(file)["_read"]
        counts, counters = read["counts"], read["counters"]
        for name in ("valid", "write", "address", "data", "strobe"):
            drive(m, getattr(bus, name), name)
        held = past(m, bus.valid & ~bus.done, name="held")
        waited, beats = Signal(3), Signal(2)
        m.d.sync += [
            waited.eq(Mux(bus.valid & ~bus.done & ~counts, waited + 1, 0)),
            beats.eq(Mux(bus.valid & ~bus.done, beats + bus.beat, 0)),
        ]
        for name in ("write", "address", "data", "strobe"):
            value = getattr(bus, name)
            m.d.comb += Assume(~held | (value == past(m, value, name=f"was_{name}")))
        steps = read["steps"]
        m.d.comb += [
            Assume(~held | bus.valid),
            Assume(~past(m, bus.done, name="was_done") | ~bus.valid),
            Assert(bus.valid | ~(bus.done | bus.beat), "nothing unasked for"),
            Assert(waited <= STEPS, "it is done"),
            Assert(~bus.done | (beats + bus.beat == Mux(bus.write, 0, 2)), "two beats a read"),
            # What makes it inductive.
            Assert(~(steps.any() | counts) | bus.valid),
            Assert(~steps[0] | (waited == 1)),
            Assert(~steps[1] | (waited == 2)),
            Assert(~steps[2] | (waited == 3)),
            Assert((waited != 1) | steps[0]),
            Assert((waited != 2) | steps[1] | counts),
            Assert((waited != 3) | steps[2]),
            Assert(~counts | (~steps.any() & ~bus.write & ((waited == 0) | (waited == 2)))),
            Assert(beats == Mux(steps[2] & ~bus.write, 1, counters.high)),
            Assert(~counters.high | counts),
            Cover(bus.done & (bus.word != 0) & ~bus.refused & ~bus.write),
            Cover(bus.done & bus.refused),
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
        "AXI4-Lite: one answer each, held while stalled",
        "Axi",
        3,
        (
            Edit("axi", "idle.eq(~(bus.valid | axi.bvalid | axi.rvalid))", "idle.eq(~(bus.valid | axi.bvalid))"),
            Edit("axi", "with m.If(axi.rvalid & axi.rready):", "with m.If(axi.rvalid):"),
            Edit("axi", "with m.If(axi.bvalid & axi.bready):", "with m.If(axi.bvalid):"),
            Edit("axi", "axi.arvalid & ~writes", "axi.arvalid"),
        ),
        cover=6,
        quick=True,
    ),
    Proof(
        "the register file: every request is done, a read in two beats",
        "Requests",
        6,
        (
            Edit("registers", "steps[0] & ~self._is_counter, steps[1]", "steps[0], steps[1]"),
            Edit("registers", "(counts & ~counters.high)", "counts"),
        ),
        cover=12,
        quick=True,
    ),
]
