"""How the architectural signals of a cycle are packed into 64-bit words.

The test bench writes them so, the signature is taken over them, and the models can produce them directly. A signal of
at most 64 bits never crosses a word, so reading one is a shift and a mask.
"""

from dataclasses import dataclass

import numpy as np

WORD = 64


@dataclass(frozen=True)
class TraceLayout:
    """Places signals of given widths in 64-bit words, in order.

    Attributes
    ----------
    widths : tuple of int
    signed : tuple of bool
    """

    widths: tuple[int, ...]
    signed: tuple[bool, ...]

    @property
    def positions(self) -> list[tuple[int, int]]:
        """(word, lowest bit) of every signal."""
        places, word, bit = [], 0, 0
        for width in self.widths:
            if bit + width > WORD:
                word, bit = word + 1, 0
            places.append((word, bit))
            bit += width
        return places

    @property
    def words(self) -> int:
        """Words a record."""
        return self.positions[-1][0] + 1

    def unpack(self, records: np.ndarray) -> np.ndarray:
        """Read every signal of every record.

        Parameters
        ----------
        records : uint64 array (cycles, words)

        Returns
        -------
        int64 array (cycles, signals), sign-extended where signed.
        """
        word, bit = np.array(self.positions).T
        width = np.array(self.widths)
        top = (WORD - width - bit).astype(np.uint64)
        raised = records[:, word] << top
        down = (WORD - width).astype(np.uint64)
        unsigned = (raised >> down).view(np.int64)
        return np.where(np.array(self.signed), raised.view(np.int64) >> down.astype(np.int64), unsigned)
