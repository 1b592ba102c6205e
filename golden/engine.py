"""The integer model as an engine of a training session."""

from collections.abc import Callable

import numpy as np

from dfarray.checkpoint import noise_of
from dfarray.configuration import Configuration
from dfarray.golden.integer import IntegerNetwork
from dfarray.golden.noise import first_state
from dfarray.learning_rate import LearningRate


class GoldenEngine:
    """The integer model; see :class:`dfarray.session.Engine`.

    Parameters
    ----------
    config : Configuration

    Attributes
    ----------
    network : IntegerNetwork
    """

    def __init__(self, config: Configuration):
        self.network = IntegerNetwork(config)
        # Compile before any clock runs; a copy learns, so nothing changes.
        nothing = np.zeros((1, config.network.inputs), dtype=np.int16)
        IntegerNetwork(config, self.network.weights).train(nothing, np.zeros(1, dtype=np.int64))

    def load(self, weights: list[np.ndarray], noise_state: int) -> None:
        """Take weights and noise state; nothing is pending."""
        self.network.weights = weights
        self.network.noise_state = first_state(noise_state)

    def train(
        self,
        x: np.ndarray,
        labels: np.ndarray,
        *,
        rate: LearningRate,
        progress: Callable[[int], object] | None = None,
    ) -> np.ndarray:
        """Learn samples in order; returns the answers (samples,)."""
        return self.network.train(x, labels, rate=rate, progress=progress).argmax(axis=1)

    def flush(self) -> None:
        """Apply the pending update."""
        self.network.flush()

    def predict(self, x: np.ndarray, *, progress: Callable[[int], object] | None = None) -> np.ndarray:
        """Answer samples, after a flush."""
        return self.network.predict(x)

    @property
    def weights(self) -> list[np.ndarray]:
        """Weight codes, as they are after a flush."""
        return self.network.weights

    @property
    def noise_state(self) -> int:
        """Of the rounding noise; 0 if rounding is nearest. Asked for after a flush."""
        return noise_of(self.network.config, self.network.noise_state)
