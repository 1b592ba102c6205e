"""Compilation of the golden models' loops."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path

from numba import njit

from dfarray import latency, trace


def compiled(function: Callable) -> Callable:
    """Compile with numba, without the interpreter's lock, and keep the machine code for the next process.

    Where neither the package's directory nor the user's cache can be written, it is compiled in every process.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "no locator available".
        return njit(nogil=True)(function)


def compiled_together(function: Callable) -> Callable:
    """As :func:`compiled`, for loops spread over the modules of one package: recompiled when any of them changes.

    numba by itself looks at the file of the outermost function only.
    """
    dispatcher = compiled(function)
    file = getattr(dispatcher._cache, "_cache_file", None)
    if file is not None:
        file._source_stamp = _package_stamp(Path(function.__code__.co_filename).parent)
    return dispatcher


@cache
def _package_stamp(directory: Path) -> bytes:
    """Hash of a package's modules, and of the shared ones whose constants they compile in."""
    shared = [Path(str(module.__file__)) for module in (latency, trace)]
    return sha256(b"".join(path.read_bytes() for path in [*sorted(directory.glob("*.py")), *shared])).digest()
