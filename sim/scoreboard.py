"""The scoreboard of all cocotb benches: the recorded trace against the golden cycle model, every cycle."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration
from dfarray.golden.cycle import CycleModel
from dfarray.sim.trace_file import TraceReader, layout_of
from dfarray.trace import input_signals, output_signals

CHUNK = 4096


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


class Scoreboard:
    """Compares a growing trace file with the golden cycle model.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Initial weights.
    manifest : dict
        Of the generated Verilog.
    trace : Path
        Written by the test bench.
    """

    def __init__(self, config: Configuration, weights, manifest: dict, trace: Path):
        self.model = CycleModel(config, weights)
        self.cycles = 0
        self._signals = output_signals(config)
        self._inputs = len(input_signals(config))
        self._reader = TraceReader(trace, layout_of(manifest))

    @property
    def signals_per_cycle(self) -> int:
        """Compared signals in each cycle."""
        return len(self._signals)

    def check(self) -> int:
        """Compare every cycle recorded since the last call; returns how many.

        Raises
        ------
        MismatchError
            At the first difference.
        """
        before = self.cycles
        for chunk in self._reader.chunks(CHUNK):
            expected = self.model.advance(np.ascontiguousarray(chunk[:, : self._inputs]))
            self._compare(expected, chunk[:, self._inputs :])
            self.cycles += len(chunk)
        return self.cycles - before

    def _compare(self, expected: np.ndarray, got: np.ndarray) -> None:
        if expected.shape != got.shape:
            raise ValueError(f"the cycle model returned {expected.shape} values, {got.shape} were recorded")
        if np.array_equal(expected, got):
            return
        different = expected != got
        row = int(np.argmax(different.any(axis=1)))
        columns = np.flatnonzero(different[row])
        signal = self._signals[columns[0]]
        first = Mismatch(
            self.cycles + row,
            signal.tile,
            signal.lane,
            signal.name,
            int(expected[row, columns[0]]),
            int(got[row, columns[0]]),
        )
        raise MismatchError(first, len(columns))


def save_mismatch(error: MismatchError, path: Path) -> None:
    """Leave the first mismatch for the process that started the simulation."""
    path.write_text(json.dumps({**asdict(error.first), "signals": error.count}), encoding="utf-8")
