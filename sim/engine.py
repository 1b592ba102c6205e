"""Training on the simulated RTL, epoch by epoch, with the test set answered by the RTL as well."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.datasets import Dataset
from dfarray.golden.presentation import epoch_samples
from dfarray.sim.cosim import Outcome, cosimulate
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
