"""The generated Verilog rewritten for a simulator: the same logic in fewer modules, variables and bytes.

- Modules with the same text become one. The lanes of an array differ in their bank's contents only, so the contents of
  large memories go to files. An edited module has another text, and stays.
- yosys works a register's next value out in an ``always @*`` of its own; it becomes part of the register's block.
- A bit that is repeated in a concatenation, as in a sign extension, becomes a replication.

docs/decisions/0006-simulation-speed.md has the measurements.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGE = 512
"""Rows of a memory from which its contents go to a file."""

_MODULE = re.compile(r"^module (\\?\S+) ?\((?s:.*?)^endmodule\n", re.M)
_INSTANCE = re.compile(r"^  (\\?[^\s()]+) +(\\?[^\s()]+) +\($", re.M)
_MEMORY = re.compile(
    r"^(  reg \[\d+:0\] (\\?\S+) \[\d+:0\];\n)  initial begin\n((?:    \S+\[\d+\] = \d+'h[0-9a-f]+;\n)+)  end\n", re.M
)
_CODE = re.compile(r"'h([0-9a-f]+);")
_AUTOMATIC = re.compile(r"\\\$auto\$verilog_backend\S+")
_REGISTER = re.compile(r"^  always @\(posedge clk\)\n    (\\?\S+ )<= (\\\$\d+ );\n", re.M)
_NEXT_VALUE = re.compile(
    r"^  always @\* begin\n    if \(\\\$auto\$verilog_backend\S+ \) begin end\n((?:    .*\n)+?)  end\n", re.M
)
_NUMBERED = re.compile(r"\\\$\d+ ")
_ASSIGNED = re.compile(r"^ +(\\\$\d+ ) ?(?:\[[\d:]+\] )?= ", re.M)
_CONCATENATION = re.compile(r"\{ ([^{}]*) \}")


@dataclass(frozen=True)
class Contents:
    """Initial contents of a memory.

    Attributes
    ----------
    path : tuple of str
        Instances below the top module, then the memory, as Verilog writes them.
    rows : tuple of str
        Hexadecimal.
    """

    path: tuple[str, ...]
    rows: tuple[str, ...]


def simplify(text: str, top: str) -> tuple[str, list[Contents]]:
    """Rewrite what ``dfarray generate`` wrote.

    Returns
    -------
    (Verilog, the contents taken out of it, in the order of the instances)
    """
    modules = list(_MODULE.finditer(text))
    merged = _Merged({match[1]: match[0] for match in modules}, top)
    bodies = (_replicate(_register_blocks(body)) for body in merged.bodies)
    return text[: modules[0].start()] + "\n".join(bodies), list(merged.contents(top))


def write_contents(contents: list[Contents], directory: Path) -> None:
    """Write ``0.hex``, ``1.hex``, … for $readmemh."""
    directory.mkdir(parents=True, exist_ok=True)
    for leftover in directory.glob("*.hex"):
        leftover.unlink()
    for index, item in enumerate(contents):
        (directory / f"{index}.hex").write_text("\n".join(item.rows) + "\n", encoding="ascii")


class _Merged:
    """Modules by text, from the leaves upwards.

    Attributes
    ----------
    bodies : list of str
        Of the modules that are left, a child before its parents.
    """

    def __init__(self, modules: dict[str, str], top: str):
        self._modules = modules
        self._memories: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        self._children: dict[str, list[tuple[str, str]]] = {}
        self._names: dict[str, str] = {}
        self._kept: dict[str, str] = {}
        self.bodies: list[str] = []
        self._visit(top)

    def contents(self, name: str, path: tuple[str, ...] = ()) -> Iterator[Contents]:
        """What was taken out below a module."""
        for memory, rows in self._memories[name]:
            yield Contents((*path, memory), rows)
        for child, instance in self._children[name]:
            yield from self.contents(child, (*path, instance))

    def _visit(self, name: str) -> str:
        """The name of the module that stands for this one."""
        if name in self._names:
            return self._names[name]
        body, memories = self._modules[name], []
        children = [(match[1], match[2]) for match in _INSTANCE.finditer(body) if match[1] in self._modules]
        for child in dict.fromkeys(child for child, _ in children):
            body = body.replace(f"\n  {child} ", f"\n  {self._visit(child)} ")

        def take(memory: re.Match) -> str:
            rows = tuple(_CODE.findall(memory[3]))
            if len(rows) < LARGE:
                return memory[0]
            memories.append((memory[2], rows))
            return memory[1]

        body = _MEMORY.sub(take, body)
        self._memories[name], self._children[name] = memories, children
        # Names that yosys numbers through the whole design.
        numbers: dict[str, int] = {}
        key = _AUTOMATIC.sub(lambda found: f"automatic_{numbers.setdefault(found[0], len(numbers))}", body)
        key = key.replace(f"module {name} ", "module ", 1)
        if key not in self._kept:
            self._kept[key] = name
            self.bodies.append(body)
        self._names[name] = self._kept[key]
        return self._names[name]


def _register_blocks(body: str) -> str:
    """Move next values into their registers' blocks, where nothing else reads them."""
    uses = Counter(_NUMBERED.findall(body))
    registers = Counter(match[2] for match in _REGISTER.finditer(body))
    targets = {match[2]: match[1] for match in _REGISTER.finditer(body)}
    moved = set()

    def move(block: re.Match) -> str:
        assigned = Counter(_ASSIGNED.findall(block[1]))
        if len(assigned) != 1:
            return block[0]
        ((name, assignments),) = assigned.items()
        # Its declaration, the register, and the assignments: nothing else.
        if registers[name] != 1 or uses[name] != assignments + 2 or block[1].count(name) != assignments:
            return block[0]
        moved.add(name)
        target = targets[name]
        lines = _ASSIGNED.sub(lambda line: line[0].replace(name, target).replace("= ", "<= "), block[1])
        lines = lines.replace(f"    {target} <= {target.strip()};\n", "").replace(f"    {target} <= {target};\n", "")
        return f"  always @(posedge clk) begin\n{lines}  end\n"

    body = _NEXT_VALUE.sub(move, body)
    return _REGISTER.sub(lambda register: "" if register[2] in moved else register[0], body)


def _replicate(body: str) -> str:
    def collapse(match: re.Match) -> str:
        parts: list[tuple[str, int]] = []
        for part in match[1].split(", "):
            if parts and parts[-1][0] == part:
                parts[-1] = (part, parts[-1][1] + 1)
            else:
                parts.append((part, 1))
        shown = (part if count == 1 else f"{{{count}{{{part}}}}}" for part, count in parts)
        return "{ " + ", ".join(shown) + " }"

    return _CONCATENATION.sub(collapse, body)
