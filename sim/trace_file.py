"""The recorded trace: 64-bit words in host byte order, one record a clock cycle."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dfarray.trace_layout import WORD, TraceLayout


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
