"""Signed fixed-point formats, written ``Qm.n``."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

_NOTATION = re.compile(r"Q(-?\d+)\.(\d+)")


@dataclass(frozen=True)
class QFormat:
    """Signed two's-complement fixed point: one sign bit, ``m`` integer bits, ``n`` fraction bits.

    ``Q2.15`` is 18 bits wide, steps by 2**-15 and spans [-4, 4). ``Q-4.21`` is 18 bits wide too, steps by 2**-21 and
    spans [-1/16, 1/16): a small quantity keeps all its bits.

    Parameters
    ----------
    integer_bits : int
        ``m``, without the sign bit; negative where the first fraction bits are never used.
    fraction_bits : int
        ``n``, 0 or more.

    Raises
    ------
    ValueError
        If ``n`` is negative or the width is not 2 to 48 bits.
    """

    integer_bits: int
    fraction_bits: int

    def __post_init__(self) -> None:
        if self.fraction_bits < 0:
            raise ValueError(f"Q-format fraction bits must be 0 or more, not {self.fraction_bits}")
        if not 2 <= self.width <= 48:
            raise ValueError(f"Q-format width must be 2 to 48 bits with its sign, not {self.width} ({self})")

    @classmethod
    def parse(cls, text: str) -> "QFormat":
        """Read ``"Q2.15"``."""
        match = _NOTATION.fullmatch(text)
        if match is None:
            raise ValueError(f"a fixed-point format is written Qm.n (m integer, n fraction bits), not {text!r}")
        return cls(int(match[1]), int(match[2]))

    @property
    def width(self) -> int:
        """Bits, sign included."""
        return 1 + self.integer_bits + self.fraction_bits

    @property
    def lo(self) -> int:
        """Smallest integer code."""
        return -(1 << (self.width - 1))

    @property
    def hi(self) -> int:
        """Largest integer code."""
        return (1 << (self.width - 1)) - 1

    @property
    def one(self) -> int:
        """The code of 1.0, or the largest code when 1.0 does not fit (Q0.n)."""
        return min(1 << self.fraction_bits, self.hi)

    def __str__(self) -> str:
        return f"Q{self.integer_bits}.{self.fraction_bits}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        def validate(value: Any) -> "QFormat":
            if isinstance(value, QFormat):
                return value
            if not isinstance(value, str):
                raise ValueError("a fixed-point format is a string such as 'Q2.15'")
            return cls.parse(value)

        return core_schema.no_info_plain_validator_function(
            validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )
