"""Between the clock of the array and a slower one of the link: every channel through an asynchronous queue."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFO
from amaranth.lib.wiring import In, Out

from dfarray.hw.registers import AxiLite

DEPTH = 4
"""Words of a queue, a power of two."""

STRETCH = 15
"""Cycles of the link for which ``busy`` outlasts the array's: longer than words take through a queue."""

_AXI_CHANNELS = {
    "aw": ("addr", "prot"),
    "w": ("data", "strb"),
    "b": ("resp",),
    "ar": ("addr", "prot"),
    "r": ("data", "resp"),
}
"""The payloads of AXI4-Lite's channels."""

_STREAMS = ("samples", "weights_in", "results", "weights_out")

_ANSWERS = ("results", "weights_out", "b", "r")
"""Channels that lead from the array to the link."""


class Crossing(wiring.Component):
    """Takes the link's place at the accelerator, and the accelerator's at the link.

    A word that has left its queue's one side is on the other a few cycles later; each side sees the protocol's own
    valid and ready. Built of Amaranth's ``AsyncFIFO``, whose pointers are Gray-coded and synchronised. The array is
    the faster side: a register is between it and every queue, so that no path of its clock leads through a queue.

    Parameters
    ----------
    samples, results, weights : stream signatures
        As seen from who offers the words.
    near, far : str
        Clock domains of the link and of the array.

    Attributes
    ----------
    link, array : In, Out
        ``samples``, ``results``, ``weights_in``, ``weights_out``, ``registers`` and ``busy`` of either side, named
        ``link_<name>`` and ``array_<name>``.
    """

    def __init__(self, samples, results, weights, near: str, far: str):
        self._near, self._far = near, far
        members = {}
        for name, signature in (("samples", samples), ("weights_in", weights), ("registers", AxiLite())):
            members |= {f"link_{name}": In(signature), f"array_{name}": Out(signature)}
        for name, signature in (("results", results), ("weights_out", weights)):
            members |= {f"array_{name}": In(signature), f"link_{name}": Out(signature)}
        super().__init__(members | {"array_busy": In(1), "link_busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        channels = {name: tuple(self._streams(name)) for name in _STREAMS}
        channels |= {name: tuple(self._axi(name)) for name in _AXI_CHANNELS}
        waiting, arrived = [], []
        for name, (link, array) in channels.items():
            if name in _ANSWERS:
                self._queue(m, name, self._register(m, name, *array, sending=True), link, self._far, self._near)
            else:
                shown = self._register(m, name, *array, sending=False)
                waiting.append(self._queue(m, name, link, shown, self._near, self._far))
                arrived.append(array[1])
        working, busy, left = Signal(), Signal(), Signal(range(STRETCH + 1))
        m.d[self._far] += working.eq(self.array_busy | Cat(arrived).any())
        m.submodules.busy = FFSynchronizer(working, busy, o_domain=self._near)
        # From registers alone: what the link offers may depend on it.
        m.d[self._near] += left.eq(Mux(busy | Cat(waiting).any(), STRETCH, Mux(left == 0, 0, left - 1)))
        m.d.comb += self.link_busy.eq(left != 0)
        return m

    def _streams(self, name):
        """A stream's words, valid and ready, at the link and at the array."""
        for side in ("link", "array"):
            interface = getattr(self, f"{side}_{name}")
            payload = [field for field in interface.signature.members if field not in ("valid", "ready")]
            yield Cat(getattr(interface, field) for field in payload), interface.valid, interface.ready

    def _axi(self, name):
        """The same of a channel."""
        for side in ("link", "array"):
            bus = getattr(self, f"{side}_registers")
            words = Cat(getattr(bus, f"{name}{field}") for field in _AXI_CHANNELS[name])
            yield words, getattr(bus, f"{name}valid"), getattr(bus, f"{name}ready")

    def _queue(self, m, name, source, sink, write, read):
        """Connect a queue; whether a word enters it or is in it, as its source sees it."""
        (word, valid, ready), (shown, shown_valid, shown_ready) = source, sink
        queue = AsyncFIFO(width=len(word), depth=DEPTH, w_domain=write, r_domain=read)
        m.submodules[f"{name}_queue"] = queue
        m.d.comb += [
            queue.w_data.eq(word),
            queue.w_en.eq(valid),
            ready.eq(queue.w_rdy),
            shown.eq(queue.r_data),
            shown_valid.eq(queue.r_rdy),
            queue.r_en.eq(shown_ready),
        ]
        return (queue.w_level != 0) | (valid & ready)

    def _register(self, m, name, word, valid, ready, *, sending):
        """The array's side of a queue, a register further: a word every second cycle, far more than a line brings."""
        inner = Signal(len(word), name=f"{name}_word"), Signal(name=f"{name}_valid"), Signal(name=f"{name}_ready")
        outer = word, valid, ready
        (entering, enters, taken), (leaving, leaves, left) = (outer, inner) if sending else (inner, outer)
        held, full = Signal(len(word), name=f"{name}_held"), Signal(name=f"{name}_full")
        m.d.comb += [taken.eq(~full), leaving.eq(held), leaves.eq(full)]
        with m.If(~full):
            m.d[self._far] += [held.eq(entering), full.eq(enters)]
        with m.Elif(left):
            m.d[self._far] += full.eq(0)
        return inner
