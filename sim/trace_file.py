"""What the test bench records of each clock cycle: 64-bit words in host byte order, first inputs, then the rest.

In a trace the rest are the compared signals, in a signature record it is the signature after that cycle.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from dfarray.trace_layout import WORD, TraceLayout


@dataclass(frozen=True)
class RecordLayout:
    """Where everything is in a record.

    Attributes
    ----------
    inputs : TraceLayout
        What the golden model is shown, and last a bit: MACS was looked at in this cycle for a read.
    outputs : TraceLayout
        The compared signals, as the golden model packs them.
    """

    inputs: TraceLayout
    outputs: TraceLayout

    @cached_property
    def words(self) -> int:
        """Words of a trace record."""
        return self.inputs.words + self.outputs.words

    @property
    def signed_words(self) -> int:
        """Words of a signature record."""
        return self.inputs.words + 1

    def unpack_inputs(self, records: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Inputs, int64 (cycles, input signals), and whether MACS was looked at, bool (cycles,)."""
        values = self.inputs.unpack(records[:, : self.inputs.words])
        return values[:, :-1], values[:, -1] != 0

    def unpack(self, records: np.ndarray) -> np.ndarray:
        """Inputs and compared signals: int64 (cycles, signals)."""
        inputs, _ = self.unpack_inputs(records)
        return np.hstack([inputs, self.outputs.unpack(records[:, self.inputs.words :])])


class TraceReader:
    """Reads a growing trace file in chunks.

    Parameters
    ----------
    path : Path
    layout : RecordLayout
    words : int or None
        Words a record; None for those of a trace.
    """

    def __init__(self, path: Path, layout: RecordLayout, words: int | None = None):
        self._path, self._file = path, None
        self._layout = layout
        self._words = layout.words if words is None else words

    def read_packed(self, cycles: int) -> np.ndarray:
        """The next complete records, at most ``cycles``: uint64 (cycles, words)."""
        if self._file is None:
            if not self._path.exists():  # The simulator creates it with the first record.
                return np.zeros((0, self._words), dtype=np.uint64)
            self._file = self._path.open("rb")
        size = self._words * WORD // 8
        start = self._file.tell()
        data = self._file.read(cycles * size)
        whole = len(data) // size * size
        self._file.seek(start + whole)
        return np.frombuffer(data[:whole], dtype=np.uint64).reshape(-1, self._words)

    def read(self, cycles: int) -> np.ndarray:
        """The next records of a trace, unpacked: int64 (cycles, signals)."""
        return self._layout.unpack(self.read_packed(cycles))

    def chunks(self, cycles: int) -> Iterator[np.ndarray]:
        """Every complete record that is there now, packed."""
        while len(chunk := self.read_packed(cycles)):
            yield chunk


def layout_of(manifest: dict) -> RecordLayout:
    """The layout that follows from a manifest."""
    inputs, outputs = manifest["trace"]["inputs"], manifest["trace"]["outputs"]
    return RecordLayout(
        TraceLayout((*(s["width"] for s in inputs), 1), (*(s["signed"] for s in inputs), False)),
        TraceLayout(tuple(s["width"] for s in outputs), tuple(s["signed"] for s in outputs)),
    )
