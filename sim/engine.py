"""Training on the simulated RTL, epoch by epoch, with the test set answered by the RTL as well."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import Dataset
from dfarray.golden.presentation import epoch_samples
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate
from dfarray.sim.cosim import Outcome, Report, cosimulate
from dfarray.sim.job import Mode, Phase


@dataclass(frozen=True)
class RtlEpoch:
    """Accuracy of the RTL's own answers.

    Attributes
    ----------
    epoch, samples : int
    train_accuracy, test_accuracy : float
    """

    epoch: int
    samples: int
    train_accuracy: float
    test_accuracy: float


def train_rtl(
    config: Configuration,
    dataset: Dataset,
    epochs: int,
    *,
    directory: Path,
    samples: int | None = None,
    record_cycles: int = 0,
    events: bool | None = None,
    simulator: str = "verilator",
    progress: Callable[[str, int], None] = lambda stage, done: None,
) -> tuple[Outcome, list[RtlEpoch]]:
    """Train from the configuration's initial weights.

    Parameters
    ----------
    samples : int or None
        Only so many of the training samples.
    record_cycles, events, simulator
        As for :func:`dfarray.sim.cosim.cosimulate`; the signature of every cycle is compared.
    progress : callable(stage, samples done)
        Training and test samples count alike.

    Returns
    -------
    The run's outcome (weights read back, report) and the accuracy after each epoch.
    """
    x, test_x = quantize_inputs(config, dataset.train_x[:samples]), quantize_inputs(config, dataset.test_x)
    labels = dataset.train_y[:samples]
    orders, sent = zip(*(epoch_samples(config, epoch, x) for epoch in range(1, epochs + 1)), strict=True)
    rates = [config.training.rate_in(epoch, epochs) for epoch in range(1, epochs + 1)]
    phases = tuple(p for rate in rates for p in (Phase(len(x), True, rate), Phase(len(test_x), False, rate)))
    outcome = cosimulate(
        config,
        np.concatenate([part for shown in sent for part in (shown, test_x)]),
        np.concatenate([part for order in orders for part in (labels[order], dataset.test_y)]),
        directory=directory,
        phases=phases,
        simulator=simulator,
        mode=Mode.SIGNATURE,
        record_cycles=record_cycles,
        events=events,
        progress=progress,
    )
    answers = np.split(outcome.predictions, np.cumsum([phase.samples for phase in phases])[:-1])
    curve = [
        RtlEpoch(
            epoch,
            len(x),
            float((answers[2 * epoch - 2] == labels[order]).mean()),
            float((answers[2 * epoch - 1] == dataset.test_y).mean()),
        )
        for epoch, order in enumerate(orders, 1)
    ]
    return outcome, curve


class DisagreementError(RuntimeError):
    """RTL and golden model differ; the message names the first difference."""


class RtlEngine:
    """The simulated RTL; see :class:`dfarray.session.Engine`.

    Each call is a run of the simulator from reset: weights and noise state are written through the registers, samples
    follow, and weights and noise state are read back, which flushes. Between two calls nothing is pending, so only who
    flushes after each call trains as the integer model does.

    Parameters
    ----------
    config : Configuration
    directory : Path
        For Verilog, build and recorded files.
    simulator, events
        As for :func:`dfarray.sim.cosim.cosimulate`; the signature of every cycle is compared.
    stage : callable(text)
        Told what the simulator is doing.
    """

    def __init__(
        self,
        config: Configuration,
        *,
        directory: Path,
        simulator: str = "verilator",
        events: bool | None = None,
        stage: Callable[[str], object] = lambda text: None,
    ):
        self._config, self._directory, self._simulator, self._events = config, directory, simulator, events
        self._stage = stage
        self._weights = initial_weights(config)
        self._noise: int | None = None
        self._reports: list[Report] = []

    def load(self, weights: list[np.ndarray], noise_state: int) -> None:
        """Take weights and noise state."""
        self._weights, self._noise = weights, noise_state

    def train(
        self, x: np.ndarray, labels: np.ndarray, *, rate: LearningRate, progress: Callable[[int], object]
    ) -> np.ndarray:
        """Learn samples in order, and flush; returns the answers (samples,).

        Raises
        ------
        DisagreementError
        """
        return self._run(x, labels, Phase(len(x), True, rate), progress)

    def flush(self) -> None:
        """Nothing is pending."""

    def predict(self, x: np.ndarray, *, progress: Callable[[int], object]) -> np.ndarray:
        """Answer samples.

        Raises
        ------
        DisagreementError
        """
        labels = np.zeros(len(x), dtype=np.int64)
        return self._run(x, labels, Phase(len(x), False, self._config.training.rate), progress)

    @property
    def weights(self) -> list[np.ndarray]:
        """Weight codes."""
        return [array.copy() for array in self._weights]

    @property
    def noise_state(self) -> int:
        """Of the rounding noise; 0 if rounding is nearest.

        Raises
        ------
        ValueError
            If nothing has run yet.
        """
        if self._noise is None:
            raise ValueError("the noise state is read after a run, and there was none")
        return self._noise

    @property
    def report(self) -> Report | None:
        """Of all runs: counts added up, pace and use of the first training, signature of the last run."""
        if not self._reports:
            return None
        summed = ("samples", "cycles", "cycles_checked", "results_compared", "weights_compared")
        seconds = sum(report.cycles / report.cycles_per_second for report in self._reports)
        totals = {name: sum(getattr(report, name) for report in self._reports) for name in summed}
        totals |= {
            name: sum(getattr(report, name) for report in self._reports) for name in ("build_seconds", "run_seconds")
        }
        return replace(
            self._reports[0],
            signature=self._reports[-1].signature,
            cycles_per_second=totals["cycles"] / seconds,
            **totals,
        )

    def _run(self, x, labels, phase: Phase, progress: Callable[[int], object]) -> np.ndarray:
        def shown(stage: str, done: int) -> None:
            self._stage(stage)
            progress(done)

        # The first Verilog has the initial weights, and serves all runs: the others are loaded over them.
        verilog = self._directory / "verilog" if self._reports else None
        outcome = cosimulate(
            self._config,
            x,
            labels,
            directory=self._directory,
            phases=(phase,),
            weights=self._weights,
            simulator=self._simulator,
            verilog=verilog,
            mode=Mode.SIGNATURE,
            events=self._events,
            load_weights=self._noise is not None,
            # With nearest rounding the state is 0, and SEED does nothing.
            seed=self._noise,
            progress=shown,
        )
        if outcome.report.mismatches:
            raise DisagreementError(f"RTL and golden model differ: {outcome.report.described_mismatch}")
        self._weights, self._noise = outcome.weights, outcome.noise_state
        self._reports.append(outcome.report)
        return outcome.predictions
