"""The register file's bus behind an AXI4-Lite port."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.hw.registers import RegisterBus
from dfarray.register_map import ADDRESS_BITS

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


class AxiFront(wiring.Component):
    """Takes one request at a time, a write first if both come at once.

    Attributes
    ----------
    axi : In AxiLite
    bus : Out RegisterBus
        The request, from the cycle after it was accepted.
    """

    def __init__(self):
        super().__init__({"axi": In(AxiLite()), "bus": Out(RegisterBus())})

    def elaborate(self, platform):
        m = Module()
        axi, bus = self.axi, self.bus
        idle, writes, reads, response = Signal(), Signal(), Signal(), Signal(2)
        # What is written, or what was read.
        data = Signal.like(bus.data)
        m.d.comb += [
            idle.eq(~(bus.valid | axi.bvalid | axi.rvalid)),
            writes.eq(idle & axi.awvalid & axi.wvalid),
            reads.eq(idle & axi.arvalid & ~writes),
            axi.awready.eq(writes),
            axi.wready.eq(writes),
            axi.arready.eq(reads),
            bus.data.eq(data),
            axi.rdata.eq(data),
            axi.bresp.eq(response),
            axi.rresp.eq(response),
        ]
        with m.If(writes | reads):
            m.d.sync += [
                bus.valid.eq(1),
                bus.write.eq(writes),
                bus.address.eq(Mux(writes, axi.awaddr, axi.araddr)),
                bus.strobe.eq(axi.wstrb),
                data.eq(axi.wdata),
            ]
        with m.If(bus.beat):
            m.d.sync += data.eq(Cat(data[len(bus.word) :], bus.word))
        with m.If(bus.done):
            m.d.sync += [
                bus.valid.eq(0),
                axi.bvalid.eq(bus.write),
                axi.rvalid.eq(~bus.write),
                response.eq(Mux(bus.refused, SLAVE_ERROR, OKAY)),
            ]
        with m.If(axi.bvalid & axi.bready):
            m.d.sync += axi.bvalid.eq(0)
        with m.If(axi.rvalid & axi.rready):
            m.d.sync += axi.rvalid.eq(0)
        return m
