"""Inputs and trace of a run, by name."""

import numpy as np
from host import Host

from dfarray.configuration import Configuration
from dfarray.golden.cycle import CycleModel
from dfarray.trace import input_signals, output_signals


class Recording:
    """Inputs and trace of a run, by name."""

    def __init__(self, config: Configuration, inputs: np.ndarray, trace: np.ndarray):
        self.config = config
        self.inputs = {signal.name: inputs[:, i] for i, signal in enumerate(input_signals(config))}
        self.trace = {str(signal): trace[:, i] for i, signal in enumerate(output_signals(config))}

    def __getitem__(self, name: str) -> np.ndarray:
        return self.trace[name]

    def cycles(self, name: str) -> list[int]:
        """When a signal is not zero."""
        return np.flatnonzero(self[name]).tolist()

    def changes(self, name: str) -> list[int]:
        """When a register shows another value than the cycle before."""
        return (np.flatnonzero(np.diff(self[name])) + 1).tolist()

    def steps(self, name: str) -> list[tuple[int, int]]:
        return [(cycle, int(self[name][cycle])) for cycle in self.changes(name)]

    def values(self, name: str, cycles) -> list[int]:
        return self[name][cycles].tolist()


def record(config: Configuration, weights, host: Host) -> Recording:
    return Recording(config, *host.run(CycleModel(config, weights)))


def pins(config: Configuration, cycles: int, **columns) -> np.ndarray:
    """Inputs that are zero but for some; ``__`` stands for the dot of a name, values are one number or one a cycle."""
    names = [signal.name for signal in input_signals(config)]
    inputs = np.zeros((cycles, len(names)), dtype=np.int64)
    for name, values in columns.items():
        inputs[:, names.index(name.replace("__", "."))] = values
    return inputs
