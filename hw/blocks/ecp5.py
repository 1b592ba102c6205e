"""Lattice ECP5: ``DP16KD`` block RAM and ``MULT18X18D`` multiplier, every register inside them in use.

Sources: Lattice FPGA-TN-02204 (memory usage guide), FPGA-TN-02205 (sysDSP usage guide).
"""

from amaranth.hdl import ClockSignal, Instance, Signal

from dfarray.hw.blocks.generic import HardMultiplier
from dfarray.hw.blocks.instances import init_parameters, pins, tied, words_of_18
from dfarray.hw.blocks.tiling import BlockPorts, BlockShape, TiledBlockRam


class BlockRam(TiledBlockRam):
    """``DP16KD`` as 1024 x 18 or 2048 x 9 bits: port A reads through its output register, port B writes.

    2048 rows of 18 bits are two blocks side by side, so that no multiplexer follows the slow block output. Reading a
    row in the cycle that writes it returns unspecified data. See :class:`dfarray.hw.blocks.generic.BlockRam`.
    """

    shapes = (BlockShape(1024, 18), BlockShape(2048, 9))
    shortest_latency = 2

    def _instance(self, shape: BlockShape, contents: list[int], ports: BlockPorts):
        # Address pins below the row's; in the 18-bit shape two of them are byte enables of the write port.
        idle, byte_enables = (4, 2) if shape.width == 18 else (3, 0)
        return Instance(
            "DP16KD",
            p_DATA_WIDTH_A=shape.width,
            p_DATA_WIDTH_B=shape.width,
            p_REGMODE_A="OUTREG",
            p_REGMODE_B="NOREG",
            p_WRITEMODE_A="NORMAL",
            p_WRITEMODE_B="NORMAL",
            p_RESETMODE="SYNC",
            p_ASYNC_RESET_RELEASE="SYNC",
            p_CSDECODE_A="0b000",
            p_CSDECODE_B="0b000",
            p_CLKAMUX="CLKA",
            p_CLKBMUX="CLKB",
            p_GSR="DISABLED",
            **init_parameters("p_INITVAL_", 2, words_of_18(contents, shape.width), 20, 16),
            i_CLKA=ClockSignal(),
            i_CEA=1,
            i_OCEA=1,
            i_WEA=0,
            i_RSTA=0,
            **tied("i_CSA", 3, 0),
            **tied("i_ADA", idle, 0),
            **pins("i_ADA", ports.read_address, idle),
            **tied("i_DIA", 18, 0),
            **pins("o_DOA", ports.read_data),
            i_CLKB=ClockSignal(),
            i_CEB=1,
            i_OCEB=0,
            i_WEB=ports.write_enable,
            i_RSTB=0,
            **tied("i_CSB", 3, 0),
            **tied("i_ADB", byte_enables, 1),
            **tied("i_ADB", idle - byte_enables, 0, byte_enables),
            **pins("i_ADB", ports.write_address, idle),
            **pins("i_DIB", ports.write_data),
            **tied("i_DIB", 18 - shape.width, 0, shape.width),
        )


class Multiplier(HardMultiplier):
    """``MULT18X18D`` with input, pipeline and output registers, 3 cycles; fabric registers behind it.

    See :class:`dfarray.hw.blocks.generic.Multiplier`. Clocks, enables and resets 1 to 3 and the shift inputs stay
    open: nextpnr ties them off in the block, and finds no route to the clocks from a constant.
    """

    block, widest, shortest_latency = "MULT18X18D", 18, 3

    def _instance(self, a: Signal, b: Signal, product: Signal):
        registers = {}
        for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
            registers |= {
                f"p_REG_{register}_CLK": "CLK0",
                f"p_REG_{register}_CE": "CE0",
                f"p_REG_{register}_RST": "RST0",
            }
        return Instance(
            "MULT18X18D",
            **registers,
            p_REG_INPUTC_CLK="NONE",
            p_CLK0_DIV="ENABLED",
            p_GSR="DISABLED",
            p_SOURCEB_MODE="B_SHIFT",
            p_MULT_BYPASS="DISABLED",
            p_RESETMODE="SYNC",
            i_CLK0=ClockSignal(),
            i_CE0=1,
            i_RST0=0,
            i_SIGNEDA=1,
            i_SIGNEDB=1,
            i_SOURCEA=0,
            i_SOURCEB=0,
            **pins("i_A", a),
            **pins("i_B", b),
            **tied("i_C", 18, 0),
            **pins("o_P", product),
        )
