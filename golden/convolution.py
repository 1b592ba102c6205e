"""Convolutional networks that learn by direct feedback alignment, in PyTorch: the paper's own systems.

A layer is a convolution or a full connection, its activation, and after some convolutions a 2x2 maximum. The error
e = softmax(z) - y reaches every hidden layer directly: ``delta = f'(a) * (e B^T)``, B (outputs of the layer, C) drawn
as for full connections, every position of every map a neuron; the pooled layers hear it before pooling. Within a layer
the gradient of a shared kernel is the sum over positions, as always.

Source: Crafton et al. 2019, and its code, https://github.com/bcrafton/ssdfa, for the networks.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from dfarray.configuration import Activation
from dfarray.golden.draws import Draw, Start, sparse_feedback
from dfarray.golden.rules import Rule

INSTALL = "convolution needs PyTorch; install with: pip install torch==2.13.0"


@dataclass(frozen=True)
class Convolution:
    """A layer of ``maps`` kernels of ``kernel`` x ``kernel``, stride 1, as large as its input; pooled by 2x2 or not."""

    maps: int
    kernel: int
    pooled: bool = False


@dataclass(frozen=True)
class Architecture:
    """Input planes and side, convolutions, widths of the fully connected hidden layers, classes."""

    planes: int
    side: int
    convolutions: tuple[Convolution, ...]
    hidden: tuple[int, ...]
    classes: int


ARCHITECTURES = {
    "mnist": Architecture(1, 28, (Convolution(32, 3), Convolution(64, 3, True)), (128,), 10),
    "cifar-10": Architecture(
        3, 32, (Convolution(96, 5, True), Convolution(128, 5, True), Convolution(256, 5, True)), (2048, 2048), 10
    ),
}
"""The paper's convolutional networks; Fashion-MNIST and CIFAR-100 take those of MNIST and CIFAR-10."""


def architecture_of(data: str, classes: int) -> Architecture:
    """The paper's network for a data set.

    Raises
    ------
    ValueError
        If the paper has none.
    """
    name = data.partition(":")[0]
    kin = {"fashion-mnist": "mnist", "cifar-100": "cifar-10"}
    found = ARCHITECTURES.get(kin.get(name, name))
    if found is None:
        raise ValueError(f"convolutional networks are for {', '.join((*ARCHITECTURES, *kin))}, not {data!r}")
    return Architecture(found.planes, found.side, found.convolutions, found.hidden, classes)


class ConvolutionalLearner:
    """Layers, the rule that changes them, and its fixed feedback.

    Parameters
    ----------
    architecture : Architecture
    rule : Rule
        Feedback alignment is not among them: it has no feedback of its own here.
    seed : int
        Draws weights and feedback.
    nonzeros, draw, scale
        Of the feedback, see :func:`dfarray.golden.draws.sparse_feedback`; s counts for sparse DFA only.
    start : Start
        Of the weights; biases start at zero.
    precision : str
        ``"float32"``, or ``"float64"``.

    Attributes
    ----------
    parameters : list of (weight, bias) tensors, a layer each

    Raises
    ------
    ValueError
        If the rule is feedback alignment.
    RuntimeError
        If PyTorch is not installed.
    """

    def __init__(
        self,
        architecture: Architecture,
        rule: Rule,
        seed: int,
        *,
        activation: Activation = Activation.TANH,
        nonzeros: int = 1,
        draw: Draw = Draw.BALANCED,
        scale: float = 1.0,
        start: Start = Start.FAN_IN,
        precision: str = "float32",
    ):
        if rule is Rule.FEEDBACK_ALIGNMENT:
            raise ValueError(
                "convolutional layers learn by backpropagation or the direct rules, not feedback-alignment"
            )
        self._torch = _torch()
        self._dtype = getattr(self._torch, precision)
        self.architecture, self.rule, self._activation = architecture, rule, activation
        rng = np.random.default_rng(seed)
        shapes, outputs = _shapes(architecture)
        self.parameters = [self._drawn(start, shape, rng) for shape in shapes]
        heard = nonzeros if rule is Rule.SPARSE_DFA else architecture.classes
        classes = architecture.classes
        self.feedback = [
            self._torch.from_numpy(sparse_feedback(draw, n, classes, heard, classes, scale, rng)).to(self._dtype)
            for n in (outputs if rule.direct else ())
        ]

    def _drawn(self, start: Start, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Any, Any]:
        fan_in, fan_out = int(np.prod(shape[1:])), shape[0] * int(np.prod(shape[2:]))
        limit = {Start.ZERO: 0.0, Start.GLOROT: np.sqrt(6 / (fan_in + fan_out)), Start.FAN_IN: fan_in**-0.5}[start]
        weight = self._torch.from_numpy(rng.uniform(-limit, limit, shape)).to(self._dtype)
        return weight.requires_grad_(), self._torch.zeros(shape[0], dtype=self._dtype, requires_grad=True)

    def forward(self, x: np.ndarray, *, local: bool = False) -> tuple[list[Any], Any]:
        """Answer samples.

        Parameters
        ----------
        x : array (samples, planes * side * side)
        local : bool
            Cut the layers apart, so that no gradient passes from one to the one below.

        Returns
        -------
        (list of tensors: hidden activations, before pooling; tensor (samples, C): logits)
        """
        torch, shape = self._torch, self.architecture
        below = torch.from_numpy(np.ascontiguousarray(x)).to(self._dtype)
        below = below.reshape(-1, shape.planes, shape.side, shape.side)
        activations = []
        for index, (weight, bias) in enumerate(self.parameters):
            below = below.detach() if local else below
            convolution = shape.convolutions[index] if index < len(shape.convolutions) else None
            if convolution is not None:
                z = torch.nn.functional.conv2d(below, weight, bias, padding=convolution.kernel // 2)
            else:
                z = below.flatten(1) @ weight.T + bias
            if index == len(self.parameters) - 1:
                return activations, z
            below = self._activate(z)
            activations.append(below)
            if convolution is not None and convolution.pooled:
                below = torch.nn.functional.max_pool2d(below, 2)
        raise AssertionError("an architecture ends in its output layer")

    def _activate(self, z):
        torch = self._torch
        return {Activation.TANH: torch.tanh, Activation.HARD_TANH: torch.nn.functional.hardtanh}.get(
            self._activation, torch.relu
        )(z)

    def gradients(self, x: np.ndarray, labels: np.ndarray, rule: Rule | None = None) -> list[tuple[Any, Any]]:
        """What the rule takes for the loss's gradient, the mean over the samples: (weight, bias) of every layer."""
        torch, rule = self._torch, rule or self.rule
        activations, logits = self.forward(x, local=rule.direct)
        targets = torch.nn.functional.one_hot(torch.from_numpy(labels.copy()), logits.shape[1]).to(self._dtype)
        error = (torch.softmax(logits.detach(), 1) - targets) / len(x)
        parameters = [tensor for layer in self.parameters for tensor in layer]
        if rule is Rule.BACKPROPAGATION:
            outputs, told = [logits], [error]
        else:
            heard = {Rule.DRTP: -targets / len(x), Rule.SIGN_DFA: torch.sign(error) / len(x)}.get(rule, error)
            told = [(heard @ matrix.T).reshape(a.shape) for matrix, a in zip(self.feedback, activations, strict=True)]
            outputs, told = [*activations, logits], [*told, error]
        found = torch.autograd.grad(outputs, parameters, told)
        return list(zip(found[::2], found[1::2], strict=True))

    def train(self, x: np.ndarray, labels: np.ndarray, *, rate: float, batch: int) -> None:
        """Learn from samples in order by plain SGD, ``batch`` at a time; the last batch may be smaller."""
        for begin in range(0, len(x), batch):
            part = slice(begin, begin + batch)
            steps = self.gradients(x[part], labels[part])
            with self._torch.no_grad():
                for layer, step in zip(self.parameters, steps, strict=True):
                    for tensor, gradient in zip(layer, step, strict=True):
                        tensor -= rate * gradient

    def accuracy(self, x: np.ndarray, labels: np.ndarray, portion: int = 500) -> float:
        """Share of samples answered correctly."""
        right = 0
        with self._torch.no_grad():
            for begin in range(0, len(x), portion):
                logits = self.forward(x[begin : begin + portion])[1]
                right += int((logits.argmax(1).numpy() == labels[begin : begin + portion]).sum())
        return right / len(x)


def _shapes(architecture: Architecture) -> tuple[list[tuple[int, ...]], list[int]]:
    """Weights of every layer, and outputs of every hidden one."""
    shapes: list[tuple[int, ...]] = []
    outputs: list[int] = []
    planes, side = architecture.planes, architecture.side
    for layer in architecture.convolutions:
        shapes.append((layer.maps, planes, layer.kernel, layer.kernel))
        outputs.append(layer.maps * side * side)
        planes, side = layer.maps, side // 2 if layer.pooled else side
    width = planes * side * side
    for neurons in architecture.hidden:
        shapes.append((neurons, width))
        outputs.append(neurons)
        width = neurons
    return [*shapes, (architecture.classes, width)], outputs


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise RuntimeError(INSTALL) from None
