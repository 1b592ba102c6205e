"""A board as an engine of a training session."""

import time
from collections.abc import Callable

import numpy as np

from dfarray.configuration import Configuration
from dfarray.console import CheckError
from dfarray.fpga.host.accelerator import Accelerator
from dfarray.fpga.host.samples import choose_layout, payload_bytes
from dfarray.fpga.link.protocol import COUNTER_BITS, COUNTERS, REJECTIONS
from dfarray.golden.integer import IntegerNetwork
from dfarray.learning_rate import LearningRate
from dfarray.line import BITS, sample_line_bytes
from dfarray.throughput import dense_pace, event_pace
from dfarray.timetable import WARM_UP, event_work

EVENT_SAMPLES = 1_000
"""Samples that are looked at for the array's pace."""


class BoardEngine:
    """A board; see :class:`dfarray.session.Engine`.

    Parameters
    ----------
    config : Configuration
    port : str or serial.Serial
    baud : int
    events : bool or None
        Send samples as events; None: whatever takes fewest bytes.
    test_samples : int
        Test samples that the board answers itself after each epoch. All of them are answered by the integer model with
        the board's weights, and where both answer they must agree.

    Raises
    ------
    LinkError
        By every method.
    """

    def __init__(
        self, config: Configuration, port, *, baud: int = 3_000_000, events: bool | None = None, test_samples: int = 0
    ):
        self._config, self._events, self._test_samples = config, events, test_samples
        self._net = Accelerator(config, port, baud=baud)
        self._weights: list[np.ndarray] | None = None
        self._trained, self._seconds, self._layout, self._sent = 0, 0.0, None, None
        try:
            self._net.restart()
            self._before = self._net.board.counters()
            self._clock, self._baud = self._net.board.clock_and_baud()
        except BaseException:
            self._net.close()
            raise

    def __enter__(self) -> "BoardEngine":
        return self

    def __exit__(self, *_) -> None:
        self._net.close()

    def load(self, weights: list[np.ndarray], noise_state: int) -> None:
        """Take weights and noise state; nothing is pending."""
        self._weights = None
        self._net.restart(weights, noise_state)

    def train(
        self, x: np.ndarray, labels: np.ndarray, *, rate: LearningRate, progress: Callable[[int], object]
    ) -> np.ndarray:
        """Learn samples in order; returns the answers (samples,)."""
        self._weights = None
        self._layout, self._sent = choose_layout(self._config, x, self._events), x[:EVENT_SAMPLES]
        self._net.progress = lambda done, total: progress(done)
        began = time.perf_counter()
        answers = self._net.learn(x, labels, rate, 0, len(x), self._layout)
        self._seconds += time.perf_counter() - began
        self._trained += len(x)
        self._net.progress = None
        return answers

    def flush(self) -> None:
        """Apply what is pending."""
        self._net.board.flush()

    def predict(self, x: np.ndarray, *, progress: Callable[[int], object]) -> np.ndarray:
        """Answer samples, after a flush.

        Raises
        ------
        CheckError
            If board and integer model answer differently.
        """
        model = IntegerNetwork(self._config, self.weights).predict(x)
        tested = x[: self._test_samples]
        if len(tested):
            board = np.array([prediction for prediction, _ in self._net.board.answers(tested, train=False)])
            if wrong := np.flatnonzero(board != model[: len(tested)]).tolist():
                first = wrong[0]
                raise CheckError(
                    f"test sample {first}: the board predicts {board[first]}, the golden model {model[first]}; "
                    f"{len(wrong)} of {len(tested)} differ"
                )
        return model

    @property
    def weights(self) -> list[np.ndarray]:
        """Weight codes, as they are after a flush."""
        if self._weights is None:
            self._weights = self._net.board.weights()
        return self._weights

    @property
    def noise_state(self) -> int:
        """Of the rounding noise; 0 if rounding is nearest. Asked for after a flush."""
        return self._net.board.settled("NOISE")

    def figures(self) -> dict:
        """The run's pace, what limits it, and what was counted."""
        after = self._net.board.counters()
        counted = {name: value - self._before[name] for name, value in after.items()}
        counted |= {name: counted[name] & (1 << COUNTER_BITS) - 1 for name in COUNTERS}
        found: dict = {
            "rejected_frames": sum(counted[name] for name in REJECTIONS),
            "repeated_frames": counted["repeated"],
            "damaged_replies": counted["damaged_replies"],
            "counters": counted,
        }
        if self._layout is None or self._sent is None:
            return found
        limits = self._limits(self._layout, self._sent)
        return (
            limits | {"samples_per_second": self._trained / self._seconds, "layout": self._layout.name.lower()} | found
        )

    def _limits(self, layout, x: np.ndarray) -> dict:
        """What array and line could do each, in samples a second."""
        if self._config.array.zero_skipping and len(x) > 4 * WARM_UP:
            pace = event_pace(self._config, x, event_work(x))
        else:
            pace = dense_pace(self._config)
        core = self._clock / pace.cycles_per_sample
        line = self._baud / BITS / sample_line_bytes(self._config, payload_bytes(self._config, x, layout))
        return {
            "core_samples_per_second": core,
            "link_samples_per_second": line,
            "limited_by": "link" if line < core else "core",
        }
