"""The collector: after an ACTIVATE or a READ, asks every lane for its activation or weight, in neuron order."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay
from dfarray.hw.packets import Kind, collect_token
from dfarray.trace import index_bits


def collect_request(config: Configuration) -> data.StructLayout:
    """What to collect: lanes 0..last_lane of all tiles, in the last lane only ``last_count`` tiles."""
    return data.StructLayout(
        {"kind": Kind, "last_lane": index_bits(config.array.lanes), "last_count": index_bits(config.array.tiles + 2)}
    )


class Collector(wiring.Component):
    """Issues collect tokens so that the words reach the exit one a cycle and in order.

    Attributes
    ----------
    start, request : In
        In the cycle in which the ACTIVATE or READ is decided; only while not ``busy``.
    busy : Out(1)
    token : Out(collect_token)
        Head of the token chain; the first token ``F + Y + ACTIVATED`` cycles after ``start``.
    """

    def __init__(self, config: Configuration):
        self._config = config
        super().__init__(
            {
                "start": In(1),
                "request": In(collect_request(config)),
                "busy": Out(1),
                "token": Out(collect_token(config)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        tiles = self._config.array.tiles
        latency = self._config.latency
        first_token = latency.fetch + latency.correct + latency.activated
        request = Signal.like(self.request)
        lane = Signal(index_bits(self._config.array.lanes))
        timer, waits = Signal(range(max(first_token, tiles + 2))), Signal()
        cooling = Signal()
        count = Signal(index_bits(tiles + 2))
        at_last_lane = lane == request.last_lane
        # The bias tile answers with the weights of lane 0.
        every = Mux((lane == 0) & (request.kind == Kind.WEIGHT), tiles + 1, tiles)
        m.d.comb += count.eq(Mux(at_last_lane, request.last_count, every))
        m.d.sync += self.token.valid.eq(0)
        asked = delay(m, self.request, 1, "asked")
        with m.If(self.start):
            m.d.sync += self.busy.eq(1)
        # What is late in the sequencer's cycle sets one register only.
        with m.If(delay(m, self.start, 1, "started", reset_less=False)):
            m.d.sync += [request.eq(asked), lane.eq(0), cooling.eq(0)]
            m.d.sync += [timer.eq(first_token - 3), waits.eq(first_token != 3)]
        with m.Elif(waits):
            m.d.sync += [timer.eq(timer - 1), waits.eq(timer != 1)]
        with m.Elif(cooling):
            m.d.sync += [self.busy.eq(0), cooling.eq(0)]
        with m.Elif(self.busy):
            m.d.sync += [
                self.token.valid.eq(1),
                self.token.lane.eq(lane),
                self.token.kind.eq(request.kind),
                self.token.count.eq(count),
                lane.eq(lane + 1),
                cooling.eq(at_last_lane),
                timer.eq(Mux(at_last_lane, tiles, count - 1)),
                waits.eq(at_last_lane | (count != 1)),
            ]
        return m
