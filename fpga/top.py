"""The top level of a board: clock, pins, and the component behind its narrow port."""

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from dfarray.fpga.boards import Board
from dfarray.fpga.clocks import ClockGenerator
from dfarray.fpga.narrow_port import NarrowPort

TOP = "dfarray_board"

PINS = {"serial_in": "uart_rx", "serial_out": "uart_tx", "strobe": "button"}
"""The board's pins, by those of the top's ports that are not called like them."""


class BoardTop(wiring.Component):
    """What is built for a board.

    Parameters
    ----------
    board : Board
    component : wiring.Component
        What the board runs.
    mhz : float
        Frequency of its clock.

    Attributes
    ----------
    clk, serial_in, strobe : In(1)
    serial_out : Out(1)
        The pins of ``board.pins``, see :data:`PINS`.
    mhz : float
        The clock's frequency, as near as the PLL comes.
    """

    def __init__(self, board: Board, component: wiring.Component, mhz: float):
        self._clock = ClockGenerator(board, mhz)
        self._port = NarrowPort(component)
        self.mhz = self._clock.mhz
        super().__init__({"clk": In(1), "serial_in": In(1), "strobe": In(1), "serial_out": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.clock = clock = self._clock
        m.submodules.port = port = self._port
        m.domains.sync = sync = ClockDomain(reset_less=True)
        m.d.comb += [clock.oscillator.eq(self.clk), sync.clk.eq(clock.clock), self.serial_out.eq(port.serial_out)]
        for name in ("serial_in", "strobe"):
            # Nothing moves before the clock is regular.
            pin = getattr(self, name) & clock.locked
            m.submodules[name] = FFSynchronizer(pin, getattr(port, name))
        return m

    def rtlil(self) -> str:
        """The design for yosys; the top module is ``TOP``, the pins are its ports."""
        ports = [self.clk, self.serial_in, self.strobe, self.serial_out]
        return rtlil.convert(self, ports=ports, name=TOP, emit_src=False)
