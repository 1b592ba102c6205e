"""Noise for stochastic rounding, derived from update, row, tile and lane.

Source: docs/architecture.md section 2; Marsaglia's xorshift32, Jenkins' one-at-a-time finish, a Galois LFSR.
"""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

LFSR_TAPS = 0xA3000000
STEPS_A_TILE = 8


def lfsr_steps(word: Value, steps: int) -> Value:
    """A 32-bit Galois LFSR's word after ``steps`` steps: exclusive-ors only."""
    bits = list(word)
    for _ in range(steps):
        feedback = bits[0]
        bits = [*bits[1:], 0]
        bits = [feedback if i == 31 else (bit ^ feedback if LFSR_TAPS >> i & 1 else bit) for i, bit in enumerate(bits)]
    return Cat(*bits)


def xorshift32(state: Value) -> Value:
    """The next state of Marsaglia's generator (13, 17, 5)."""
    state = state ^ (state << 13)[:32]
    state = state ^ (state >> 17)
    return state ^ (state << 5)[:32]


class NoiseState(wiring.Component):
    """The generator's state, one value for each sweep that applies an update.

    Attributes
    ----------
    seed, reseed : In
        Restarts the generator.
    advance : In(1)
        A sweep that applied an update has ended.
    state : Out(32)
    """

    def __init__(self, seed: int):
        self._init = seed or 1
        super().__init__({"seed": In(32), "reseed": In(1), "advance": In(1), "state": Out(32, init=self._init)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.reseed):
            m.d.sync += [self.state.eq(self.seed), self.state[0].eq(self.seed[0] | ~self.seed.any())]
        with m.Elif(self.advance):
            m.d.sync += self.state.eq(xorshift32(self.state))
        return m


class RowNoise(wiring.Component):
    """A row's noise word, ``latency`` cycles after state and row.

    Parameters
    ----------
    row_bits : int
    latency : int
        3, an addition a cycle; or 1, with a register behind the first one only.

    Attributes
    ----------
    state, row : In
    word : Out(32)
    """

    def __init__(self, row_bits: int, latency: int = 3):
        self.latency = latency
        super().__init__({"state": In(32), "row": In(row_bits), "word": Out(32)})

    def elaborate(self, platform):
        m = Module()
        first, second = Signal(32), Signal(32)
        hashed = self.state ^ self.row
        mixed = first ^ (first >> 6)
        m.d.sync += first.eq(hashed + (hashed << 10))
        domain = "sync" if self.latency == 3 else "comb"
        m.d[domain] += second.eq(mixed + (mixed << 3))
        third = Signal(32)
        m.d.comb += third.eq(second ^ (second >> 11))
        m.d[domain] += self.word.eq(third + (third << 15))
        return m
