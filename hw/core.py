"""The array and everything around it but the register file."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration, Rounding
from dfarray.feedback import routes
from dfarray.hw.arithmetic import delay, q_shape
from dfarray.hw.collector import Collector
from dfarray.hw.dense_sequencer import make_sequencer
from dfarray.hw.dense_store import make_input_store
from dfarray.hw.dump_queue import DumpQueue
from dfarray.hw.error_unit import ErrorUnit, result_word
from dfarray.hw.event_counters import event_amounts
from dfarray.hw.frames import sample_word
from dfarray.hw.noise import NoiseState, RowNoise
from dfarray.hw.packets import Kind, broadcast_packet, late_packet, lateness
from dfarray.hw.serial_feedback import make_feedback
from dfarray.hw.serial_fetch import make_fetch
from dfarray.hw.serial_readout import make_readout
from dfarray.hw.serial_tile import make_tiles
from dfarray.hw.settings import COMMANDS, settings_layout
from dfarray.hw.stores import ActivationStore
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
        Bulk LOAD and DUMP, in the order of :func:`dfarray.placement.to_image`.
    settings, command : In
    busy, pending : Out(1)
        Work is waiting or under way; an update is pending.
    events : Out(event_amounts)
        What is to be counted; MACS three cycles after the decision.
    noise_state : Out(32)
        State of the rounding noise; 0 if rounding is nearest.
    """

    def __init__(self, config: Configuration, weights):
        self._config = config
        banks, biases = to_banks(config, weights)
        signs = [{} for _ in range(config.array.tiles)]
        for route in routes(config):
            signs[route.tile].update({(route.slot, lane): sign for lane, sign in enumerate(route.lane_signs)})
        self.sequencer = make_sequencer(config)
        self.fetch = make_fetch(config)
        self.collector = Collector(config)
        self.readout = make_readout(config)
        self.error_unit = ErrorUnit(config)
        self.feedback = make_feedback(config)
        self.inputs = make_input_store(config)
        self.activations = ActivationStore(config)
        self.tiles, self.bias_tile = make_tiles(config, banks, biases, signs)
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
                "events": Out(event_amounts(config)),
                "noise_state": Out(32),
            }
        )
        self.head = Signal(broadcast_packet(config))
        self.head_noise = Signal(32)
        # The store is empty in networks with one hidden layer, and then has no signals of its own.
        self.received = Signal.like(self.activations.received)
        self.available = Signal.like(self.activations.available)

    def elaborate(self, platform):
        m = Module()
        m.submodules.sequencer = sequencer = self.sequencer
        m.submodules.fetch = fetch = self.fetch
        m.submodules.collector = collector = self.collector
        m.submodules.readout = readout = self.readout
        m.submodules.error_unit = error_unit = self.error_unit
        m.submodules.feedback = feedback = self.feedback
        m.submodules.input_store = inputs = self.inputs
        m.submodules.activation_store = activations = self.activations
        wiring.connect(m, wiring.flipped(self.samples), inputs.samples)
        wiring.connect(m, error_unit.results, wiring.flipped(self.results))

        m.d.comb += [
            sequencer.settings.eq(self.settings),
            sequencer.command.eq(self.command),
            sequencer.sample_complete.eq(inputs.complete),
            sequencer.label.eq(inputs.label),
            sequencer.next_rows.eq(inputs.next_rows),
            sequencer.rows_newest.eq(inputs.rows_newest),
            sequencer.rows_older.eq(inputs.rows_older),
            sequencer.input_gram.eq(inputs.gram),
            sequencer.list_rows.eq(activations.rows),
            sequencer.list_complete.eq(activations.complete),
            sequencer.list_gram.eq(activations.gram),
            sequencer.collector_busy.eq(collector.busy),
            sequencer.error_idle.eq(error_unit.idle),
            sequencer.delivered.eq(feedback.delivered),
            sequencer.corrected.eq(feedback.corrected),
            sequencer.ready.eq(error_unit.ready),
            sequencer.load_valid.eq(self.weights_in.valid),
            sequencer.load_value.eq(self.weights_in.payload),
            self.weights_in.ready.eq(sequencer.load_ready),
            self.busy.eq(sequencer.busy),
            self.pending.eq(sequencer.pending_u | sequencer.pending_v),
            self.received.eq(activations.received),
            self.available.eq(activations.available),
            inputs.events.eq(self.settings.events),
            inputs.take.eq(sequencer.take_sample),
            inputs.previous.eq(sequencer.previous_list),
            inputs.entry.eq(sequencer.entry),
            activations.start.eq(sequencer.start_sweep),
            activations.layer.eq(sequencer.layer),
            activations.entry.eq(sequencer.entry),
            collector.start.eq(sequencer.collect),
            collector.request.eq(sequencer.collect_request),
            error_unit.start.eq(sequencer.error_start),
            error_unit.context.eq(sequencer.error_context),
            error_unit.clear_ready.eq(sequencer.clear_ready),
            readout.start.eq(sequencer.error_start),
            readout.correct.eq(error_unit.correct),
            error_unit.logit.eq(readout.logit),
            feedback.shadow.eq(sequencer.shadow_request),
            feedback.correction.eq(sequencer.correction_request),
            feedback.ready.eq(error_unit.ready),
        ]
        self._fetch(m, fetch, sequencer, inputs, activations)
        readers = [
            (feedback.read_class, feedback.read_bank, feedback.scaled_error),
            (fetch.error_class, fetch.error_bank, fetch.error),
            (readout.read_class, ~error_unit.bank, readout.error),
        ]
        for port, (wanted, bank, error) in zip(error_unit.read, readers, strict=True):
            m.d.comb += [port.read_class.eq(wanted), port.bank.eq(bank)]
            m.d.comb += error.eq(port.error)
        self._chain(m)
        self._returns(m)
        self._count(m)
        return m

    def _fetch(self, m, fetch, sequencer, inputs, activations):
        config = self._config
        m.d.comb += [
            fetch.decision.eq(sequencer.decision),
            fetch.inputs.eq(inputs.read),
            fetch.activations.eq(activations.read),
            self.head.eq(fetch.packet),
        ]
        if config.training.rounding is Rounding.STOCHASTIC:
            m.submodules.noise_state = state = NoiseState(config.training.seed)
            m.submodules.noise = noise = RowNoise(len(fetch.row), 1 if config.latency.serial else 3)
            m.d.comb += [
                state.reseed.eq(sequencer.reseed),
                state.seed.eq(self.settings.seed),
                state.advance.eq(sequencer.advance_noise),
                sequencer.noise_state.eq(state.state),
                self.noise_state.eq(state.state),
                noise.row.eq(fetch.row),
                noise.state.eq(fetch.noise),
                self.head_noise.eq(noise.word),
            ]

    def _chain(self, m):
        upstream = {
            "broadcast": self.head,
            "late": self._late(m),
            "token": self.collector.token,
            "feedback": self.feedback.word,
            "return": None,
            "partial": None,
            "events": None,
        }
        for index, tile in enumerate([*self.tiles, self.bias_tile]):
            m.submodules[f"tile_{index}"] = tile
            if tile is self.bias_tile:
                del upstream["feedback"]
            for name, source in upstream.items():
                if source is not None:
                    m.d.comb += getattr(tile, f"{name}_in").eq(source)
            if tile is not self.bias_tile:
                upstream = {name: getattr(tile, f"{name}_out") for name in upstream}

    def _late(self, m):
        """The head of the late chain."""
        late, cycles = Signal(late_packet(self._config)), lateness(self._config)
        stochastic = self._config.training.rounding is Rounding.STOCHASTIC
        if self._config.latency.serial:
            if stochastic:
                m.d.comb += late.noise.eq(self.head_noise)
            return late
        m.d.comb += [
            late.payload.eq(delay(m, self.head.payload.as_value(), cycles["payload"], "late_payload")),
            late.address.eq(delay(m, self.head.address, cycles["address"], "late_address")),
        ]
        if stochastic:
            m.d.comb += late.noise.eq(delay(m, self.head_noise, cycles["noise"], "late_noise"))
        return late

    def _returns(self, m):
        word = self.bias_tile.return_out
        m.submodules.dump_queue = dump = DumpQueue(self._config)
        wiring.connect(m, dump.words, wiring.flipped(self.weights_out))
        m.d.comb += [
            self.readout.partial.eq(self.bias_tile.partial_out),
            self.activations.write.enable.eq(word.valid & (word.kind == Kind.HIDDEN)),
            self.activations.write.value.eq(word.value),
            dump.write.eq(self.bias_tile.weight_leaves),
            dump.value.eq(word.value),
            self.sequencer.dump_transfer.eq(self.weights_out.valid & self.weights_out.ready),
        ]

    def _count(self, m):
        results, weights, tiles = self.results, self.weights_out, self.bias_tile.events_out
        sequencer = self.sequencer
        amounts = {
            "SAMPLES": results.valid & results.ready & results.payload.last,
            "FRAMING_ERRORS": self.inputs.framing_error,
            "BUSY_CYCLES": sequencer.busy,
            "MACS": sequencer.macs,
            "INPUT_WAITS": sequencer.input_waits,
            "ERROR_WAITS": sequencer.error_waits,
            "ACTIVATION_WAITS": sequencer.activation_waits,
            "HOST_WAITS": (results.valid & ~results.ready) | (weights.valid & ~weights.ready),
            "SKIPPED_ROWS": sequencer.skipped_rows,
            "ZERO_DELTAS": tiles.zeros,
            "WEIGHT_SATURATIONS": tiles.weights,
            "ACTIVATION_SATURATIONS": tiles.sums,
            "LOGIT_SATURATIONS": self.readout.saturated,
            "DELTA_SATURATIONS": self.error_unit.saturated,
        }
        m.d.comb += [self.events[name].eq(amount) for name, amount in amounts.items()]
