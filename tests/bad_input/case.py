"""One way to be wrong."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

CONFIG = {
    "network": {"layers": "[6, 8, 3]"},
    "array": {"tiles": "4", "lanes": "2", "bank_rows": "64"},
    "training": {"learning_rate": "0.1"},
}
"""``net.toml``, which is right."""

ANYTHING = "…"

Preparation = Callable[[Path, pytest.MonkeyPatch], object]


@dataclass(frozen=True)
class Case:
    """A command that is refused.

    Attributes
    ----------
    title : str
        What is wrong.
    command : str
        Run in a directory that holds ``net.toml`` and ``blobs.npz``, which are right.
    message : str
        All that is said on standard error, line breaks apart; ``…`` is what differs from machine to machine.
    code : int
        2: something the user can mend; 1: a check that failed; 130: Ctrl-C.
    prepare : function (directory, monkeypatch), optional
        What makes it wrong.
    """

    title: str
    command: str
    message: str
    code: int = 2
    prepare: Preparation | None = None

    def matches(self, said: str) -> bool:
        """Whether this is what was said."""
        parts = (re.escape(part) for part in self.message.split(ANYTHING))
        return re.fullmatch(".*".join(parts), said) is not None


def toml(changes: dict[str, str | None]) -> str:
    """``net.toml`` with keys changed, added or, if None, left out; ``section.key``, or a section alone."""
    table: dict = {section: dict(keys) for section, keys in CONFIG.items()}
    for place, value in changes.items():
        section, dot, key = place.partition(".")
        if value is None:
            table[section].pop(key) if dot else table.pop(section)
        else:
            table.setdefault(section, {})[key] = value
    return "".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for section, keys in table.items()
    )


def configured(**changes: str | None) -> Preparation:
    """``net.toml`` with other values; a key's dot is written ``__``."""
    text = toml({key.replace("__", "."): value for key, value in changes.items()})
    return lambda directory, patch: (directory / "net.toml").write_text(text)


def written(name: str, contents: str | bytes) -> Preparation:
    """Another file."""
    data = contents.encode() if isinstance(contents, str) else contents

    def write(directory: Path, patch: pytest.MonkeyPatch) -> None:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)

    return write
