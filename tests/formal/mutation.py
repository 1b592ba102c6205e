"""A package dfarray.hw in which one module is edited."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

_HW = Path(__file__).parents[2] / "hw"


class Edit(NamedTuple):
    """``before``, which stands once in ``hw/<module>.py``, becomes ``after``."""

    module: str
    before: str
    after: str

    def apply(self) -> str:
        """The edited source.

        Raises
        ------
        LookupError
            If the place is lost.
        """
        path = _HW / f"{self.module}.py"
        text = path.read_text(encoding="utf-8")
        if (count := text.count(self.before)) != 1:
            raise LookupError(f"hw/{self.module}.py has {count} places like {self.before!r}; a mutant needs one")
        return text.replace(self.before, self.after)


@contextmanager
def edited(edit: Edit | None, harness: str) -> Iterator[ModuleType]:
    """The module ``harness`` of this package, importing the edited hardware; the true one is back afterwards."""
    names = ("dfarray.hw.", f"{__package__}.{harness}", f"{__package__}.harness")
    pristine = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(names)}
    try:
        if edit is not None:
            name = f"dfarray.hw.{edit.module}"
            sys.modules[name] = module = ModuleType(name)
            exec(compile(edit.apply(), f"hw/{edit.module}.py", "exec"), module.__dict__)
        yield importlib.import_module(f"{__package__}.{harness}")
    finally:
        for name in [name for name in sys.modules if name.startswith(names)]:
            del sys.modules[name]
        sys.modules.update(pristine)
