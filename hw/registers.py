"""The register file and its bus; :mod:`dfarray.register_map` is its specification."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.event_counters import EVENT_COUNTERS, WORD_BITS
from dfarray.hw.arithmetic import any_of, delay
from dfarray.hw.event_counters import EventCounters, event_amounts
from dfarray.hw.settings import COMMANDS, settings_layout
from dfarray.register_map import ADDRESS_BITS, FIRST_COUNTER, Access, register_map

STEPS = 3
"""Cycles from a request to its end, unless a counter is read."""


PAGE_BITS = 6
"""Of an address within the registers that are not counters, all of which are in page 0."""


class RegisterBus(wiring.Signature):
    """One request after the other, seen from who asks.

    ``valid`` and all of the request hold until the cycle of ``done``, and at least a cycle lies between two requests.
    A read has two ``beat``s, the second with ``done``: ``word`` is the lower half of the register, then the upper one.
    ``refused`` counts with ``done``.
    """

    def __init__(self):
        super().__init__(
            {
                "valid": Out(1),
                "write": Out(1),
                "address": Out(ADDRESS_BITS),
                "data": Out(2 * WORD_BITS),
                "strobe": Out(4),
                "done": In(1),
                "refused": In(1),
                "beat": In(1),
                "word": In(WORD_BITS),
            }
        )


class RegisterFile(wiring.Component):
    """Settings, command strobes, status and event counters.

    An unknown address and a write to a read-only register are refused and change nothing. Byte strobes are
    honoured. A load or dump whose rows leave the bank, or of no row, sets STATUS.refused and is not passed on.

    Attributes
    ----------
    bus : In RegisterBus
        Done three cycles after the request; the read of a counter two cycles and the memory's latency after it was
        looked at.
    settings : Out(settings_layout)
        Change two cycles after the request to write them.
    command : Out
        Strobes, two cycles later: whether the rows of a load or dump are allowed is found in between.
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
                "bus": In(RegisterBus()),
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
        plain = [name for name, register in self._map.items() if register.offset < FIRST_COUNTER]
        # Which register the address is that of, a bit each, a cycle after it.
        chosen = {name: Signal(name=f"is_{name.lower()}") for name in plain}
        page, place = self.bus.address[PAGE_BITS:], self.bus.address[2:PAGE_BITS]
        for name, is_chosen in chosen.items():
            m.d.sync += is_chosen.eq(place == self._map[name].offset >> 2)
            with m.If(page.any()):
                m.d.sync += is_chosen.eq(0)
        steps = self._step(m)
        self._write(m, values, asked, chosen, steps[0] & self.bus.write)
        self._pass_on(m, values, asked, refused)
        self._read(m, values, asked, refused, chosen, steps)
        settings = self.settings
        m.d.comb += [
            settings.train.eq(values["CONTROL"][0]),
            settings.events.eq(values["CONTROL"][1]),
            settings.rate_mantissa.eq(values["LEARNING_RATE"][:8]),
            settings.rate_exponent.eq(values["LEARNING_RATE"][8:]),
            settings.freeze.eq(values["FREEZE"]),
            settings.seed.eq(values.get("SEED", 0)),
            settings.row_first.eq(values["ROW_FIRST"]),
            settings.row_count.eq(values["ROW_COUNT"]),
        ]
        return m

    def _step(self, m):
        """A cycle after the request it goes through so many steps, or waits in the first for a counter to be read."""
        bus, steps = self.bus, Signal(STEPS)
        self._counts, self._is_counter = Signal(name="counts"), Signal(name="is_counter")
        page, place = FIRST_COUNTER >> 2, bus.address[2:]
        first = bus.valid & ~(steps.any() | self._counts)
        m.d.sync += [
            self._is_counter.eq((place >= page) & (place < page + 2 * len(EVENT_COUNTERS)) & ~bus.write),
            steps.eq(Cat(first, steps[0] & ~self._is_counter, steps[1])),
        ]
        return steps

    def _write(self, m, values, asked, chosen, writes):
        data, strobe = self.bus.data, self.bus.strobe
        m.d.sync += asked.eq(0)
        with m.If(writes & chosen["COMMAND"] & strobe[0]):
            m.d.sync += [asked.flush.eq(data[0]), asked.load.eq(data[1]), asked.dump.eq(data[2])]
        with m.If(writes & chosen["SEED"]):
            m.d.sync += asked.seed.eq(1)
        for name, value in values.items():
            for item in self._map[name].fields:
                for bit in range(item.low, item.low + item.width):
                    with m.If(writes & chosen[name] & strobe[bit // 8]):
                        m.d.sync += value[bit].eq(data[bit])

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

    def _read(self, m, values, asked, refused, chosen, steps):
        bus = self.bus
        m.submodules.counters = counters = EventCounters(self._config)
        passed = (asked, self._checked, self.command)
        m.d.comb += self.commanded.eq(Cat(step.as_value().any() for step in passed).any())
        busy = delay(m, self.busy | self.commanded, 1, "busy_or_commanded", reset_less=False)
        pending = delay(m, self.pending, 1, "pending", reset_less=False)
        readable = {
            **values,
            "ID": self._map["ID"].reset,
            "CONFIGURATION": self._map["CONFIGURATION"].reset,
            "STATUS": Cat(busy, pending, refused),
            "NOISE": self.noise,
        }
        halves = Signal(WORD_BITS)
        m.d.sync += halves.eq(
            any_of(
                Mux(chosen[name] & (steps[1] == upper), Value.cast(value)[low : low + WORD_BITS], 0)
                for name, value in readable.items()
                for upper, low in enumerate((0, WORD_BITS))
            )
        )
        known, counts = Signal(), self._counts
        writable = Cat(
            is_chosen for name, is_chosen in chosen.items() if self._map[name].access is not Access.READ_ONLY
        )
        m.d.sync += [
            known.eq(Mux(bus.write, writable.any(), Cat(chosen.values()).any())),
            # A counter is read where it is looked at: its halves one after the other.
            counts.eq((counts & ~counters.high) | (steps[0] & self._is_counter)),
        ]
        m.d.comb += [
            counters.amounts.eq(delay(m, self.events, 1, "events", reset_less=False)),
            counters.wanted.eq((steps[0] & self._is_counter) | counts),
            Cat(counters.upper, counters.index).eq(bus.address[2:]),
            bus.word.eq(Mux(counters.wanted, counters.word, halves)),
            bus.beat.eq((steps[1:].any() & ~bus.write) | counters.low | counters.high),
            bus.done.eq(steps[-1] | counters.high),
            bus.refused.eq(steps[-1] & ~known),
        ]
