"""Training samples a second: of the array, of its input stream, and of a serial link."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from dfarray.configuration import Configuration
from dfarray.latency import ACCEPT, MERGE_END
from dfarray.line import BITS, sample_line_bytes
from dfarray.timetable import WARM_UP, SampleWork, dense_work, sample_cycles

BAUD = 3_000_000
"""Of the fastest USB serial ports."""

EVENT_BYTES = 2
"""Of an event on the link: the gap before it, and the value. A dense input is one byte."""


@dataclass(frozen=True)
class Pace:
    """How a configuration trains in a steady stream.

    Attributes
    ----------
    cycles_per_sample : float
    rows, activations, outputs, waiting : float
        Cycles of it, see :class:`dfarray.timetable.SampleCycles`.
    utilisation : float
        Share of multiplier-cycles that work on synapses of rows that are sent.
    input_cycles : float
        Fewest cycles in which the input store takes a sample in, a merge step every N cycles: ``cycles_per_sample`` is
        never less.
    link_bytes : float
        Of a sample, frames included.
    """

    cycles_per_sample: float
    rows: float
    activations: float
    outputs: float
    waiting: float
    utilisation: float
    input_cycles: float
    link_bytes: float

    def samples_per_second(self, mhz: float, baud: int = BAUD) -> dict[str, float]:
        """By what could limit: the array with its input stream, the input stream alone, the serial line."""
        return {
            "array": mhz * 1e6 / self.cycles_per_sample,
            "input_stream": mhz * 1e6 / self.input_cycles,
            "uart": baud / BITS / self.link_bytes,
        }

    def as_dict(self) -> dict[str, float]:
        """The attributes."""
        return asdict(self)


def dense_pace(config: Configuration) -> Pace:
    """Samples of which every input is sent."""
    return _pace(config, None, config.network.inputs)


def event_pace(config: Configuration, x: np.ndarray, work: Sequence[SampleWork]) -> Pace:
    """Samples that come as events.

    Parameters
    ----------
    x : int array (samples, n_0)
        Activation codes, in the order in which they are sent.
    work : sequence of SampleWork
        Theirs, see :func:`dfarray.timetable.event_work`.
    """
    events = np.maximum(1, np.count_nonzero(x[WARM_UP:-1], axis=1)).mean()
    return _pace(config, work, EVENT_BYTES * float(events))


def _pace(config: Configuration, work: Sequence[SampleWork] | None, link_bytes: float) -> Pace:
    cycles = sample_cycles(config, work)
    counted = [dense_work(config)] if work is None else work[WARM_UP:-1]
    entries = float(np.mean([item.entries for item in counted]))
    # A merge ends while its sample's predecessor is swept, so the next sample's counts.
    steps = float(np.mean([item.steps for item in (counted if work is None else work[WARM_UP + 1 :])]))
    unsent = (config.network.inputs - entries) * config.network.layers[1]
    useful = 1 - unsent / config.network.synapses
    return Pace(
        cycles_per_sample=cycles.total,
        rows=cycles.rows,
        activations=cycles.activations,
        outputs=cycles.outputs,
        waiting=cycles.waiting,
        utilisation=useful * config.utilisation(cycles.total),
        input_cycles=2 + ACCEPT + config.merge_interval * steps + MERGE_END,
        link_bytes=sample_line_bytes(config, link_bytes),
    )


def bottleneck(rates: dict[str, float]) -> str:
    """What limits the samples a second: the link, the input stream or the array."""
    if rates["uart"] < rates["array"]:
        return "uart"
    # The array cannot go faster than its input stream, which may be what it waits for.
    return "input_stream" if rates["input_stream"] <= rates["array"] * (1 + 1e-9) else "array"
