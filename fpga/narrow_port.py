"""A wide component behind three pins, so that its figures can be measured before a host link exists."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

WORD = 32


class NarrowPort(wiring.Component):
    """Drives every input of a component from a shift register and folds every output into one bit.

    Nothing of the component is constant or unobserved, so synthesis cannot trim it. Registers on both sides keep the
    port out of the component's timing: the strobe travels along the shift register with a register for each 32 bits,
    and the outputs are folded in registered steps of four.

    Parameters
    ----------
    component : wiring.Component
        Any with a signature of ports only; it becomes the submodule ``component``.

    Attributes
    ----------
    serial_in : In(1)
        One bit a cycle, the last input bit first; ports in the order of the signature, low bits first.
    strobe : In(1)
        In the cycle after the last bit: the inputs take their bits, word k of them k cycles after word 0.
        The component sees word 0 two cycles after the strobe.
    serial_out : Out(1)
        Exclusive-or of all outputs ``latency`` cycles ago.
    inputs, outputs : Value
        The component's ports, concatenated.
    latency : int

    Raises
    ------
    ValueError
        If the component has no inputs or no outputs.
    """

    def __init__(self, component: wiring.Component):
        self._component = component
        ports = {In: [], Out: []}
        for _, member, value in component.signature.flatten(component):
            ports[member.flow].append(Value.cast(value))
        self.inputs, self.outputs = Cat(*ports[In]), Cat(*ports[Out])
        if not (len(self.inputs) and len(self.outputs)):
            raise ValueError(f"A narrow port needs inputs and outputs, not {component.signature!r}")
        self.latency, width = 1, len(self.outputs)
        while width > 1:
            self.latency, width = self.latency + 1, -(-width // 4)
        super().__init__({"serial_in": In(1), "strobe": In(1), "serial_out": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.component = self._component
        self._drive(m)
        self._observe(m)
        return m

    def _drive(self, m):
        bit, strobe = Signal(name="bit"), Signal(name="strobe_0")
        m.d.sync += [bit.eq(self.serial_in), strobe.eq(self.strobe)]
        for word, start in enumerate(range(0, len(self.inputs), WORD), 1):
            target = self.inputs[start : start + WORD]
            shifted = Signal(len(target), name=f"shifted_{word}")
            held = Signal(len(target), name=f"held_{word}")
            m.d.sync += shifted.eq(Cat(bit, shifted))
            with m.If(strobe):
                m.d.sync += held.eq(shifted)
            m.d.comb += target.eq(held)
            # Bits and strobe are delayed alike from word to word.
            following, later = Signal(name=f"bit_{word}"), Signal(name=f"strobe_{word}")
            m.d.sync += [following.eq(shifted[-1]), later.eq(strobe)]
            bit, strobe = following, later

    def _observe(self, m):
        folded = Signal(len(self.outputs), name="observed")
        m.d.sync += folded.eq(self.outputs)
        step = 0
        while len(folded) > 1:
            step += 1
            groups = [folded[start : start + 4].xor() for start in range(0, len(folded), 4)]
            folded = Signal(len(groups), name=f"folded_{step}")
            m.d.sync += folded.eq(Cat(*groups))
        m.d.comb += self.serial_out.eq(folded)
