"""Nothing is lost, doubled or reordered in the broadcast, feedback, partial, token and return chains."""

from amaranth.hdl import Assert, Assume, Const, Cover, Module, Mux, Signal, Value
from amaranth.lib import wiring

from dfarray.hw.core import Core
from dfarray.hw.lane import Lane
from dfarray.hw.noise import STEPS_A_TILE, lfsr_steps
from dfarray.hw.packets import FeedbackOperation, Kind, Operation
from dfarray.initial_weights import initial_weights

from .harness import Harness, drive, past, running
from .mutation import Edit
from .runner import Proof
from .small import small


class _Chained(Core):
    """Nothing of the core but its chains of tiles."""

    def elaborate(self, platform):
        m = Module()
        self._chain(m)
        return m


class _Chains(Harness):
    """Tiles in the core's own chains, heads free."""

    def __init__(self, **options):
        super().__init__()
        self.config = small((2, 6, 2), 3, 2, **options)
        self.core = _Chained(self.config, initial_weights(self.config))

    def check(self, m):
        m.submodules.core = core = self.core
        drive(m, core.head, "head")
        drive(m, core.collector.token, "token")
        drive(m, core.feedback.word, "word")
        self.look(m, core)

    def look(self, m, core):
        raise NotImplementedError


class Broadcast(_Chains):
    """Tile t sends on in cycle h + 1 + t what was at the head in cycle h, on the late chain too; its noise stepped."""

    def __init__(self, rounding):
        super().__init__(rounding=rounding)
        self._stochastic = rounding == "stochastic"

    def look(self, m, core):
        drive(m, core.head_noise, "head_noise")
        expected, late = core.head, core.tiles[0].late_in
        for index, tile in enumerate(core.tiles):
            expected = past(m, expected, name=f"expected_{index}")
            late_past = past(m, late, name=f"late_{index}")
            late = Signal.like(tile.late_in, name=f"sent_{index}")
            m.d.comb += late.eq(late_past)
            if self._stochastic:
                m.d.comb += late.noise.eq(lfsr_steps(late_past.noise, STEPS_A_TILE))
            m.d.comb += [
                Assert(Value.cast(tile.broadcast_out) == Value.cast(expected), f"tile {index}"),
                Assert(Value.cast(tile.late_out) == Value.cast(late), f"tile {index}, late"),
            ]
        m.d.comb += [
            Assert(Value.cast(core.bias_tile.broadcast_in) == Value.cast(expected), "bias tile"),
            Assert(Value.cast(core.bias_tile.late_in) == Value.cast(late), "bias tile, late"),
            Cover(expected.op == Operation.GRAM),
        ]


class FeedbackChain(_Chains):
    """Every tile passes each word on a cycle later, and takes its own scalar and no other's."""

    def look(self, m, core):
        word = core.feedback.word
        for index, tile in enumerate(core.tiles):
            word = past(m, word, name=f"word_{index}")
            m.d.comb += Assert(Value.cast(tile.feedback_out) == Value.cast(word), f"tile {index}")
            scalar = Signal.like(tile.error_scalar, name=f"scalar_{index}")
            mine = (word.op == FeedbackOperation.SCALAR) & (word.index == index)
            with m.If(mine):
                m.d.sync += scalar.eq(word.value)
            m.d.comb += [
                Assert(tile.error_scalar == scalar, f"scalar of tile {index}"),
                Cover(mine & (word.value == -1)),
            ]


class _Free(wiring.Component):
    """A lane whose product is anything."""

    def __init__(self, lane):
        super().__init__(lane.signature)

    def elaborate(self, platform):
        m = Module()
        drive(m, self.product, "free_product")
        return m


class Partials(_Chains):
    """A tile's sum is its lanes' products added to what the tile before had in the cycle before, its valid bit in step.

    So an output row's sum gathers every tile's product once.
    """

    resets = False  # The adders' registers have none.

    def look(self, m, core):
        tiles = [*core.tiles, core.bias_tile]
        for tile in tiles:
            tile.lanes = [_Free(lane) for lane in tile.lanes]
        total = Const(0, 1)
        for index, tile in enumerate(tiles):
            own = Signal.like(tile.partial.value, name=f"own_{index}")
            if tile is core.bias_tile:
                m.d.comb += own.eq(past(m, tile.lanes[0].product, 1, name="bias_product"))
            else:
                m.d.comb += own.eq(
                    sum(past(m, lane.product, 1, name=f"p_{index}_{k}") for k, lane in enumerate(tile.lanes))
                )
            summed = Signal.like(tile.partial.value, name=f"summed_{index}")
            m.d.comb += summed.eq(total + own)
            total = past(m, summed, name=f"total_{index}")
            m.d.comb += Assert(tile.partial.value == total, f"tile {index}")
            gathered = past(m, tile.partial.valid, name=f"gathered_{index}")
            if index + 1 < len(tiles):
                m.d.comb += Assert(
                    ~running(m, 1, f"r_{index}") | (tiles[index + 1].partial.valid == gathered), f"valid {index}"
                )
        m.d.comb += Cover(core.bias_tile.partial.valid)


class _Still(Lane):
    """A lane whose weight and activation never change; what it shows of them is the lane's own."""

    def __init__(self, lane, weight, activation):
        super().__init__(lane._config, lane._index, lane._weights, lane._rows)
        self._still = weight, activation

    def elaborate(self, platform):
        m = Module()
        shown = Signal.like(self.activations, name="shown")
        m.d.comb += [self.result.eq(self._still[0]), shown.current.eq(self._still[1])]
        self.activations = shown
        self._show(m)
        return m


class _StillBias(wiring.Component):
    """The bias tile's lane whose weight never changes."""

    def __init__(self, lane, weight):
        super().__init__(lane.signature)
        self._still = weight

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.weight.eq(self._still)
        return m


class Returns(Harness):
    """One collection after the other: the exit shows each asked lane's word once, lane after lane and tile after tile,
    one a cycle, and nothing else. Each word is a tag of its own."""

    resets = False

    def __init__(self):
        super().__init__()
        self.config = small((2, 6, 2), 3, 2)
        self.core = _Chained(self.config, initial_weights(self.config))

    def check(self, m):
        config, core = self.config, self.core
        tiles, lanes = config.array.tiles, config.array.lanes
        m.submodules.core = core
        m.submodules.collector = collector = core.collector
        words = {}
        for t, tile in enumerate(core.tiles):
            for k, lane in enumerate(tile.lanes):
                tag = 1 + t * lanes + k
                weight, activation = Const(tag, lane.chosen_weight.shape()), Const(-tag, lane.chosen_activation.shape())
                tile.lanes[k] = _Still(lane, weight, activation)
                words[t, k] = weight, activation
        (bias,) = core.bias_tile.lanes
        weight = Const(1 + tiles * lanes, bias.weight.shape())
        core.bias_tile.lanes = [_StillBias(bias, weight)]
        words[tiles, 0] = weight, Const(0)  # It is asked for no activation.
        start, request = drive(m, collector.start, "start"), drive(m, collector.request, "request")
        weights = request.kind == Kind.WEIGHT
        m.d.comb += [
            Assume(~(start & collector.busy)),
            # What the sequencer asks for: all weights of a row, or the activations of a slot.
            Assume(
                Mux(
                    weights,
                    (request.last_lane == lanes - 1) & (request.last_count == tiles),
                    (request.kind == Kind.HIDDEN)
                    & (request.last_lane < lanes)
                    & (request.last_count > 0)
                    & (request.last_count <= tiles),
                )
            ),
        ]
        # The words of one request may be on their way while the next one is made.
        asked, following = Signal.like(request), Signal.like(request, name="following")
        expects, follows = Signal(), Signal()
        lane, tile = Signal(range(lanes + 1)), Signal(range(tiles + 2))
        word = core.bias_tile.return_out
        is_weight = asked.kind == Kind.WEIGHT
        count = Mux(is_weight & (lane == 0), tiles + 1, Mux(lane == asked.last_lane, asked.last_count, tiles))
        right = Signal()
        for (t, k), (weight, activation) in words.items():
            with m.If((tile == t) & (lane == k)):
                m.d.comb += right.eq(
                    Mux(is_weight, word.value == weight, word.value == activation) & (word.kind == asked.kind)
                )
        last = (tile == count - 1) & (lane == asked.last_lane)
        with m.If(word.valid):
            m.d.sync += tile.eq(tile + 1)
            with m.If(tile == count - 1):
                m.d.sync += [tile.eq(0), lane.eq(lane + 1)]
        ends = word.valid & last
        with m.If(ends):
            m.d.sync += [lane.eq(0), asked.eq(following), expects.eq(follows), follows.eq(0)]
        with m.If(start):
            with m.If(ends | ~expects):
                m.d.sync += [asked.eq(request), expects.eq(1)]
            with m.Else():
                m.d.sync += [following.eq(request), follows.eq(1)]
        waited = Signal(range(64))
        m.d.sync += waited.eq(Mux(expects & ~ends, waited + 1, 0))
        started = Signal()
        with m.If(word.valid):
            m.d.sync += started.eq(~last)
        m.d.comb += [
            Assert(~word.valid | (expects & right), "each word in its turn"),
            Assert(~(start & follows), "no third request on its way"),
            Assert(~started | word.valid, "one word a cycle"),
            Assert(waited < 60, "every word comes"),
            Cover(word.valid & last & is_weight),
            Cover(word.valid & last & ~is_weight & (lane == 0)),
        ]


PROOFS = [
    Proof(
        "broadcast packets go on unchanged",
        "Broadcast",
        2,
        (Edit("decoder", "self.packet_out.eq(packet)", "self.packet_out.eq(self.packet_in)"),),
        ("nearest",),
        cover=6,
        quick=False,
    ),
    Proof(
        "broadcast packets go on, the noise stepped",
        "Broadcast",
        2,
        (
            Edit("decoder", "lfsr_steps(late.noise, STEPS_A_TILE)", "lfsr_steps(late.noise, STEPS_A_TILE - 1)"),
            Edit("core", 'getattr(tile, f"{name}_out")', 'getattr(self.tiles[0], f"{name}_out")'),
        ),
        ("stochastic",),
        cover=6,
    ),
    Proof(
        "feedback words go on; a tile takes its own scalar",
        "FeedbackChain",
        2,
        (
            Edit(
                "tile",
                "(incoming.op == FeedbackOperation.SCALAR) & (incoming.index == self._index)",
                "(word.op == FeedbackOperation.SCALAR) & (word.index <= self._index)",
            ),
            Edit(
                "tile",
                "self.feedback_out.eq(word)",
                "self.feedback_out.eq(Mux(word.index == self._index, 0, word.as_value()))",
            ),
        ),
        cover=6,
        quick=False,
    ),
    Proof(
        "an output row gathers every tile's product once",
        "Partials",
        16,
        (
            Edit("bias_tile", "lane.product, levels,", "lane.product, levels + 1,"),
            Edit("partial_chain", "skewed_sum(m, incoming, addend,", "skewed_sum(m, addend, addend,"),
        ),
        cover=18,
    ),
    Proof(
        "each collected word comes once and in its turn",
        "Returns",
        62,
        (
            Edit(
                "collector",
                "timer.eq(Mux(at_last_lane, tiles, count - 1))",
                "timer.eq(Mux(at_last_lane, tiles, count - 2))",
            ),
            Edit("tile", "token.count > self._index", "token.count >= self._index"),
        ),
        method="bounded",
        cover=60,
        why="two collections that overlap; a collector that is not busy keeps nothing of the one before",
    ),
]
