"""Every tile gets exactly one error scalar in each walk, and no lane its order before."""

from amaranth.hdl import Assert, Assume, Cover, Mux, Signal

from dfarray.feedback import routes
from dfarray.hw.feedback import FeedbackNetwork
from dfarray.hw.packets import FeedbackOperation

from .harness import Harness, drive, fixed, opened, past
from .mutation import Edit
from .runner import Proof
from .small import small


class Walks(Harness):
    """Whatever is asked for and whenever errors are ready: the head shows whole walks only, each a SCALAR for every
    active tile in turn, then a DELTA for every active lane; scalars are the sums of section 2; ``delivered`` and
    ``corrected`` rise with a walk's last word or with a request that needs none.

    At most two requests of a kind replace one that is under way; the sequencer makes a needed one only after the last.
    """

    def __init__(self, nonzeros):
        super().__init__()
        self.config = small((2, 5, 3), 2, 2, nonzeros=nonzeros)

    def check(self, m):
        config = self.config
        passes, tiles = config.passes, config.array.tiles
        m.submodules.network = network = FeedbackNetwork(config)
        own = opened(network)
        walking, walk = ~own["elaborate"]["rests"], own["_walk"]
        requests = {"shadow": network.shadow, "correction": network.correction}
        flags = {"shadow": network.delivered, "correction": network.corrected}
        for name, request in requests.items():
            drive(m, request, name)
            replaced, owed = Signal(2, name=f"replaced_{name}"), Signal(name=f"owed_{name}")
            m.d.comb += [Assume(request.slot < len(passes)), Assume(~(request.valid & (replaced == 2)))]
            with m.If(~walking):
                m.d.sync += replaced.eq(0)
            with m.Elif(request.valid):
                m.d.sync += replaced.eq(replaced + 1)
            with m.If(request.valid):
                m.d.sync += owed.eq(request.needed)
        drive(m, network.ready, "ready")
        # g of every class in both banks, read a cycle later.
        errors = [
            [fixed(m, network.scaled_error.shape(), f"g_{b}_{c}") for c in range(config.network.classes)]
            for b in range(2)
        ]
        place = past(m, network.read_class + (network.read_bank << 2), name="read")
        for bank, row in enumerate(errors):
            for c, value in enumerate(row):
                with m.If(place == c + 4 * bank):
                    m.d.comb += network.scaled_error.eq(value)

        word = network.word
        scalar, delta = word.op == FeedbackOperation.SCALAR, word.op == FeedbackOperation.DELTA
        scalars, deltas = Signal(range(tiles + 1)), Signal(range(config.array.lanes + 1))
        kept = Signal.like(word, name="kept")
        active_tiles, active_lanes, last_count = (
            self._of_slot(m, word.slot, values, name)
            for values, name in (
                ([item.active_tiles for item in passes], "active_tiles"),
                ([item.active_lanes for item in passes], "active_lanes"),
                ([item.tiles_of_lane(item.active_lanes - 1) for item in passes], "last_count"),
            )
        )
        same = (word.slot == kept.slot) & (word.bank == kept.bank) & (word.correction == kept.correction)
        begins, ends = scalar & (scalars == 0), delta & (deltas == active_lanes - 1)
        with m.If(scalar):
            m.d.sync += [scalars.eq(scalars + 1), kept.eq(word)]
        with m.If(delta):
            m.d.sync += deltas.eq(deltas + 1)
        with m.If(ends):
            m.d.sync += [scalars.eq(0), deltas.eq(0)]
        rest = Signal(3)
        m.d.sync += rest.eq(Mux(walking, 0, Mux(rest == 7, 7, rest + 1)))
        m.d.comb += [
            Assert(walking == (walk["scalars"] | walk["deltas"]), "at rest, or one of both"),
            Assert(
                ~scalar | ((word.index == scalars) & (scalars < active_tiles) & (deltas == 0)),
                "a SCALAR a tile, in turn",
            ),
            Assert(~scalar | begins | same, "of one slot, bank and kind"),
            Assert(~delta | ((scalars == active_tiles) & same), "no DELTA before every tile has its SCALAR"),
            Assert(
                ~delta | ((word.index == deltas) & (word.count == Mux(ends, last_count, tiles))),
                "a DELTA a lane, in turn",
            ),
            Assert((rest < 5) | ((scalars == 0) & (deltas == 0)), "no walk is left unfinished"),
            Cover(ends & word.correction & (word.slot == len(passes) - 1)),
            Cover(ends & past(m, begins, 4, name="begins") & ~word.correction),
        ]
        for name, flag in flags.items():
            request = requests[name]
            rises = flag & ~past(m, flag, name=f"{name}_flag")
            unneeded = past(m, request.valid & ~request.needed, name=f"{name}_unneeded")
            m.d.comb += Assert(
                ~rises | unneeded | (ends & (word.correction == (name == "correction"))), f"{name}: with the last word"
            )
        for route in routes(config):
            for bank in range(2):
                total = sum(sign * errors[bank][c] for c, sign in zip(route.classes, route.class_signs, strict=True))
                scaled = self._scaled(total)
                mine = scalar & (word.slot == route.slot) & (word.index == route.tile) & (word.bank == bank)
                m.d.comb += Assert(~mine | (word.value == scaled), f"scalar of slot {route.slot} tile {route.tile}")

    def _scaled(self, total):
        """2^k times, rounded half up, saturated."""
        k, fmt = self.config.feedback.log2_scale, self.config.formats.delta
        value = total << k if k >= 0 else (total + (1 << (-k - 1))) >> -k
        return Mux(value > fmt.hi, fmt.hi, Mux(value < fmt.lo, fmt.lo, value))

    @staticmethod
    def _of_slot(m, slot, values, name):
        found = Signal(8, name=name)
        for index, value in enumerate(values):
            with m.If(slot == index):
                m.d.comb += found.eq(value)
        return found


PROOFS = [
    Proof(
        "one scalar a tile and walk, then the deltas",
        "Walks",
        16,
        (
            Edit("feedback", "with m.If(tile == last_tile):", "with m.If(tile == config.array.tiles - 1):"),
            Edit("feedback", "m.d.sync += [scalars.eq(0), deltas.eq(1)]", "m.d.sync += deltas.eq(1)"),
            Edit("feedback", "connection.eq(start),", "connection.eq(0),"),
            Edit("feedback", "begin.valid.eq(rests & (", "begin.valid.eq(("),
        ),
        (1,),
        cover=22,
        quick=False,
    ),
    Proof(
        "the same of two classes a tile",
        "Walks",
        20,
        (
            Edit("feedback", "Mux(addend.first, 0, total)", "total"),
            Edit("feedback", "with m.If(summed.scalar & summed.complete):", "with m.If(summed.scalar):"),
        ),
        (2,),
        cover=26,
    ),
]
