"""A stand-in for openFPGALoader, which says and returns what version 1.1.1 does.

Each case is (standard output, standard error, exit code). Without a board, or without its libraries, they were read off
the program itself; the others from its source.
"""

import stat
import sys
from pathlib import Path

_FTDI = "JTAG init failed with: unable to open ftdi device\n"
_RAM, _FLASH = "empty\nwrite to ram\n", "empty\nwrite to flash\n"
_DFU = _FLASH + "Open file : DONE\nParse file DONE\nOpen device 1209:5af0 "

CASES = {
    "fine": (_RAM + "Open file: DONE\nParse file: DONE\nEnable configuration: DONE\nDone\n", "", 0),
    "no library": (
        "",
        "openFPGALoader: error while loading shared libraries: libusb-1.0.so.0: cannot open shared object file: "
        "No such file or directory\n",
        127,
    ),
    "no board": (_RAM, "unable to open ftdi device: -3 (device not found)\n" + _FTDI, 1),
    "no permission": (_RAM, "unable to open ftdi device: -4 (usb_open() failed)\n" + _FTDI, 1),
    "busy": (_RAM, "unable to open ftdi device: -5 (unable to claim usb device. Make sure the default FTDI driver is "
             "not in use)\n" + _FTDI, 1),
    "no iCE40 board": (_FLASH, "unable to open ftdi device: -3 (device not found)\nError: Failed to claim cable\n", 1),
    "no DFU board": (_DFU + "Not found\n", "DFU init failed with: No DFU compatible device found\n", 1),
    "no DFU permission": (
        _DFU + "DONE\n",
        "Error: fail to claim interface with error code -3\nDFU init failed with: Fail to claim device\n",
        1,
    ),
    "no CMSIS-DAP": (
        _RAM,
        "Jtag: support for cmsisdap was not enabled at compile time\nJTAG init failed with: std::exception\n",
        1,
    ),
    "no hidraw permission": (
        _RAM + "Found 1 compatible device:\n\t0x0d28 0x0204 0x0 DAPLink CMSIS-DAP\n",
        "Couldn't open device. Check permissions for /dev/hidraw2\nJTAG init failed with: cmsisDAP: init Failed\n",
        1,
    ),
    "unknown board": (_RAM, "Error: cannot find board 'ulx3s'\n", 1),
    "no power": (_RAM, "Error: no device found\n", 1),
    "another FPGA": (
        _RAM + "Open file: DONE\nParse file: DONE\n",
        "mismatch between target's idcode and bitstream idcode\n\tbitstream has 0x41113043 hardware requires "
        "0x41111043\nError: Failed to program FPGA: std::exception\n",
        1,
    ),
    "bad readback": (_RAM + "Load SRAM DONE\n", "CRC check : FAIL\nRead: 0x00000000 checksum: 0x1234\n\n", 0),
    "something else": (_RAM, "Error: the moon is full\n", 1),
}  # fmt: skip


def install(directory: Path, case: str) -> None:
    """Put an ``openFPGALoader`` into a directory, which answers as in a case and leaves its ``arguments``."""
    said, complained, code = CASES[case]
    script = (
        f"#!{sys.executable}\nimport sys, pathlib\n"
        f"pathlib.Path(__file__).with_name('arguments').write_text('\\n'.join(sys.argv[1:]))\n"
        f"sys.stdout.write({said!r}); sys.stdout.flush(); sys.stderr.write({complained!r}); sys.exit({code})\n"
    )
    program = directory / "openFPGALoader"
    program.write_text(script, encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
