"""docs/architecture.md sections 1-3 word for word in plain Python integers: loops, no NumPy, nothing of dfarray.golden.

It sweeps as the machine does, updates deferred and fused, no row skipped; transcendental tables come from ``decimal``.
"""

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
    return (v + 2 ** (n - 1)) >> n if n >= 1 else v


def requant(v: int, start: int, to: int) -> int:
    return rhu(v, start - to) if start >= to else v << (to - start)


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


class SpecifiedMachine:
    """One accelerator: weights by layer and neuron, deltas that wait for the next sweep."""

    def __init__(self, config: Configuration, weights):
        self.config = config
        self.weights = [[[int(v) for v in row] for row in layer] for layer in weights]
        self.state = config.training.seed or 1
        self.pending: dict[tuple[int, int], int] | None = None
        self.previous: list[list[int]] = [[0] * n for n in config.network.layers[:-1]]
        self.places = self._place()
        self.route = {(route.slot, route.tile): route for route in routes(config)}

    def _place(self) -> list[tuple[int, int, int, list[tuple[int, int, int]]]]:
        """(slot, layer, base row, [(neuron, tile, lane)]) of every pass."""
        layers, array = self.config.network.layers, self.config.array
        found, base = [], 0
        for layer in range(1, len(layers)):
            output = layer == len(layers) - 1
            per_pass = array.tiles if output else array.tiles * array.lanes
            for number in range((layers[layer] + per_pass - 1) // per_pass):
                members = [
                    (j, j % array.tiles, 0 if output else j // array.tiles % array.lanes)
                    for j in range(layers[layer])
                    if j // per_pass == number
                ]
                found.append((len(found), layer, base, members))
                base += layers[layer - 1] + 1
        return found

    def sample(self, x, label: int, *, train: bool, rate: LearningRate, frozen: tuple[int, ...] = ()) -> list[int]:
        """Sweep with the pending update applied on the way, then work out this sample's own deltas."""
        formats = self.config.formats
        shift = formats.weight.fraction_bits + formats.activation.fraction_bits
        activations: list[list[int]] = [[int(v) for v in x]]
        slopes: list[list[int]] = []
        logits: list[int] = []
        for layer, width in enumerate(self.config.network.layers[1:], 1):
            sums = self._sweep_layer(layer, activations[layer - 1])
            if layer == len(self.config.network.layers) - 1:
                logits = [sat(rhu(s, shift - formats.logit.fraction_bits), formats.logit) for s in sums]
            else:
                z = [sat(rhu(s, shift - formats.preactivation.fraction_bits), formats.preactivation) for s in sums]
                pairs = [activate(self.config, v) for v in z]
                activations.append([a for a, _ in pairs])
                slopes.append([slope for _, slope in pairs])
            assert len(sums) == width
        self._advance()
        if train:
            self.pending = self._deltas(output_error(self.config, logits, int(label)), rate, slopes, frozen)
            self.previous = activations
        return logits

    def flush(self) -> None:
        for layer in range(1, len(self.config.network.layers)):
            self._sweep_layer(layer, [0] * self.config.network.layers[layer - 1])
        self._advance()

    def _advance(self) -> None:
        if self.pending is not None:
            self.state = next_state(self.state)
        self.pending = None

    def _sweep_layer(self, layer: int, x: list[int]) -> list[int]:
        formats = self.config.formats
        one = sat(2**formats.activation.fraction_bits, formats.activation)
        drop = formats.delta.fraction_bits + formats.activation.fraction_bits - formats.weight.fraction_bits
        current, previous = [one, *x], [one, *self.previous[layer - 1]]
        sums = []
        for _, pass_layer, base, members in self.places:
            if pass_layer != layer:
                continue
            for neuron, tile, lane in members:
                row_weights = self.weights[layer - 1][neuron]
                accumulator = 0
                for i, (x_cur, x_prev) in enumerate(zip(current, previous, strict=True)):
                    if self.pending is not None and (layer, neuron) in self.pending:
                        if self.config.training.rounding is Rounding.STOCHASTIC:
                            r = lane_bits(tile_word(self.state, base + i, tile), lane, drop)
                        else:
                            r = 2 ** (drop - 1) if drop else 0
                        u = (self.pending[layer, neuron] * x_prev + r) >> drop
                        row_weights[i] = sat(row_weights[i] - u, formats.weight)
                    accumulator += row_weights[i] * x_cur
                    if formats.accumulator != "auto":
                        accumulator = sat(accumulator, formats.accumulator)
                sums.append(accumulator)
        return sums

    def _deltas(self, e, rate, slopes, frozen) -> dict[tuple[int, int], int]:
        formats, k = self.config.formats, self.config.feedback.log2_scale
        fe, fd = formats.error.fraction_bits, formats.delta.fraction_bits
        left = max(0, fd - fe)
        g = [sat(rhu((v * rate.mantissa) << left, rate.exponent + fe - fd + left), formats.delta) for v in e]
        deltas = {}
        for slot, layer, _, members in self.places:
            for neuron, tile, lane in members:
                if layer in frozen:
                    continue
                if layer == len(self.config.network.layers) - 1:
                    deltas[layer, neuron] = g[neuron]
                    continue
                route = self.route[slot, tile]
                total = sum(sign * g[c] for c, sign in zip(route.classes, route.class_signs, strict=True))
                h = sat(total << k if k >= 0 else rhu(total, -k), formats.delta)
                scaled = rhu(h * slopes[layer - 1][neuron], formats.activation.fraction_bits)
                deltas[layer, neuron] = sat(route.lane_signs[lane] * scaled, formats.delta)
        return deltas
