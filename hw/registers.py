"""The register file behind an AXI4-Lite port; :mod:`dfarray.register_map` is its specification."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.event_counters import EVENT_COUNTERS, WORD_BITS
from dfarray.hw.arithmetic import delay, one_of
from dfarray.hw.event_counters import EventCounters, event_amounts
from dfarray.hw.settings import COMMANDS, settings_layout
from dfarray.register_map import ADDRESS_BITS, FIRST_COUNTER, Access, register_map

OKAY, SLAVE_ERROR = 0b00, 0b10


class AxiLite(wiring.Signature):
    """AXI4-Lite with 32-bit data, seen from the manager. Source: ARM IHI 0022."""

    def __init__(self):
        super().__init__(
            {
                "awaddr": Out(ADDRESS_BITS),
                "awprot": Out(3),
                "awvalid": Out(1),
                "awready": In(1),
                "wdata": Out(32),
                "wstrb": Out(4),
                "wvalid": Out(1),
                "wready": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
                "araddr": Out(ADDRESS_BITS),
                "arprot": Out(3),
                "arvalid": Out(1),
                "arready": In(1),
                "rdata": In(32),
                "rresp": In(2),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class RegisterFile(wiring.Component):
    """Settings, command strobes, status and event counters.

    An unknown address and a write to a read-only register answer SLVERR and change nothing. Byte strobes are
    honoured. A load or dump whose rows leave the bank, or of no row, sets STATUS.refused and is not passed on.

    Attributes
    ----------
    bus : In AxiLite
        A write answers one cycle after its address and data, a read three cycles after its address; a read of a
        counter three cycles after it was looked at.
    settings : Out(settings_layout)
        Change two cycles after the write is accepted.
    command : Out
        Strobes, a cycle later: whether the rows of a load or dump are allowed is found in between.
    commanded : Out(1)
        A command was written, and the array does not know yet.
    busy, pending : In
    noise : In(32)
        State of the rounding noise.
    events : In(event_amounts)
        To count.
    """

    def __init__(self, config: Configuration):
        self._config = config
        self._map = {register.name: register for register in register_map(config)}
        super().__init__(
            {
                "bus": In(AxiLite()),
                "settings": Out(settings_layout(config)),
                "command": Out(COMMANDS),
                "commanded": Out(1),
                "busy": In(1),
                "pending": In(1),
                "noise": In(32),
                "events": In(event_amounts(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        values = {
            register.name: Signal(32, name=register.name.lower(), init=register.reset)
            for register in self._map.values()
            if register.access is Access.READ_WRITE
        }
        refused = Signal()
        asked = Signal(COMMANDS)
        self._checked = Signal(COMMANDS, name="checked")
        # A write a cycle after it was accepted; ``chosen``: which register it goes to, a bit each.
        self._written = Signal(
            data.StructLayout({"valid": 1, "chosen": len(values) + 1, "data": 32, "strobe": 4}), name="written"
        )
        self._write(m, values, asked)
        self._pass_on(m, values, asked, refused)
        self._read(m, values, asked, refused)
        settings = self.settings
        m.d.comb += [
            settings.train.eq(values["CONTROL"][0]),
            settings.events.eq(values["CONTROL"][1]),
            settings.rate_mantissa.eq(values["LEARNING_RATE"][:8]),
            settings.rate_exponent.eq(values["LEARNING_RATE"][8:]),
            settings.freeze.eq(values["FREEZE"]),
            settings.seed.eq(values["SEED"]),
            settings.row_first.eq(values["ROW_FIRST"]),
            settings.row_count.eq(values["ROW_COUNT"]),
        ]
        return m

    def _write(self, m, values, asked):
        bus = self.bus
        accept, written = Signal(), self._written
        m.d.comb += [
            accept.eq(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)),
            bus.awready.eq(accept),
            bus.wready.eq(accept),
        ]
        m.d.sync += asked.eq(0)
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        writable = [*values, "COMMAND"]
        chosen = Cat(bus.awaddr[2:] == self._map[name].offset >> 2 for name in writable)
        m.d.sync += [
            written.valid.eq(accept),
            written.chosen.eq(Mux(accept, chosen, 0)),
            written.data.eq(bus.wdata),
            written.strobe.eq(bus.wstrb),
        ]
        with m.If(accept):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(Mux(chosen.any(), OKAY, SLAVE_ERROR))]
        for name, is_written in zip(writable, written.chosen, strict=True):
            with m.If(is_written):
                if name != "COMMAND":
                    self._store(m, self._map[name], values[name], asked)
                    continue
                with m.If(written.strobe[0]):
                    m.d.sync += [
                        asked.flush.eq(written.data[0]),
                        asked.load.eq(written.data[1]),
                        asked.dump.eq(written.data[2]),
                    ]

    def _store(self, m, register, target, asked):
        for item in register.fields:
            for bit in range(item.low, item.low + item.width):
                with m.If(self._written.strobe[bit // 8]):
                    m.d.sync += target[bit].eq(self._written.data[bit])
        if register.name == "SEED":
            m.d.sync += asked.seed.eq(1)

    def _pass_on(self, m, values, asked, refused):
        rows = self._config.array.bank_rows
        first, count = (values[name][: rows.bit_length()] for name in ("ROW_FIRST", "ROW_COUNT"))
        # As the rows are when the command is written; two cycles later the command is passed on.
        end, some, allowed = delay(m, first + count, 1, "end"), delay(m, count != 0, 1, "some_rows"), Signal()
        m.d.sync += allowed.eq(some & (end <= rows))
        m.d.sync += [
            self._checked.eq(asked),
            self.command.seed.eq(self._checked.seed),
            self.command.flush.eq(self._checked.flush),
            self.command.load.eq(self._checked.load & allowed),
            self.command.dump.eq(self._checked.dump & allowed),
        ]
        with m.If(self._checked.load | self._checked.dump):
            m.d.sync += refused.eq(~allowed)

    def _read(self, m, values, asked, refused):
        bus = self.bus
        m.submodules.counters = counters = EventCounters(self._config)
        steps = (asked, self._checked, self.command)
        m.d.comb += self.commanded.eq(Cat(step.as_value().any() for step in steps).any())
        busy = delay(m, self.busy | self.commanded, 1, "busy_or_commanded", reset_less=False)
        pending = delay(m, self.pending, 1, "pending", reset_less=False)
        readable = {
            **values,
            "ID": self._map["ID"].reset,
            "CONFIGURATION": self._map["CONFIGURATION"].reset,
            "COMMAND": 0,
            "STATUS": Cat(busy, pending, refused),
            "NOISE": self.noise,
        }
        # One read at a time, and none in two cycles after a write, which is about to change what is read. First its
        # address, then the choice in each group of registers, then the choice of a group.
        reading, chosen, known, counts = Signal(), Signal(), Signal(), Signal()
        by_place = {self._map[name].offset >> 2: value for name, value in readable.items()}
        groups = [Signal(32, name=f"group_{index}") for index in range(-(-(max(by_place) + 1) // 4))]
        address, column, chosen_group = Signal(ADDRESS_BITS - 2), Signal(4), Signal(len(groups))
        written = Cat(self._written.valid, delay(m, self._written.valid, 1, "written_before", reset_less=False)).any()
        m.d.comb += bus.arready.eq(~(reading | chosen | counts | bus.rvalid | written))
        with m.If(bus.arready):
            m.d.sync += [address.eq(bus.araddr[2:]), column.eq(1 << bus.araddr[2:4])]
        for index, group in enumerate(groups):
            m.d.sync += group.eq(one_of(column, [Value.cast(by_place.get(4 * index + k, 0)) for k in range(4)]))
        known_now, is_counter, place = Signal(), Signal(), address[: len(counters.index) + 1]
        page = FIRST_COUNTER >> 2
        m.d.comb += [
            is_counter.eq((address >= page) & (address < page + 2 * len(EVENT_COUNTERS))),
            counters.amounts.eq(delay(m, self.events, 1, "events", reset_less=False)),
            counters.wanted.eq(counts),
            Cat(counters.upper, counters.index).eq(place),
        ]
        # A counter is read where it is looked at: its halves one after the other.
        m.d.sync += counts.eq((counts & ~counters.high) | (reading & is_counter))
        for half, there in enumerate((counters.low, counters.high)):
            with m.If(there):
                m.d.sync += bus.rdata.word_select(half, WORD_BITS).eq(counters.word)
        m.d.comb += known_now.eq(Cat(address == place for place in by_place).any())
        m.d.sync += [
            reading.eq(bus.arvalid & bus.arready),
            chosen.eq(reading & ~is_counter),
            known.eq(known_now),
            chosen_group.eq(Cat(known_now & (address[2:] == index) for index in range(len(groups)))),
        ]
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(chosen):
            m.d.sync += [
                bus.rvalid.eq(1),
                bus.rresp.eq(Mux(known, OKAY, SLAVE_ERROR)),
                bus.rdata.eq(one_of(chosen_group, groups)),
            ]
        with m.If(counters.high):
            m.d.sync += [bus.rvalid.eq(1), bus.rresp.eq(OKAY)]
