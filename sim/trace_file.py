"""The recorded trace: how the test bench packs the architectural signals, and how they are read back.

The test bench writes one record a clock cycle, 64-bit words in host byte order. A signal of at most 64 bits never
crosses a word, so reading one is a shift and a mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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


class TraceReader:
    """Reads a growing trace file in chunks.

    Parameters
    ----------
    path : Path
    layout : TraceLayout
    """

    def __init__(self, path: Path, layout: TraceLayout):
        self._path, self._file = path, None
        self._layout = layout
        self._bytes = layout.words * WORD // 8

    def read(self, cycles: int) -> np.ndarray:
        """The next complete records, at most ``cycles``: int64 (cycles, signals)."""
        if self._file is None:  # The simulator creates it at time zero, after cocotb has started.
            self._file = self._path.open("rb")
        start = self._file.tell()
        data = self._file.read(cycles * self._bytes)
        whole = len(data) // self._bytes * self._bytes
        self._file.seek(start + whole)
        return self._layout.unpack(np.frombuffer(data[:whole], dtype=np.uint64).reshape(-1, self._layout.words))

    def chunks(self, cycles: int) -> Iterator[np.ndarray]:
        """Every complete record that is there now."""
        while len(chunk := self.read(cycles)):
            yield chunk


def layout_of(manifest: dict) -> TraceLayout:
    """The layout of a manifest's inputs, then outputs."""
    signals = manifest["trace"]["inputs"] + manifest["trace"]["outputs"]
    return TraceLayout(tuple(s["width"] for s in signals), tuple(s["signed"] for s in signals))
