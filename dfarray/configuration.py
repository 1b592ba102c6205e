"""The accelerator's configuration: TOML in, frozen and validated objects out."""

import math
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError, field_validator, model_validator

from dfarray.latency import FAMILIES, Latency
from dfarray.learning_rate import LearningRate
from dfarray.passes import Pass, bank_rows_needed, output_base, passes_of
from dfarray.qformat import QFormat
from dfarray.schedule import Schedule, scheduled_rate


class ConfigurationError(ValueError):
    """A configuration that cannot be built; the message names key, value and what is allowed."""


class Activation(StrEnum):
    """Hidden-layer activation function f; the output layer is linear."""

    TANH = "tanh"
    HARD_TANH = "hard-tanh"
    RELU = "relu"


class ErrorKind(StrEnum):
    """Output error e: softmax(z) - y, or z - y."""

    SOFTMAX_CROSS_ENTROPY = "softmax-cross-entropy"
    MSE = "mse"


class Rounding(StrEnum):
    """How a weight update is brought to the weight's binary point."""

    NEAREST = "nearest"
    STOCHASTIC = "stochastic"


class InitialWeights(StrEnum):
    """Weights before the first sample: U(+-1/sqrt(fan_in)), or zero."""

    UNIFORM = "uniform"
    ZERO = "zero"


class _Section(BaseModel, frozen=True, extra="forbid"):
    """What all sections share: no unknown keys, and values that stay."""


class Network(_Section, frozen=True):
    """Shape and functions of the network.

    Attributes
    ----------
    layers : tuple of int
        Widths n_0 (inputs) .. n_L (classes), at least one of them hidden.
    activation, error, initial_weights
        See the enumerations.
    """

    layers: Annotated[tuple[Annotated[int, Field(ge=1, le=65536)], ...], Field(max_length=17)]
    activation: Activation = Activation.TANH
    error: ErrorKind = ErrorKind.SOFTMAX_CROSS_ENTROPY
    initial_weights: InitialWeights = InitialWeights.UNIFORM

    @field_validator("layers")
    @classmethod
    def _has_hidden_layer(cls, layers: tuple[int, ...]) -> tuple[int, ...]:
        if len(layers) < 3:
            raise ValueError("must be inputs, at least one hidden layer, and classes")
        return layers

    @property
    def inputs(self) -> int:
        """n_0."""
        return self.layers[0]

    @property
    def classes(self) -> int:
        """n_L."""
        return self.layers[-1]

    @property
    def synapses(self) -> int:
        """Weights without biases: the MACs of one forward sweep, and of one update."""
        return sum(n * m for n, m in pairwise(self.layers))


class Array(_Section, frozen=True):
    """The tiled array.

    Attributes
    ----------
    tiles, lanes : int
        T tiles of L lanes; every lane has two multipliers.
    bank_rows : int
        Words a lane's weight bank holds.
    family : str
        Hard-block family, which sets latencies and never the arithmetic.
    zero_skipping : bool
        Whether rows whose activations of both samples are zero are left out.
    """

    tiles: Annotated[int, Field(ge=1, le=1024)]
    lanes: Annotated[int, Field(ge=1, le=256)]
    bank_rows: Annotated[int, Field(ge=2, le=1 << 20)] = 2048
    family: str = "generic"
    zero_skipping: bool = True

    @field_validator("family")
    @classmethod
    def _known_family(cls, family: str) -> str:
        if family not in FAMILIES:
            raise ValueError(f"must be one of {', '.join(FAMILIES)}")
        return family


LARGEST_ACCUMULATOR = 48
"""Bits of the widest accumulator."""

_LARGEST_WIDTHS = {"weight": 32, "activation": 16, "logit": 24, "delta": 32}
"""Bits up to which no intermediate result of the 64-bit golden models can overflow."""


class Formats(_Section, frozen=True):
    """Fixed-point formats, see :class:`dfarray.qformat.QFormat`.

    Attributes
    ----------
    weight, activation, preactivation, logit, error, delta : QFormat
        ``delta`` is the format of the error scalar a tile receives (learning rate included) and of a lane's delta.
    gram : QFormat or "auto"
        The scalar product of two samples' presynaptic activations, by which a pending update is corrected for.
        "auto" is as fine as 18 bits allow without overflow for the widest fan-in.
    accumulator : QFormat or "auto"
        "auto" holds the longest fan-in exactly; a narrower one saturates at every addition. Its fraction bits
        are those of a product, weight + activation.
    """

    weight: QFormat = QFormat(2, 15)
    activation: QFormat = QFormat(0, 8)
    preactivation: QFormat = QFormat(2, 6)
    logit: QFormat = QFormat(6, 6)
    error: QFormat = QFormat(0, 15)
    delta: QFormat = QFormat(0, 17)
    gram: QFormat | Literal["auto"] = "auto"
    accumulator: QFormat | Literal["auto"] = "auto"

    @model_validator(mode="after")
    def _consistent(self) -> "Formats":
        product = self.weight.fraction_bits + self.activation.fraction_bits
        for name, fmt in (("preactivation", self.preactivation), ("logit", self.logit)):
            if fmt.fraction_bits > product:
                raise ValueError(
                    f"{name} = {fmt}: fraction bits must be at most {product}, those of weight x activation"
                )
        if not 0 <= self.update_shift <= 32:
            raise ValueError(
                f"delta = {self.delta}: delta + activation - weight fraction bits is the number of bits an update is "
                f"rounded by and must be 0 to 32, not {self.update_shift}"
            )
        for name, limit in _LARGEST_WIDTHS.items():
            fmt = getattr(self, name)
            if fmt.width > limit:
                raise ValueError(f"{name} = {fmt}: at most {limit} bits are supported, not {fmt.width}")
        if self.preactivation.width > 13:
            raise ValueError(f"preactivation = {self.preactivation}: at most 13 bits, it indexes the activation table")
        if self.logit.fraction_bits > 10:
            raise ValueError(f"logit = {self.logit}: at most 10 fraction bits, they index the exponential table")
        if self.error.integer_bits > 8 or not 4 <= self.error.fraction_bits <= 24:
            raise ValueError(f"error = {self.error}: 0 to 8 integer and 4 to 24 fraction bits are allowed")
        if self.gram != "auto" and (
            self.gram.width > 24 or self.gram.fraction_bits > 2 * self.activation.fraction_bits
        ):
            raise ValueError(
                f"gram = {self.gram}: at most 24 bits and {2 * self.activation.fraction_bits} fraction bits, twice the "
                f"activation's, are supported"
            )
        if self.accumulator != "auto":
            if self.accumulator.fraction_bits != product:
                raise ValueError(
                    f"accumulator = {self.accumulator}: fraction bits must be {product}, those of weight x activation"
                )
            if self.accumulator.width < self.weight.width:
                raise ValueError(
                    f"accumulator = {self.accumulator}: at least the weight's {self.weight.width} bits are needed, "
                    f"not {self.accumulator.width}"
                )
        return self

    @property
    def product_fraction(self) -> int:
        """Fraction bits of weight x activation."""
        return self.weight.fraction_bits + self.activation.fraction_bits

    @property
    def update_shift(self) -> int:
        """Bits dropped from delta x activation to reach the weight's binary point."""
        return self.delta.fraction_bits + self.activation.fraction_bits - self.weight.fraction_bits


def _power_of_two(value: float) -> float:
    exponent = math.log2(value) if value > 0 else math.nan
    if not (exponent == int(exponent) if math.isfinite(exponent) else False) or abs(exponent) > 8:
        raise ValueError(f"must be a power of two from 2**-8 to 2**8, not {value!r}")
    return value


class Feedback(_Section, frozen=True):
    """The sparse feedback matrix B.

    Attributes
    ----------
    nonzeros : int
        s, classes that feed one neuron; s = classes is dense DFA.
    scale : float
        |b|, a power of two.
    seed : int
        Draws classes and signs.
    """

    nonzeros: Annotated[int, Field(ge=1)] = 1
    scale: Annotated[float, AfterValidator(_power_of_two)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1

    @property
    def log2_scale(self) -> int:
        """K of |b| = 2**k."""
        return int(math.log2(self.scale))


class Training(_Section, frozen=True):
    """Defaults of the run-time registers.

    Attributes
    ----------
    learning_rate : float
        eta of the first epoch, brought to the nearest mantissa x 2**-exponent (8 and 5 bits).
    schedule : Schedule
        How eta falls from epoch to epoch.
    halvings : int
        How often the "power-of-two" schedule halves eta.
    rounding : Rounding
        Of weight updates.
    seed : int
        Initial weights, sample order, and the rounding noise.
    epochs : int
        Passes over the training set.
    shift : int
        In each epoch the host shifts every training image, drawn at random, by up to so many pixels in both directions.
    """

    learning_rate: Annotated[float, Field(gt=0)] = 0.005
    schedule: Schedule = Schedule.CONSTANT
    halvings: Annotated[int, Field(ge=0, le=16)] = 3
    rounding: Rounding = Rounding.NEAREST
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1
    epochs: Annotated[int, Field(ge=1)] = 1
    shift: Annotated[int, Field(ge=0, le=8)] = 0

    @field_validator("learning_rate")
    @classmethod
    def _representable(cls, rate: float) -> float:
        LearningRate.nearest(rate)
        return rate

    @property
    def rate(self) -> LearningRate:
        """The learning rate of the first epoch as the registers hold it."""
        return LearningRate.nearest(self.learning_rate)

    def rate_in(self, epoch: int, epochs: int) -> LearningRate:
        """The learning rate of an epoch (from 1) as the registers hold it."""
        return LearningRate.nearest(scheduled_rate(self.schedule, self.learning_rate, epoch, epochs, self.halvings))


class Configuration(_Section, frozen=True):
    """One accelerator: network, array, formats, feedback, training."""

    network: Network
    array: Array
    formats: Formats = Formats()
    feedback: Feedback = Feedback()
    training: Training = Training()

    @model_validator(mode="after")
    def _fits(self) -> "Configuration":
        classes = self.network.classes
        if classes < 2 or classes > 4096:
            raise ValueError(f"network.layers ends in {classes} classes; 2 to 4096 are allowed")
        if self.feedback.nonzeros > classes:
            raise ValueError(f"feedback.nonzeros = {self.feedback.nonzeros}: 1 to {classes}, the classes, are allowed")
        products = max(self.network.layers[:-1]) + 1
        if (products * self.formats.activation.lo**2).bit_length() > 40:
            raise ValueError(f"formats.activation = {self.formats.activation}: too wide for a fan-in of {products - 1}")
        correction = self.formats.delta.width + self.gram.width + max(0, -self.correction_shift)
        if correction > 60:
            raise ValueError(
                f"formats.delta = {self.formats.delta}, formats.gram = {self.gram}: their product needs {correction} "
                f"bits at the accumulator's binary point; at most 60 are supported"
            )
        needed = bank_rows_needed(self.network.layers, self.array.tiles, self.array.lanes)
        if needed > self.array.bank_rows:
            raise ValueError(
                f"array.bank_rows = {self.array.bank_rows}: the network "
                f"{'-'.join(map(str, self.network.layers))} needs {needed} rows a lane on {self.array.tiles} tiles "
                f"of {self.array.lanes} lanes; use more tiles or lanes, or banks of at least {needed} rows"
            )
        terms = max(self.network.layers[:-1]) + 1
        bits = accumulator_bits(self.formats, terms)
        if bits > LARGEST_ACCUMULATOR:
            raise ValueError(
                f"formats.weight = {self.formats.weight}, formats.activation = {self.formats.activation}: "
                f"{terms} products need an accumulator of {bits} bits; at most {LARGEST_ACCUMULATOR} are supported, "
                f"use narrower formats"
            )
        return self

    @property
    def passes(self) -> tuple[Pass, ...]:
        """Every hidden pass of one sample, in the order in which they are swept."""
        return tuple(passes_of(self.network.layers, self.array.tiles, self.array.lanes))

    @property
    def output_groups(self) -> tuple[tuple[Pass, int], ...]:
        """The passes of the last hidden layer, each with the first bank row of its output weights."""
        last = len(self.network.layers) - 2
        base = output_base(self.network.layers, self.array.tiles, self.array.lanes)
        hidden = [item for item in self.passes if item.layer == last]
        return tuple((item, base + index * self.network.classes) for index, item in enumerate(hidden))

    @property
    def bank_rows_used(self) -> int:
        """Rows of a lane's weight bank that the network occupies."""
        return bank_rows_needed(self.network.layers, self.array.tiles, self.array.lanes)

    def utilisation(self, cycles_per_sample: float) -> float:
        """Share of multiplier-cycles that do useful work while training.

        A sample needs one forward and one update multiply-accumulate a synapse (biases do not count); each of the
        T L lanes has two multipliers: 2 synapses / (2 T L cycles).
        """
        return 2 * self.network.synapses / (2 * self.array.tiles * self.array.lanes * cycles_per_sample)

    @property
    def latency(self) -> Latency:
        """Pipeline latencies of the chosen family."""
        return FAMILIES[self.array.family]

    @property
    def preset(self) -> bool:
        """Whether weight banks have contents after configuration; else weights must be loaded first."""
        rows = self.latency.preset_rows
        return rows is None or self.array.bank_rows <= rows

    @property
    def lists(self) -> bool:
        """Whether the input store keeps lists of inputs; else it keeps every input of every sample."""
        return self.array.zero_skipping or not self.latency.serial

    @property
    def waiting(self) -> int:
        """Transfers of samples that wait at most; without lists one is enough, since merge steps are far apart."""
        return self.latency.waiting if self.lists else 1

    @property
    def class_interval(self) -> int:
        """G: cycles from one class to the next, of logits and of g.

        Serially, g is scaled by 8 bits of the learning rate's mantissa and up to 31 places of its exponent.
        """
        formats = self.formats
        spare = max(0, formats.error.fraction_bits - formats.delta.fraction_bits)
        return 41 + spare if self.latency.serial else 1

    @property
    def lane_interval(self) -> int:
        """J: cycles from one lane's DELTA word to the next; serially, it is multiplied by f'."""
        return self.formats.activation.fraction_bits + 3 if self.latency.serial else 1

    @property
    def merge_interval(self) -> int:
        """N: cycles from one merge step to the next; serially, without lists, a product of activations."""
        return 1 if self.lists else self.formats.activation.width + 4

    @property
    def delta_latency(self) -> int:
        """From a DELTA word in a tile to the lane's delta."""
        return self.latency.delta + self.lane_interval

    @property
    def delivery(self) -> int:
        """From the last DELTA word at the head to its walk being done: a row decided then finds the deltas there."""
        return max(0, self.delta_latency - self.latency.fetch)

    @property
    def readout_latency(self) -> int:
        """From the last GRAM row's partial at the exit to the first logit."""
        return self.latency.readout + self.class_interval

    @property
    def first_error(self) -> int:
        """From the last logit to the first g."""
        latency, classes = self.latency, self.network.classes
        softmax = self.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY
        return 2 * self.class_interval + (classes + latency.softmax if softmax else latency.squared)

    @property
    def error_latency(self) -> int:
        """From the last logit to the error unit idle, results permitting: a cycle after the last g."""
        return self.first_error + (self.network.classes - 1) * self.class_interval + 1

    def walk_words(self, tiles: int, lanes: int) -> int:
        """Cycles of a feedback walk's words: ``nonzeros`` for each tile, J for each lane."""
        return tiles * self.feedback.nonzeros + lanes * self.lane_interval

    def feedback_latency(self, tiles: int, lanes: int) -> int:
        """From the start of a feedback walk to its deltas being delivered."""
        words = tiles * self.feedback.nonzeros + (lanes - 1) * self.lane_interval + 1
        return self.latency.walk + words + self.delivery

    @property
    def walk_rest(self) -> int:
        """From a walk's last cycle of words to its end: serially, the next one does not begin before it is done."""
        return max(0, self.latency.walk + self.delivery - self.lane_interval) if self.latency.serial else 0

    @property
    def gram(self) -> QFormat:
        """The gram's format, with "auto" resolved."""
        return (
            automatic_gram(self.formats, max(self.network.layers[:-1]))
            if self.formats.gram == "auto"
            else self.formats.gram
        )

    @property
    def correction_shift(self) -> int:
        """Bits by which delta x gram is rounded to reach the accumulator's binary point; negative: shifted left."""
        formats = self.formats
        return formats.delta.fraction_bits + self.gram.fraction_bits - formats.product_fraction

    @property
    def accumulator(self) -> QFormat:
        """The accumulator's format, with "auto" resolved to the exact one."""
        exact = exact_accumulator(self.formats, max(self.network.layers[:-1]) + 1)
        return exact if self.formats.accumulator == "auto" else self.formats.accumulator

    @property
    def accumulator_saturates(self) -> bool:
        """Whether a sum of the longest fan-in can leave the accumulator."""
        return self.accumulator.width < exact_accumulator(self.formats, max(self.network.layers[:-1]) + 1).width


def accumulator_bits(formats: Formats, terms: int) -> int:
    """Width, sign included, in which ``terms`` products of weight and activation cannot overflow."""
    return 1 + max(formats.product_fraction, (terms * formats.weight.lo * formats.activation.lo).bit_length())


def exact_accumulator(formats: Formats, terms: int) -> QFormat:
    """The format of :func:`accumulator_bits`."""
    return QFormat(accumulator_bits(formats, terms) - 1 - formats.product_fraction, formats.product_fraction)


def automatic_gram(formats: Formats, fan_in: int) -> QFormat:
    """As many fraction bits as fit into 18 bits beside the integer bits of the largest possible gram."""
    fraction = 2 * formats.activation.fraction_bits
    largest = fan_in * formats.activation.lo**2 + formats.activation.one**2
    integer = max(0, largest.bit_length() - fraction)
    return QFormat(integer, max(0, min(fraction, 17 - integer)))


def parse_configuration(table: dict) -> Configuration:
    """Validate a parsed TOML table.

    Raises
    ------
    ConfigurationError
        Names every offending key, its value and what is allowed.
    """
    try:
        return Configuration.model_validate(table)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_describe(item) for item in error.errors())) from None


def with_values(config: Configuration, values: Mapping[str, object]) -> Configuration:
    """Change keys such as ``"training.learning_rate"``; values as in TOML.

    Raises
    ------
    ConfigurationError
        If a key is not ``section.key`` or unknown, or the result cannot be built.
    """
    table = config.model_dump(mode="json")
    for key, value in values.items():
        section, dot, name = key.partition(".")
        if not dot or section not in table:
            raise ConfigurationError(f"{key}: keys are section.key, the section one of {', '.join(table)}")
        table[section][name] = value
    return parse_configuration(table)


def load_configuration(path: str | Path) -> Configuration:
    """Read and validate a TOML file.

    Raises
    ------
    ConfigurationError
        If the file is missing, is not TOML, or holds a bad value.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not a TOML file: {error}") from None
    try:
        return parse_configuration(table)
    except ConfigurationError as error:
        raise ConfigurationError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def shipped(name: str) -> Configuration:
    """Load a configuration of configs/, by its stem."""
    with as_file(files("dfarray") / "configs" / f"{name}.toml") as path:
        return load_configuration(path)


def shipped_names() -> list[str]:
    """Stems of the files of configs/."""
    return sorted(
        Path(file.name).stem for file in (files("dfarray") / "configs").iterdir() if file.name.endswith(".toml")
    )


def _describe(item) -> str:
    place = [str(part) for part in item["loc"] if not str(part).startswith(("function-", "literal["))]
    key, given = ".".join(place), item["input"]
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "missing":
        return f"{key}: missing, and it has no default"
    if item["type"] == "extra_forbidden":
        return f"{key} = {given!r}: unknown key; known are {', '.join(_siblings(place))}"
    if item["type"] == "model_type":
        return f"{key} = {given!r}: must be a section, [{key}]"
    if item["type"] == "tuple_type":
        return f"{key} = {given!r}: must be a list, such as [784, 150, 10]"
    if isinstance(given, (dict, BaseModel)):
        return f"{key}: {message}" if key else message
    return f"{key} = {given!r}: {message[0].lower()}{message[1:]}"


def _siblings(place: list[str]) -> list[str]:
    """The keys that are known where an unknown one is."""
    sections = Configuration.model_fields
    if len(place) == 1:
        return list(sections)
    section = sections[place[0]].annotation
    assert isinstance(section, type)
    assert issubclass(section, BaseModel)
    return list(section.model_fields)
