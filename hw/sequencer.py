"""The sequencer: it alone decides what is sent; tiles and lanes only consume."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import lookup
from dfarray.hw.collector import collect_request
from dfarray.hw.packets import Kind, Operation
from dfarray.hw.settings import COMMANDS, settings_layout
from dfarray.trace import STATES, index_bits, output_signals


class State(enum.Enum, shape=3):
    """What the sequencer is doing."""

    IDLE = STATES["IDLE"]
    SWEEP = STATES["SWEEP"]
    DRAIN = STATES["DRAIN"]
    LOAD = STATES["LOAD"]
    DUMP = STATES["DUMP"]


def decision(config: Configuration) -> data.StructLayout:
    """The packet decided in this cycle, without the activations, which the fetch stage adds.

    ``bias``: x is the bias input; ``unit``: x is the code 1 (READ); ``input_layer``: x comes from the input store;
    ``flush``: x_cur is zero and x_prev belongs to the current bank.
    """
    return data.StructLayout(
        {
            "op": Operation,
            "address": index_bits(config.array.bank_rows),
            "first": 1,
            "last": 1,
            "tile": index_bits(config.array.tiles),
            "lane": index_bits(config.array.lanes),
            "bias": 1,
            "input_layer": 1,
            "flush": 1,
        }
    )


class Sequencer(wiring.Component):
    """Runs sample sweeps, flushes, and bulk reading and writing of weights.

    docs/architecture.md section 4.3 is its specification.

    Attributes
    ----------
    settings, command : In
        From the register file.
    sample_ready : In(1)
        The incoming sample is complete.
    take_sample : Out(1)
        Its sweep starts: stores rotate, the error unit latches.
    received : In
        Hidden activations of the current sample that are stored.
    collector_busy, error_idle, delivered : In(1)
    decision : Out(decision)
        ``op`` is IDLE when nothing is decided.
    input_address, activation_address : Out
        Presynaptic neuron of the decided row.
    collect, collect_request : Out
    feedback_request, feedback_slot, feedback_frozen : Out
    update_ends : Out(1)
        Strobe: an update sweep is over.
    load_valid, load_ready : stream of weights in
    dump_transfer : In(1)
        A requested weight has left.
    busy : Out(1)
    """

    def __init__(self, config: Configuration):
        self._config = config
        self._row_bits = next(s.width for s in output_signals(config) if s.name == "sequencer.row")
        slot = index_bits(len(config.passes))
        hidden = sum(config.network.layers[1:-1])
        self.state = Signal(State)
        self.slot = Signal(slot)
        self.row = Signal(self._row_bits)
        self.pending = Signal()
        super().__init__(
            {
                "settings": In(settings_layout(config)),
                "command": In(COMMANDS),
                "sample_ready": In(1),
                "take_sample": Out(1),
                "received": In(index_bits(hidden + 1)),
                "collector_busy": In(1),
                "error_idle": In(1),
                "delivered": In(1),
                "decision": Out(decision(config)),
                "input_address": Out(index_bits(config.network.inputs)),
                "activation_address": Out(index_bits(max(1, hidden))),
                "collect": Out(1),
                "collect_request": Out(collect_request(config)),
                "feedback_request": Out(1),
                "feedback_slot": Out(slot),
                "feedback_frozen": Out(1),
                "reseed": Out(1),
                "update_ends": Out(1),
                "load_valid": In(1),
                "load_ready": Out(1),
                "dump_transfer": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        layers = len(config.network.layers) - 1
        self._address = Signal(index_bits(config.array.bank_rows))
        self._update, self._flush = Signal(), Signal()
        self._sample_trains = Signal()
        self._sample_freeze, self._update_freeze = Signal(layers), Signal(layers)
        self._waiting = Signal(COMMANDS)
        self._rows_left = Signal(index_bits(config.array.bank_rows + 1))
        self._drain = Signal(range(config.latency.result))

        m.d.comb += self.load_ready.eq(self.state == State.LOAD)
        m.d.comb += self.busy.eq((self.state != State.IDLE) | self._waiting.as_value().any() | self.sample_ready)
        with m.Switch(self.state):
            with m.Case(State.IDLE):
                self._idle(m)
            with m.Case(State.SWEEP):
                self._sweep(m)
            with m.Case(State.DRAIN):
                self._drained(m)
            with m.Case(State.LOAD):
                self._load(m)
            with m.Case(State.DUMP):
                self._dump(m)
        for name in ("seed", "flush", "load", "dump"):
            with m.If(self.command[name]):
                m.d.sync += self._waiting[name].eq(1)
        return m

    def _idle(self, m):
        waiting, settings = self._waiting, self.settings
        start_sweep = [
            self.state.eq(State.SWEEP),
            self._address.eq(0),
            self._update.eq(self.pending),
            self._update_freeze.eq(self._sample_freeze),
        ]
        start_transfer = [self._address.eq(settings.row_first), self._rows_left.eq(settings.row_count)]
        with m.If(waiting.seed):
            m.d.comb += self.reseed.eq(1)
            m.d.sync += waiting.seed.eq(0)
        with m.Elif((waiting.flush | waiting.load | waiting.dump) & self.pending):
            m.d.sync += [*start_sweep, self._flush.eq(1), waiting.flush.eq(0)]
        with m.Elif(waiting.flush):
            m.d.sync += waiting.flush.eq(0)
        with m.Elif(waiting.load):
            m.d.sync += [*start_transfer, self.state.eq(State.LOAD), waiting.load.eq(0)]
        with m.Elif(waiting.dump):
            m.d.sync += [*start_transfer, self.state.eq(State.DUMP), waiting.dump.eq(0)]
        with m.Elif(self.sample_ready):
            m.d.comb += self.take_sample.eq(1)
            m.d.sync += [
                *start_sweep,
                self._flush.eq(0),
                self._sample_trains.eq(settings.train),
                self._sample_freeze.eq(settings.freeze),
            ]

    def _sweep(self, m):
        config = self._config
        passes = config.passes
        offsets = [sum(config.network.layers[1 : item.layer - 1]) for item in passes]
        fan_in = lookup(m, self.slot, [item.fan_in for item in passes], "fan_in")
        offset = lookup(m, self.slot, offsets, "activation_offset")
        input_layer = lookup(m, self.slot, [int(item.layer == 1) for item in passes], "input_layer")
        output = lookup(m, self.slot, [int(item.output) for item in passes], "output_layer")
        last_lane = lookup(m, self.slot, [item.active_lanes - 1 for item in passes], "collect_last_lane")
        last_count = lookup(
            m, self.slot, [item.tiles_of_lane(item.active_lanes - 1) for item in passes], "collect_last_count"
        )
        next_layer = lookup(m, self.slot, [item.layer - 1 for item in passes[1:]] + [0], "next_layer")

        first, last, last_slot = self.row == 0, self.row == fan_in, self.slot == len(passes) - 1
        no_delta = first & self._update & ~self.delivered
        no_activation = ~self._flush & ~input_layer & ~first & (self.received < offset + self.row)
        no_collector = ~self._flush & last & self.collector_busy
        decide = Signal()
        m.d.comb += [
            decide.eq(~(no_delta | no_activation | no_collector)),
            self.input_address.eq(self.row - 1),
            self.activation_address.eq(offset + self.row - 1),
            self.collect_request.kind.eq(Mux(output, Kind.OUTPUT, Kind.HIDDEN)),
            self.collect_request.slot.eq(self.slot),
            self.collect_request.last_lane.eq(last_lane),
            self.collect_request.last_count.eq(last_count),
            self.feedback_slot.eq(self.slot + 1),
            self.feedback_frozen.eq(self._update_freeze.bit_select(next_layer, 1)),
        ]
        with m.If(decide):
            m.d.comb += [
                self.decision.op.eq(Mux(self._update, Operation.FUSED, Operation.FORWARD)),
                self.decision.address.eq(self._address),
                self.decision.first.eq(first),
                self.decision.last.eq(last),
                self.decision.bias.eq(first),
                self.decision.input_layer.eq(input_layer),
                self.decision.flush.eq(self._flush),
                self.collect.eq(last & ~self._flush),
                self.feedback_request.eq(first & self._update & ~last_slot),
            ]
            m.d.sync += [self._address.eq(self._address + 1), self.row.eq(self.row + 1)]
            with m.If(last):
                m.d.sync += [self.row.eq(0), self.slot.eq(self.slot + 1)]
                with m.If(last_slot):
                    m.d.sync += [
                        self.slot.eq(0),
                        self.state.eq(State.DRAIN),
                        self._drain.eq(config.latency.result - 1),
                    ]

    def _drained(self, m):
        with m.If(self._drain != 0):
            m.d.sync += self._drain.eq(self._drain - 1)
        with m.If(Mux(self._flush, self._drain == 0, self.error_idle)):
            m.d.comb += [
                self.update_ends.eq(self._update),
                self.feedback_request.eq(~self._flush & self._sample_trains),
                self.feedback_slot.eq(0),
                self.feedback_frozen.eq(self._sample_freeze[0]),
            ]
            m.d.sync += [
                self.state.eq(State.IDLE),
                self.pending.eq(~self._flush & self._sample_trains),
            ]

    def _load(self, m):
        tiles, lanes = self._config.array.tiles, self._config.array.lanes
        tile, lane = Signal(index_bits(tiles)), Signal(index_bits(lanes))
        with m.If(self.load_valid):
            m.d.comb += [
                self.decision.op.eq(Operation.LOAD),
                self.decision.address.eq(self._address),
                self.decision.tile.eq(tile),
                self.decision.lane.eq(lane),
            ]
            m.d.sync += tile.eq(tile + 1)
            with m.If(tile == tiles - 1):
                m.d.sync += [tile.eq(0), lane.eq(lane + 1)]
                with m.If(lane == lanes - 1):
                    m.d.sync += lane.eq(0)
                    self._next_row(m)

    def _dump(self, m):
        tiles, lanes = self._config.array.tiles, self._config.array.lanes
        outstanding = Signal(range(tiles * lanes + 1))
        requested = Signal()
        m.d.comb += [
            self.collect_request.kind.eq(Kind.WEIGHT),
            self.collect_request.last_lane.eq(lanes - 1),
            self.collect_request.last_count.eq(tiles),
        ]
        with m.If(~requested & ~self.collector_busy):
            m.d.comb += [
                self.decision.op.eq(Operation.READ),
                self.decision.address.eq(self._address),
                self.decision.first.eq(1),
                self.decision.last.eq(1),
                self.collect.eq(1),
            ]
            m.d.sync += [requested.eq(1), outstanding.eq(tiles * lanes)]
        with m.If(self.dump_transfer):
            m.d.sync += outstanding.eq(outstanding - 1)
            with m.If(outstanding == 1):
                m.d.sync += requested.eq(0)
                self._next_row(m)

    def _next_row(self, m):
        m.d.sync += [
            self._address.eq(self._address + 1),
            self._rows_left.eq(self._rows_left - 1),
            self.row.eq(self.row + 1),
        ]
        with m.If(self._rows_left == 1):
            m.d.sync += [self.row.eq(0), self.state.eq(State.IDLE)]
