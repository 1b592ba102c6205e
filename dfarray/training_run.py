"""What the commands ``train`` and ``demo`` do."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfarray.checkpoint import Checkpoint
from dfarray.configuration import Configuration
from dfarray.console import CheckError, note, progress_bar
from dfarray.files import naming
from dfarray.golden.datasets import Dataset, load_dataset
from dfarray.golden.training import check_fits
from dfarray.session import Engine, Finished, Session

DEMO_WAVEFORM_CYCLES = 1200
DEMO_ACCURACY = 0.95


@dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes
    ----------
    weights : list of int32 arrays (n_l, 1 + n_{l-1})
    curves : dict of label to (samples seen, accuracy)
    figures : dict, for JSON
    """

    weights: list[np.ndarray]
    curves: dict[str, tuple[list[float], list[float]]]
    figures: dict

    def save_weights(self, path: Path) -> None:
        """Write ``layer_1``, ``layer_2``, …: weight codes, column 0 the bias."""
        arrays = {f"layer_{layer}": array for layer, array in enumerate(self.weights, 1)}
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(path, allow_pickle=False, **arrays)


def load_checked(config: Configuration, data: str, download: bool) -> Dataset:
    """A data set that fits the network."""
    dataset = load_dataset(data, download=download)
    check_fits(config, dataset)
    return dataset


@dataclass(frozen=True)
class Checkpoints:
    """Where a training is kept, and how often.

    Attributes
    ----------
    save, resume : Path or None
    every : int or None
        See :class:`dfarray.session.Session`; None for the resumed checkpoint's, or only the ends of epochs.
    """

    save: Path | None = None
    resume: Path | None = None
    every: int | None = None

    @property
    def wanted(self) -> bool:
        """Whether anything of it is asked for."""
        return any(value is not None for value in (self.save, self.resume, self.every))


def session_of(
    config: Configuration, dataset: Dataset, epochs: int | None, samples: int | None, checkpoints: Checkpoints
) -> Session:
    """The session that is asked for; what is left open is as in the checkpoint to be resumed, or the default.

    Raises
    ------
    CheckpointError
        If there is no such checkpoint.
    """
    every = checkpoints.every
    if checkpoints.resume is not None:
        run = Checkpoint.load(checkpoints.resume).run
        epochs, samples = epochs or run.epochs, samples or run.samples
        every = run.every if every is None else every
    return Session(config, dataset, epochs or config.training.epochs, samples, every or 0)


def on_golden(session: Session, checkpoints: Checkpoints | None = None) -> Run:
    """Train the golden integer model."""
    from dfarray.golden.engine import GoldenEngine

    finished = _run(session, GoldenEngine(session.config), "train", checkpoints)
    figures = _figures(session, finished)
    if finished.speeds:
        figures["samples_per_second"] = float(np.mean(list(finished.speeds.values())))
    return Run(finished.weights, _curves(finished.records, _size(session)), figures)


def on_rtl_with_checkpoints(
    session: Session, checkpoints: Checkpoints, directory: Path, simulator: str, *, events: bool | None = None
) -> Run:
    """Train on the simulated RTL in one run a checkpoint; compared with the models as :func:`on_rtl` does.

    Raises
    ------
    CheckError
        If they differ.
    """
    from dfarray.sim.engine import DisagreementError, RtlEngine

    engine = RtlEngine(session.config, directory=directory, simulator=simulator, events=events)
    try:
        finished = _run(session, engine, "train on RTL", checkpoints)
    except DisagreementError as error:
        raise CheckError(str(error)) from None
    report = {} if engine.report is None else engine.report.as_dict()
    return Run(finished.weights, _curves(finished.records, _size(session)), report | _figures(session, finished))


def _run(session: Session, engine: Engine, title: str, checkpoints: Checkpoints | None) -> Finished:
    chosen = checkpoints or Checkpoints()
    try:
        with progress_bar(title, session.epochs * _size(session)) as show:
            return session.run(engine, resume=chosen.resume, save=chosen.save, progress=show)
    except KeyboardInterrupt:
        if chosen.save is not None and chosen.save.exists():
            note(f"{chosen.save} is at {Checkpoint.load(chosen.save).place}; go on with --resume {chosen.save}")
        raise


def _size(session: Session) -> int:
    return len(session.dataset.train_x[: session.samples])


def _figures(session: Session, finished: Finished) -> dict:
    return {
        "samples": _size(session) * session.epochs,
        "checkpoint_every": session.every,
        "test_accuracy": finished.records[-1].test_accuracy,
        "train_accuracy": finished.records[-1].train_accuracy,
        "curve": [vars(record) | _speed(finished, record.epoch) for record in finished.records],
    }


def _speed(finished: Finished, epoch: int) -> dict:
    return {"samples_per_second": finished.speeds[epoch]} if epoch in finished.speeds else {}


def on_rtl(
    config: Configuration,
    dataset: Dataset,
    epochs: int,
    samples: int | None,
    directory: Path,
    simulator: str,
    *,
    events: bool | None = None,
    record_cycles: int = 0,
) -> Run:
    """Train on the simulated RTL.

    The signature of every cycle is compared with the cycle model, every logit and the final weights with the integer
    model.

    Parameters
    ----------
    events : bool or None
        Send samples as events; None: if the array skips zeros.
    record_cycles : int
        So many first cycles leave their trace.
    """
    from dfarray.sim.engine import train_rtl

    size = len(dataset.train_x[:samples])
    with progress_bar("train on RTL", epochs * (size + len(dataset.test_x))) as show:
        outcome, records = train_rtl(
            config,
            dataset,
            epochs,
            directory=directory,
            samples=samples,
            events=events,
            record_cycles=record_cycles,
            simulator=simulator,
            progress=show,
        )
    figures = {
        **outcome.report.as_dict(),
        "samples": size * epochs,
        "test_accuracy": records[-1].test_accuracy,
        "train_accuracy": records[-1].train_accuracy,
        "curve": [vars(record) for record in records],
    }
    return Run(outcome.weights, _curves(records, size), figures)


def on_board(
    session: Session,
    checkpoints: Checkpoints,
    port: str,
    *,
    baud: int,
    events: bool | None = None,
    test_samples: int = 1000,
) -> Run:
    """Train a board.

    Parameters
    ----------
    port : str
        Serial port.
    events : bool or None
        Send samples as events; None: whatever takes fewest bytes.
    test_samples : int
        Of the test set, how many the board answers after each epoch, to be compared with the integer model's.
    """
    from dfarray.fpga.host.engine import BoardEngine

    with BoardEngine(session.config, port, baud=baud, events=events, test_samples=test_samples) as engine:
        finished = _run(session, engine, "train on the board", checkpoints)
        figures = engine.figures()
    return Run(finished.weights, _curves(finished.records, _size(session)), figures | _figures(session, finished))


def _curves(records, size: int) -> dict[str, tuple[list[float], list[float]]]:
    seen = [float(record.epoch * size) for record in records]
    return {
        "test set": (seen, [record.test_accuracy for record in records]),
        "training set, while learning": (seen, [record.train_accuracy for record in records]),
    }


def demonstrate(config: Configuration, directory: Path) -> dict:
    """Train the digits on the RTL from random weights; write Verilog, waveform and plot.

    Returns
    -------
    dict : figures; ``passed`` tells whether RTL and model agree and the accuracy is reached.
    """
    import json

    from dfarray.console import plot_accuracy
    from dfarray.sim.waveform import write_waveform

    dataset = load_checked(config, "digits", False)
    run = on_rtl(
        config, dataset, config.training.epochs, None, directory, "verilator", record_cycles=DEMO_WAVEFORM_CYCLES
    )
    manifest = json.loads((directory / "verilog" / "manifest.json").read_text(encoding="utf-8"))
    waveform, plot = directory / "first_samples.vcd", directory / "accuracy.png"
    write_waveform(config, manifest, directory / "run" / "trace.bin", waveform, DEMO_WAVEFORM_CYCLES)
    plot_accuracy(plot, run.curves, "8x8 digits, 64-60-10, trained by the RTL")
    names = (
        "samples",
        "test_accuracy",
        "cycles_per_sample",
        "utilisation",
        "cycles_checked",
        "signals_per_cycle",
        "results_compared",
        "weights_compared",
        "mismatches",
        "first_mismatch",
        "cycles",
        "cycles_per_second",
    )
    figures = {name: run.figures[name] for name in names}
    figures["passed"] = figures["mismatches"] == 0 and figures["test_accuracy"] >= DEMO_ACCURACY
    figures |= {
        "verilog": str(directory / "verilog" / "accelerator.v"),
        "waveform": str(waveform),
        "plot": str(plot),
    }
    return figures
