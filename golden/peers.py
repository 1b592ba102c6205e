"""Other programs that train the same network one sample at a time; each is used if it is installed."""

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from dfarray.configuration import Configuration

INSTALL = (
    "pip install torch==2.13.0; pip install setuptools wheel; "
    "pip install --no-deps --no-build-isolation biotorch==0.0.16"
)


def installed(config: Configuration, x: np.ndarray, labels: np.ndarray) -> dict[str, Callable[[], object]]:
    """Trainings of PyTorch and BioTorch over some samples, by name.

    Parameters
    ----------
    x : float32 array (samples, n_0)
    labels : int array (samples,)

    Both get the network's shape, plain SGD with the configured rate, cross-entropy, and one thread.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return {}
    torch.set_num_threads(1)
    found: dict[str, Callable[[], object]] = {
        "PyTorch autograd, backpropagation": _Peer(torch, config, x, labels).train
    }
    try:
        bio = importlib.import_module("biotorch.module.biomodule")
    except ImportError:
        return found
    return found | {"BioTorch, dense DFA": _BioTorch(torch, bio, config, x, labels).train}


class _Peer:
    """PyTorch as a user writes it."""

    def __init__(self, torch, config: Configuration, x: np.ndarray, labels: np.ndarray):
        self._torch, self._loss = torch, torch.nn.functional.cross_entropy
        layers: list = []
        widths = config.network.layers
        for fan_in, fan_out in pairwise(widths):
            layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.Tanh()]
        self._model = torch.nn.Sequential(*layers[:-1])
        self._x, self._labels = torch.from_numpy(x.copy()), torch.from_numpy(labels.copy())
        self._rate = config.training.learning_rate
        self._optimiser = torch.optim.SGD(self._model.parameters(), lr=self._rate)

    def train(self) -> None:
        """Train on all samples, one at a time."""
        for k in range(len(self._x)):
            self._optimiser.zero_grad()
            self._step(self._x[k : k + 1], self._labels[k : k + 1]).backward()
            self._optimiser.step()

    def _step(self, x, label):
        return self._loss(self._model(x), label)


class _BioTorch(_Peer):
    def __init__(self, torch, bio, config: Configuration, x: np.ndarray, labels: np.ndarray):
        super().__init__(torch, config, x, labels)
        with contextlib.redirect_stdout(io.StringIO()):
            self._model = bio.BioModule(self._model, mode="dfa", output_dim=config.network.classes)
        self._optimiser = torch.optim.SGD(self._model.parameters(), lr=self._rate)

    def train(self) -> None:
        """Train as the base class does, without what its hooks are warned of once."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            super().train()

    def _step(self, x, label):
        return self._loss(self._model(x, targets=label, loss_function=self._loss), label)
