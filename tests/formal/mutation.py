"""Packages dfarray.hw and dfarray.fpga.link in which one module is edited."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

_ROOT = Path(__file__).parents[2]


class Edit(NamedTuple):
    """``before``, which stands once in a module, becomes ``after``.

    Attributes
    ----------
    module : str
        Of hw/; with dots, of dfarray.
    before, after : str
    """

    module: str
    before: str
    after: str

    @property
    def path(self) -> str:
        """Of the module, below the root and without suffix."""
        return self.module.replace(".", "/") if "." in self.module else f"hw/{self.module}"

    def apply(self) -> str:
        """The edited source.

        Raises
        ------
        LookupError
            If the place is lost.
        """
        text = (_ROOT / f"{self.path}.py").read_text(encoding="utf-8")
        if (count := text.count(self.before)) != 1:
            raise LookupError(f"{self.path}.py has {count} places like {self.before!r}; a mutant needs one")
        return text.replace(self.before, self.after)


@contextmanager
def edited(edit: Edit | None, harness: str) -> Iterator[ModuleType]:
    """The module ``harness`` of this package, importing the edited hardware; the true one is back afterwards."""
    with edited_hardware(edit, f"{__package__}.{harness}", f"{__package__}.harness"):
        yield importlib.import_module(f"{__package__}.{harness}")


@contextmanager
def edited_hardware(edit: Edit | None, *importers: str) -> Iterator[None]:
    """What imports hardware meanwhile gets the edited one, and so do these ``importers``, if imported again."""
    names = ("dfarray.hw.", "dfarray.fpga.link.", *importers)
    pristine = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith(names)}
    try:
        if edit is not None:
            name = f"dfarray.{edit.path.replace('/', '.')}"
            sys.modules[name] = module = ModuleType(name)
            exec(compile(edit.apply(), f"{edit.path}.py", "exec"), module.__dict__)
        yield
    finally:
        for name in [name for name in sys.modules if name.startswith(names)]:
            del sys.modules[name]
        sys.modules.update(pristine)
