"""Gowin GW2A (GW1N alike): ``SDPX9B`` block RAM and ``MULT18X18`` multiplier, every register inside them in use.

Sources: Gowin UG285 (BSRAM and SSRAM user guide), UG287 (DSP user guide).
"""

from amaranth.hdl import Cat, ClockSignal, Const, Instance, Signal

from dfarray.hw.blocks.generic import HardMultiplier
from dfarray.hw.blocks.instances import init_parameters, words_of_18
from dfarray.hw.blocks.tiling import BlockPorts, BlockShape, TiledBlockRam


class BlockRam(TiledBlockRam):
    """``SDPX9B`` as 1024 x 18 or 2048 x 9 bits: port A writes, port B reads through the output register.

    Reading a row in the cycle that writes it returns unspecified data. See
    :class:`dfarray.hw.blocks.generic.BlockRam`.
    """

    shapes = (BlockShape(1024, 18), BlockShape(2048, 9))
    shortest_latency = 2

    def _instance(self, shape: BlockShape, contents: list[int], ports: BlockPorts):
        # Address pins below the row's; in the 18-bit shape two of them are byte enables of the write port.
        idle, low_pins = (4, 0b0011) if shape.width == 18 else (3, 0)
        unused = Signal(36 - shape.width, name="unused")
        return Instance(
            "SDPX9B",
            p_READ_MODE=Const(1, 1),
            p_BIT_WIDTH_0=shape.width,
            p_BIT_WIDTH_1=shape.width,
            p_BLK_SEL_0=Const(0, 3),
            p_BLK_SEL_1=Const(0, 3),
            p_RESET_MODE="SYNC",
            **init_parameters("p_INIT_RAM_", 2, words_of_18(contents, shape.width), 18, 16),
            i_CLKA=ClockSignal(),
            i_CEA=ports.write_enable,
            i_RESETA=0,
            i_BLKSELA=Const(0, 3),
            i_ADA=Cat(Const(low_pins, idle), ports.write_address),
            i_DI=Cat(ports.write_data, Const(0, 36 - shape.width)),
            i_CLKB=ClockSignal(),
            i_CEB=1,
            i_OCE=1,
            i_RESETB=0,
            i_BLKSELB=Const(0, 3),
            i_ADB=Cat(Const(0, idle), ports.read_address),
            o_DO=Cat(ports.read_data, unused),
        )


class Multiplier(HardMultiplier):
    """``MULT18X18`` with input, pipeline and output registers, 3 cycles; fabric registers behind it.

    See :class:`dfarray.hw.blocks.generic.Multiplier`.
    """

    block, widest, shortest_latency = "MULT18X18", 18, 3

    def _instance(self, a: Signal, b: Signal, product: Signal):
        return Instance(
            "MULT18X18",
            p_AREG=Const(1, 1),
            p_BREG=Const(1, 1),
            p_PIPE_REG=Const(1, 1),
            p_OUT_REG=Const(1, 1),
            p_ASIGN_REG=Const(0, 1),
            p_BSIGN_REG=Const(0, 1),
            p_SOA_REG=Const(0, 1),
            p_MULT_RESET_MODE="SYNC",
            i_CLK=ClockSignal(),
            i_CE=1,
            i_RESET=0,
            i_ASIGN=1,
            i_BSIGN=1,
            i_ASEL=0,
            i_BSEL=0,
            i_SIA=Const(0, 18),
            i_SIB=Const(0, 18),
            i_A=a,
            i_B=b,
            o_DOUT=product,
        )
