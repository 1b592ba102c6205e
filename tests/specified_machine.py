"""docs/architecture.md sections 1-3 word for word in plain Python integers: loops, no NumPy, nothing of dfarray.golden.

It sweeps as the machine does, two updates pending, the older applied on the way and the newer corrected for; no row is
skipped. Transcendental tables come from ``decimal``.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, localcontext
from functools import cache

from dfarray.configuration import Activation, Configuration, ErrorKind, Rounding
from dfarray.feedback import routes
from dfarray.learning_rate import LearningRate
from dfarray.qformat import QFormat


def sat(v: int, fmt: QFormat) -> int:
    lowest = -(2 ** (fmt.integer_bits + fmt.fraction_bits))
    return max(lowest, min(-lowest - 1, v))


def rhu(v: int, n: int) -> int:
    return (v + 2 ** (n - 1)) >> n if n >= 1 else v << -n


def requant(v: int, start: int, to: int) -> int:
    return rhu(v, start - to)


def _floor(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))


@cache
def tanh_code(i: int, fz: int, fa: int) -> int:
    """floor(tanh(i 2^-fz) 2^fa + 1/2)."""
    with localcontext() as context:
        context.prec = 50
        power = (-2 * Decimal(i) / 2**fz).exp()
        return _floor((1 - power) / (1 + power) * 2**fa + Decimal("0.5"))


@cache
def exponential_code(i: int, fl: int, fe: int) -> int:
    """floor(exp(-i 2^-fl) 2^fe + 1/2)."""
    with localcontext() as context:
        context.prec = 50
        return _floor((-Decimal(i) / 2**fl).exp() * 2**fe + Decimal("0.5"))


@cache
def exponential_entries(fl: int, fe: int) -> int:
    """N: the smallest power of two greater than the smallest i whose entry is 0."""
    smallest = 0
    while exponential_code(smallest, fl, fe):
        smallest += 1
    entries = 1
    while entries <= smallest:
        entries *= 2
    return entries


def activate(config: Configuration, z: int) -> tuple[int, int]:
    formats = config.formats
    fa, fz = formats.activation.fraction_bits, formats.preactivation.fraction_bits
    one = sat(2**fa, formats.activation)
    if config.network.activation is Activation.TANH:
        size = tanh_code(min(abs(z), 2 ** (formats.preactivation.width - 1) - 1), fz, fa)
        size = min(size, formats.activation.hi)
        return (size if z >= 0 else -size), 2**fa - rhu(size * size, fa)
    a = requant(z, fz, fa)
    if config.network.activation is Activation.HARD_TANH:
        return max(-one, min(one, a)), (2**fa if abs(z) < 2**fz else 0)
    return max(0, min(formats.activation.hi, a)), (2**fa if z > 0 else 0)


def output_error(config: Configuration, z: list[int], label: int) -> list[int]:
    formats = config.formats
    fl, fe = formats.logit.fraction_bits, formats.error.fraction_bits
    if config.network.error is ErrorKind.MSE:
        return [sat(requant(v, fl, fe) - (c == label) * 2**fe, formats.error) for c, v in enumerate(z)]
    entries = exponential_entries(fl, fe)
    powers = [exponential_code(min(max(z) - v, entries - 1), fl, fe) for v in z]
    total = sum(powers)
    q = total.bit_length() - 1 - fe
    r = min(fe, 10)
    k = (total >> (q + fe - r)) - 2**r
    reciprocal = 2 ** (2 * r + 2) // (2 ** (r + 1) + 2 * k + 1)
    shares = [rhu(power * reciprocal, r + 1 + q) for power in powers]
    return [sat(p - (c == label) * 2**fe, formats.error) for c, p in enumerate(shares)]


def next_state(g: int) -> int:
    g = (g ^ (g << 13)) % 2**32
    g ^= g >> 17
    return (g ^ (g << 5)) % 2**32


@cache
def tile_word(g: int, row: int, tile: int) -> int:
    if tile:
        n = tile_word(g, row, tile - 1)
        for _ in range(8):
            n = (n >> 1) ^ (0xA3000000 if n & 1 else 0)
        return n
    h = g ^ row
    h = (h + (h << 10)) % 2**32
    h ^= h >> 6
    h = (h + (h << 3)) % 2**32
    h ^= h >> 11
    return (h + (h << 15)) % 2**32


def lane_bits(word: int, lane: int, bits: int) -> int:
    turn = 5 * lane % 32
    return ((word << turn | word >> (32 - turn)) % 2**32) % 2**bits


@dataclass
class Remembered:
    """What is kept of a training sample until its update has been applied."""

    activations: list[list[int]]
    slopes: list[list[int]]
    g: list[int]
    frozen: tuple[int, ...]


class SpecifiedMachine:
    """One accelerator: weights by layer and neuron, and the generations U and V of pending updates."""

    def __init__(self, config: Configuration, weights):
        self.config = config
        self.weights = [[[int(v) for v in row] for row in layer] for layer in weights]
        self.state = config.training.seed or 1
        self.older: Remembered | None = None
        self.newer: Remembered | None = None
        self.slots = self._place()
        self.route = {(route.slot, route.tile): route for route in routes(config)}

    def _place(self) -> list[tuple[int, int, int, list[tuple[int, int, int]]]]:
        """(slot, layer, base row, [(neuron, tile, lane)]) of every hidden pass."""
        layers, array = self.config.network.layers, self.config.array
        found, base, per_pass = [], 0, array.tiles * array.lanes
        for layer in range(1, len(layers) - 1):
            for number in range((layers[layer] + per_pass - 1) // per_pass):
                members = [
                    (j, j % array.tiles, j // array.tiles % array.lanes)
                    for j in range(layers[layer])
                    if j // per_pass == number
                ]
                found.append((len(found), layer, base, members))
                base += layers[layer - 1] + 1
        return found

    @property
    def one(self) -> int:
        return sat(2**self.config.formats.activation.fraction_bits, self.config.formats.activation)

    def sample(self, x, label: int, *, train: bool, rate: LearningRate, frozen: tuple[int, ...] = ()) -> list[int]:
        """Answer a sample, which is to be learnt if ``train``."""
        if not train:
            self.flush()
        activations, slopes, logits = self._sweep([int(v) for v in x])
        learnt = None
        if train:
            learnt = Remembered(activations, slopes, self._scaled(logits, int(label), rate), frozen)
        self._move_on(learnt)
        return logits

    def flush(self) -> None:
        """Run NULL sweeps, which correct for nothing since nobody looks at their sums."""
        while self.older or self.newer:
            self._sweep([0] * self.config.network.layers[0])
            self._move_on(None)

    def _move_on(self, learnt: Remembered | None) -> None:
        if self.older:
            self.state = next_state(self.state)
        self.older, self.newer = self.newer, learnt

    def _sweep(self, x: list[int]) -> tuple[list[list[int]], list[list[int]], list[int]]:
        """Apply U's update, row by row, and answer: presynaptic activations of every layer, hidden f', logits."""
        formats, layers = self.config.formats, self.config.network.layers
        product = formats.weight.fraction_bits + formats.activation.fraction_bits
        activations, slopes = [x], []
        for layer in range(1, len(layers) - 1):
            gram = self._gram(layer, activations[layer - 1])
            values, derivatives = [0] * layers[layer], [0] * layers[layer]
            for slot, of_layer, base, members in self.slots:
                for neuron, tile, lane in members if of_layer == layer else []:
                    accumulator = self._neuron_sum(layer, neuron, activations[layer - 1], slot, base, tile, lane)
                    kappa = self._kappa(self._delta(self.newer, slot, layer, neuron, tile, lane), gram)
                    z = rhu(accumulator - kappa, product - formats.preactivation.fraction_bits)
                    values[neuron], derivatives[neuron] = activate(self.config, sat(z, formats.preactivation))
            activations.append(values)
            slopes.append(derivatives)
        gram = self._gram(len(layers) - 1, activations[-1])
        logits = []
        for c in range(layers[-1]):
            kappa = self._kappa(self._output_delta(self.newer, c), gram)
            z = rhu(self._class_sum(c, activations[-1]) - kappa, product - formats.logit.fraction_bits)
            logits.append(sat(z, formats.logit))
        return activations, slopes, logits

    def _neuron_sum(
        self, layer: int, neuron: int, source: list[int], slot: int, base: int, tile: int, lane: int
    ) -> int:
        formats, row_weights = self.config.formats, self.weights[layer - 1][neuron]
        delta = self._delta(self.older, slot, layer, neuron, tile, lane)
        before = [self.one, *self.older.activations[layer - 1]] if self.older else [0] * len(row_weights)
        accumulator = 0
        for i, (x_cur, x_prev) in enumerate(zip([self.one, *source], before, strict=True)):
            row_weights[i] = self._updated(row_weights[i], delta, x_prev, base + i, tile, lane)
            accumulator += row_weights[i] * x_cur
            if formats.accumulator != "auto":
                accumulator = sat(accumulator, formats.accumulator)
        return accumulator

    def _class_sum(self, c: int, source: list[int]) -> int:
        array, weights = self.config.array, self.weights[-1][c]
        output_base = self.slots[-1][2] + 1 + self.config.network.layers[-3]
        delta = self._output_delta(self.older, c)
        last_layer = [slot for slot in self.slots if slot[1] == len(self.config.network.layers) - 2]
        weights[0] = self._updated(weights[0], delta, self.one, output_base + c, array.tiles, 0)
        total = weights[0] * self.one
        for group, (_, _, _, members) in enumerate(last_layer):
            row = output_base + group * self.config.network.classes + c
            for neuron, tile, lane in members:
                x_prev = self.older.activations[-1][neuron] if self.older else 0
                weights[1 + neuron] = self._updated(weights[1 + neuron], delta, x_prev, row, tile, lane)
                total += weights[1 + neuron] * source[neuron]
        return total

    def _updated(self, w: int, delta: int | None, x_prev: int, row: int, tile: int, lane: int) -> int:
        """Apply an update; None: nothing is pending, or the layer was frozen."""
        if delta is None:
            return w
        formats = self.config.formats
        drop = formats.delta.fraction_bits + formats.activation.fraction_bits - formats.weight.fraction_bits
        if self.config.training.rounding is Rounding.STOCHASTIC:
            r = lane_bits(tile_word(self.state, row, tile), lane, drop)
        else:
            r = 2 ** (drop - 1) if drop else 0
        return sat(w - ((delta * x_prev + r) >> drop), formats.weight)

    def _gram(self, layer: int, source: list[int]) -> int:
        if not self.newer:
            return 0
        total = sum(a * b for a, b in zip(self.newer.activations[layer - 1], source, strict=True)) + self.one**2
        fa, gram = self.config.formats.activation.fraction_bits, self.config.gram
        return sat(rhu(total, 2 * fa - gram.fraction_bits), gram)

    def _kappa(self, delta: int | None, gram: int) -> int:
        formats = self.config.formats
        bits = formats.delta.fraction_bits + self.config.gram.fraction_bits
        bits -= formats.weight.fraction_bits + formats.activation.fraction_bits
        return rhu((delta or 0) * gram, bits)

    def _scaled(self, logits: list[int], label: int, rate: LearningRate) -> list[int]:
        formats = self.config.formats
        fe, fd = formats.error.fraction_bits, formats.delta.fraction_bits
        left = max(0, fd - fe)
        e = output_error(self.config, logits, label)
        return [sat(rhu((v * rate.mantissa) << left, rate.exponent + fe - fd + left), formats.delta) for v in e]

    def _output_delta(self, of: Remembered | None, c: int) -> int | None:
        return None if of is None or len(self.config.network.layers) - 1 in of.frozen else of.g[c]

    def _delta(self, of: Remembered | None, slot: int, layer: int, neuron: int, tile: int, lane: int) -> int | None:
        if of is None or layer in of.frozen:
            return None
        formats, k, route = self.config.formats, self.config.feedback.log2_scale, self.route[slot, tile]
        total = sum(sign * of.g[c] for c, sign in zip(route.classes, route.class_signs, strict=True))
        h = sat(rhu(total, -k), formats.delta)
        scaled = rhu(h * of.slopes[layer - 1][neuron], formats.activation.fraction_bits)
        return sat(route.lane_signs[lane] * scaled, formats.delta)
