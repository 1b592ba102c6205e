"""The top level of a board: clock, reset, pins, and the accelerator behind its host link."""

import math
from dataclasses import replace

from amaranth.back import rtlil
from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.fpga.boards import Board, Family
from dfarray.fpga.clocks import ClockGenerator
from dfarray.fpga.link.link import HostLink
from dfarray.fpga.link.linked import LinkedAccelerator
from dfarray.fpga.link.protocol import link_parameters
from dfarray.fpga.link.uart import divisor_and_baud

TOP = "dfarray_board"

LINK_MHZ = 60
"""A faster array has its link in a clock domain of its own, so many times slower as this asks for."""

LONGEST_RESET = 16
"""Cycles of the new clock for which the link is held after the PLL has locked."""


class BoardTop(wiring.Component):
    """What is built for a board.

    Parameters
    ----------
    board : Board
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Initial weights.
    mhz : float
        Frequency of its clock.

    Attributes
    ----------
    clk, uart_rx, button : In(1)
    uart_tx : Out(1)
    leds : Out
        The pins of ``board.pins``. Pressing the button ends the session, and nothing else. Lights, as many of them as
        the board has: a host has said hello; work is under way; something was counted since the hello.
    mhz : float
        The clock's frequency, as near as the PLL comes.
    baud : int
        Of the serial port: the fastest rate that the clock makes.

    Raises
    ------
    ValueError
        If the clock makes no baud rate.
    """

    def __init__(self, board: Board, config: Configuration, weights, mhz: float):
        slowdown = math.ceil(mhz / LINK_MHZ) if board.family is Family.ECP5 and mhz != board.oscillator_mhz else 1
        self._clock = ClockGenerator(board, mhz, slowdown)
        self.mhz = self._clock.mhz
        divisor, self.baud = divisor_and_baud(self.mhz / slowdown, board.baud)
        parameters = replace(link_parameters(config, self.mhz / slowdown, self.baud), mhz=self.mhz)
        self._domain = "sync" if slowdown == 1 else "link"
        self._linked = LinkedAccelerator(config, weights, HostLink(config, parameters, divisor), self._domain)
        self._lights = board.leds[: len(self._linked.lights)]
        # At rest: 0 where a button pulls its pin down.
        self._pressed_at = not board.pins["button"].active_low
        ports = {"clk": In(1), "uart_rx": In(1), "button": In(1), "uart_tx": Out(1)}
        super().__init__(ports | {"leds": Out(len(self._lights))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.clock = clock = self._clock
        m.submodules.linked = linked = self._linked
        m.domains.sync = sync = ClockDomain(reset_less=True)
        domain = self._domain
        if domain != "sync":
            m.domains.link = slow = ClockDomain(domain, reset_less=True)
            m.d.comb += slow.clk.eq(clock.slow)
        pressed, locked = Signal(), Signal()
        held = Signal(range(LONGEST_RESET + 1))
        m.submodules.button = FFSynchronizer(self.button == self._pressed_at, pressed, o_domain=domain)
        m.submodules.locked = FFSynchronizer(clock.locked, locked, o_domain=domain)
        m.submodules.uart_rx = FFSynchronizer(self.uart_rx, linked.rx, init=1, o_domain=domain)
        with m.If(pressed | ~locked):
            m.d[domain] += held.eq(0)
        with m.Elif(held != LONGEST_RESET):
            m.d[domain] += held.eq(held + 1)
        m.d.comb += [
            clock.oscillator.eq(self.clk),
            sync.clk.eq(clock.clock),
            linked.reset.eq(held != LONGEST_RESET),
            self.uart_tx.eq(linked.tx),
            self.leds.eq(Cat(light ^ pin.active_low for light, pin in zip(linked.lights, self._lights, strict=False))),
        ]
        return m

    def rtlil(self) -> str:
        """The design for yosys; the top module is ``TOP``, the pins are its ports."""
        return rtlil.convert(self, ports=[value for value, _ in self.ports().values()], name=TOP, emit_src=False)

    def ports(self) -> dict[str, tuple[Signal, str]]:
        """The pins, each with its direction, "i" or "o"."""
        inputs = {name: (getattr(self, name), "i") for name in ("clk", "uart_rx", "button")}
        return inputs | {name: (getattr(self, name), "o") for name in ("uart_tx", "leds")}
