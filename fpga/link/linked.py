"""An accelerator and its host link: what a board runs."""

from amaranth.hdl import Cat, DomainRenamer, Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.fpga.link.crossing import Crossing
from dfarray.fpga.link.link import ByteLink, HostLink
from dfarray.hw.accelerator import BareAccelerator

_CONNECTED = ("samples", "weights_in", "registers")
_ANSWERED = ("results", "weights_out")


class LinkedAccelerator(wiring.Component):
    """Connects them.

    ``reset`` reaches the link alone: the array's registers have their initial values at configuration and are quiet
    until the link moves something, and its weights no reset would bring back.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Initial weights.
    link : HostLink or ByteLink
        Made for the same configuration.
    domain : str
        Clock domain of the link, and of ``reset``, ``lights`` and the line; the array's is ``sync``.

    Attributes
    ----------
    reset : In(1)
    lights : Out(3)
        A host has said hello; work is under way; something was counted since the hello.
    line : of a HostLink ``rx`` and ``tx``, of a ByteLink its bytes.
    """

    def __init__(self, config: Configuration, weights, link: HostLink | ByteLink, domain: str = "sync"):
        self._accelerator, self._link, self._domain = BareAccelerator(config, weights), link, domain
        inner = {*_CONNECTED, *_ANSWERED, "busy", "session", "working", "failed"}
        self._outer = {name: member for name, member in link.signature.members.items() if name not in inner}
        super().__init__(self._outer | {"reset": In(1), "lights": Out(3)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = self._accelerator
        m.submodules.link = DomainRenamer(self._domain)(ResetInserter(self.reset)(self._link))
        link = self._link
        array = {name: getattr(accelerator, name) for name in (*_CONNECTED, *_ANSWERED)}
        busy = accelerator.busy
        if self._domain != "sync":
            m.submodules.crossing = crossing = Crossing(
                link.samples.signature, accelerator.results.signature, link.weights_in.signature, self._domain, "sync"
            )
            for name in _CONNECTED:
                wiring.connect(m, getattr(crossing, f"array_{name}"), array[name])
            for name in _ANSWERED:
                wiring.connect(m, array[name], getattr(crossing, f"array_{name}"))
            array = {name: getattr(crossing, f"link_{name}") for name in array}
            m.d.comb += crossing.array_busy.eq(accelerator.busy)
            busy = crossing.link_busy
        for name in _CONNECTED:
            wiring.connect(m, getattr(link, name), array[name])
        for name in _ANSWERED:
            wiring.connect(m, array[name], getattr(link, name))
        for name, member in self._outer.items():
            mine, its = getattr(self, name), getattr(link, name)
            m.d.comb += its.eq(mine) if member.flow == In else mine.eq(its)
        # What was working in the cycle before: lights need not be fast.
        lights = Signal(3)
        m.d[self._domain] += lights.eq(Cat(link.session, link.working | busy, link.failed))
        m.d.comb += [link.busy.eq(busy), self.lights.eq(lights)]
        return m
