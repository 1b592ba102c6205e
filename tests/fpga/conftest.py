import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Adder(wiring.Component):
    """A component that is quick to build."""

    def __init__(self):
        super().__init__({"a": In(8), "b": In(8), "total": Out(9)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.total.eq(self.a + self.b)
        return m


@pytest.fixture
def narrow_component():
    return Adder
