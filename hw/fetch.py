"""The fetch stage: adds the presynaptic activations to a decided packet and puts it on the broadcast chain."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import q_shape
from dfarray.hw.packets import Operation, broadcast_packet
from dfarray.hw.sequencer import decision
from dfarray.latency import FETCH


class Fetch(wiring.Component):
    """``latency`` = FETCH = 3 cycles from decision to packet: store read, select, packet register.

    Attributes
    ----------
    decision : In(decision)
    weight : In
        Of a LOAD, in the cycle of its decision.
    inputs, activations : In {current, previous}
        What the stores read for the decision of the cycle before.
    packet : Out(broadcast_packet)
        Head of the broadcast chain, without noise.
    """

    latency = FETCH

    def __init__(self, config: Configuration):
        self._config = config
        value = q_shape(config.formats.activation)
        pair = data.StructLayout({"current": value, "previous": value})
        super().__init__(
            {
                "decision": In(decision(config)),
                "weight": In(signed(config.formats.weight.width)),
                "inputs": In(pair),
                "activations": In(pair),
                "packet": Out(broadcast_packet(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        one = Const(self._config.formats.activation.one, self.inputs.current.shape())

        read = Signal.like(self.decision)
        weight_read = Signal.like(self.weight)
        m.d.sync += [read.eq(self.decision), weight_read.eq(self.weight)]

        selected = Signal.like(self.decision)
        weight = Signal.like(self.weight)
        x_prev, x_cur = Signal.like(self.inputs.current), Signal.like(self.inputs.current)
        current = Mux(read.input_layer, self.inputs.current, self.activations.current)
        previous = Mux(read.input_layer, self.inputs.previous, self.activations.previous)
        m.d.sync += [
            selected.eq(read),
            weight.eq(weight_read),
            x_prev.eq(Mux(read.bias, one, Mux(read.flush, current, previous))),
            x_cur.eq(Mux(read.flush, 0, Mux(read.bias, one, current))),
        ]
        with m.If(read.op == Operation.READ):
            m.d.sync += [x_prev.eq(0), x_cur.eq(1)]

        packet = self.packet
        m.d.sync += [
            getattr(packet, name).eq(selected[name]) for name in ("op", "address", "first", "last", "tile", "lane")
        ]
        with m.If(selected.op == Operation.LOAD):
            m.d.sync += packet.payload.weight.eq(weight)
        with m.Else():
            m.d.sync += [packet.payload.x.prev.eq(x_prev), packet.payload.x.cur.eq(x_cur)]
        return m
