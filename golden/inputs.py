"""The recorded inputs of the current stretch of cycles, and the incoming sample they make up."""

import numpy as np

from dfarray.configuration import Configuration
from dfarray.trace import input_signals


class InputWindow:
    """Inputs of cycles ``base .. end - 1``.

    Parameters
    ----------
    config : Configuration
    """

    def __init__(self, config: Configuration):
        signals = input_signals(config)
        self._column = {signal.name: index for index, signal in enumerate(signals)}
        self.base = self.end = 0
        self._values = np.zeros((0, len(signals)), dtype=np.int64)

    def extend(self, values: np.ndarray) -> None:
        """Move on to the next cycles; the ones before are forgotten."""
        if values.ndim != 2 or values.shape[1] != len(self._column):
            raise ValueError(f"inputs must have shape (cycles, {len(self._column)}), not {values.shape}")
        self.base, self.end = self.end, self.end + len(values)
        self._values = values

    def at(self, cycle: int, name: str) -> int:
        """One signal in one cycle."""
        return int(self._values[cycle - self.base, self._column[name]])

    def cycles_where(self, name: str, start: int, stop: int | None = None) -> np.ndarray:
        """Cycles from ``start`` to before ``stop`` (default: all known) in which a signal is not zero."""
        stop = self.end if stop is None else min(stop, self.end)
        start = max(start, self.base)
        if start >= stop:
            return np.zeros(0, dtype=np.int64)
        column = self._values[start - self.base : stop - self.base, self._column[name]]
        return np.flatnonzero(column) + start

    def values(self, name: str, cycles: np.ndarray) -> np.ndarray:
        """One signal in several cycles."""
        return self._values[cycles - self.base, self._column[name]]


class IncomingSample:
    """Collects transfers into samples; docs/architecture.md section 4.4.

    Attributes
    ----------
    full_from : int or None
        First cycle in which the incoming sample is complete.
    values, label
        The complete sample.
    """

    def __init__(self, config: Configuration):
        self._inputs = config.network.inputs
        self._position = 0
        self._discarding = False
        self._codes = np.zeros(self._inputs, dtype=np.int64)
        self._index = 0
        self.full_from: int | None = None
        self.values = np.zeros(self._inputs, dtype=np.int64)
        self.label = 0

    def take(self, cycle: int) -> None:
        """The sample's sweep starts in ``cycle``; transfers are accepted again from the next cycle on."""
        self.full_from = None
        self._position = cycle + 1

    def read(self, window: InputWindow) -> None:
        """Use all known transfers, up to the end of a sample."""
        while self.full_from is None:
            transfers = window.cycles_where("samples.valid", self._position)
            if not len(transfers):
                self._position = max(self._position, window.end)
                return
            last = window.values("samples.last", transfers)
            ends = np.flatnonzero(last)
            first_end = int(ends[0]) if len(ends) else len(transfers)
            if self._discarding:
                self._resume_after(transfers, first_end)
                continue
            wanted = self._inputs - self._index
            used = min(wanted, first_end + 1, len(transfers))
            cycles = transfers[:used]
            self._codes[self._index : self._index + used] = window.values("samples.value", cycles)
            self._index += used
            self._position = int(cycles[-1]) + 1
            ended = used == first_end + 1
            if ended and self._index == self._inputs:
                self.full_from = self._position
                self.values = self._codes.copy()
                self.label = int(window.values("samples.label", cycles[-1:])[0])
            elif self._index == self._inputs:
                self._discarding = True
            if ended or self._discarding:
                self._index = 0

    def _resume_after(self, transfers: np.ndarray, first_end: int) -> None:
        self._discarding = first_end == len(transfers)
        self._position = int(transfers[min(first_end, len(transfers) - 1)]) + 1
