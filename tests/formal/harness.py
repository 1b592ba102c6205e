"""What proof harnesses are made of: free values, the past, and a clock domain that is reset at any time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, Signal, Value
from amaranth.hdl._ast import AnyConst, AnySeq

from dfarray.hw.blocks.generic import BlockRam


class Harness(Elaboratable):
    """Hardware among free inputs, with what is assumed, asserted and covered.

    Reset may come in any cycle, so every state that a reset can leave behind in registers without one is met. A
    harness's own registers are reset with the hardware. Where ``resets`` is False it comes only once, before the first
    cycle.

    Subclasses override :meth:`check`.
    """

    resets = True

    def __init__(self):
        self.domain = ClockDomain("sync")

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = self.domain
        m.d.comb += self.domain.rst.eq(AnySeq(1) if self.resets else 0)
        self.check(m)
        return m

    def check(self, m: Module) -> None:
        """Instantiate, assume, assert, cover."""
        raise NotImplementedError


def free(m: Module, shape, name: str) -> Any:
    """Any value in any cycle."""
    return _anything(m, AnySeq, shape, name)


def fixed(m: Module, shape, name: str) -> Any:
    """Any value, but for ever the same."""
    return _anything(m, AnyConst, shape, name)


def _anything(m, kind, shape, name):
    signal = Signal(shape, name=name)
    m.d.comb += Value.cast(signal).eq(kind(len(Value.cast(signal))))
    return signal


def drive(m: Module, target: Any, name: str) -> Any:
    """Any value in any cycle on an input."""
    value = Value.cast(target)
    m.d.comb += value.eq(free(m, len(value), name))
    return target


def past(m: Module, value: Any, cycles: int = 1, *, name: str, init: int = 0) -> Any:
    """``value`` so many cycles ago; ``init`` before there was one."""
    for stage in range(1, cycles + 1):
        register = Signal.like(value, name=f"{name}_{stage}_ago", **({"init": init} if init else {}))
        m.d.sync += register.eq(value)
        value = register
    return value


def running(m: Module, cycles: int, name: str = "running") -> Value:
    """Whether so many cycles have passed since reset."""
    age = Signal(range(cycles + 1), name=f"{name}_age")
    with m.If(age != cycles):
        m.d.sync += age.eq(age + 1)
    return age == cycles


def ones(bits) -> Value:
    """How many of some bits are set."""
    return sum(Cat(*bits)[index] for index in range(len(Cat(*bits))))  # type: ignore[return-value]


class _Watched(BlockRam):
    """A memory of which a row can be looked at."""

    def __init__(self, family, shape, depth, init=(), latency=1):
        super().__init__(shape, depth, init, latency)
        self.watched, self.seen = Signal(len(self.read_address)), Signal(len(Value.cast(self.read_data)))

    def elaborate(self, platform):
        m = super().elaborate(platform)
        port = m.submodules.memory.read_port(domain="comb")
        m.d.comb += [port.addr.eq(self.watched), self.seen.eq(port.data)]
        return m


@contextmanager
def watched_memories(component: type) -> Iterator[None]:
    """The LUT RAMs that a component of this class makes have one more, asynchronous port: ``seen`` at ``watched``."""
    module = sys.modules[component.__module__]
    true, module.lut_ram = module.lut_ram, _Watched  # type: ignore[attr-defined]
    try:
        yield
    finally:
        module.lut_ram = true  # type: ignore[attr-defined]


def opened(component: Any) -> dict[str, dict[str, Any]]:
    """What the methods of a component call its parts: local variables by name, by method.

    It is elaborated here, once, and can be a submodule all the same.
    """
    found: dict[str, dict[str, Any]] = {}

    def look(frame, event, argument):
        if event == "return" and frame.f_locals.get("self") is component:
            found[frame.f_code.co_name] = dict(frame.f_locals)

    sys.setprofile(look)
    try:
        module = component.elaborate(None)
    finally:
        sys.setprofile(None)
    component.elaborate = lambda platform: module
    return found
