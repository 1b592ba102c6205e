"""Warnings of the tools that a person should see."""

import re
from dataclasses import dataclass

_WARNING = re.compile(r"^\s*(?:Warning|WARNING|Critical [Ww]arning)\s*:\s*(.*)", re.MULTILINE)

_WRONG = re.compile(
    r"Driver-driver conflict|multiple conflicting drivers|found logic loop|combinatorial loop|used but has no driver",
    re.IGNORECASE,
)
"""What no sound build has: what comes out of it computes something else than the Verilog says."""


@dataclass(frozen=True)
class Complaint:
    """A warning.

    Attributes
    ----------
    tool, text : str
    count : int
        How often it came, with other names in it or not.
    """

    tool: str
    text: str
    count: int = 1

    @property
    def is_wrong(self) -> bool:
        """Whether the design that comes out is another one than went in."""
        return _WRONG.search(self.text) is not None

    def __str__(self) -> str:
        more = f" (and {self.count - 1} alike)" if self.count > 1 else ""
        return f"{self.tool}: {self.text}{more}"


def complaints(tool: str, log: str) -> list[Complaint]:
    """The warnings in a tool's log, those that differ only in names counted."""
    found: dict[str, Complaint] = {}
    for match in _WARNING.finditer(log):
        text = match.group(1).strip()
        kind = re.sub(r"\d+|'[^']*'|\\\\\S+|\"[^\"]*\"", "*", text)
        earlier = found.get(kind)
        found[kind] = Complaint(tool, text) if earlier is None else Complaint(tool, earlier.text, earlier.count + 1)
    return list(found.values())
