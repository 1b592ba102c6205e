"""Weight banks and multipliers of a family in simulation, against lists of Python integers."""

import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Cat, Elaboratable, Module, Signal, signed

from dfarray.hw.blocks import multiplier, multiply_accumulate, multiply_subtract, weight_bank
from dfarray.latency import FAMILIES
from dfarray.sim import simulators

UNSPECIFIED = None


def as_signed(code: int, width: int) -> int:
    code &= (1 << width) - 1
    return code - (1 << width) if code >> (width - 1) else code


@dataclass(frozen=True)
class Bank:
    """A weight bank, and how many SPRAMs it interleaves (0: two ports)."""

    family: str
    width: int
    depth: int
    latency: int
    sprams: int = 0

    @property
    def init(self) -> list[int]:
        if self.sprams:
            return []
        return [
            random.Random(row).randrange(-(1 << self.width >> 1), 1 << self.width >> 1) for row in range(self.depth)
        ]

    def block(self):
        return weight_bank(self.family, signed(self.width), self.depth, self.init, self.latency)

    def inputs(self, block):
        return block.read_address, block.write_enable, block.write_address, block.write_data

    def output(self, block):
        return block.read_data

    def stimuli(self, rng: random.Random):
        """Every row once, anything at random with many hits, then fused sweeps of the whole bank."""
        rows = [0, 1, 2, 3, self.depth - 1, self.depth - 2]
        rows += [row for row in (255, 256, 511, 512, 1023, 1024, 2047, 2048, 16384) if row < self.depth]
        codes = [0, 1, -1, -(1 << self.width >> 1), (1 << self.width >> 1) - 1]
        code = lambda: rng.choice([rng.choice(codes), rng.getrandbits(self.width)])  # noqa: E731
        for row in range(min(self.depth, 4096)):
            yield row, 0, rng.choice(rows), code()
        for _ in range(3000):
            row, other = (rng.choice([rng.choice(rows), rng.randrange(self.depth)]) for _ in range(2))
            yield row, rng.getrandbits(1), other, code()
        for _load_then_read in range(2):
            yield from self.fused_sweep(code)

    def fused_schedule(self):
        """Pairs of the row read and the row written, None if none: row r is read at cycle t and written at t + 3.

        Even rows keep to even cycles; with one SPRAM every second cycle is idle.
        """
        latency = FAMILIES["ice40up5k"]
        distance, step = latency.align + 1 - latency.read, 2 if self.sprams == 1 else 1
        first = max(0, self.depth - 1000) & ~1
        reads = [first + t // step if t % step == 0 else None for t in range((self.depth - first) * step)]
        reads += [None] * (8 + len(reads) % 2)
        return [(row, reads[t - distance] if t >= distance else None) for t, row in enumerate(reads)]

    def fused_sweep(self, code):
        for row, written in self.fused_schedule():
            yield row or 0, int(written is not None), written or 0, code()

    def expected(self, stimuli) -> list[int | None]:
        """What the row holds, or unspecified where the contract or the single port leaves it open."""
        memory: list[int | None] = [*self.init, *[UNSPECIFIED if self.sprams else 0] * (self.depth - len(self.init))]
        reads: list[int | None] = []
        for row, enable, written, data in stimuli:
            blocked = row == written or (self.sprams and row % self.sprams == written % self.sprams)
            reads.append(UNSPECIFIED if enable and blocked else memory[row])
            if enable:
                memory[written] = as_signed(data, self.width)
        return reads


@dataclass(frozen=True)
class Product:
    """A multiplier of signed ``a`` x ``b`` bits."""

    family: str
    a: int
    b: int
    latency: int

    @property
    def width(self) -> int:
        return self.a + self.b

    def block(self):
        return multiplier(self.family, signed(self.a), signed(self.b), self.latency)

    def inputs(self, block):
        return block.a, block.b

    def output(self, block):
        return block.product

    def stimuli(self, rng: random.Random):
        corners = [[0, 1, -1, -(1 << width >> 1), (1 << width >> 1) - 1] for width in (self.a, self.b)]
        yield from ((a, b) for a in corners[0] for b in corners[1])
        for _ in range(3000):
            yield tuple(
                rng.choice([rng.choice(corner), rng.getrandbits(width)])
                for corner, width in zip(corners, (self.a, self.b), strict=True)
            )

    def expected(self, stimuli) -> list[int | None]:
        return [as_signed(a, self.a) * as_signed(b, self.b) for a, b in stimuli]


@dataclass(frozen=True)
class Difference:
    """A multiplier of ``a`` x ``b`` bits that subtracts from ``width`` bits."""

    family: str
    a: int
    b: int
    width: int
    latency = 2

    def block(self):
        return multiply_subtract(self.family, signed(self.a), signed(self.b), signed(self.width))

    def inputs(self, block):
        return block.a, block.b, block.minuend, block.enable

    def output(self, block):
        return block.difference

    def stimuli(self, rng: random.Random):
        operands = Product(self.family, self.a, self.b, 1).stimuli(rng)
        yield from ((a, b, rng.getrandbits(self.width - 1), rng.random() < 0.8) for a, b in operands)

    def expected(self, stimuli) -> list[int | None]:
        """Two cycles after the operands, the minuend and its enable coming between."""
        stimuli = [*stimuli, (0, 0, 0, 0)]
        held, shown = UNSPECIFIED, []
        for (a, b, *_), (*_, minuend, enable) in pairwise(stimuli):
            if enable:
                held = minuend - as_signed(a, self.a) * as_signed(b, self.b)
            shown.append(held)
        return shown


@dataclass(frozen=True)
class Sum:
    """A multiplier of ``a`` x ``b`` bits that accumulates; to ``clipped`` bits where that is asked for."""

    family: str
    a: int
    b: int
    width: int
    clipped: int | None = None
    latency = 1

    def block(self):
        return multiply_accumulate(self.family, signed(self.a), signed(self.b), signed(self.width), self.clipped)

    def inputs(self, block):
        return block.a, block.b, block.clear, block.add, block.clips

    def output(self, block):
        return block.total

    def stimuli(self, rng: random.Random):
        """Fewer sums between two that begin again than could overflow."""
        operands = Product(self.family, self.a, self.b, 1).stimuli(rng)
        for cycle, (a, b) in enumerate(operands):
            yield a, b, cycle % 64 == 0 or rng.random() < 0.05, rng.getrandbits(1), rng.getrandbits(1)

    def expected(self, stimuli) -> list[int | None]:
        total, product, shown = UNSPECIFIED, 0, []
        for a, b, clear, add, clips in stimuli:
            if clear:
                total = 0
            elif add and total is not None:
                total += product
                if clips and self.clipped is not None:
                    total = max(-(1 << self.clipped >> 1), min(total, (1 << self.clipped >> 1) - 1))
            product = as_signed(a, self.a) * as_signed(b, self.b)
            shown.append(total)
        return shown


class Top(Elaboratable):
    """Cases side by side, their inputs and outputs packed into one port each."""

    def __init__(self, cases):
        self._cases, self._blocks = cases, [case.block() for case in cases]
        self.inputs = [pin for case, block in zip(cases, self._blocks, strict=True) for pin in case.inputs(block)]
        outputs = [case.output(block) for case, block in zip(cases, self._blocks, strict=True)]
        self.stimulus = Signal(len(Cat(self.inputs)))
        self.response = Signal(len(Cat(outputs)))
        self._outputs = outputs

    def elaborate(self, platform):
        m = Module()
        for index, block in enumerate(self._blocks):
            m.submodules[f"case_{index}"] = block
        low = 0
        for pin in self.inputs:
            m.d.comb += pin.eq(self.stimulus[low : low + len(pin)])
            low += len(pin)
        m.d.comb += self.response.eq(Cat(self._outputs))
        return m

    def verilog(self) -> str:
        return verilog.convert(self, name="top", ports=[self.stimulus, self.response])

    def bench(self) -> str:
        """A wrapper whose ports Verilator shows to cocotb."""
        public = "/*verilator public_flat_rw*/"
        return f"""module bench(input clk {public}, input rst {public},
  input [{len(self.stimulus) - 1}:0] stimulus {public}, output [{len(self.response) - 1}:0] response {public});
  top top(.clk(clk), .rst(rst), .stimulus(stimulus), .response(response));
endmodule
"""


def mismatches(cases, simulator: str, models: list[Path], directory: Path, edit=lambda text: text) -> list[str]:
    """Simulate cases with cell models, seeded by the case; ``edit`` may damage the generated Verilog."""
    top = Top(cases)
    sources = [directory / "top.v", directory / "bench.v"]
    sources[0].write_text(edit(top.verilog()))
    sources[1].write_text(top.bench())
    stimuli = [list(case.stimuli(random.Random(repr(case)))) for case in cases]
    cycles = max(map(len, stimuli))
    idle = [[0] * len(played[0]) for played in stimuli]
    widths = [len(pin) for pin in top.inputs]
    with (directory / "stimuli.txt").open("w") as file:
        for t in range(cycles + 8):
            values = [
                value
                for played, rest in zip(stimuli, idle, strict=True)
                for value in (played[t] if t < len(played) else rest)
            ]
            packed = low = 0
            for value, width in zip(values, widths, strict=True):
                packed |= (value & ((1 << width) - 1)) << low
                low += width
            file.write(f"{packed:x}\n")
    simulators.build(simulator, [*models, *sources], "bench", directory)
    simulators.run(simulator, "bench", directory, "block_player", environment={"DFARRAY_BLOCKS": str(directory)})
    responses = (directory / "responses.txt").read_text().split()
    found, low = [], 0
    for case, played in zip(cases, stimuli, strict=True):
        found += _compare(case, played, [line[len(line) - low - case.width : len(line) - low] for line in responses])
        low += case.width
    return found


def _compare(case, played, responses: list[str]) -> list[str]:
    found = []
    for cycle, expected in enumerate(case.expected(played)):
        got = responses[cycle + case.latency]
        if expected is not UNSPECIFIED and got != f"{expected & ((1 << case.width) - 1):0{case.width}b}":
            found.append(f"{case} cycle {cycle} {played[cycle]}: expected {expected}, got {got}")
    return found
