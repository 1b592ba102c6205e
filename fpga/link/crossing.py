"""Between the clock of the array and a slower one of the link: every channel hands its words over one by one."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer, PulseSynchronizer
from amaranth.lib.wiring import In, Out

from dfarray.hw.registers import RegisterBus

STRETCH = 15
"""Cycles of the link for which ``busy`` outlasts the array's: longer than a word or its receipt is on its way."""

_STREAMS = ("samples", "weights_in", "results", "weights_out")

_ANSWERS = ("results", "weights_out")
"""Channels that lead from the array to the link."""


class Handover(wiring.Component):
    """A word is put down; its receiver is told, takes it, and tells its sender.

    A word takes about five cycles of each clock there and three for its receipt, a tenth of what a byte takes on
    the fastest line. Amaranth's ``AsyncFIFO`` is faster, but what it finds in its pointers and its memory in one cycle
    is more than an array's clock has time for. The word itself lies still for two cycles of its receiver's before it
    is looked at.

    Parameters
    ----------
    width : int
        Bits of a word.
    source, sink : str
        Clock domains.

    Attributes
    ----------
    word, valid, ready : In, In, Out
        Of the source.
    taken_word, taken_valid, taken_ready : Out, Out, In
        Of the sink.
    waits : Out(1)
        In the source's domain: a word has been put down and not been taken, as far as is known.
    """

    def __init__(self, width: int, source: str, sink: str):
        self._source, self._sink = source, sink
        super().__init__(
            {
                "word": In(width),
                "valid": In(1),
                "ready": Out(1),
                "taken_word": Out(width),
                "taken_valid": Out(1),
                "taken_ready": In(1),
                "waits": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.put = put = PulseSynchronizer(self._source, self._sink)
        m.submodules.took = took = PulseSynchronizer(self._sink, self._source)
        held = Signal.like(self.word)
        m.d.comb += [
            self.ready.eq(~self.waits),
            put.i.eq(self.valid & self.ready),
            took.i.eq(self.taken_valid & self.taken_ready),
        ]
        with m.If(self.ready):
            m.d[self._source] += [held.eq(self.word), self.waits.eq(self.valid)]
        with m.Elif(took.o):
            m.d[self._source] += self.waits.eq(0)
        # Two registers more, so that the word's can be placed where it is looked at, far from the link.
        arrived = put.o
        for k in range(2):
            told = Signal(name=f"told_{k}")
            m.d[self._sink] += told.eq(arrived)
            arrived = told
        with m.If(arrived):
            m.d[self._sink] += [self.taken_word.eq(held), self.taken_valid.eq(1)]
        with m.Elif(self.taken_ready):
            m.d[self._sink] += self.taken_valid.eq(0)
        return m


class Crossing(wiring.Component):
    """Takes the link's place at the accelerator, and the accelerator's at the link.

    Each side sees the protocol's own valid and ready, from registers of its own clock.

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
        for name, signature in (("samples", samples), ("weights_in", weights), ("registers", RegisterBus())):
            members |= {f"link_{name}": In(signature), f"array_{name}": Out(signature)}
        for name, signature in (("results", results), ("weights_out", weights)):
            members |= {f"array_{name}": In(signature), f"link_{name}": Out(signature)}
        super().__init__(members | {"array_busy": In(1), "link_busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        channels = {name: tuple(self._streams(name)) for name in _STREAMS}
        waiting = []
        for name, (link, array) in channels.items():
            ends = (array, link, self._far, self._near) if name in _ANSWERS else (link, array, self._near, self._far)
            handover = self._hand_over(m, name, *ends)
            if name not in _ANSWERS:
                waiting.append(handover.waits | handover.valid)
        request = self._registers(m)
        waiting.append(request.waits | request.valid)
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

    def _registers(self, m):
        """A request crosses as one word, and its answer as another. Returns the request's handover."""
        link, array = self.link_registers, self.array_registers
        fields = ("write", "address", "data", "strobe")
        words = [Cat(getattr(bus, field) for field in fields) for bus in (link, array)]
        # The link has handed its request over; the array has done it; the lower half has been given to the link.
        asked, read, refused, done, lower = Signal(), Signal.like(array.data), Signal(), Signal(), Signal()
        m.submodules.request = request = Handover(len(words[0]), self._near, self._far)
        m.submodules.answer = answer = Handover(1 + len(read), self._far, self._near)
        m.d.comb += [
            request.word.eq(words[0]),
            request.valid.eq(link.valid & ~asked),
            words[1].eq(request.taken_word),
            array.valid.eq(request.taken_valid),
            request.taken_ready.eq(array.done),
            answer.word.eq(Cat(refused, read)),
            answer.valid.eq(done),
            link.refused.eq(answer.taken_word[0]),
            link.word.eq(answer.taken_word[1:].word_select(lower, len(link.word))),
            link.beat.eq(answer.taken_valid & ~link.write),
            link.done.eq(answer.taken_valid & lower),
            answer.taken_ready.eq(lower),
        ]
        m.d[self._near] += lower.eq(answer.taken_valid & ~lower)
        with m.If(request.valid & request.ready):
            m.d[self._near] += asked.eq(1)
        with m.If(link.done):
            m.d[self._near] += asked.eq(0)
        # The register file's word comes late in its cycle.
        ended, beat, word = Signal(), Signal(), Signal.like(array.word)
        m.d[self._far] += [ended.eq(array.done), beat.eq(array.beat), word.eq(array.word), done.eq(ended)]
        with m.If(array.done):
            m.d[self._far] += refused.eq(array.refused)
        with m.If(beat):
            m.d[self._far] += read.eq(Cat(read[len(word) :], word))
        return request

    def _hand_over(self, m, name, source, sink, from_domain, to_domain):
        (word, valid, ready), (taken_word, taken_valid, taken_ready) = source, sink
        m.submodules[name] = handover = Handover(len(word), from_domain, to_domain)
        m.d.comb += [
            handover.word.eq(word),
            handover.valid.eq(valid),
            ready.eq(handover.ready),
            taken_word.eq(handover.taken_word),
            taken_valid.eq(handover.taken_valid),
            handover.taken_ready.eq(taken_ready),
        ]
        return handover
