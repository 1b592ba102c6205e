"""The array and everything around it but the register file."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.feedback import routes
from dfarray.hw.arithmetic import q_shape
from dfarray.hw.collector import Collector
from dfarray.hw.error_unit import ErrorUnit, result_word
from dfarray.hw.feedback import FeedbackNetwork
from dfarray.hw.fetch import Fetch
from dfarray.hw.noise import RowNoise
from dfarray.hw.packets import Kind, broadcast_packet
from dfarray.hw.sequencer import Sequencer
from dfarray.hw.settings import COMMANDS, settings_layout
from dfarray.hw.stores import ActivationStore, InputStore, sample_word
from dfarray.hw.tile import Tile
from dfarray.placement import to_banks


class Core(wiring.Component):
    """Trains on the samples it is given and answers each with its logits.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Initial weights, weight codes; column 0 is the bias.

    Attributes
    ----------
    samples : In stream of sample_word
    results : Out stream of result_word
    weights_in, weights_out : streams of weights
        Bulk LOAD and DUMP: tile fastest, then lane, then row.
    settings, command : In
    busy, pending : Out(1)
        Work is waiting or under way; an update is pending.
    framing_error, sample_done : Out(1)
        Strobes for counters.
    """

    def __init__(self, config: Configuration, weights):
        self._config = config
        banks = to_banks(config, weights)
        signs = [{} for _ in range(config.array.tiles)]
        for route in routes(config):
            signs[route.tile].update({(route.slot, lane): sign for lane, sign in enumerate(route.lane_signs)})
        self.sequencer = Sequencer(config)
        self.fetch = Fetch(config)
        self.collector = Collector(config)
        self.error_unit = ErrorUnit(config)
        self.feedback = FeedbackNetwork(config)
        self.activations = ActivationStore(config)
        self.tiles = [Tile(config, t, banks[:, :, t], signs[t]) for t in range(config.array.tiles)]
        weight = stream.Signature(q_shape(config.formats.weight))
        super().__init__(
            {
                "samples": In(stream.Signature(sample_word(config))),
                "results": Out(stream.Signature(result_word(config))),
                "weights_in": In(weight),
                "weights_out": Out(weight),
                "settings": In(settings_layout(config)),
                "command": In(COMMANDS),
                "busy": Out(1),
                "pending": Out(1),
                "framing_error": Out(1),
                "sample_done": Out(1),
            }
        )
        self.head = Signal(broadcast_packet(config))

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.sequencer = sequencer = self.sequencer
        m.submodules.fetch = fetch = self.fetch
        m.submodules.collector = collector = self.collector
        m.submodules.error_unit = error_unit = self.error_unit
        m.submodules.feedback = feedback = self.feedback
        m.submodules.input_store = inputs = InputStore(config)
        m.submodules.activation_store = activations = self.activations
        wiring.connect(m, wiring.flipped(self.samples), inputs.samples)
        wiring.connect(m, error_unit.results, wiring.flipped(self.results))

        m.d.comb += [
            sequencer.settings.eq(self.settings),
            sequencer.command.eq(self.command),
            sequencer.sample_ready.eq(inputs.full),
            sequencer.received.eq(activations.received),
            sequencer.collector_busy.eq(collector.busy),
            sequencer.error_idle.eq(error_unit.idle),
            sequencer.delivered.eq(feedback.delivered),
            sequencer.load_valid.eq(self.weights_in.valid),
            self.weights_in.ready.eq(sequencer.load_ready),
            self.busy.eq(sequencer.busy),
            self.pending.eq(sequencer.pending),
            self.framing_error.eq(inputs.framing_error),
            self.sample_done.eq(self.results.valid & self.results.ready & self.results.payload.last),
            inputs.take.eq(sequencer.take_sample),
            inputs.address.eq(sequencer.input_address),
            activations.take.eq(sequencer.take_sample),
            activations.address.eq(sequencer.activation_address),
            fetch.decision.eq(sequencer.decision),
            fetch.weight.eq(self.weights_in.payload),
            fetch.inputs.current.eq(inputs.current),
            fetch.inputs.previous.eq(inputs.previous),
            fetch.activations.current.eq(activations.current),
            fetch.activations.previous.eq(activations.previous),
            collector.start.eq(sequencer.collect),
            collector.request.eq(sequencer.collect_request),
            error_unit.start.eq(sequencer.take_sample),
            error_unit.label.eq(inputs.label),
            error_unit.train.eq(self.settings.train),
            error_unit.mantissa.eq(self.settings.rate_mantissa),
            error_unit.exponent.eq(self.settings.rate_exponent),
            error_unit.read_class.eq(feedback.read_class),
            feedback.scaled_error.eq(error_unit.scaled_error),
            feedback.request.eq(sequencer.feedback_request),
            feedback.slot.eq(sequencer.feedback_slot),
            feedback.frozen.eq(sequencer.feedback_frozen),
            self.head.eq(fetch.packet),
        ]
        if config.training.rounding is Rounding.STOCHASTIC:
            m.submodules.noise = noise = RowNoise(len(sequencer.decision.address), config.training.seed)
            m.d.comb += [
                noise.row.eq(sequencer.decision.address),
                noise.reseed.eq(sequencer.reseed),
                noise.seed.eq(self.settings.seed),
                noise.advance.eq(sequencer.update_ends),
                self.head.noise.eq(noise.word),
            ]
        self._chain(m, self.head)
        self._returns(m)
        return m

    def _chain(self, m, head):
        upstream = {"broadcast": head, "token": self.collector.token, "feedback": self.feedback.word, "return": None}
        for index, tile in enumerate(self.tiles):
            m.submodules[f"tile_{index}"] = tile
            for name, source in upstream.items():
                if source is not None:
                    m.d.comb += getattr(tile, f"{name}_in").eq(source)
            upstream = {name: getattr(tile, f"{name}_out") for name in upstream}

    def _returns(self, m):
        word = self.tiles[-1].return_out
        # Holds a whole row. Below four words the FIFO has no memory and is a cycle faster.
        lanes = self._config.array.tiles * self._config.array.lanes
        m.submodules.dump = dump = SyncFIFOBuffered(width=self._config.formats.weight.width, depth=max(4, lanes))
        m.d.comb += [
            self.activations.write.enable.eq(word.valid & (word.kind == Kind.HIDDEN)),
            self.activations.write.value.eq(word.value),
            self.error_unit.logit.valid.eq(word.valid & (word.kind == Kind.OUTPUT)),
            self.error_unit.logit.value.eq(word.value),
            dump.w_en.eq(word.valid & (word.kind == Kind.WEIGHT)),
            dump.w_data.eq(word.value),
            self.weights_out.valid.eq(dump.r_rdy),
            self.weights_out.payload.eq(dump.r_data),
            dump.r_en.eq(self.weights_out.ready),
            self.sequencer.dump_transfer.eq(self.weights_out.valid & self.weights_out.ready),
        ]
