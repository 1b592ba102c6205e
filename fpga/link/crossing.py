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

_ANSWERS = ("b", "r")
"""Those that lead from the array to the link."""


class Crossing(wiring.Component):
    """Takes the link's place at the accelerator, and the accelerator's at the link.

    A word that has left its queue's one side is on the other a few cycles later; each side sees the protocol's own
    valid and ready. Built of Amaranth's ``AsyncFIFO``, whose pointers are Gray-coded and synchronised.

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
        waiting = []
        for name in ("samples", "weights_in"):
            waiting.append(self._queue(m, name, *self._streams(name), source="link"))
        for name in ("results", "weights_out"):
            self._queue(m, name, *self._streams(name), source="array")
        for name in _AXI_CHANNELS:
            queued = self._queue(m, name, *self._axi(name), source="array" if name in _ANSWERS else "link")
            if name not in _ANSWERS:
                waiting.append(queued)
        busy, left = Signal(), Signal(range(STRETCH + 1))
        m.submodules.busy = FFSynchronizer(self.array_busy, busy, o_domain=self._near)
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

    def _queue(self, m, name, link, array, *, source):
        """Connect a queue; whether a word enters it or is in it, as its source sees it."""
        (word, valid, ready), (shown, shown_valid, shown_ready) = (link, array) if source == "link" else (array, link)
        domains = (self._near, self._far) if source == "link" else (self._far, self._near)
        queue = AsyncFIFO(width=len(word), depth=DEPTH, w_domain=domains[0], r_domain=domains[1])
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
