"""The fetch stage: turns a decision into a packet and puts it on the broadcast chain."""

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, one_of, q_shape
from dfarray.hw.packets import Operation, broadcast_packet
from dfarray.hw.sequencer import decision
from dfarray.hw.stores import row_entry


class Fetch(wiring.Component):
    """F cycles from decision to packet.

    Decision and entry's place are registered, a store is read and its bank chosen, then the index is added to the base,
    and the packet waits while the noise is hashed.

    Attributes
    ----------
    decision : In(decision)
    inputs, activations : In(row_entry)
        What the stores read for the decision of ``store_read`` cycles before.
    error : In(delta)
        g of the ``error_class`` of ``error_bank`` in the cycle before.
    error_class, error_bank : Out
        A cycle after the decision.
    row, noise : Out
        Bank row and noise state, for the noise that the packet carries :attr:`dfarray.hw.noise.RowNoise.latency` cycles
        later.
    packet : Out(broadcast_packet)
        Head of the broadcast chain.
    """

    def __init__(self, config: Configuration):
        self._config = config
        entry = row_entry(config)
        request = decision(config)
        super().__init__(
            {
                "decision": In(request),
                "inputs": In(entry),
                "activations": In(entry),
                "error": In(q_shape(config.formats.delta)),
                "error_class": Out(request["class"].shape),
                "error_bank": Out(1),
                "row": Out(request["base"].shape),
                "noise": Out(32),
                "packet": Out(broadcast_packet(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        latency = self._config.latency
        spare = latency.store_read - 2
        asked = delay(m, self.decision, 1, "asked", reset_less=False)
        m.d.comb += [self.error_class.eq(asked["class"]), self.error_bank.eq(asked.parity)]
        coming = delay(m, asked, spare, "coming", reset_less=False)
        read = delay(m, coming, 1, "read", reset_less=False)
        listed, nothing, errs = (Signal(name=name) for name in ("listed", "nothing", "errs"))
        m.d.sync += [
            listed.eq(coming.row & ~coming.bias),
            nothing.eq(coming.null & coming.inputs),
            errs.eq(coming.output & coming.update),
        ]
        error = delay(m, self.error, spare, "error")
        entry = Signal(row_entry(self._config))
        one_store = len(self._config.network.layers) == 3
        m.d.comb += entry.eq(self.inputs if one_store else Mux(read.inputs, self.inputs, self.activations))

        packet = Signal(broadcast_packet(self._config))
        row = Signal.like(self.row)
        m.d.comb += row.eq(read.base + Mux(listed, entry.index, 0))
        m.d.sync += [self.row.eq(row), self.noise.eq(read.noise)]
        m.d.sync += [packet.op.eq(self._operation(read)), packet.swap.eq(read.row & read.first)]
        waits = latency.fetch - latency.store_read - 1
        self._fill(m, packet, read, row, entry, listed, nothing, errs, error)
        m.d.comb += self.packet.eq(delay(m, packet, waits, "packet", reset_less=False))
        return m

    def _fill(self, m, packet, read, row, entry, listed, nothing, errs, error):
        """All but operation and strobe."""
        one = Const(self._config.formats.activation.one, q_shape(self._config.formats.activation))
        m.d.sync += [
            packet.address.eq(row),
            packet.first.eq(read.first),
            packet.last.eq(read.last),
            packet.tile.eq(read.tile),
            packet.lane.eq(read.lane),
            packet.slot.eq(read.slot),
            packet.parity.eq(read.parity),
        ]
        with m.If(listed):
            m.d.sync += [
                packet.payload.x.prev.eq(Mux(nothing, entry.current, entry.previous)),
                packet.payload.x.cur.eq(Mux(nothing, 0, entry.current)),
            ]
        with m.Elif(read.row):
            m.d.sync += [packet.payload.x.prev.eq(one), packet.payload.x.cur.eq(one)]
        with m.Elif(read.read):
            m.d.sync += [packet.payload.x.prev.eq(0), packet.payload.x.cur.eq(1)]
        with m.Elif(errs):
            m.d.sync += packet.payload.value.eq(error)
        with m.Else():
            m.d.sync += packet.payload.value.eq(read.value)

    @staticmethod
    def _operation(read):
        """The operation of what was decided; none if nothing was."""
        return one_of(
            [read.row, read.activate, read.output, read.gram, read.load, read.read],
            [
                Mux(read.update, Operation.FUSED, Operation.FORWARD),
                Operation.ACTIVATE,
                Mux(read.update, Operation.OUT_FUSED, Operation.OUT),
                Operation.GRAM,
                Operation.LOAD,
                Operation.READ,
            ],
        )
