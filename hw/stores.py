"""The input store and the activation store: presynaptic activations of this sample and the one before."""

from amaranth.hdl import Array, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import q_shape
from dfarray.trace import index_bits


def sample_word(config: Configuration) -> data.StructLayout:
    """One input value; ``label`` counts with ``last``."""
    return data.StructLayout(
        {
            "value": q_shape(config.formats.activation),
            "label": index_bits(config.network.classes),
            "last": 1,
        }
    )


class InputStore(wiring.Component):
    """Three banks of n_0 values that rotate: incoming, current sample, previous sample.

    Attributes
    ----------
    samples : In stream of sample_word
        n_0 transfers a sample.
    full : Out(1)
        The incoming sample is complete.
    label : Out
        Its label.
    take : In(1)
        The incoming sample becomes the current one, the current the previous one.
    address : In
    current, previous : Out
        Values at the ``address`` of the cycle before.
    framing_error : Out(1)
        Strobe: a sample was discarded because ``last`` came at the wrong transfer.
    """

    def __init__(self, config: Configuration):
        self._config = config
        value = q_shape(config.formats.activation)
        super().__init__(
            {
                "samples": In(stream.Signature(sample_word(config))),
                "full": Out(1),
                "label": Out(index_bits(config.network.classes)),
                "take": In(1),
                "address": In(index_bits(config.network.inputs)),
                "current": Out(value),
                "previous": Out(value),
                "framing_error": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        inputs = self._config.network.inputs
        incoming, current, previous = Signal(2, init=0), Signal(2, init=1), Signal(2, init=2)
        index = Signal(range(inputs + 1))
        transfer = Signal()
        m.d.comb += [self.samples.ready.eq(~self.full), transfer.eq(self.samples.valid & self.samples.ready)]

        # At least two words: an address of no bits is not Verilog.
        read = []
        for bank in range(3):
            m.submodules[f"bank_{bank}"] = memory = Memory(shape=self.current.shape(), depth=max(2, inputs), init=[])
            write, port = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(transfer & (incoming == bank)),
                write.addr.eq(index),
                write.data.eq(self.samples.payload.value),
                port.addr.eq(self.address),
            ]
            read.append(port.data)
        m.d.comb += [self.current.eq(Array(read)[current]), self.previous.eq(Array(read)[previous])]

        with m.If(self.take):
            m.d.sync += [incoming.eq(previous), current.eq(incoming), previous.eq(current), self.full.eq(0)]

        discarding = Signal()
        last = self.samples.payload.last
        with m.If(transfer):
            m.d.sync += index.eq(Mux(last | (index == inputs - 1), 0, index + 1))
            with m.If(discarding):
                m.d.sync += [discarding.eq(~last), index.eq(0)]
            with m.Elif(last & (index == inputs - 1)):
                m.d.sync += [self.full.eq(1), self.label.eq(self.samples.payload.label)]
            with m.Elif(last | (index == inputs - 1)):
                m.d.sync += discarding.eq(~last)
                m.d.comb += self.framing_error.eq(1)
        return m


class ActivationStore(wiring.Component):
    """Two banks of all hidden activations, of this sample and the one before.

    Attributes
    ----------
    write : In {enable, value}
        The next hidden activation of the current sample, all layers numbered through.
    received : Out
        How many of them are stored.
    take : In(1)
        A new sample starts: the current bank becomes the previous one.
    address : In
    current, previous : Out
        Values at the ``address`` of the cycle before.
    """

    def __init__(self, config: Configuration):
        value = q_shape(config.formats.activation)
        self._count = sum(config.network.layers[1:-1])
        super().__init__(
            {
                "write": In(data.StructLayout({"enable": 1, "value": value})),
                "received": Out(index_bits(self._count + 1)),
                "take": In(1),
                "address": In(index_bits(max(1, self._count))),
                "current": Out(value),
                "previous": Out(value),
            }
        )

    def elaborate(self, platform):
        m = Module()
        if self._count == 0:
            return m
        parity = Signal()
        read = []
        for bank in range(2):
            m.submodules[f"bank_{bank}"] = memory = Memory(
                shape=self.current.shape(), depth=max(2, self._count), init=[]
            )
            write, port = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(self.write.enable & (parity == bank)),
                write.addr.eq(self.received),
                write.data.eq(self.write.value),
                port.addr.eq(self.address),
            ]
            read.append(port.data)
        m.d.comb += [
            self.current.eq(Mux(parity, read[1], read[0])),
            self.previous.eq(Mux(parity, read[0], read[1])),
        ]
        with m.If(self.take):
            m.d.sync += [parity.eq(~parity), self.received.eq(0)]
        with m.Elif(self.write.enable):
            m.d.sync += self.received.eq(self.received + 1)
        return m
