"""Mutants made in generated Verilog without knowing what it means, drawn with a seed."""

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from . import liveness
from .liveness import DECLARED, NAME, module_name


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
    target : str
        What is assigned there, or before it; of what has no name, all named signals that it is a part of.
    before, after : str
        The whole line.
    """

    line: int
    module: str
    operator: str
    target: str
    before: str
    after: str

    @property
    def title(self) -> str:
        """For tables: ``lane: & becomes | at accumulator, line 1234``."""
        return f"{self.module}: {self.operator} at {self.target}, line {self.line + 1}"


_SWAPS = {"&": "|", "|": "&", "^": "|", "+": "-", "-": "+", "==": "!=", "!=": "==", "<": "<=", ">": ">=", "<=": "<"}
_BINARY = re.compile(r"(?<=[\w\])} ]) (&|\||\^|\+|-|==|!=|<|>|<=) (?=[\w\\$({ ~])")
_CONSTANT = re.compile(r"\b(\d+)'h([0-9a-f]+)\b")
_INVERTED = re.compile(r"~ ?(?=[\w\\$(])")
_CHOICE = re.compile(r"^(.* )\? (.*) : (.*);$")
_WRITTEN = re.compile(r"^\s*[^@(]+ <= [^;]+;$")
_LABEL = re.compile(r"^(\s*)1'h1:")
_CONDITION = re.compile(r"^(\s*)if \((.*)\) (.*)$")
_ENTRY = re.compile(r"\S+\[\d+\] = \d+'h")
_MODULE = re.compile(r"^module \S+")
_TARGET = re.compile(r"^\s*(?:assign )?(\S+) +(?:\[[\d:]+\] )?<?= ")
_PORT = re.compile(r"^ +\.([^\s(]+) *\(")
_FIELD = re.compile(r"^  assign \\(([^.\s]+)\.\S+) += \\?\2 ?(\[[\d:]+\]);$")
_UNNAMED = re.compile(r"\$(?:\d+|(?:signal|like)(?:\$\d+)?)(?:\..*)?")
_NUMBERS = re.compile(r"(\$\d+)+$")


def places(text: str) -> list[Place]:
    """Every line of the Verilog that can be changed, once for each way to change it.

    Contents of memories are left out: they are weights and tables, and one entry is read as any other. So is what no
    output depends on.
    """
    found, live = [], liveness.live(text)
    # From one module's header to the next one's.
    lines = text.split("\n")
    tiles = [int(number) for number in re.findall(r"^module \S+\.tile_(\d+) ", text, re.M)]
    bias_tile = f".tile_{max(tiles, default=0)}."
    starts = [number for number, line in enumerate(lines) if _MODULE.match(line)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        found += _of_module(start, lines[start:end], bias_tile, live)
    return found


def _of_module(start: int, lines: list[str], bias_tile: str, live: dict) -> Iterator[Place]:
    name = module_name(lines[0])
    module = re.sub(r"_?\d*\$?\d*$", "", name.rsplit(".", 1)[-1])
    if bias_tile in name:
        module = f"bias_tile.{module}"
    users = _users(lines)
    fields = {f"{found[2]}{found[3]}": found[1] for line in lines if (found := _FIELD.match(line))}
    target, resets, lives = "", False, False
    for number, line in enumerate(lines, start):
        if assigned := _TARGET.match(line):
            target = assigned[1]
        if item := liveness.target(line):
            signal, bits = item
            lives = bool(live.get((name, signal), 0) & bits)
        if not lives:
            continue
        for operator, after in _changes(line):
            kind = operator.replace("constant", "reset value") if resets else operator
            yield Place(number, module, kind, "|".join(_names(target, users, fields)), line, after)
        resets = line.strip() == "if (rst) begin"


def _users(lines: list[str]) -> dict[str, set[str]]:
    """What is assigned, or the ports that are connected, by the names that are read for it."""
    users, conditions = defaultdict(set), []
    for line in lines[1:]:
        if line.strip().startswith(DECLARED) or _FIELD.match(line):
            continue
        names = [name.removeprefix("\\") for name in NAME.findall(line)]
        if assigned := _TARGET.match(line) or _PORT.match(line):
            for name in [*names, *conditions]:
                users[name].add(assigned[1])
            conditions = []
        else:
            conditions += names
    return users


def _names(target: str, users: dict[str, set[str]], fields: dict[str, str]) -> list[str]:
    found, seen, left = set(), set(), [target]
    while left:
        name = left.pop().removeprefix("\\")
        if not _UNNAMED.fullmatch(name.partition("[")[0]):
            found.add(_NUMBERS.sub("", fields.get(name, name)))
        elif name not in seen:
            seen.add(name)
            left += users[name.partition("[")[0]]
    return sorted(found)


def _changes(line: str) -> Iterator[tuple[str, str]]:
    """(operator, changed line)."""
    code = line.strip()
    if code.startswith((*DECLARED, ".")) or "$auto$" in line:
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


EQUIVALENT: tuple[tuple[str, str, str, str, str], ...] = (
    (
        "register_file",
        "reset value off by one",
        "busy_or_commanded_1|pending_1",
        ".*",
        "shows during reset, and in the cycle behind it, in which no read can be answered",
    ),
    (
        "feedback",
        "reset value off by one",
        r"step\.bank",
        ".*",
        "every walk sets its bank as it begins, and without a walk the bank belongs to words that are IDLE",
    ),
    (
        "dump_queue",
        "constant off by one",
        "some",
        r".*\(\{ 1'h0, \S+  \}\) \+ .*",
        "a bit above those of the sum that are kept",
    ),
    (
        "dump_queue",
        "reset value off by one",
        r"kept_\d",
        ".*",
        "no word is kept; keeping one sets it",
    ),
    (
        "collector",
        "reset value off by one",
        "waits",
        ".*",
        "a timer counts down for which nothing waits; every request sets both",
    ),
    (
        "activation_store|gram_accumulator",
        "reset value off by one",
        r"clear|finished_\d|arrives_\d",
        ".*",
        "before the first pair there is nothing to clear, to keep or to add",
    ),
    (
        "tile",
        r"- becomes \+",
        r"slope_\d_\d",
        r".*- \$signed\(\d+'h0+\);",
        "nothing is subtracted: a derivative is no negative number",
    ),
)
"""(module, operator, target, line, why it changes nothing); the first four are regular expressions."""


def equivalent(place: Place) -> str:
    """Why a change makes no difference that anything could see; empty for all others."""
    for *patterns, reason in EQUIVALENT:
        values = (place.module, place.operator, place.target, place.before)
        if all(re.fullmatch(pattern, value) for pattern, value in zip(patterns, values, strict=True)):
            return reason
    return ""
