"""Compilation of the golden models' loops."""

from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile with numba, without the interpreter's lock, and keep the machine code for the next process.

    Where neither the package's directory nor the user's cache can be written, it is compiled in every process.
    """
    try:
        return njit(cache=True, nogil=True)(function)
    except RuntimeError:  # numba: "no locator available".
        return njit(nogil=True)(function)
