"""The golden cycle model: every architectural signal in every clock cycle, from docs/architecture.md section 4."""

import numpy as np

from dfarray.configuration import Configuration
from dfarray.event_counters import EVENT_COUNTERS
from dfarray.golden.machine.build import build, layout
from dfarray.golden.machine.clock import run
from dfarray.initial_weights import initial_weights
from dfarray.placement import from_banks
from dfarray.trace import input_signals

_NOTHING = np.zeros(0, dtype=np.uint64)


class CycleModel:
    """Predicts the trace of an accelerator from its recorded inputs.

    Inputs of a cycle are what its pins and register file show in that cycle; its trace depends on them and on earlier
    ones only, so it does not matter in how many pieces a recording is shown, or by which of the ``advance`` methods.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1}) or None
        Initial weights; None for the configuration's.

    Attributes
    ----------
    words : int
        64-bit words of a packed record, see :class:`dfarray.trace_layout.TraceLayout`.

    Raises
    ------
    ValueError
        If the weights do not fit the configuration.
    """

    def __init__(self, config: Configuration, weights: list[np.ndarray] | None = None):
        self.config = config
        self._layout = layout(config)
        self.words = self._layout.words
        self._inputs = len(input_signals(config))
        self._machine = build(config, initial_weights(config) if weights is None else weights)

    @property
    def weights(self) -> list[np.ndarray]:
        """The banks' contents as matrices, all decided packets included."""
        lanes = self._machine.lanes
        return from_banks(self.config, lanes.bank[: self.config.bank_rows_used], lanes.bias)

    @property
    def noise_state(self) -> int:
        """Of the stochastic rounding, all sweeps included whose last row is decided."""
        return int(self._machine.state["noise"][0])

    @property
    def signature(self) -> int:
        """After all cycles so far."""
        return int(self._machine.trace.signature[0])

    @property
    def counters(self) -> dict[str, int]:
        """What was counted so far, by the names of :data:`dfarray.event_counters.EVENT_COUNTERS`.

        An event that a packet brings about counts in the cycle of the packet's decision.
        """
        return {name: int(self._machine.state[name.lower()][0]) for name in EVENT_COUNTERS}

    def advance(self, inputs: np.ndarray) -> np.ndarray:
        """The trace of the next cycles.

        Parameters
        ----------
        inputs : int64 array (cycles, input signals)
            Recorded inputs in the order of :func:`dfarray.trace.input_signals`.

        Returns
        -------
        int64 array (cycles, output signals), in the order of :func:`dfarray.trace.output_signals`.
        """
        return self._layout.unpack(self.advance_packed(inputs))

    def advance_packed(self, inputs: np.ndarray) -> np.ndarray:
        """The trace of the next cycles, packed: uint64 array (cycles, words)."""
        records = np.empty((len(inputs), self.words), dtype=np.uint64)
        run(self._checked(inputs), records, _NOTHING, self._machine)
        return records

    def advance_signature(self, inputs: np.ndarray) -> np.ndarray:
        """The signature after each of the next cycles: uint64 array (cycles,)."""
        signatures = np.empty(len(inputs), dtype=np.uint64)
        run(self._checked(inputs), _NOTHING.reshape(0, self.words), signatures, self._machine)
        return signatures

    def _checked(self, inputs: np.ndarray) -> np.ndarray:
        if inputs.ndim != 2 or inputs.shape[1] != self._inputs:
            raise ValueError(f"inputs must have shape (cycles, {self._inputs}), not {inputs.shape}")
        return np.ascontiguousarray(inputs, dtype=np.int64)
