"""The fetch stage of a small family: a packet every other cycle, so that what it needs is held and not delayed."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import odd_cycles, q_shape
from dfarray.hw.fetch import Fetch
from dfarray.hw.packets import broadcast_packet
from dfarray.hw.stores import row_entry


class SerialFetch(Fetch):
    """As :class:`dfarray.hw.fetch.Fetch`, two cycles from decision to packet.

    What is decided in an even cycle is held for two. In the first of them the stores answer, in the second the packet
    is at the head. ``error_class`` and ``error_bank`` are those of the decision; ``row`` and ``noise`` come a cycle
    later.
    """

    def elaborate(self, platform):
        m = Module()
        config, decided = self._config, self.decision
        odd = odd_cycles(m)
        m.d.comb += [self.error_class.eq(decided["class"]), self.error_bank.eq(decided.parity)]

        one = Const(config.formats.activation.one, q_shape(config.formats.activation))
        packet = Signal(broadcast_packet(config))
        listed, nothing, errs, inputs = (Signal(name=name) for name in ("listed", "nothing", "errs", "inputs"))
        base = Signal.like(decided.base, name="base")
        value = Signal(signed(len(packet.payload.as_value())), name="value")
        with m.If(~odd):
            m.d.sync += [
                packet.op.eq(self._operation(decided)),
                packet.swap.eq(decided.row & decided.first),
                packet.first.eq(decided.first),
                packet.last.eq(decided.last),
                packet.tile.eq(decided.tile),
                packet.lane.eq(decided.lane),
                packet.slot.eq(decided.slot),
                packet.parity.eq(decided.parity),
                listed.eq(decided.row & ~decided.bias),
                nothing.eq(decided.null & decided.inputs),
                errs.eq(decided.output & decided.update),
                inputs.eq(decided.inputs),
                base.eq(decided.base),
                value.eq(
                    Mux(decided.row, Cat(one, one), Mux(decided.read, Cat(Const(0, len(one)), Const(1)), decided.value))
                ),
                self.noise.eq(decided.noise),
            ]

        one_store = len(config.network.layers) == 3
        entry = Signal(row_entry(config))
        m.d.comb += entry.eq(self.inputs if one_store else Mux(inputs, self.inputs, self.activations))
        x = Cat(Mux(nothing, entry.current, entry.previous), Mux(nothing, 0, entry.current))
        with m.If(odd):
            m.d.sync += packet.payload.eq(Mux(listed, x, Mux(errs, self.error, value)))
        m.d.comb += [
            self.packet.eq(packet),
            self.packet.op.eq(Mux(odd, 0, packet.op.as_value())),
            self.packet.swap.eq(packet.swap & ~odd),
        ]
        if config.lists:
            m.d.comb += self.row.eq(base + Mux(listed, entry.index, 0))
            with m.If(odd):
                m.d.sync += packet.address.eq(self.row)
        else:
            m.d.comb += [self.row.eq(base), self.packet.address.eq(base)]
        return m


def make_fetch(config: Configuration) -> Fetch:
    """The fetch stage that the family wants."""
    return SerialFetch(config) if config.latency.serial else Fetch(config)
