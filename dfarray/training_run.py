"""What the commands ``train`` and ``demo`` do."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration
from dfarray.console import progress_bar
from dfarray.golden.datasets import Dataset, load_dataset
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.training import Epoch, check_fits, train_epochs

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
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"layer_{layer}": array for layer, array in enumerate(self.weights, 1)}
        np.savez_compressed(path, allow_pickle=False, **arrays)


def load_checked(config: Configuration, data: str, download: bool) -> Dataset:
    """A data set that fits the network."""
    dataset = load_dataset(data, download=download)
    check_fits(config, dataset)
    return dataset


def on_golden(config: Configuration, dataset: Dataset, epochs: int, samples: int | None) -> Run:
    """Train the golden integer model."""
    network = IntegerNetwork(config)
    size = len(dataset.train_x[:samples])
    records: list[Epoch] = []
    with progress_bar("train", epochs * size) as show:
        for item in train_epochs(network, dataset, epochs, samples=samples):
            if isinstance(item, Epoch):
                records.append(item)
            else:
                accuracy = f", test {100 * records[-1].test_accuracy:.2f} %" if records else ""
                show(f"epoch {len(records) + 1}{accuracy}", len(records) * size + item)
    figures = {
        "samples": size * epochs,
        "test_accuracy": records[-1].test_accuracy,
        "train_accuracy": records[-1].train_accuracy,
        "samples_per_second": float(np.mean([record.samples_per_second for record in records])),
        "curve": [vars(record) for record in records],
    }
    return Run(network.weights, _curves(records, size), figures)


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
