"""The top level: array, register file, and ports under plain names."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import q_shape
from dfarray.hw.axi import AxiFront, AxiLite
from dfarray.hw.core import Core
from dfarray.hw.registers import RegisterBus, RegisterFile
from dfarray.trace import index_bits


class BareAccelerator(wiring.Component):
    """A network that trains on the samples streamed into it.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Weights after configuration, see :func:`dfarray.initial_weights.initial_weights`.

    Attributes
    ----------
    samples : In {valid, ready, value, index, label, last}
        n_0 values a sample, or events (index, value), activation format; the label counts with the last transfer.
    results : Out {valid, ready, logit, prediction, last}
        C logits a sample, class 0 first.
    weights_in, weights_out : {valid, ready, data}
        Bulk weights of the load and dump commands: tile fastest, then lane, then row.
    registers : In RegisterBus
    busy : Out(1)
        A sample or command is waiting or under way; a cycle before STATUS tells.
    """

    port: wiring.Signature = RegisterBus()
    """Of the registers."""

    def __init__(self, config: Configuration, weights):
        formats, classes = config.formats, index_bits(config.network.classes)
        self.core = Core(config, weights)
        self._register_file = RegisterFile(config)

        def ready_valid(**payload):
            return wiring.Signature(
                {"valid": Out(1), "ready": In(1), **{name: Out(shape) for name, shape in payload.items()}}
            )

        weight = ready_valid(data=q_shape(formats.weight))
        super().__init__(
            {
                "samples": In(
                    ready_valid(
                        value=q_shape(formats.activation),
                        index=index_bits(config.network.inputs),
                        label=classes,
                        last=1,
                    )
                ),
                "results": Out(ready_valid(logit=q_shape(formats.logit), prediction=classes, last=1)),
                "weights_in": In(weight),
                "weights_out": Out(weight),
                "registers": In(self.port),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.core = core = self.core
        m.submodules.register_file = registers = self._register_file
        self._reach(m, registers.bus)
        m.d.comb += [
            core.settings.eq(registers.settings),
            core.command.eq(registers.command),
            registers.busy.eq(core.busy),
            registers.pending.eq(core.pending),
            registers.events.eq(core.events),
            registers.noise.eq(core.noise_state),
            self.busy.eq(core.busy | registers.commanded),
            core.samples.valid.eq(self.samples.valid),
            self.samples.ready.eq(core.samples.ready),
            core.samples.payload.value.eq(self.samples.value),
            core.samples.payload.index.eq(self.samples.index),
            core.samples.payload.label.eq(self.samples.label),
            core.samples.payload.last.eq(self.samples.last),
            self.results.valid.eq(core.results.valid),
            core.results.ready.eq(self.results.ready),
            self.results.logit.eq(core.results.payload.logit),
            self.results.prediction.eq(core.results.payload.prediction),
            self.results.last.eq(core.results.payload.last),
            core.weights_in.valid.eq(self.weights_in.valid),
            self.weights_in.ready.eq(core.weights_in.ready),
            core.weights_in.payload.eq(self.weights_in.data),
            self.weights_out.valid.eq(core.weights_out.valid),
            core.weights_out.ready.eq(self.weights_out.ready),
            self.weights_out.data.eq(core.weights_out.payload),
        ]
        return m

    def _reach(self, m, bus):
        """Connect the port to the register file."""
        wiring.connect(m, wiring.flipped(self.registers), bus)


class Accelerator(BareAccelerator):
    """The same with AXI4-Lite for its registers."""

    port = AxiLite()

    def _reach(self, m, bus):
        m.submodules.front = front = AxiFront()
        wiring.connect(m, wiring.flipped(self.registers), front.axi)
        wiring.connect(m, front.bus, bus)
