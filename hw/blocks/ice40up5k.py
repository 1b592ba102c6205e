"""Lattice iCE40 UP5K: ``SB_SPRAM256KA`` or ``SB_RAM40_4K`` weight banks and the ``SB_MAC16`` multiplier.

Sources: Lattice FPGA-TN-02002 (memory usage guide), FPGA-TN-02022 (SPRAM usage guide), FPGA-TN-02007 (DSP function
usage guide), iCE Technology Library.
"""

from amaranth.hdl import Array, Cat, ClockSignal, Const, Instance, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.hw.arithmetic import delay
from dfarray.hw.blocks import accumulating
from dfarray.hw.blocks.generic import BlockRam, HardMultiplier
from dfarray.hw.blocks.instances import init_parameters
from dfarray.hw.blocks.tiling import BlockPorts, BlockShape, TiledBlockRam
from dfarray.latency import FAMILIES

SPRAM_ROWS = 1 << 14
SPRAM_WIDTH = 16
SPRAMS = 4
"""In a UP5K."""

WIDEST_OPERAND, WIDEST_SUM = 16, 32
"""Of an ``SB_MAC16``."""

RAM40_LARGEST_DEPTH = FAMILIES["ice40up5k"].preset_rows or 0
"""Rows up to which a bank is made of ``SB_RAM40_4K``: four of the chip's thirty for 16-bit weights."""


class Ram40(TiledBlockRam):
    """``SB_RAM40_4K`` as 256 x 16 to 2048 x 2 bits, read and written in the same cycle like the generic memory.

    Reading a row in the cycle that writes it returns unspecified data. See
    :class:`dfarray.hw.blocks.generic.BlockRam`.
    """

    shapes = tuple(BlockShape(256 << mode, 16 >> mode) for mode in range(4))

    def _instance(self, shape: BlockShape, contents: list[int], ports: BlockPorts):
        # In mode m, bit j of a word uses pin (j << m) + 0, 0, 1, 3; row bits above 7 select a bit within its group
        # of 1 << m memory bits. Row bits 0..7 are always the memory word.
        mode = (shape.rows // 256).bit_length() - 1
        pin_of_bit = [(bit << mode) + max(0, (1 << mode >> 1) - 1) for bit in range(shape.width)]
        data_in, data_out = Signal(16, name="pins_in"), Signal(16, name="pins_out")
        words = [0] * 256
        for row, word in enumerate(contents):
            for bit in range(shape.width):
                words[row % 256] |= (word >> bit & 1) << ((bit << mode) + row // 256)
        m = Module()
        m.d.comb += [data_in[pin].eq(ports.write_data[bit]) for bit, pin in enumerate(pin_of_bit)]
        m.d.comb += [ports.read_data[bit].eq(data_out[pin]) for bit, pin in enumerate(pin_of_bit)]
        m.submodules.ram = Instance(
            "SB_RAM40_4K",
            p_READ_MODE=mode,
            p_WRITE_MODE=mode,
            **init_parameters("p_INIT_", 1, words, 16, 16),
            i_RCLK=ClockSignal(),
            i_RCLKE=1,
            i_RE=1,
            i_RADDR=Cat(ports.read_address, Const(0, 3 - mode)),
            o_RDATA=data_out,
            i_WCLK=ClockSignal(),
            i_WCLKE=1,
            i_WE=ports.write_enable,
            i_WADDR=Cat(ports.write_address, Const(0, 3 - mode)),
            i_MASK=Const(0, 16),
            i_WDATA=data_in,
        )
        return m


class Spram(BlockRam):
    """1, 2 or 4 interleaved ``SB_SPRAM256KA``: row r is in SPRAM r mod n, and n follows from the depth.

    An SPRAM has one port. The schedule must guarantee that **in a cycle that writes, the row whose read matters is in
    another SPRAM than the written one**: a write goes first, and the read's data is then unspecified (unknown in
    simulation). A write that follows its read by an odd number of cycles D satisfies this

    - with any n, if rows are read only every second cycle: reads and writes then alternate;
    - with n = 2 or 4 at one row a cycle, if even rows are read only in even cycles and odd rows only in odd ones, as
      consecutive rows are; where two rows of equal parity follow each other, an idle cycle between them.

    D is 3 with this family's latencies.

    Contents are unknown after configuration: every row is written before it is used.

    Raises
    ------
    ValueError
        If any row of ``init`` is not 0, or the bank is wider than 16 bits or deeper than the chip's four SPRAMs; and as
        :class:`dfarray.hw.blocks.generic.BlockRam`.
    """

    def __init__(self, shape, depth, init=(), latency=None):
        super().__init__(shape, depth, init, latency)
        if any(self._init):
            raise ValueError("SB_SPRAM256KA has no initial contents: init must be all 0 and the weights be loaded")
        if self._shape.width > SPRAM_WIDTH:
            raise ValueError(f"SB_SPRAM256KA weights must be at most {SPRAM_WIDTH} bits wide, not {self._shape.width}")
        if depth > SPRAMS * SPRAM_ROWS:
            raise ValueError(f"SB_SPRAM256KA weight bank must have at most {SPRAMS * SPRAM_ROWS} rows, not {depth}")
        self._interleaved_bits = (-(-depth // SPRAM_ROWS) - 1).bit_length()

    def elaborate(self, platform):
        m = Module()
        low = self._interleaved_bits
        words = []
        for index in range(1 << low):
            write, address = Signal(name=f"write_{index}"), Signal(14, name=f"address_{index}")
            words.append(word := Signal(SPRAM_WIDTH, name=f"word_{index}"))
            m.d.comb += [
                write.eq(self.write_enable & (self.write_address[:low] == index)),
                address.eq(Mux(write, self.write_address[low:], self.read_address[low:])),
            ]
            m.submodules[f"spram_{index}"] = self._instance(address, word, write)
        chosen = words[0]
        if low:
            chosen = Array(words)[delay(m, self.read_address[:low], 1, "read_spram")]
        self._output(m, chosen[: self._shape.width])
        return m

    def _instance(self, address: Signal, word: Signal, write: Signal):
        return Instance(
            "SB_SPRAM256KA",
            i_CLOCK=ClockSignal(),
            i_CHIPSELECT=1,
            i_STANDBY=0,
            i_SLEEP=0,
            i_POWEROFF=1,
            i_ADDRESS=address,
            i_WREN=write,
            i_MASKWREN=Const(0b1111, 4),
            i_DATAIN=Cat(self.write_data, Const(0, SPRAM_WIDTH - self._shape.width)),
            o_DATAOUT=word,
        )


def weight_bank(shape, depth, init=(), latency=None) -> BlockRam:
    """``SB_RAM40_4K`` up to :data:`RAM40_LARGEST_DEPTH` rows, ``SB_SPRAM256KA`` beyond."""
    bank = Ram40 if depth <= RAM40_LARGEST_DEPTH else Spram
    return bank(shape, depth, init, latency)


class Multiplier(HardMultiplier):
    """``SB_MAC16`` with input registers and that of the product, 2 cycles; fabric registers around it.

    The fabric is too slow for the block's other pipeline registers to help. See
    :class:`dfarray.hw.blocks.generic.Multiplier`.
    """

    block, widest, shortest_latency = "SB_MAC16", WIDEST_OPERAND, 2
    _input_registers = 1

    def _instance(self, a: Signal, b: Signal, product: Signal):
        registers = {"A_REG": self._input_registers, "B_REG": self._input_registers, "PIPELINE_16x16_MULT_REG2": 1}
        # Both halves of the output are the registered 16 x 16 product; the adders idle.
        return _mac16(a, b, product, registers | {"TOPOUTPUT_SELECT": 3, "BOTOUTPUT_SELECT": 3}, {})


class DirectMultiplier(Multiplier):
    """``SB_MAC16`` with the register of the product alone, 1 cycle."""

    shortest_latency, _input_registers = 1, 0


class _Accumulator(wiring.Component):
    """``SB_MAC16`` with input registers and that behind its adder, 2 cycles."""

    def __init__(self, a: Shape, b: Shape, ports):
        for name, operand in (("a", a), ("b", b)):
            if operand.width > WIDEST_OPERAND:
                raise ValueError(
                    f"Multiplier operand {name} must be at most {WIDEST_OPERAND} bits wide for SB_MAC16, "
                    f"not {operand.width}; operands have the formats weight, activation, delta and gram"
                )
        super().__init__({"a": In(a), "b": In(b), **ports})

    def _block(self, m: Module, output: Value, upper: int, pins: dict):
        """``upper``: the product joins C and D, or the register's own sum."""
        a, b = Signal(signed(WIDEST_OPERAND), name="block_a"), Signal(signed(WIDEST_OPERAND), name="block_b")
        total = Signal(signed(WIDEST_SUM), name="block_sum")
        m.d.comb += [a.eq(self.a), b.eq(self.b), output.eq(total)]
        parameters = {"A_REG": 1, "B_REG": 1, "TOPOUTPUT_SELECT": 1, "BOTOUTPUT_SELECT": 1}
        parameters |= {"TOPADDSUB_UPPERINPUT": upper, "BOTADDSUB_UPPERINPUT": upper}
        # The lower half's carry goes on into the upper one, as it comes.
        parameters |= {"TOPADDSUB_LOWERINPUT": 2, "BOTADDSUB_LOWERINPUT": 2, "TOPADDSUB_CARRYSELECT": 2}
        m.submodules.block = _mac16(a, b, total, parameters, pins)


class MultiplySubtract(_Accumulator):
    """See :class:`dfarray.hw.blocks.accumulating.MultiplySubtract`; the whole of it is one ``SB_MAC16``."""

    def __init__(self, a: Shape, b: Shape, difference: Shape):
        super().__init__(a, b, {"minuend": In(difference), "enable": In(1), "difference": Out(difference)})

    def elaborate(self, platform):
        m = Module()
        minuend = Signal(signed(WIDEST_SUM), name="block_minuend")
        m.d.comb += minuend.eq(self.minuend)
        pins = {"C": minuend[16:], "D": minuend[:16], "ADDSUBTOP": 1, "ADDSUBBOT": 1}
        self._block(m, self.difference, 1, pins | {"OHOLDTOP": ~self.enable, "OHOLDBOT": ~self.enable})
        return m


class MultiplyAccumulate(_Accumulator):
    """See :class:`dfarray.hw.blocks.accumulating.MultiplyAccumulate`; the whole of it is one ``SB_MAC16``."""

    def __init__(self, a: Shape, b: Shape, total: Shape):
        super().__init__(a, b, {"clear": In(1), "add": In(1), "clips": In(1), "total": Out(total)})

    def elaborate(self, platform):
        m = Module()
        holds = ~(self.clear | self.add)
        pins = {"OLOADTOP": self.clear, "OLOADBOT": self.clear, "OHOLDTOP": holds, "OHOLDBOT": holds}
        self._block(m, self.total, 0, pins)
        return m


def multiply_subtract(a: Shape, b: Shape, difference: Shape):
    """One ``SB_MAC16``; if the difference is wider than it has, the block multiplies alone."""
    if difference.width <= WIDEST_SUM:
        return MultiplySubtract(a, b, difference)
    return accumulating.MultiplySubtract(a, b, difference, DirectMultiplier)


def multiply_accumulate(a: Shape, b: Shape, total: Shape, clipped: int | None):
    """One ``SB_MAC16``; if a sum is wider than it has, or to be clipped, the block multiplies alone."""
    if total.width <= WIDEST_SUM and clipped is None:
        return MultiplyAccumulate(a, b, total)
    return accumulating.MultiplyAccumulate(a, b, total, clipped, DirectMultiplier)


def _mac16(a: Signal, b: Signal, output: Signal, parameters: dict[str, int], pins: dict):
    """A signed 16 x 16 multiplier; what is not named is off."""
    chosen = {name: Const(parameters.get(name, 0), width) for name, width in _MAC16_PARAMETERS.items()}
    inputs = {name: pins.get(name, Const(0, width)) for name, width in _MAC16_PINS.items()}
    return Instance(
        "SB_MAC16",
        **{f"p_{name}": value for name, value in chosen.items()},
        p_A_SIGNED=Const(1, 1),
        p_B_SIGNED=Const(1, 1),
        i_CLK=ClockSignal(),
        i_CE=1,
        i_A=a,
        i_B=b,
        **{f"i_{name}": value for name, value in inputs.items()},
        o_O=output,
    )


_MAC16_PARAMETERS = {
    **dict.fromkeys(("NEG_TRIGGER", "A_REG", "B_REG", "C_REG", "D_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG"), 1),
    **dict.fromkeys(("PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2", "MODE_8x8"), 1),
    **{
        f"{half}{name}": width
        for half in ("TOP", "BOT")
        for name, width in (
            ("OUTPUT_SELECT", 2),
            ("ADDSUB_LOWERINPUT", 2),
            ("ADDSUB_UPPERINPUT", 1),
            ("ADDSUB_CARRYSELECT", 2),
        )
    },
}
_MAC16_PINS = {
    "C": 16,
    "D": 16,
    **dict.fromkeys(("AHOLD", "BHOLD", "CHOLD", "DHOLD", "IRSTTOP", "IRSTBOT", "ORSTTOP", "ORSTBOT"), 1),
    **dict.fromkeys(("OLOADTOP", "OLOADBOT", "ADDSUBTOP", "ADDSUBBOT", "OHOLDTOP", "OHOLDBOT"), 1),
    **dict.fromkeys(("CI", "ACCUMCI", "SIGNEXTIN"), 1),
}
