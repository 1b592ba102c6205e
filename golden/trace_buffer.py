"""Expected signals of the cycles to come: events are scattered ahead of time and read out cycle by cycle."""

import numpy as np

from dfarray.trace import TraceSignal

_NO_EVENT = np.iinfo(np.int64).min

HELD = frozenset(
    {
        "sequencer.state",
        "sequencer.slot",
        "sequencer.row",
        "sequencer.pending",
        "sequencer.received",
        "sequencer.delivered",
        "collector.busy",
        "samples.ready",
        "results.valid",
        "results.logit",
        "results.prediction",
        "results.last",
        "weights_in.ready",
        "weights_out.valid",
        "weights_out.data",
        "error_scalar",
        "result",
        "delta",
        "delta.valid",
    }
)
"""Signals that keep their value until the next event; all others are zero in a cycle without one."""


class TraceBuffer:
    """A window of expected values that starts at the first cycle not yet read.

    Parameters
    ----------
    signals : tuple of TraceSignal
        The columns.
    """

    def __init__(self, signals: tuple[TraceSignal, ...]):
        self.base = self._origin = 0
        self._held = np.array([signal.name in HELD for signal in signals])
        self._empty = np.where(self._held, _NO_EVENT, 0)
        self._last = np.zeros(int(self._held.sum()), dtype=np.int64)
        self._rows = np.tile(self._empty, (1024, 1))
        self._columns: dict[str, dict[tuple[int | None, int | None], int]] = {}
        for column, signal in enumerate(signals):
            self._columns.setdefault(signal.name, {})[(signal.tile, signal.lane)] = column

    def has(self, name: str) -> bool:
        """Whether there is such a signal in this configuration."""
        return name in self._columns

    def column(self, name: str) -> int:
        """Column of an array-wide signal."""
        return self._columns[name][(None, None)]

    def tile_columns(self, name: str, tiles: int) -> np.ndarray:
        """Columns (tiles,) of a signal every tile has."""
        return np.array([self._columns[name][(t, None)] for t in range(tiles)])

    def lane_columns(self, name: str, lanes: int, tiles: int) -> np.ndarray:
        """Columns (lanes, tiles) of a signal every lane has."""
        return np.array([[self._columns[name][(t, k)] for t in range(tiles)] for k in range(lanes)])

    def put(self, cycles, columns, values) -> None:
        """Set values; the three broadcast against each other.

        Raises
        ------
        ValueError
            If a cycle has been read already.
        """
        cycles = np.asarray(cycles)
        if cycles.size == 0:
            return
        if cycles.min() < self.base:
            raise ValueError(f"cycle {cycles.min()} is past, the next one is {self.base}")
        self._grow_to(int(cycles.max()) + 1)
        self._rows[cycles - self._origin, columns] = values

    def set(self, cycle: int, **values: int) -> None:
        """Set array-wide signals in one cycle; ``__`` stands for the dot of a name."""
        for name, value in values.items():
            self.put(cycle, self.column(name.replace("__", ".")), value)

    def take(self, cycles: int) -> np.ndarray:
        """Read the next cycles: int64 (cycles, signals)."""
        self._grow_to(self.base + cycles)
        start = self.base - self._origin
        window = self._rows[start : start + cycles].copy()
        window[:, self._held] = self._forward_filled(window[:, self._held])
        self.base += cycles
        if 2 * (self.base - self._origin) > len(self._rows):
            self._rows = self._rows[self.base - self._origin :].copy()
            self._origin = self.base
        return window

    def _grow_to(self, cycle: int) -> None:
        missing = cycle - self._origin - len(self._rows)
        if missing > 0:
            self._rows = np.concatenate([self._rows, np.tile(self._empty, (max(missing, len(self._rows)), 1))])

    def _forward_filled(self, held: np.ndarray) -> np.ndarray:
        if not len(held):
            return held
        held[0] = np.where(held[0] == _NO_EVENT, self._last, held[0])
        row = np.where(held != _NO_EVENT, np.arange(len(held))[:, None], 0)
        filled = np.take_along_axis(held, np.maximum.accumulate(row, axis=0), axis=0)
        self._last = filled[-1].copy()
        return filled
