"""The driver: a board as a classifier, by scikit-learn's conventions."""

import inspect
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration, load_configuration
from dfarray.fpga.host.board import Board, open_port, weights_digest
from dfarray.fpga.host.session import Session
from dfarray.fpga.link.protocol import Format
from dfarray.golden.arithmetic import quantize_inputs
from dfarray.golden.presentation import epoch_samples
from dfarray.initial_weights import initial_weights
from dfarray.learning_rate import LearningRate


class NotFittedError(ValueError, AttributeError):
    """Asked for answers before anything was learnt, and before weights were loaded."""


class Accelerator:
    """A network that trains on a board.

    >>> net = Accelerator("configs/icebreaker.toml", "/dev/ttyUSB1")
    >>> net.fit(train_x, train_y).score(test_x, test_y)

    Constructor arguments are kept as they are and can be read and set by :meth:`get_params` and :meth:`set_params`, so
    that scikit-learn's tools take it as an estimator. The port is opened when it is first needed.

    Parameters
    ----------
    config : Configuration or path
        That of the bitstream.
    port : str or serial.Serial
        Name of the serial port, or one that is open.
    epochs : int or None
        Passes over the training set of :meth:`fit`; None: the configuration's.
    baud : int
    timeout : float
        Seconds without progress after which the board is given up.
    progress : callable(samples done, samples in all) or None

    Attributes
    ----------
    classes_ : array
        Labels, in the order of the outputs.
    n_features_in_ : int
    answers_ : array (samples,)
        What was answered to the latest training samples before each was learnt.

    Raises
    ------
    LinkError, WrongBitstreamError, SessionLostError
        By every method that talks to the board; see :mod:`dfarray.fpga.host.session`.
    """

    def __init__(
        self,
        config: Configuration | str | Path,
        port,
        *,
        epochs: int | None = None,
        baud: int = 3_000_000,
        timeout: float = 30.0,
        progress: Callable[[int, int], object] | None = None,
    ):
        self.config, self.port, self.epochs = config, port, epochs
        self.baud, self.timeout, self.progress = baud, timeout, progress
        self._board: Board | None = None
        self._opened = None

    def get_params(self, deep: bool = True) -> dict:
        """Constructor arguments by name."""
        names = list(inspect.signature(type(self).__init__).parameters)[1:]
        return {name: getattr(self, name) for name in names}

    def set_params(self, **params) -> "Accelerator":
        """Change constructor arguments; the port is opened anew.

        Raises
        ------
        ValueError
            If there is none of a name.
        """
        for name, value in params.items():
            if name not in self.get_params():
                raise ValueError(f"parameter must be one of {', '.join(self.get_params())}, not {name!r}")
            setattr(self, name, value)
        self.close()
        return self

    @property
    def board(self) -> Board:
        """The session with the board, begun when it is first asked for."""
        if self._board is None:
            if isinstance(self.port, str | Path):
                self._opened = open_port(str(self.port), self.baud)
            try:
                self._board = Board(self._configuration(), Session(self._opened or self.port, timeout=self.timeout))
            except BaseException:
                self.close()
                raise
        return self._board

    def close(self) -> None:
        """End the session, and close the port if it was opened here."""
        self._board = None
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def __enter__(self) -> "Accelerator":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _configuration(self) -> Configuration:
        return self.config if isinstance(self.config, Configuration) else load_configuration(Path(self.config))

    def fit(self, X, y) -> "Accelerator":  # noqa: N803
        """Train from the configuration's initial weights: its order of samples, its shifts and its schedule.

        Parameters
        ----------
        X : float array (samples, n_0), in [-1, 1]
        y : array (samples,)
            Labels; at most as many different ones as the network has classes.

        Returns
        -------
        self
        """
        config = self._configuration()
        x, labels = self._checked(X), self._encoded(y, fresh=True)
        if len(x) != len(labels):
            raise ValueError(f"X and y must have as many samples: {len(x)} and {len(labels)}")
        epochs = self.epochs or config.training.epochs
        self.restart()
        for epoch in range(1, epochs + 1):
            order, shown = epoch_samples(config, epoch, x)
            self.learn(
                shown, labels[order], config.training.rate_in(epoch, epochs), (epoch - 1) * len(x), epochs * len(x)
            )
        self.board.flush()
        return self

    def partial_fit(self, X, y, classes=None) -> "Accelerator":  # noqa: N803
        """Go on training with samples in the order in which they are given, at the configuration's first rate.

        Parameters
        ----------
        X, y
            As for :meth:`fit`.
        classes : array or None
            All labels, at the first call; None: 0 .. C - 1.
        """
        if not hasattr(self, "classes_"):
            known = np.arange(self._configuration().network.classes) if classes is None else classes
            self._encoded(known, fresh=True)
            self.restart()
        x, labels = self._checked(X), self._encoded(y, fresh=False)
        if len(x) != len(labels):
            raise ValueError(f"X and y must have as many samples: {len(x)} and {len(labels)}")
        self.learn(x, labels, self._configuration().training.rate, 0, len(x))
        return self

    def restart(self, weights: list[np.ndarray] | None = None, seed: int | None = None) -> None:
        """Give the board its initial weights, or others, and restart the rounding noise.

        Parameters
        ----------
        weights : list of int arrays (n_l, 1 + n_{l-1}) or None
        seed : int or None
            State of the rounding noise; None: the configuration's.
        """
        config = self._configuration()
        weights = initial_weights(config) if weights is None else weights
        # A digest is a few bytes, the weights may be a megabyte.
        if self.board.digest() != weights_digest(config, weights):
            self.board.load_weights(weights)
            if self.board.digest() != weights_digest(config, weights):
                raise RuntimeError("the board's weights are not those that were loaded")
        self.board.set_seed(config.training.seed if seed is None else seed)
        if not hasattr(self, "classes_"):
            self.classes_ = np.arange(config.network.classes)

    def learn(
        self,
        x: np.ndarray,
        labels: np.ndarray,
        rate: LearningRate,
        done: int,
        total: int,
        layout: Format | None = None,
    ) -> np.ndarray:
        """Train on activation codes and class numbers.

        Parameters
        ----------
        done, total : int
            For the progress: samples before these, and in all.
        layout : Format or None
            How samples are packed; None: so that they take fewest bytes.

        Returns
        -------
        int array (samples,): what was answered to each sample before it was learnt.
        """
        self.board.set_learning(rate)
        answers = np.zeros(len(x), dtype=int)
        for place, (prediction, _) in enumerate(self.board.answers(x, labels, train=True, layout=layout)):
            answers[place] = prediction
            self._show(done + place + 1, total)
        self.answers_ = answers
        return answers

    def predict(self, X) -> np.ndarray:  # noqa: N803
        """Labels of samples."""
        return self.classes_[self._infer(X)[0]]

    def decision_function(self, X) -> np.ndarray:  # noqa: N803
        """Logits (samples, classes).

        Raises
        ------
        ValueError
            If the network has more classes than a reply has room for.
        """
        logits = self._infer(X)[1]
        if logits.shape[1] < len(self.classes_):
            raise ValueError(f"a reply holds {logits.shape[1]} logits, not those of {len(self.classes_)} classes")
        scale = 2.0 ** -self._configuration().formats.logit.fraction_bits
        return logits[:, : len(self.classes_)] * scale

    def score(self, X, y) -> float:  # noqa: N803
        """Share of samples that are answered with their label."""
        return float((self.predict(X) == np.asarray(y)).mean())

    def _infer(self, X) -> tuple[np.ndarray, np.ndarray]:  # noqa: N803
        if not hasattr(self, "classes_"):
            raise NotFittedError("nothing was learnt yet: call fit, partial_fit or restart first")
        x, predictions, logits = self._checked(X), [], []
        for prediction, values in self.board.answers(x, train=False):
            predictions.append(prediction)
            logits.append(values)
            self._show(len(predictions), len(x))
        return np.array(predictions, dtype=int), np.array(logits).reshape(len(x), -1)

    def _show(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, total)

    def _checked(self, X) -> np.ndarray:  # noqa: N803
        config, x = self._configuration(), np.asarray(X)
        if x.ndim != 2 or x.shape[1] != config.network.inputs:
            raise ValueError(f"X must have shape (samples, {config.network.inputs}), not {x.shape}")
        if x.dtype.kind not in "fiub" or not np.isfinite(x).all():
            raise ValueError("X must hold finite numbers")
        self.n_features_in_ = x.shape[1]
        return quantize_inputs(config, x)

    def _encoded(self, y, *, fresh: bool) -> np.ndarray:
        labels = np.asarray(y)
        if labels.ndim != 1:
            raise ValueError(f"y must have shape (samples,), not {labels.shape}")
        if fresh:
            found, limit = np.unique(labels), self._configuration().network.classes
            if len(found) > limit:
                raise ValueError(f"y has {len(found)} different labels, the network {limit} outputs")
            whole = labels.dtype.kind in "iu" and found.min(initial=0) >= 0 and found.max(initial=0) < limit
            # Numbers of outputs mean these outputs, also if some do not occur.
            self.classes_ = np.arange(limit) if whole else found
        places = np.searchsorted(self.classes_, labels)
        known = self.classes_[np.minimum(places, len(self.classes_) - 1)] == labels
        if not known.all():
            raise ValueError(f"y holds {labels[~known][0]!r}, which is none of the labels {self.classes_.tolist()}")
        return places
