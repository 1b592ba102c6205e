"""Which bits of generated Verilog its outputs depend on: a change of any other is none.

Bits of every signal and memory, through all modules; each module has one instance.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

ALL = -1
"""Every bit of a signal, as a mask."""

DECLARED = ("(*", "initial ", "reg ", "wire ", "input ", "output ", "//")
"""Begins of lines in which nothing is assigned, or only what an output starts with."""

NAME = re.compile(r"\\?[\w$][^\s\[\](),;]*")
_USE = re.compile(rf"({NAME.pattern}) ?(?:\[(\d+)(?::(\d+))?\])?")
_TARGET = re.compile(r"^ +(?:assign )?([^\s\[]+) ?(?:\[(\d+)(?::(\d+))?\]|\[.*?\])? +<?= (.*)")
_INSTANCE = re.compile(r"^  (\S+) +\S+ +\($")
_PORT = re.compile(r"^ +\.(\S+) *\((.*)\),?$")
_ENTRY = re.compile(r"^    memory\[\d+\] = ")
_COPIED = re.compile(rf"{NAME.pattern} *;")
_OUTPUT = re.compile(r"^  output (?:\[\d+:\d+\] )?(\S+?) ?;$")


class Use(NamedTuple):
    """Bits of a signal, as a mask."""

    signal: tuple[str, str]
    bits: int


class Driver(NamedTuple):
    """What is read for some bits of a signal; for a ``copy`` bit by bit."""

    bits: int
    reads: list[Use]
    copy: bool


def module_name(header: str) -> str:
    """Of a line that begins a module."""
    return header.split()[1].partition("(")[0].removeprefix("\\")


def live(text: str) -> dict[tuple[str, str], int]:
    """Bits on which outputs of the first module depend, by (module, signal)."""
    modules = {}
    for part in re.findall(r"^module [\s\S]*?^endmodule$", text, re.M):
        modules[module_name(part)] = part.split("\n")[1:]
    outputs = {
        name: {found[1].removeprefix("\\") for line in lines if (found := _OUTPUT.match(line))}
        for name, lines in modules.items()
    }
    drivers: dict[tuple[str, str], list[Driver]] = defaultdict(list)
    for name, lines in modules.items():
        for signal, driver in _drivers(name, lines, outputs):
            drivers[signal].append(driver)
    top = next(iter(modules))
    reached: dict[tuple[str, str], int] = defaultdict(int)
    left = [Use((top, output), ALL) for output in outputs[top]]
    while left:
        signal, bits = left.pop()
        new = bits & ~reached[signal]
        if not new:
            continue
        reached[signal] |= bits
        for driver in drivers[signal]:
            if new & driver.bits:
                left += [Use(use.signal, use.bits & new if driver.copy else use.bits) for use in driver.reads]
    return reached


def target(line: str) -> tuple[str, int] | None:
    """(signal, bits) that a line assigns, if it does."""
    if assigned := _TARGET.match(line):
        return assigned[1].removeprefix("\\"), _mask(assigned[2], assigned[3])
    return None


def _mask(high: str | None, low: str | None) -> int:
    if high is None:
        return ALL
    return (2 << int(high)) - (1 << int(low or high))


def _drivers(module: str, lines: list[str], outputs: dict[str, set[str]]) -> Iterator[tuple[tuple[str, str], Driver]]:
    conditions, instance = [], ""
    for line in lines:
        if _ENTRY.match(line) or line.strip().startswith(DECLARED) or "$auto$" in line:
            continue
        if line.startswith("  always"):
            conditions = []
        uses = [Use((module, found[1].removeprefix("\\")), _mask(found[2], found[3])) for found in _USE.finditer(line)]
        if found := _INSTANCE.match(line):
            instance = found[1].removeprefix("\\")
        elif instance and (found := _PORT.match(line)):
            port = (instance, found[1].removeprefix("\\"))
            uses = uses[1:]
            plain = len(uses) == 1 and uses[0].bits == ALL
            if port[1] in outputs.get(instance, ()):
                for signal, bits in uses:
                    yield signal, Driver(bits, [Use(port, ALL)], plain)
            else:
                yield port, Driver(ALL, uses, plain)
        elif line == "  );":
            instance = ""
        elif assigned := _TARGET.match(line):
            signal, bits = (module, assigned[1].removeprefix("\\")), _mask(assigned[2], assigned[3])
            copy = not conditions and bits == ALL and _COPIED.fullmatch(assigned[4]) is not None
            yield signal, Driver(bits, [*uses[1:], *conditions], copy)
        else:
            conditions += uses
