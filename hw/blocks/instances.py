"""Helpers to instantiate vendor cells: pins a bit each, and initial contents cut into parameters."""

from collections.abc import Sequence

from amaranth.hdl import Const, Value


def pins(prefix: str, value: Value, first: int = 0) -> dict[str, Value]:
    """Bit k of a value on the pin called ``prefix`` + (``first`` + k)."""
    return {f"{prefix}{first + bit}": value[bit] for bit in range(len(value))}


def tied(prefix: str, count: int, level: int, first: int = 0) -> dict[str, Const]:
    """``count`` input pins at a constant level."""
    return {f"{prefix}{first + bit}": Const(level, 1) for bit in range(count)}


def init_parameters(prefix: str, digits: int, words: Sequence[int], pitch: int, words_each: int) -> dict[str, Const]:
    """Words ``pitch`` bits apart, ``words_each`` in a parameter called ``prefix`` + number in upper-case hex digits."""
    parameters = {}
    for index, first in enumerate(range(0, len(words), words_each)):
        value = sum(word << (pitch * place) for place, word in enumerate(words[first : first + words_each]))
        parameters[f"{prefix}{index:0{digits}X}"] = Const(value, pitch * words_each)
    return parameters


def words_of_18(words: Sequence[int], width: int) -> list[int]:
    """Words of 18 or 9 bits as a block stores them in either shape: two of 9 make one of 18, the lower row low."""
    if width == 18:
        return list(words)
    return [low | high << 9 for low, high in zip(words[::2], words[1::2], strict=True)]
