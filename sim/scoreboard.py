"""The scoreboard of every co-simulation: what the test bench recorded against the golden cycle model, every cycle."""

import json
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration
from dfarray.golden.cycle import CycleModel
from dfarray.latency import COUNTED
from dfarray.sim.trace_file import RecordLayout
from dfarray.trace import input_signals, output_signals


@dataclass(frozen=True)
class Mismatch:
    """The first difference between RTL and golden model.

    Attributes
    ----------
    cycle : int
        Clock cycles after reset.
    tile, lane : int or None
        None for signals of the whole array.
    signal : str
    expected, got : int
    """

    cycle: int
    tile: int | None
    lane: int | None
    signal: str
    expected: int
    got: int

    def __str__(self) -> str:
        place = [f"tile {self.tile}"] if self.tile is not None else []
        place += [f"lane {self.lane}"] if self.lane is not None else []
        return f"cycle {self.cycle} {' '.join([*place, self.signal])}: expected {self.expected}, got {self.got}"


class MismatchError(AssertionError):
    """RTL and golden model disagree.

    Attributes
    ----------
    first : Mismatch
    count : int
        Differing signals in that cycle.
    """

    def __init__(self, first: Mismatch, count: int):
        super().__init__(f"{first} ({count} signals differ in this cycle)")
        self.first, self.count = first, count


class Scoreboard(ABC):
    """Follows the recorded cycles with the golden cycle model.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Initial weights.
    layout : RecordLayout

    Attributes
    ----------
    model : CycleModel
    cycles : int
        Compared so far.
    macs : list of int
        What the model counted up to where each read of MACS_LOW found it.
    """

    def __init__(self, config: Configuration, weights, layout: RecordLayout):
        self.model = CycleModel(config, weights)
        # No cycle yet, but numba loads what it needs here, in the caller's thread: modules that a comparing thread
        # imports would be parsed beside the simulation's own, which CPython 3.11 does not stand.
        nothing = np.zeros((0, len(input_signals(config))), dtype=np.int64)
        self.model.advance_packed(nothing)
        self.model.advance_signature(nothing)
        self.cycles = 0
        self.macs: list[int] = []
        self._layout = layout
        self._signals = output_signals(config)
        self._waiting = np.zeros((0, self.record_words), dtype=np.uint64)

    @property
    @abstractmethod
    def record_words(self) -> int:
        """64-bit words a recorded cycle."""

    def figures(self) -> dict:
        """What was compared, for the report."""
        return {
            "cycles_checked": self.cycles,
            "signals_per_cycle": len(self._signals),
            "signature": self.model.signature,
            "model_macs": self.macs,
        }

    def follow(self, records: np.ndarray) -> None:
        """Compare the next cycles, all but the last few.

        A look at MACS finds what was decided some cycles before: to know what the model counted then, it is stopped
        there, so the last cycles wait until it is known what is looked at after them.

        Parameters
        ----------
        records : uint64 array (cycles, record_words)

        Raises
        ------
        MismatchError
            At the first difference.
        """
        records = np.concatenate([self._waiting, records])
        if len(records) < COUNTED:
            self._waiting = records
            return
        inputs, read = self._layout.unpack_inputs(records)
        done, ahead = 0, COUNTED - 1
        for stop in np.flatnonzero(read[ahead:]).tolist():
            self._compare_part(inputs[done:stop], records[done:stop])
            self.macs.append(self.model.counters["MACS"])
            done = stop
        self._compare_part(inputs[done:-ahead], records[done:-ahead])
        self._waiting = records[-ahead:].copy()

    def finish(self) -> None:
        """Compare the cycles that wait."""
        inputs, _ = self._layout.unpack_inputs(self._waiting)
        self._compare_part(inputs, self._waiting)
        self._waiting = self._waiting[:0]

    def _compare_part(self, inputs: np.ndarray, records: np.ndarray) -> None:
        if len(inputs):
            self._compare(np.ascontiguousarray(inputs), records[:, self._layout.inputs.words :])
            self.cycles += len(inputs)

    @abstractmethod
    def _compare(self, inputs: np.ndarray, got: np.ndarray) -> None:
        """Advance the model and compare what was recorded after the inputs."""


class TraceScoreboard(Scoreboard):
    """Compares every signal: packed, and one by one where a word differs."""

    @property
    def record_words(self) -> int:  # noqa: D102 (the base class says it)
        return self._layout.words

    def _compare(self, inputs, got):
        expected = self.model.advance_packed(inputs)
        if np.array_equal(expected, got):
            return
        row = int(np.argmax((expected != got).any(axis=1)))
        expected_values, got_values = (
            self._layout.outputs.unpack(words[row : row + 1])[0] for words in (expected, got)
        )
        columns = np.flatnonzero(expected_values != got_values)
        signal = self._signals[columns[0]]
        values = int(expected_values[columns[0]]), int(got_values[columns[0]])
        first = Mismatch(self.cycles + row, signal.tile, signal.lane, signal.name, *values)
        raise MismatchError(first, len(columns))


class SignatureScoreboard(Scoreboard):
    """Compares the signature of every cycle."""

    @property
    def record_words(self) -> int:  # noqa: D102 (the base class says it)
        return self._layout.signed_words

    def _compare(self, inputs, got):
        expected = self.model.advance_signature(inputs)
        different = np.flatnonzero(expected != got[:, 0])
        if len(different):
            row = int(different[0])
            values = int(expected[row]), int(got[row, 0])
            raise MismatchError(Mismatch(self.cycles + row, None, None, "signature", *values), 1)


def save_mismatch(error: MismatchError, path: Path) -> None:
    """Leave the first mismatch for the process that started the simulation."""
    path.write_text(json.dumps({**asdict(error.first), "signals": error.count}), encoding="utf-8")
