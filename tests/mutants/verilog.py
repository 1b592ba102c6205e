"""Mutants made in generated Verilog without knowing what it means, drawn with a seed."""

import random
import re
from collections.abc import Iterator
from typing import NamedTuple


class Place(NamedTuple):
    """One line that could be another.

    Attributes
    ----------
    line : int
        Of the Verilog, from 0.
    module : str
        Without the number of the tile or lane.
    operator : str
        What kind of change it is.
    before, after : str
        The whole line.
    """

    line: int
    module: str
    operator: str
    before: str
    after: str

    @property
    def title(self) -> str:
        """For tables: ``lane: & becomes |, line 1234``."""
        return f"{self.module}: {self.operator}, line {self.line + 1}"


_SWAPS = {"&": "|", "|": "&", "^": "|", "+": "-", "-": "+", "==": "!=", "!=": "==", "<": "<=", ">": ">=", "<=": "<"}
_BINARY = re.compile(r"(?<=[\w\])} ]) (&|\||\^|\+|-|==|!=|<|>|<=) (?=[\w\\$({ ~])")
_CONSTANT = re.compile(r"\b(\d+)'h([0-9a-f]+)\b")
_INVERTED = re.compile(r"~ ?(?=[\w\\$(])")
_CHOICE = re.compile(r"^(.* )\? (.*) : (.*);$")
_WRITTEN = re.compile(r"^\s*[^@(]+ <= [^;]+;$")
_LABEL = re.compile(r"^(\s*)1'h1:")
_CONDITION = re.compile(r"^(\s*)if \((.*)\) (.*)$")
_ENTRY = re.compile(r"\S+\[\d+\] = \d+'h")
_MODULE = re.compile(r"^module (\S+)")


def places(text: str) -> list[Place]:
    """Every line of the Verilog that can be changed, once for each way to change it.

    Contents of memories are left out: they are weights and tables, and one entry is read as any other.
    """
    found, module = [], ""
    for number, line in enumerate(text.split("\n")):
        if begins := _MODULE.match(line):
            module = re.sub(r"\d+$|(?<=_)\d+(?=\.|$)", "", begins[1].removeprefix("\\").rsplit(".", 1)[-1]).rstrip("_")
        found += [Place(number, module, operator, line, after) for operator, after in _changes(line)]
    return found


def _changes(line: str) -> Iterator[tuple[str, str]]:
    """(operator, changed line)."""
    code = line.strip()
    if code.startswith(("(*", "initial", "reg ", "wire ", "input", "output", ".", "//")) or "$auto$" in line:
        return
    if condition := _CONDITION.match(line):
        yield "condition inverted", f"{condition[1]}if (!({condition[2]})) {condition[3]}"
    if _LABEL.match(line):
        yield "condition inverted", _LABEL.sub(r"\g<1>1'h0:", line)
    # From here on: what is assigned.
    target, is_assigned, source = line.partition(" <= " if _WRITTEN.match(line) else " = ")
    if not is_assigned or code.startswith(("case", "if", "always", "module")) or _ENTRY.match(code):
        return
    if _WRITTEN.match(line):
        yield "assignment dropped", f"{target[: len(target) - len(target.lstrip())]}/* {code} */;"
    head = target + is_assigned
    for hit in _BINARY.finditer(source):
        yield (
            f"{hit[1]} becomes {_SWAPS[hit[1]]}",
            f"{head}{source[: hit.start(1)]}{_SWAPS[hit[1]]}{source[hit.end(1) :]}",
        )
    for hit in _INVERTED.finditer(source):
        yield "~ dropped", f"{head}{source[: hit.start()]}{source[hit.end() :]}"
    if choice := _CHOICE.match(source):
        yield "choice swapped", f"{head}{choice[1]}? {choice[3]} : {choice[2]};"
    for hit in _CONSTANT.finditer(source):
        width = int(hit[1])
        value = (int(hit[2], 16) + 1) % (1 << width)
        yield "constant off by one", f"{head}{source[: hit.start()]}{width}'h{value:x}{source[hit.end() :]}"


def sample(text: str, count: int, seed: int) -> list[Place]:
    """Distinct places, every kind of change in every module as likely as any other."""
    draw, groups = random.Random(seed), {}
    for place in places(text):
        groups.setdefault((place.module, place.operator), []).append(place)
    chosen: dict[Place, None] = {}
    while len(chosen) < min(count, sum(map(len, groups.values()))):
        chosen[draw.choice(groups[draw.choice(sorted(groups))])] = None
    return list(chosen)


def apply(text: str, place: Place) -> str:
    """The Verilog with that line changed.

    Raises
    ------
    LookupError
        If the line is another one.
    """
    lines = text.split("\n")
    if lines[place.line] != place.before:
        raise LookupError(f"line {place.line + 1} is {lines[place.line]!r}, not {place.before!r}")
    lines[place.line] = place.after
    return "\n".join(lines)


EQUIVALENT: tuple[tuple[str, str, str], ...] = ()
"""(module, change as a regular expression on the line before, why it changes nothing)."""


def equivalent(place: Place) -> str:
    """Why a change makes no difference that anything could see; empty for all others."""
    for module, line, reason in EQUIVALENT:
        if re.fullmatch(module, place.module) and re.search(line, place.before):
            return reason
    return ""
