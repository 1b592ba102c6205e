"""The paper's comparisons: which trainings each one needs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import log2

from dfarray.configuration import Activation, Configuration, shipped, with_values
from dfarray.golden.draws import Draw, Start
from dfarray.golden.experiments.runs import ConvolutionalRun, MachineRun, MinibatchRun, Run
from dfarray.golden.rules import Rule
from dfarray.schedule import Schedule

RULE_RATES = {
    Rule.BACKPROPAGATION: 0.3,
    Rule.FEEDBACK_ALIGNMENT: 0.3,
    Rule.DFA: 0.1,
    Rule.SPARSE_DFA: 0.1,
    Rule.DRTP: 0.3,
    Rule.SIGN_DFA: 0.1,
}
"""Learning rates of minibatches of 32: of 0.003, 0.01, 0.03, 0.1 and 0.3 the best for 784-150-10 on validation sets."""

PAPER_VALUES_RATE = 0.3
"""Of sparse DFA with the paper's smaller feedback values, chosen likewise."""

CONVOLUTION_RATES = {Rule.BACKPROPAGATION: 0.3, Rule.DFA: 0.1, Rule.SPARSE_DFA: 0.3}


@dataclass(frozen=True)
class Scope:
    """How much is run.

    Attributes
    ----------
    seeds : tuple of int
    quick : bool
        Few epochs on few samples, to see that it works and which way it points.
    """

    seeds: tuple[int, ...]
    quick: bool

    def minibatch(self, data: str, hidden: Iterable[int], rule: Rule, epochs: int, **options) -> tuple[Run, ...]:
        """One float64 run for every seed."""
        if self.quick:
            epochs, options = min(epochs, QUICK_EPOCHS), {"samples": QUICK_SAMPLES} | options
        rate = options.pop("rate", PAPER_VALUES_RATE if options.get("draw") is Draw.PAPER else RULE_RATES[rule])
        return tuple(
            MinibatchRun(data, tuple(hidden), rule, seed, rate, epochs, **options)  # pyright: ignore[reportArgumentType]
            for seed in self.seeds
        )

    def machine(self, data: str, config: Configuration, *, integer: bool = True) -> tuple[Run, ...]:
        """One run for every seed, of weights, order, noise and feedback alike."""
        epochs = min(config.training.epochs, QUICK_EPOCHS) if self.quick else config.training.epochs
        runs = []
        for seed in self.seeds:
            seeded = {"training.seed": seed, "feedback.seed": seed, "training.epochs": epochs}
            samples = QUICK_SAMPLES if self.quick else None
            runs.append(MachineRun(data, with_values(config, seeded), integer, samples))
        return tuple(runs)


QUICK_EPOCHS, QUICK_SAMPLES = 2, 6000
TRANSFER_SAMPLES, QUICK_TRANSFER_SAMPLES = "10000:2000", "1000:500"


@dataclass(frozen=True)
class Case:
    """One line of a table: what it is called, column by column, and its runs, one a seed."""

    labels: dict[str, str]
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Comparison:
    """A table of cases.

    Attributes
    ----------
    title : str
    cases : tuple of Case
    plot : str
        ``points``; ``lines`` over ``axis``; ``angles`` over samples.
    axis : str
        Column that is the horizontal axis of lines.
    note : str
        What a reader must know to read the table.
    """

    title: str
    cases: tuple[Case, ...]
    plot: str = "points"
    axis: str = ""
    note: str = ""

    def limited_to(self, data: str) -> "Comparison":
        """Only the cases on one data set.

        Raises
        ------
        ValueError
            If there are none.
        """
        names = list(dict.fromkeys(case.runs[0].data for case in self.cases))
        if data not in names:
            raise ValueError(f"{self.title} uses the data sets {', '.join(names)}, not {data!r}")
        return replace(self, cases=tuple(case for case in self.cases if case.runs[0].data == data))


def accuracy(scope: Scope) -> Comparison:
    """Every rule on MNIST, Fashion-MNIST and digits, and the machine at its shipped settings."""
    cases = []
    for data, hidden, epochs in (("digits", 60, 60), ("mnist", 150, 20), ("fashion-mnist", 150, 20)):
        for rule in Rule:
            runs = scope.minibatch(data, [hidden], rule, epochs)
            cases.append(_case(data, f"{rule}, float64, batch 32", runs))
            if rule is Rule.SPARSE_DFA:
                runs = scope.minibatch(data, [hidden], rule, epochs, draw=Draw.PAPER)
                cases.append(_case(data, f"{rule}, the paper's values, float64, batch 32", runs))
        for integer in (False, True):
            kind = "integer, as the RTL" if integer else "float64"
            runs = scope.machine(data, shipped(data), integer=integer)
            cases.append(_case(data, f"sparse-dfa, shipped settings, {kind}, batch 1", runs))
    unshifted = with_values(shipped("mnist"), {"training.shift": 0})
    for integer in (False, True):
        kind = "integer, as the RTL" if integer else "float64"
        runs = scope.machine("mnist", unshifted, integer=integer)
        cases.append(_case("mnist", f"sparse-dfa, shipped settings without shifts, {kind}, batch 1", runs))
    cases.append(
        _case("mnist", "784-32-10, shipped, integer, as the RTL", scope.machine("mnist", shipped("icebreaker")))
    )
    adam = {"rate": 0.01, "adam_epsilon": 1.0, "schedule": Schedule.CONSTANT, "draw": Draw.PAPER}
    settings = {
        Rule.BACKPROPAGATION: {"activation": Activation.RELU, "start": Start.GLOROT},
        Rule.DFA: {"start": Start.ZERO},
        Rule.SPARSE_DFA: {"start": Start.ZERO},
    }
    for rule, options in settings.items():
        runs = scope.minibatch("mnist", [400], rule, 10, **adam, **options)
        cases.append(_case("mnist", f"{rule}, 784-400-10, the paper's Adam, float64, batch 32", runs))
    note = (
        "One hidden layer of 150 tanh neurons (60 for digits) unless a line says otherwise; 20 epochs (digits: 60), "
        "linearly falling rates, initial weights U(+-1/sqrt(fan-in)). The machine's lines are `configs/mnist.toml`, "
        "`fashion-mnist.toml`, `digits.toml` and `icebreaker.toml`. The paper's Adam: rate 0.01, epsilon 1, 10 of its "
        "300 epochs; DFA from all-zero weights, backpropagation with ReLU."
    )
    return Comparison("Accuracy by learning rule", tuple(cases), note=note)


def sparsity(scope: Scope) -> Comparison:
    """Nonzeros s a neuron, the paper's values and balanced ones, rank of the feedback; one and two layers deep."""
    cases = []
    for hidden in ((150,), (150, 150)):
        network = "-".join(map(str, (784, *hidden, 10)))
        for draw in Draw:
            for nonzeros in (1, 2, 3, 5, 10):
                scale = 1.0 if draw is Draw.PAPER else 2.0 ** round(-log2(nonzeros) / 2)
                runs = scope.minibatch("mnist", hidden, Rule.SPARSE_DFA, 5, draw=draw, nonzeros=nonzeros, scale=scale)
                cases.append(Case({"network": network, "values": draw, "s": str(nonzeros), "rank": "10"}, runs))
        for rank in (1, 2, 5):
            runs = scope.minibatch("mnist", hidden, Rule.SPARSE_DFA, 5, draw=Draw.BALANCED, rank=rank)
            cases.append(Case({"network": network, "values": Draw.BALANCED, "s": "1", "rank": str(rank)}, runs))
    note = (
        "MNIST, float64, batch 32, 5 epochs, rate falling linearly from 0.1 (the paper's values: 0.3). Balanced "
        "values are +- the power of two next to 1/sqrt(s); the paper's are U(+-(10 s)^(1/4) / sqrt(n)). Rank: how "
        "many of the ten classes feed back at all."
    )
    return Comparison("Accuracy against sparsity and rank", tuple(cases), plot="lines", axis="s", note=note)


def precision(scope: Scope) -> Comparison:
    """Widths of weights, activations and deltas, and both roundings, in the integer model."""
    base = with_values(shipped("mnist"), {"training.shift": 0, "training.epochs": 10})
    cases = []

    def add(varied: str, bits: int, rounding: str, values: dict[str, object]) -> None:
        config = with_values(base, {"training.rounding": rounding, **values})
        formats = config.formats
        labels = {"varied": varied, "bits": str(bits), "rounding": rounding}
        labels |= {name: str(getattr(formats, name)) for name in ("weight", "activation", "delta")}
        cases.append(Case(labels, scope.machine("mnist", config)))

    for rounding in ("nearest", "stochastic"):
        for bits in (8, 10, 12, 14, 16, 18):
            add("weight", bits, rounding, {"formats.weight": f"Q2.{bits - 3}"})
        for bits in (3, 5, 7, 9):
            add("activation", bits, rounding, {"formats.activation": f"Q0.{bits - 1}"})
        for bits in (8, 10, 12, 14, 18):
            add("delta", bits, rounding, {"formats.delta": f"Q-4.{bits + 3}"})
        add("delta, no negative integer bits", 18, rounding, {"formats.delta": "Q0.17"})
    note = "MNIST, 784-150-10, integer model, batch 1, `configs/mnist.toml` without shifts, 10 epochs."
    return Comparison("Accuracy against bit widths and rounding", tuple(cases), plot="lines", axis="bits", note=note)


def angles(scope: Scope) -> Comparison:
    """Angle between a rule's and backpropagation's update of the hidden layers, through training."""
    cases = []
    for rule in Rule:
        if rule is not Rule.BACKPROPAGATION:
            runs = scope.minibatch("mnist", (150, 150), rule, 5, angles=8)
            cases.append(_case("mnist", rule, runs))
    runs = scope.minibatch("mnist", (150, 150), Rule.SPARSE_DFA, 5, angles=8, draw=Draw.PAPER)
    cases.append(_case("mnist", "sparse-dfa, the paper's values", runs))
    note = (
        "MNIST, 784-150-150-10, float64, batch 32, 5 epochs. Degrees between the updates that the rule and "
        "backpropagation ask of the hidden layers for the first 1,000 training samples, at the same weights: 90 is "
        "what unrelated updates have, below it the loss falls."
    )
    return Comparison("Angle to backpropagation's update", tuple(cases), plot="angles", note=note)


def transfer(scope: Scope) -> Comparison:
    """Frozen convolutional features against raw pixels, on the same few samples."""
    cases = []
    for data in ("mnist", "fashion-mnist"):
        some = f"{data}:{QUICK_TRANSFER_SAMPLES if scope.quick else TRANSFER_SAMPLES}"
        for inputs, name in (("raw pixels", some), ("frozen features", f"{some}@efficientnet-lite0")):
            for rule in (Rule.BACKPROPAGATION, Rule.DFA, Rule.SPARSE_DFA):
                runs = scope.minibatch(name, [128], rule, 30)
                cases.append(Case({"data": data, "inputs": inputs, "rule": f"{rule}, float64, batch 32"}, runs))
        runs = scope.machine(f"{some}@efficientnet-lite0", shipped("transfer"))
        cases.append(Case({"data": data, "inputs": "frozen features", "rule": "sparse-dfa, integer, batch 1"}, runs))
    note = (
        "The first 10,000 training and 2,000 test samples. Features: the 1,280 pooled outputs of EfficientNet-Lite0, "
        "trained on ImageNet and frozen; head 1280-128-10 (raw pixels: 784-128-10), 30 epochs, rates falling "
        "linearly; the integer line is `configs/transfer.toml`."
    )
    return Comparison("Transfer: frozen features against raw pixels", tuple(cases), note=note)


def convolution(scope: Scope) -> Comparison:
    """DFA through convolutional layers, against fully connected ones, on the same few samples."""
    cases, data = [], f"mnist:{TRANSFER_SAMPLES}"
    epochs, samples = (1, 2000) if scope.quick else (5, None)
    for rule, rate in CONVOLUTION_RATES.items():
        runs = tuple(ConvolutionalRun(data, rule, seed, rate, epochs, samples=samples) for seed in scope.seeds)
        cases.append(Case({"data": data, "layers": "3x3x32, 3x3x64, pool, 128, 10", "rule": rule}, runs))
        runs = scope.minibatch(data, [128], rule, epochs)
        cases.append(Case({"data": data, "layers": "784, 128, 10", "rule": rule}, runs))
    note = (
        "The first 10,000 training and 2,000 test samples of MNIST, 5 epochs, batch 32, rate falling linearly (from "
        "0.3; dense DFA, and sparse DFA without convolutions, 0.1). The convolutional network is the paper's (float32, "
        "the paper's feedback values); the fully connected one float64."
    )
    return Comparison("DFA through convolutional layers", tuple(cases), note=note)


COMPARISONS: dict[str, Callable[[Scope], Comparison]] = {
    "accuracy": accuracy,
    "sparsity": sparsity,
    "precision": precision,
    "angle": angles,
    "transfer": transfer,
    "convolution": convolution,
}


def _case(data: str, rule: str, runs: tuple[Run, ...]) -> Case:
    return Case({"data": data, "rule": rule}, runs)
