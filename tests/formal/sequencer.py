"""The sequencer: one decision a cycle, no stale weight, and always back to idle."""

from amaranth.hdl import Assert, Assume, Cat, Cover, Mux, Signal, Value

from dfarray.hw.fetch import Fetch
from dfarray.hw.packets import Operation
from dfarray.hw.sequencer import LENGTHS, PACKETS, Sequencer
from dfarray.latency import FAMILIES

from .harness import Harness, drive, fixed, free, ones, opened, past
from .mutation import Edit
from .runner import Proof
from .small import small

INPUTS = [
    "settings",
    "command",
    "sample_complete",
    "label",
    "next_rows",
    "rows_newest",
    "rows_older",
    "input_gram",
    "list_rows",
    "list_complete",
    "list_gram",
    "collector_busy",
    "error_idle",
    "delivered",
    "corrected",
    "ready",
    "noise_state",
    "load_valid",
    "load_value",
    "dump_transfer",
]


class _Sequencing(Harness):
    """A sequencer of which any input is anything, but where a subclass says otherwise."""

    def __init__(self, layers, tiles, family="generic"):
        super().__init__()
        self.config = small(layers, tiles, 1, family=family)
        self.unit = Sequencer(self.config)

    def build(self, m, **given):
        """Drive it; returns its decision's flags and its methods' own signals."""
        m.submodules.sequencer = unit = self.unit
        inner = opened(unit)
        for name in INPUTS:
            if name == "dump_transfer" and name in given:
                continue
            if name in given:
                m.d.comb += Value.cast(getattr(unit, name)).eq(given[name])
            else:
                drive(m, getattr(unit, name), name)
        # Words that were asked for leave once.
        words = self.config.array.tiles * self.config.array.lanes + 1
        self.owed = Signal(range(words + 1), name="owed")
        if "dump_transfer" in given:
            m.d.comb += unit.dump_transfer.eq(self.owed != 0)
        m.d.comb += Assume(~unit.dump_transfer | (self.owed != 0))
        m.d.sync += self.owed.eq(Mux(unit.decision.read, words, self.owed - unit.dump_transfer))
        return [unit.decision[name] for name in PACKETS], inner

    def invariants(self, inner):
        """What holds in every reachable state, beside what is asked for."""
        unit, config = self.unit, self.config
        own = inner["elaborate"]
        flags = [unit._idles, unit._sweeps, unit._loads, unit._dumps]
        words = config.array.tiles * config.array.lanes + 1
        count = inner["_count_words"]
        load = inner["_load"]
        last_tile = Mux(load["lane"] == 0, config.array.tiles, config.array.tiles - 1)
        return [
            ones(flags) == 1,
            unit._moves_words == (unit._loads | unit._dumps),
            own["neither_next"] == ~(own["output_next"] | own["activate_next"]),
            ~(own["output_next"] & own["activate_next"]),
            ~own["output_next"] | unit.output,
            ~own["activate_next"] | unit.activate,
            ~(unit._loads | unit._dumps) | ~(unit.activate | unit.output),
            ~(own["rests"] & unit._idles) | ~(unit.activate | unit.output),
            ~(own["flushes"] & unit._idles) | ~(unit.activate | unit.output),
            unit.slot < len(config.passes),
            unit._last_slot == (unit.slot == len(config.passes) - 1),
            unit._following == Mux(unit._last_slot, 0, unit.slot + 1),
            unit._activation.slot < len(config.passes),
            unit._sweeps | ((unit.slot == 0) & unit._first),
            unit._group < len(config.output_groups),
            unit.output_row <= config.network.classes,
            unit.output | (unit.output_row == 0),
            (count["left"] > 0) & (count["left"] <= words),
            unit._loads | unit._dumps | (count["left"] == words),
            count["load_ends"] == (unit._loads & (count["left"] == 1)),
            count["dump_ends"] == (unit._dumps & (count["left"] == 1)),
            Mux(
                unit._dumps & unit._requested,
                self.owed + count["transferred"] == count["left"],
                (self.owed == 0) & ~count["transferred"],
            ),
            ~unit._requested | unit._dumps,
            ~unit._dumps | unit._requested | (count["left"] == words),
            (count["left"] == words) | (count["last_row"] == (unit._rows_left == 1)),
            load["lane"] < config.array.lanes,
            load["tile"] <= last_tile,
            load["ends"] == (load["tile"] == last_tile),
        ]


class Decisions(_Sequencing):
    """At most one packet is decided in a cycle, whatever comes; and only in every I-th cycle."""

    def check(self, m):
        decided, inner = self.build(m)
        m.d.comb += [Assert(ones(decided) <= 1, "one decision"), *map(Assert, self.invariants(inner))]
        m.d.comb += [
            Assert(
                self.unit.load_ready == (self.unit._loads & inner["elaborate"]["tick"]), "ready in every turn of LOAD"
            ),
            Cover(self.unit.decision.load),
            Cover(self.unit.decision.read),
            Cover(self.unit.decision.gram),
        ]
        if self.config.latency.interval == 2:
            m.d.comb += Assert(
                ~(Cat(decided).any() & past(m, Cat(decided).any(), name="decided")), "every second cycle"
            )


class FreshWeights(_Sequencing):
    """A weight is read K + 2 cycles after the packet that changes it at the earliest: when it is written.

    Whatever the other parts do; lists ascend and have indices of their layer. The packets are those at the head, and
    every tile has them as many cycles apart.
    """

    def check(self, m):
        config = self.config
        _, inner = self.build(m)
        unit, decision = self.unit, self.unit.decision
        m.submodules.fetch = fetch = Fetch(config)
        m.d.comb += Value.cast(fetch.decision).eq(Value.cast(decision))
        drive(m, fetch.error, "error")
        index = free(m, fetch.inputs.index.shape(), "index")
        least = Signal(len(index) + 1)
        fan_in = Signal(8)
        for item in config.passes:
            with m.If(unit.slot == item.slot):
                m.d.comb += fan_in.eq(item.fan_in)
        with m.If(decision.row):
            m.d.sync += least.eq(Mux(decision.bias, 0, index + 1))
        for store in (fetch.inputs, fetch.activations):
            m.d.comb += store.index.eq(
                past(m, index, FAMILIES["generic"].store_read, name=f"index_{'i' if store is fetch.inputs else 'a'}")
            )
        packet = fetch.packet
        address = fixed(m, packet.address.shape(), "address")
        hits = packet.address == address
        writes = hits & Cat(packet.op == op for op in (Operation.FUSED, Operation.OUT_FUSED, Operation.LOAD)).any()
        reads = (
            hits
            & Cat(
                packet.op == op
                for op in (Operation.FORWARD, Operation.FUSED, Operation.OUT, Operation.OUT_FUSED, Operation.READ)
            ).any()
        )
        distance = config.latency.align + 2
        unwritten = Signal(range(distance + 1))
        m.d.sync += unwritten.eq(Mux(writes, distance - 1, Mux(unwritten == 0, 0, unwritten - 1)))
        just = past(m, unwritten == 1, name="just")
        m.d.comb += [
            Assume(~decision.row | decision.bias | ((index >= least) & (index < fan_in))),
            Assert(~reads | (unwritten == 0), "no stale weight"),
            *map(Assert, self.invariants(inner)),
            Cover(reads & past(m, just, 2, name="soon")),
        ]


class Returns(_Sequencing):
    """From any state it is idle within ``cycles``, if nothing new is asked for and the other parts keep it no longer
    waiting: errors ready, deltas delivered, the collector free, weights coming and going."""

    resets = False

    def __init__(self, layers, tiles, cycles):
        super().__init__(layers, tiles)
        self._cycles = cycles

    def check(self, m):
        rows = self.config.network.inputs
        _, inner = self.build(
            m,
            settings=0,
            command=0,
            sample_complete=0,
            next_rows=rows,
            rows_newest=rows,
            rows_older=rows,
            list_rows=rows,
            list_complete=1,
            collector_busy=0,
            error_idle=1,
            delivered=1,
            corrected=1,
            ready=3,
            load_valid=1,
            dump_transfer=1,
        )
        unit = self.unit
        age, busy = Signal(7, name="age"), Signal(name="busy")
        resting = unit._idles & ~unit.activate & ~unit.output
        m.d.sync += [age.eq(age + 1), busy.eq((busy | (age == 0)) & ~resting)]
        first = age == 0
        m.d.comb += [Assume(~first | truth) for truth in self.invariants(inner)]
        m.d.comb += [
            Assume(~first | ((unit._list == rows) & (unit._list_is == Cat(rows == length for length in LENGTHS)))),
            # A list is counted from its slot's first row on.
            Assume(~first | Mux(unit._first, ~unit._at_end, unit._at_end == (unit._left == 0))),
            Assume(~first | unit._first | ((unit._left <= rows) & (unit._left_is_one == (unit._left == 1)))),
            Assume(~first | (unit._rows_left == 1)),
            Assert((age != self._cycles) | ~busy, "idle again"),
            Cover((age == self._cycles - 1) & ~busy),
            Cover((age == self._cycles // 2) & busy),
        ]


PROOFS = [
    Proof(
        "one decision a cycle",
        "Decisions",
        3,
        (
            Edit(
                "sequencer",
                "neither_next.eq(~(activate_follows | output_follows)),",
                "neither_next.eq(~output_follows),",
            ),
            Edit("sequencer", "& (~self.output | self._grams)", ""),
        ),
        ((2, 3, 2), 2),
        cover=45,
        quick=False,
    ),
    Proof(
        "one decision in two cycles (iCE40)",
        "Decisions",
        3,
        (
            Edit(
                "sequencer",
                "self._hidden_rows(m, tick & neither_next, activate)",
                "self._hidden_rows(m, neither_next, activate)",
            ),
        ),
        ((2, 3, 2), 2, "ice40up5k"),
        cover=60,
    ),
    Proof(
        "no lane reads a stale weight",
        "FreshWeights",
        22,
        (
            Edit("sequencer", "Cat(valid & (slot == number) for valid, slot in older).any()", "Const(0)"),
            Edit("sequencer", "return ~self._unwritten", "return Const(1)"),
        ),
        ((2, 2, 2), 2),
        cover=45,
    ),
    Proof(
        "the sequencer returns to idle",
        "Returns",
        91,
        (
            Edit("sequencer", "runs.eq(left != 1)]", "runs.eq(1)]"),
            Edit(
                "sequencer",
                "m.d.sync += [self.output_row.eq(0), self.output.eq(0)]",
                "m.d.sync += self.output_row.eq(0)",
            ),
        ),
        ((2, 3, 2), 2, 90),
        method="any state",
        cover=91,
        why="from any state that the invariants of 'one decision a cycle' allow",
    ),
]
