"""The array's clock: a phase-locked loop of the board's family between the oscillator and the ``sync`` domain."""

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.fpga.boards import Board, Family


@dataclass(frozen=True)
class Dividers:
    """What a PLL is set to.

    Attributes
    ----------
    reference, multiply, output : int
        Division of the reference, of the feedback, and after the PLL's oscillator. The ECP5's and Gowin's feedback is
        taken behind the output divider, the iCE40's before it.
    mhz : float
        The frequency this makes.
    """

    reference: int
    multiply: int
    output: int
    mhz: float


@dataclass(frozen=True)
class _Limits:
    """Ranges in MHz and divider values of a family's PLL."""

    phase_detector: tuple[float, float]
    oscillator: tuple[float, float]
    reference: range
    multiply: range
    output: tuple[int, ...]
    # Whether the feedback is taken behind the output divider.
    divided_feedback: bool


_GOWIN_OUTPUT = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)

_LIMITS: dict[str, _Limits] = {
    # Lattice FPGA-DS-02012 (ECP5), speed grade 6; Project Trellis' ecppll uses the same.
    Family.ECP5: _Limits((3.125, 400), (400, 800), range(1, 129), range(1, 81), tuple(range(1, 129)), True),
    # Lattice FPGA-DS-02008 (iCE40 UltraPlus); Project IceStorm's icepll uses the same.
    Family.ICE40: _Limits((10, 133), (533, 1066), range(1, 17), range(1, 129), (2, 4, 8, 16, 32, 64), False),
    # Gowin UG286 and DS226 (GW2A, C8/I7); Project Apicula's gowin_pll uses the same.
    "GW2A-18C": _Limits((3, 500), (500, 1250), range(1, 65), range(1, 65), _GOWIN_OUTPUT, True),
    # Gowin UG286 and DS117 (GW1NR-9, C6/I5).
    "GW1N-9C": _Limits((3, 400), (400, 1200), range(1, 65), range(1, 65), _GOWIN_OUTPUT, True),
}
"""By family, or by chip."""


def dividers(board: Board, mhz: float) -> Dividers:
    """The dividers whose frequency is closest to ``mhz``; of equals those with the fastest phase detector.

    Raises
    ------
    ValueError
        If the PLL cannot come within 1 %.
    """
    limits = _LIMITS[board.chip or board.family]
    found = []
    for reference in limits.reference:
        detector = board.oscillator_mhz / reference
        if not limits.phase_detector[0] <= detector <= limits.phase_detector[1]:
            continue
        for output in limits.output:
            for multiply in limits.multiply:
                oscillator = detector * multiply * (output if limits.divided_feedback else 1)
                if limits.oscillator[0] <= oscillator <= limits.oscillator[1]:
                    made = oscillator / output
                    found.append((abs(made - mhz), reference, oscillator, Dividers(reference, multiply, output, made)))
    error, *_, best = min(found, key=lambda item: item[:3])
    if error > 0.01 * mhz:
        raise ValueError(f"{mhz:g} MHz: the PLL of {board.name} comes no closer than {best.mhz:g} MHz")
    return best


class ClockGenerator(wiring.Component):
    """Makes the array's clock.

    It comes without a reset: registers start with their initial values at configuration. While the PLL settles the
    clock may be irregular, so whatever is outside must hold still until ``locked``.

    Parameters
    ----------
    board : Board
    mhz : float
        Wanted frequency. The oscillator's own is used as it comes, without a PLL.
    slowdown : int
        A second clock, so many times slower; 1: there is none. Of an ECP5 only.

    Attributes
    ----------
    oscillator : In(1)
    clock, slow, locked : Out(1)
    mhz : float
        The frequency that is made.
    """

    def __init__(self, board: Board, mhz: float, slowdown: int = 1):
        self._board, self._slowdown = board, slowdown
        self._dividers = None if mhz == board.oscillator_mhz else dividers(board, mhz)
        self.mhz = mhz if self._dividers is None else self._dividers.mhz
        if slowdown > 1 and (self._dividers is None or board.family is not Family.ECP5):
            raise ValueError(f"{board.name} makes no second clock at {mhz:g} MHz; slowdown must be 1, not {slowdown}")
        super().__init__({"oscillator": In(1), "clock": Out(1), "slow": Out(1), "locked": Out(1)})

    def elaborate(self, platform):
        m = Module()
        if self._dividers is None:
            m.d.comb += [self.clock.eq(self.oscillator), self.locked.eq(1)]
        else:
            build = {Family.ECP5: self._ecp5, Family.ICE40: self._ice40, Family.GOWIN: self._gowin}
            m.submodules.pll = build[self._board.family](self._dividers)
        return m

    def _ecp5(self, chosen):
        second = {}
        if self._slowdown > 1:
            divide = chosen.output * self._slowdown
            second = {
                "p_CLKOS_ENABLE": "ENABLED",
                "p_CLKOS_DIV": divide,
                "p_CLKOS_CPHASE": divide - 1,
                "p_CLKOS_FPHASE": 0,
                "a_FREQUENCY_PIN_CLKOS": f"{chosen.mhz / self._slowdown:g}",
                "o_CLKOS": self.slow,
            }
        return Instance(
            "EHXPLLL",
            # Analogue settings as Diamond and ecppll write them for any frequency.
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            a_MFG_ENABLE_FILTEROPAMP="1",
            a_MFG_GMCREF_SEL="2",
            a_FREQUENCY_PIN_CLKI=f"{self._board.oscillator_mhz:g}",
            a_FREQUENCY_PIN_CLKOP=f"{chosen.mhz:g}",
            p_FEEDBK_PATH="CLKOP",
            p_CLKI_DIV=chosen.reference,
            p_CLKFB_DIV=chosen.multiply,
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=chosen.output,
            p_CLKOP_CPHASE=chosen.output - 1,
            p_CLKOP_FPHASE=0,
            **second,
            i_CLKI=self.oscillator,
            i_CLKFB=self.clock,
            i_RST=Const(0),
            i_STDBY=Const(0),
            i_PHASESEL0=Const(0),
            i_PHASESEL1=Const(0),
            i_PHASEDIR=Const(1),
            i_PHASESTEP=Const(1),
            i_PHASELOADREG=Const(1),
            i_PLLWAKESYNC=Const(0),
            i_ENCLKOP=Const(0),
            o_CLKOP=self.clock,
            o_LOCK=self.locked,
        )

    def _ice40(self, chosen):
        detector = self._board.oscillator_mhz / chosen.reference
        # IceStorm's icepll: the loop filter by the phase detector's frequency.
        filter_range = 1 + sum(detector >= limit for limit in (17, 26, 44, 66, 101))
        return Instance(
            "SB_PLL40_PAD",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(chosen.reference - 1, 4),
            p_DIVF=Const(chosen.multiply - 1, 7),
            p_DIVQ=Const(chosen.output.bit_length() - 1, 3),
            p_FILTER_RANGE=Const(filter_range, 3),
            i_PACKAGEPIN=self.oscillator,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=self.clock,
            o_LOCK=self.locked,
        )

    def _gowin(self, chosen):
        return Instance(
            "rPLL",
            p_DEVICE={"GW2A-18C": "GW2A-18C", "GW1N-9C": "GW1NR-9C"}[self._board.chip],
            p_FCLKIN=f"{self._board.oscillator_mhz:g}",
            p_IDIV_SEL=chosen.reference - 1,
            p_FBDIV_SEL=chosen.multiply - 1,
            p_ODIV_SEL=chosen.output,
            i_CLKIN=self.oscillator,
            i_CLKFB=Const(0),
            i_RESET=Const(0),
            i_RESET_P=Const(0),
            i_FBDSEL=Const(0, 6),
            i_IDSEL=Const(0, 6),
            i_ODSEL=Const(0, 6),
            i_PSDA=Const(0, 4),
            i_DUTYDA=Const(0, 4),
            i_FDLY=Const(0, 4),
            o_CLKOUT=self.clock,
            o_LOCK=self.locked,
        )
