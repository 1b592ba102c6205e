"""A UART of 8 data bits, no parity and one stop bit.

Our own: amaranth-stdio's only release on PyPI is a placeholder, and its receiver wants five clock cycles a bit, where
an iCEBreaker's 12 MHz give four at 3 Mbaud.
"""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LEAST_CYCLES = 4
"""Clock cycles a bit."""

TOLERANCE = 0.02
"""Of the baud rate that the clock makes: at the stop bit, 9.5 bits after the edge, a fifth of a bit, and as much more
for the other side."""


RATES = (3_000_000, 2_000_000, 1_500_000, 1_000_000, 750_000, 500_000, 460_800, 250_000, 230_400, 115_200)
"""Baud rates that USB serial chips make, the fastest first."""


def divisor_and_baud(mhz: float, fastest: int = RATES[0]) -> tuple[int, int]:
    """The fastest rate that a clock makes, no faster than ``fastest``.

    Returns
    -------
    (clock cycles a bit, baud)

    Raises
    ------
    ValueError
        If it makes none of :data:`RATES`.
    """
    for baud in RATES:
        cycles = round(mhz * 1e6 / baud)
        if baud <= fastest and cycles >= LEAST_CYCLES and abs(mhz * 1e6 / cycles / baud - 1) <= TOLERANCE:
            return cycles, baud
    raise ValueError(
        f"a clock of {mhz:g} MHz makes no baud rate of {', '.join(map(str, RATES))} within {TOLERANCE:.0%}"
    )


class UartReceiver(wiring.Component):
    """Bytes from a line; ``latency`` is half a bit after the middle of the stop bit.

    Parameters
    ----------
    divisor : int
        Clock cycles a bit.

    Attributes
    ----------
    line : In(1)
        Of this clock domain, 1 when idle.
    data, valid : Out
        A byte, and a strobe.
    error : Out(1)
        Strobe: the stop bit was 0. Nothing comes until the line has been 1.
    active : Out(1)
        A byte is under way.
    """

    def __init__(self, divisor: int):
        if divisor < LEAST_CYCLES:
            raise ValueError(f"divisor must be {LEAST_CYCLES} or more, not {divisor}")
        self._divisor = divisor
        super().__init__({"line": In(1), "data": Out(8), "valid": Out(1), "error": Out(1), "active": Out(1)})

    def elaborate(self, platform):
        m = Module()
        timer, armed = Signal(range(self._divisor)), Signal()
        # A 1 goes ahead of the bits: where it is tells how many there are.
        shifted, first = Signal(10), Signal()
        m.d.comb += self.data.eq(shifted[1:9])
        m.d.sync += [self.valid.eq(0), self.error.eq(0)]
        with m.If(self.active):
            m.d.sync += timer.eq(timer - 1)
            with m.If(timer == 0):
                m.d.sync += [timer.eq(self._divisor - 1), shifted.eq(Cat(shifted[1:], self.line)), first.eq(0)]
                with m.If(first & self.line):
                    m.d.sync += self.active.eq(0)  # A glitch.
                with m.If(shifted[0]):
                    m.d.sync += [
                        self.active.eq(0),
                        armed.eq(self.line),
                        self.valid.eq(self.line),
                        self.error.eq(~self.line),
                    ]
        with m.Elif(self.line):
            m.d.sync += armed.eq(1)
        with m.Elif(armed):
            m.d.sync += [self.active.eq(1), first.eq(1), shifted.eq(1 << 9), timer.eq(self._divisor // 2 - 1)]
        return m


class UartTransmitter(wiring.Component):
    """Bytes to a line, back to back if the next one is there.

    Attributes
    ----------
    line : Out(1)
    data, valid : In
    ready : Out(1)
    """

    def __init__(self, divisor: int):
        self._divisor = divisor
        super().__init__({"line": Out(1, init=1), "data": In(8), "valid": In(1), "ready": Out(1)})

    def elaborate(self, platform):
        m = Module()
        timer, left, bits = Signal(range(self._divisor)), Signal(range(11)), Signal(9)
        ends = Signal()
        m.d.comb += [ends.eq(timer == 0), self.ready.eq((left == 0) & ends)]
        with m.If(~ends):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += [
                self.line.eq(bits[0]),
                bits.eq(Cat(bits[1:], 1)),
                left.eq(left - 1),
                timer.eq(self._divisor - 1),
            ]
        with m.Elif(self.valid):
            m.d.sync += [
                self.line.eq(0),
                bits.eq(Cat(self.data, 1)),
                left.eq(9),
                timer.eq(self._divisor - 1),
            ]
        return m
