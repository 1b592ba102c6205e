"""What one simulation shall do, written for the simulator's process and read back there."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration, parse_configuration
from dfarray.learning_rate import LearningRate
from dfarray.placement import from_image, to_image

LAST = np.uint64(1 << 63)
INDEX_SHIFT, LABEL_SHIFT = np.uint64(16), np.uint64(32)


def sample_words(x: np.ndarray, labels: np.ndarray, *, events: bool) -> tuple[np.ndarray, np.ndarray]:
    """What the test bench plays: a 64-bit word a transfer.

    Parameters
    ----------
    x : int array (samples, n_0)
        Activation codes.
    labels : int array (samples,)
    events : bool
        Only nonzero inputs, at least one a sample; otherwise all.

    Returns
    -------
    (uint64 array: value, index, label and last; int array (samples,): transfers up to and including each sample)
    """
    x = np.asarray(x)
    sent = x != 0 if events else np.ones(x.shape, dtype=bool)
    sent[~sent.any(axis=1), 0] = True
    sample, index = np.nonzero(sent)
    words = (x[sample, index].astype(np.int64) & 0xFFFF).astype(np.uint64)
    words |= index.astype(np.uint64) << INDEX_SHIFT
    words |= np.asarray(labels)[sample].astype(np.uint64) << LABEL_SHIFT
    ends = sent.sum(axis=1).cumsum()
    words[ends - 1] |= LAST
    return words, ends


class Mode(StrEnum):
    """How RTL and golden model are compared, in every cycle."""

    TRACE = "trace"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Phase:
    """Consecutive samples with the same settings.

    Attributes
    ----------
    samples : int
    train : bool
    rate : LearningRate
    freeze : int
        Bit l-1 set: layer l does not learn.
    """

    samples: int
    train: bool
    rate: LearningRate
    freeze: int = 0


@dataclass(frozen=True)
class Job:
    """One run of :mod:`dfarray.sim.bench_training`, or of the compiled loop, in ``directory``.

    Attributes
    ----------
    directory : Path
        Holds the job's files; ``verilog_directory`` the manifest.
    config : Configuration
    weights : list of int arrays
        What the banks hold at the start: in the Verilog, or loaded if ``load_weights``.
    phases : tuple of Phase
    mode : Mode
        Every signal is compared, or their signature.
    events : bool
        Samples are played as events, otherwise dense.
    load_weights, dump : bool
        Write the weights through the load command first; read them back at the end.
    seed : int or None
        Written to SEED before anything else; None leaves the generator as reset does.
    gaps : dict
        Of 256 cycles, how many the other side of ``sample_gaps``, ``result_gaps``, ``weight_gaps`` is not there.
    expected_cycles : int
        Rough cycles a sample, for how often to look.
    """

    directory: Path
    verilog_directory: Path
    config: Configuration
    weights: list[np.ndarray]
    phases: tuple[Phase, ...]
    mode: Mode = Mode.TRACE
    events: bool = False
    load_weights: bool = False
    dump: bool = True
    seed: int | None = None
    gaps: dict[str, int] = field(default_factory=dict)
    expected_cycles: int = 1024

    @property
    def samples(self) -> int:
        """Samples of all phases."""
        return sum(phase.samples for phase in self.phases)

    @cached_property
    def manifest(self) -> dict:
        """The generated Verilog's manifest."""
        return json.loads((self.verilog_directory / "manifest.json").read_text(encoding="utf-8"))

    @property
    def trace_path(self) -> Path:
        """The recorded trace."""
        return self.directory / "trace.bin"

    @property
    def signature_path(self) -> Path:
        """The recorded inputs and signatures."""
        return self.directory / "signatures.bin"

    @property
    def mismatch_path(self) -> Path:
        """The first mismatch, if there was one."""
        return self.directory / "mismatch.json"

    @property
    def stream_plusargs(self) -> list[str]:
        """File names for the test bench."""
        names = ("samples", "results", "answers", "weights", "dump")
        return [f"+{name}={self.directory / name}.bin" for name in names]

    @property
    def plusargs(self) -> list[str]:
        """The file names of a cocotb run, which leaves a record of every cycle."""
        name, path = ("trace", self.trace_path) if self.mode is Mode.TRACE else ("signatures", self.signature_path)
        return [*self.stream_plusargs, f"+{name}={path}"]

    @property
    def window(self) -> tuple[int, int] | None:
        """Results of the first phase between which cycles and multiply-accumulates are counted; None for one sample.

        From the second result every sweep carries an update, and at the last but one the next sample still flows.
        """
        samples = self.phases[0].samples
        return (2, samples - 1) if samples > 3 else (1, samples) if samples > 1 else None

    def save(self, x: np.ndarray, labels: np.ndarray) -> Path:
        """Write the job and its samples.

        Parameters
        ----------
        x : int array (samples, n_0)
            Activation codes.
        labels : int array (samples,)

        Returns
        -------
        Path of the job file.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self.discard()
        words, ends = sample_words(x, labels, events=self.events)
        # $fread fills a register from its most significant byte.
        (self.directory / "samples.bin").write_bytes(words.astype(">u8").tobytes())
        np.save(self.directory / "sample_ends.npy", ends)
        np.savez(self.directory / "weights.npz", *self.weights)
        if self.load_weights:
            codes = to_image(self.config, self.weights).astype(np.int64) & 0xFFFFFFFF
            (self.directory / "weights.bin").write_bytes(codes.astype(">u4").tobytes())
        else:
            (self.directory / "weights.bin").write_bytes(b"")
        return self.save_description()

    def save_description(self) -> Path:
        """Write the job file alone; what it names is there."""
        description = {
            "verilog_directory": str(self.verilog_directory),
            "config": self.config.model_dump(mode="json"),
            "phases": [
                [phase.samples, phase.train, phase.rate.mantissa, phase.rate.exponent, phase.freeze]
                for phase in self.phases
            ],
            "mode": self.mode,
            "events": self.events,
            "load_weights": self.load_weights,
            "dump": self.dump,
            "seed": self.seed,
            "gaps": {"sample_gaps": 0, "result_gaps": 0, "weight_gaps": 0, **self.gaps},
            "expected_cycles": self.expected_cycles,
        }
        path = self.directory / "job.json"
        path.write_text(json.dumps(description, indent=1), encoding="utf-8")
        return path

    def discard(self) -> None:
        """Remove what a run left."""
        names = ("results.bin", "answers.bin", "dump.bin", "trace.bin", "signatures.bin")
        for leftover in (*names, "mismatch.json", "outcome.json", "outcome.txt"):
            (self.directory / leftover).unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> "Job":
        """Read a job file."""
        described = json.loads(path.read_text(encoding="utf-8"))
        with np.load(path.parent / "weights.npz") as arrays:
            weights = [arrays[name] for name in arrays.files]
        phases = tuple(
            Phase(samples, train, LearningRate(mantissa, exponent), freeze)
            for samples, train, mantissa, exponent, freeze in described.pop("phases")
        )
        return cls(
            directory=path.parent,
            verilog_directory=Path(described.pop("verilog_directory")),
            config=parse_configuration(described.pop("config")),
            weights=weights,
            phases=phases,
            mode=Mode(described.pop("mode")),
            **described,
        )

    def save_outcome(self, figures: dict) -> None:
        """Leave the bench's figures for the process that started the simulation."""
        (self.directory / "outcome.json").write_text(json.dumps(figures), encoding="utf-8")

    def outcome(self) -> dict:
        """What :meth:`save_outcome` left."""
        return json.loads((self.directory / "outcome.json").read_text(encoding="utf-8"))

    def results(self) -> tuple[np.ndarray, np.ndarray]:
        """Logit codes (samples, classes) and predictions (samples,) of the answered samples."""
        classes = self.config.network.classes
        words = np.fromfile(self.directory / "results.bin", dtype=np.int32)
        # A run that ended early may have ended in the middle of a sample.
        records = words[: len(words) // (2 * classes) * 2 * classes].reshape(-1, classes, 2)
        return records[:, :, 0], records[:, 0, 1]

    def answers(self) -> np.ndarray:
        """Cycles in which the samples' last logits were taken: uint64 (samples,)."""
        return np.fromfile(self.directory / "answers.bin", dtype=np.uint64)

    @cached_property
    def sample_ends(self) -> np.ndarray:
        """Transfers up to and including each sample."""
        return np.load(self.directory / "sample_ends.npy")

    @property
    def image_words(self) -> int:
        """Words of all weights as they are loaded and dumped."""
        array = self.config.array
        return self.config.bank_rows_used * (array.tiles * array.lanes + 1)

    def dumped_weights(self) -> list[np.ndarray]:
        """Weights read back: list of int32 arrays (n_l, 1 + n_{l-1})."""
        words = np.fromfile(self.directory / "dump.bin", dtype=np.int32)
        return from_image(self.config, words.reshape(self.config.bank_rows_used, -1))
