"""The register file behind an AXI4-Lite port; :mod:`dfarray.register_map` is its specification."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay
from dfarray.hw.settings import COMMANDS, settings_layout
from dfarray.register_map import ADDRESS_BITS, Access, register_map

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
    """Settings, command strobes, status and counters.

    An unknown address and a write to a read-only register answer SLVERR and change nothing. Byte strobes are
    honoured. A load or dump whose rows leave the bank, or of no row, sets STATUS.refused and is not passed on.

    Attributes
    ----------
    bus : In AxiLite
        A write answers one cycle after its address and data, a read one cycle after its address.
    settings : Out(settings_layout)
        Change the cycle after the write is accepted.
    command : Out
        Strobes, in the same cycle.
    busy, pending, sample_done, framing_error : In
    macs : In
        Useful multiply-accumulates to count.
    """

    def __init__(self, config: Configuration):
        self._config = config
        self._map = {register.name: register for register in register_map(config)}
        super().__init__(
            {
                "bus": In(AxiLite()),
                "settings": Out(settings_layout(config)),
                "command": Out(COMMANDS),
                "busy": In(1),
                "pending": In(1),
                "sample_done": In(1),
                "framing_error": In(1),
                "macs": In(range(2 * config.array.tiles * config.array.lanes + 1)),
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
        self._write(m, values, refused)
        self._read(m, values, refused)
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

    def _write(self, m, values, refused):
        bus = self.bus
        accept = Signal()
        m.d.comb += [
            accept.eq(bus.awvalid & bus.wvalid & (~bus.bvalid | bus.bready)),
            bus.awready.eq(accept),
            bus.wready.eq(accept),
        ]
        m.d.sync += self.command.eq(0)
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)
        with m.If(accept):
            m.d.sync += [bus.bvalid.eq(1), bus.bresp.eq(OKAY)]
            with m.Switch(bus.awaddr[2:]):
                for name, target in values.items():
                    with m.Case(self._map[name].offset >> 2):
                        self._store(m, self._map[name], target)
                with m.Case(self._map["COMMAND"].offset >> 2):
                    self._command(m, values, refused)
                with m.Default():
                    m.d.sync += bus.bresp.eq(SLAVE_ERROR)

    def _store(self, m, register, target):
        for item in register.fields:
            for bit in range(item.low, item.low + item.width):
                with m.If(self.bus.wstrb[bit // 8]):
                    m.d.sync += target[bit].eq(self.bus.wdata[bit])
        if register.name == "SEED":
            m.d.sync += self.command.seed.eq(1)

    def _command(self, m, values, refused):
        word = self.bus.wdata
        first, count = values["ROW_FIRST"], values["ROW_COUNT"]
        allowed = (count != 0) & (first + count <= self._config.array.bank_rows)
        with m.If(self.bus.wstrb[0]):
            m.d.sync += self.command.flush.eq(word[0])
            with m.If(word[1:3].any()):
                m.d.sync += refused.eq(~allowed)
            with m.If(allowed):
                m.d.sync += [self.command.load.eq(word[1]), self.command.dump.eq(word[2])]

    def _read(self, m, values, refused):
        bus = self.bus
        samples, framing_errors, busy_cycles, macs = Signal(32), Signal(32), Signal(32), Signal(64)
        m.d.sync += [
            samples.eq(samples + delay(m, self.sample_done, 1, "sample_done")),
            framing_errors.eq(framing_errors + delay(m, self.framing_error, 1, "framing_error")),
            busy_cycles.eq(busy_cycles + delay(m, self.busy, 1, "busy")),
            macs.eq(macs + delay(m, self.macs, 1, "macs")),
        ]
        readable = {
            **values,
            "ID": self._map["ID"].reset,
            "CONFIGURATION": self._map["CONFIGURATION"].reset,
            "COMMAND": 0,
            "STATUS": self.busy | self.command.as_value().any() | self.pending << 1 | refused << 2,
            "SAMPLES": samples,
            "FRAMING_ERRORS": framing_errors,
            "BUSY_CYCLES": busy_cycles,
            "MACS_LOW": macs[:32],
            "MACS_HIGH": macs[32:],
        }
        m.d.comb += bus.arready.eq(~bus.rvalid | bus.rready)
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [bus.rvalid.eq(1), bus.rresp.eq(OKAY)]
            with m.Switch(bus.araddr[2:]):
                for name, value in readable.items():
                    with m.Case(self._map[name].offset >> 2):
                        m.d.sync += bus.rdata.eq(value)
                with m.Default():
                    m.d.sync += [bus.rdata.eq(0), bus.rresp.eq(SLAVE_ERROR)]
