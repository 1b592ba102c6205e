"""Verilog of a hardware that is wrong in one place: what the tests must find."""

import importlib
import sys
from pathlib import Path
from types import ModuleType


def generate_edited(module: str, before: str, after: str, config, weights, directory: Path) -> None:
    """Generate with a package dfarray.hw in which one module is edited; the true one is back afterwards.

    ``before``, which stands once in ``hw/<module>.py``, becomes ``after``.
    """
    path = Path("hw", f"{module}.py")
    text = path.read_text()
    assert text.count(before) == 1, f"{path} changed: this edit needs a new place"
    pristine = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("dfarray.hw.")}
    try:
        name = f"dfarray.hw.{module}"
        sys.modules[name] = edited = ModuleType(name)
        exec(compile(text.replace(before, after), str(path), "exec"), edited.__dict__)
        importlib.import_module("dfarray.hw.generate").generate(config, weights, directory)
    finally:
        for name in [name for name in sys.modules if name.startswith("dfarray.hw.")]:
            del sys.modules[name]
        sys.modules.update(pristine)
