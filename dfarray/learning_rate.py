"""The learning rate as the hardware holds it: a small mantissa times a power of two."""

from dataclasses import dataclass

MANTISSA_BITS = 8
EXPONENT_BITS = 5


@dataclass(frozen=True)
class LearningRate:
    """eta = mantissa * 2**-exponent.

    Parameters
    ----------
    mantissa : int
        0 to 255.
    exponent : int
        0 to 31.

    Raises
    ------
    ValueError
        If either is out of range.
    """

    mantissa: int
    exponent: int

    def __post_init__(self) -> None:
        if not 0 <= self.mantissa < 1 << MANTISSA_BITS:
            raise ValueError(f"learning-rate mantissa must be 0 to 255, not {self.mantissa}")
        if not 0 <= self.exponent < 1 << EXPONENT_BITS:
            raise ValueError(f"learning-rate exponent must be 0 to 31, not {self.exponent}")

    @classmethod
    def nearest(cls, value: float) -> "LearningRate":
        """The closest representable rate; mantissas are normalised to 128..255 where the exponent allows.

        Raises
        ------
        ValueError
            If ``value`` rounds to zero or exceeds 255.
        """
        if not 2.0**-32 <= value <= 255:
            raise ValueError(f"a learning rate must be 2**-31 to 255, not {value!r}")
        exponent = 0
        while exponent < (1 << EXPONENT_BITS) - 1 and round(value * 2.0 ** (exponent + 1)) < 1 << MANTISSA_BITS:
            exponent += 1
        return cls(round(value * 2.0**exponent), exponent)

    @property
    def value(self) -> float:
        """Eta."""
        return self.mantissa * 2.0**-self.exponent
