"""The event counters: a few bits beside each source, the rest in one memory; docs/architecture.md section 4.7."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.event_counters import EVENT_COUNTERS, WALK, WORD_BITS, WORDS
from dfarray.hw.arithmetic import any_of, delay
from dfarray.hw.blocks import lut_ram
from dfarray.latency import REOPEN
from dfarray.trace import index_bits

READ, READ_SERIAL = 2, 1
"""From a word's address to the word: a register behind the choice among the memory's blocks, before the adder; none in
a small and slow family, whose memory is one block."""


@dataclass(frozen=True)
class Rate:
    """How often something is counted at most.

    Attributes
    ----------
    largest : int
        Events in one cycle.
    spacing : int
        Cycles from one cycle with events to the next.
    """

    largest: int
    spacing: int = 1

    @property
    def in_a_walk(self) -> int:
        """Events between two looks."""
        return self.largest * -(-WALK // self.spacing)


def event_rates(config: Configuration) -> dict[str, Rate]:
    """Bounds for every counter, from docs/architecture.md section 4."""
    tiles, lanes, classes = config.array.tiles, config.array.lanes, config.network.classes
    interval = config.latency.interval
    fan_in = max(config.network.layers[:-2])
    return {
        "SAMPLES": Rate(1, classes),
        "FRAMING_ERRORS": Rate(1, REOPEN),
        "BUSY_CYCLES": Rate(1),
        "MACS": Rate(2 * tiles * lanes, interval),
        "INPUT_WAITS": Rate(1),
        "ERROR_WAITS": Rate(1, interval),
        "ACTIVATION_WAITS": Rate(1, interval),
        "HOST_WAITS": Rate(1),
        # Between the ends of two slots there is an ACTIVATE, K + 1 cycles after the first. All rows are sent where
        # there are no lists.
        "SKIPPED_ROWS": Rate(fan_in if config.lists else 0, config.latency.align + 3),
        "ZERO_DELTAS": Rate(tiles, config.lane_interval),
        "WEIGHT_SATURATIONS": Rate(tiles * lanes + 1, interval),
        "ACTIVATION_SATURATIONS": Rate(tiles),
        "LOGIT_SATURATIONS": Rate(1, config.class_interval),
        "DELTA_SATURATIONS": Rate(1, config.class_interval),
    }


def event_amounts(config: Configuration) -> data.StructLayout:
    """How many events of each counter there are in a cycle."""
    rates = event_rates(config)
    return data.StructLayout({name: unsigned(rates[name].largest.bit_length()) for name in EVENT_COUNTERS})


class EventCounters(wiring.Component):
    """Walks the words of a memory round and round and adds to each counter's what its source has counted meanwhile.

    No event is lost: beside each source as many bits count as it can have events in a walk, see :func:`event_rates`.
    Like the weights, the counters start at 0 with the configuration and outlast a reset.

    Attributes
    ----------
    amounts : In(event_amounts)
    wanted : In(1)
        Held until ``high``: a register is to be read.
    index, upper : In
        Which counter, and which half of it.
    word : Out
        The lower 16 bits of the register in the cycle of ``low``, in the next one, with ``high``, the upper ones.
    low, high : Out(1)
    """

    def __init__(self, config: Configuration):
        self._config = config
        super().__init__(
            {
                "amounts": In(event_amounts(config)),
                "wanted": In(1),
                "index": In(index_bits(len(EVENT_COUNTERS))),
                "upper": In(1),
                "word": Out(WORD_BITS),
                "low": Out(1),
                "high": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rates = event_rates(self._config)
        read = READ_SERIAL if self._config.latency.serial else READ
        place = Signal(range(WALK))
        m.d.sync += place.eq(place + 1)
        word, counter = place[: index_bits(WORDS)], place[index_bits(WORDS) :]
        taken = []
        for number, name in enumerate(EVENT_COUNTERS):
            count, amount = Signal(range(rates[name].in_a_walk + 1), name=name.lower()), self.amounts[name]
            looks = Signal(init=number == 0, name=f"looks_{number}")
            m.d.sync += [looks.eq(0), count.eq(count + amount)]
            with m.If(word == WORDS - 1):
                m.d.sync += looks.eq(counter == (number - 1) % (WALK // WORDS))
            # Beyond the amount's bits that is a reset, not another operand of the adder.
            with m.If(looks):
                m.d.sync += count.eq(amount)
            taken.append(Mux(looks, count, 0))
        # To be added in the next cycle: what was counted, or the carry of the counter's word before.
        counted = delay(m, any_of(taken), read - 1, "counted", reset_less=False)
        more = Signal(max(len(count) for count in taken))
        m.submodules.memory = memory = lut_ram(self._config.array.family, unsigned(WORD_BITS), WALK, latency=read)
        before = delay(m, place, read, "place_before", reset_less=False)
        # The memory has shown a word, whatever was in its registers before.
        runs = delay(m, Const(1), read, "runs", reset_less=False)
        total = Signal(max(WORD_BITS, len(more)) + 1)
        asked = delay(m, self.wanted, read - 1, "asked", reset_less=False)
        m.d.comb += [
            total.eq(memory.read_data + more),
            memory.read_address.eq(place),
            memory.write_address.eq(before),
            memory.write_data.eq(total[:WORD_BITS]),
            memory.write_enable.eq(runs),
            self.word.eq(total),
            self.low.eq(self.wanted & asked & (before == Cat(Const(0, 1), self.upper, self.index))),
        ]
        m.d.sync += self.high.eq(self.low)
        with m.If(runs):
            m.d.sync += more.eq(counted | total[WORD_BITS:])
        return m
