"""A cocotb bench that plays one packed stimulus a cycle to a block and records its packed response."""

import os
from pathlib import Path

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def play(dut):
    """Line t of the record is the response before clock edge t, with the stimuli of lines 0..t-1 clocked in."""
    directory = Path(os.environ["DFARRAY_BLOCKS"])
    dut.rst.value = 0
    record = []
    for line in (directory / "stimuli.txt").read_text().split():
        dut.clk.value = 0
        dut.stimulus.value = int(line, 16)
        await Timer(5, "ns")
        record.append(str(dut.response.value))
        dut.clk.value = 1
        await Timer(5, "ns")
    (directory / "responses.txt").write_text("\n".join(record) + "\n")
