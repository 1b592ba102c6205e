"""The sequencer alone decides what the array does: one packet a cycle at most."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from dfarray.configuration import Configuration
from dfarray.hw.arithmetic import delay, lookup
from dfarray.hw.collector import collect_request
from dfarray.hw.context import output_context, sample_settings
from dfarray.hw.packets import Kind
from dfarray.hw.settings import COMMANDS, settings_layout
from dfarray.trace import STATES, index_bits, output_signals, packet_width


class State(enum.Enum, shape=2):
    """What the sequencer is doing with hidden rows, or with weights."""

    IDLE = STATES["IDLE"]
    SWEEP = STATES["SWEEP"]
    LOAD = STATES["LOAD"]
    DUMP = STATES["DUMP"]


LENGTHS = (0, 1, 2)
"""Of a list, known by a bit each: near its end there is no time to compare."""

PACKETS = ("row", "activate", "output", "gram", "load", "read")
"""What can be decided."""


def decision(config: Configuration) -> data.StructLayout:
    """The packet decided in this cycle, without what the fetch stage adds.

    ``row``, ``activate``, ``output``, ``gram``, ``load``, ``read``: what is decided, at most one of them; ``update``: a
    row that is fused with an update; ``base`` is the bank row, an entry's index not added; ``bias``: x is the bias
    input; ``inputs``: the entry is the input store's; ``null``: of a NULL sweep; ``class``: whose g of ``parity``'s
    bank is the value of an OUT_FUSED.
    """
    return data.StructLayout(
        {
            **dict.fromkeys(PACKETS, 1),
            "update": 1,
            "base": index_bits(config.array.bank_rows),
            "value": signed(packet_width(config)),
            "first": 1,
            "last": 1,
            "tile": index_bits(config.array.tiles + 1),
            "lane": index_bits(config.array.lanes),
            "slot": index_bits(len(config.passes)),
            "parity": 1,
            "bias": 1,
            "inputs": 1,
            "null": 1,
            "class": index_bits(config.network.classes),
            "noise": 32,
        }
    )


def feedback_request(config: Configuration) -> data.StructLayout:
    """Feedback for a slot; ``needed``: its generation is pending and the layer learns."""
    return data.StructLayout({"valid": 1, "needed": 1, "slot": index_bits(len(config.passes)), "bank": 1})


class Sequencer(wiring.Component):
    """Runs the sweeps' hidden rows, the ACTIVATEs and output rows that follow them, and loading and dumping of weights.

    docs/architecture.md sections 3 and 4.3 are its specification.

    Attributes
    ----------
    settings, command : In
        From the register file.
    sample_complete, label : In
        The incoming sample, and its label.
    take_sample : Out(1)
        Its sweep starts.
    start_sweep : Out(1)
        Any sweep starts.
    next_rows, rows_newest, rows_older : In
        Entries of the lists of the incoming sample, of the latest, and of the one before.
    input_gram : In
        Gram of the latest sample.
    previous_list : Out(1)
        The input list of the sample before the latest is swept.
    layer : Out
        Of the slot, 1-based; selects what the activation store shows.
    list_rows, list_complete, list_gram : In
        Of the layer below.
    collector_busy, error_idle, delivered, corrected : In(1)
    ready : In(2)
        Whether g is complete, a bit a bank.
    decision : Out(decision)
    entry : Out
        Row-list entry of the decided row.
    collect, collect_request : Out
    shadow_request, correction_request : Out(feedback_request)
    clear_ready : Out(2)
        Strobes: a TRAIN sweep of that parity is over.
    error_start, error_context : Out
        Strobe of the first output row of an answered sample.
    final_group : Out(1)
        The decided output row belongs to the last group.
    load_valid, load_ready, load_value : stream of weights in
    dump_transfer : In(1)
        A requested weight has left.
    busy : Out(1)
    macs : Out
        Useful multiply-accumulates of the packet decided three cycles before.
    input_waits, error_waits, activation_waits : Out(1)
        The causes for which nothing was decided a cycle before.
    skipped_rows : Out
        Of the slot that ended a cycle before.
    """

    def __init__(self, config: Configuration):
        self._config = config
        self._row_bits = next(s.width for s in output_signals(config) if s.name == "sequencer.row")
        slot = index_bits(len(config.passes))
        rows, array = self._row_bits, config.array
        self.state = Signal(State)
        self.slot, self.row = Signal(slot, name="slot"), Signal(rows, name="row")
        self.pending_u, self.pending_v = Signal(name="pending_u"), Signal(name="pending_v")
        self.parity = Signal()
        self.activate, self.output = Signal(name="activates"), Signal(name="outputs")
        self.output_row = Signal(index_bits(config.network.classes + 1))
        gram = signed(config.gram.width)
        request = feedback_request(config)
        super().__init__(
            {
                "settings": In(settings_layout(config)),
                "command": In(COMMANDS),
                "sample_complete": In(1),
                "label": In(index_bits(config.network.classes)),
                "take_sample": Out(1),
                "start_sweep": Out(1),
                "next_rows": In(rows),
                "rows_newest": In(rows),
                "rows_older": In(rows),
                "input_gram": In(gram),
                "previous_list": Out(1),
                "layer": Out(index_bits(len(config.network.layers))),
                "list_rows": In(rows),
                "list_complete": In(1),
                "list_gram": In(gram),
                "collector_busy": In(1),
                "error_idle": In(1),
                "delivered": In(1),
                "corrected": In(1),
                "ready": In(2),
                "decision": Out(decision(config)),
                "entry": Out(rows),
                "collect": Out(1),
                "collect_request": Out(collect_request(config)),
                "shadow_request": Out(request),
                "correction_request": Out(request),
                "clear_ready": Out(2),
                "error_start": Out(1),
                "error_context": Out(output_context(config)),
                "final_group": Out(1),
                "reseed": Out(1),
                "advance_noise": Out(1),
                "noise_state": In(32),
                "load_valid": In(1),
                "load_value": In(signed(config.formats.weight.width)),
                "load_ready": Out(1),
                "dump_transfer": In(1),
                "busy": Out(1),
                "macs": Out(index_bits(2 * array.tiles * array.lanes + 1)),
                **dict.fromkeys(("input_waits", "error_waits", "activation_waits"), Out(1)),
                "skipped_rows": Out(rows),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config, latency = self._config, self._config.latency
        layers = len(config.network.layers) - 1
        self._sweep = Signal(sample_settings(config))  # Of the sweep under way.
        self._null, self._previous = Signal(name="null"), Signal(name="previous")
        self._first = Signal(init=1, name="first")
        self._freeze_u, self._freeze_v = Signal(layers), Signal(layers)
        self._waiting, self._consumed = Signal(COMMANDS, name="waiting"), Signal(COMMANDS, name="consumed")
        self._address = Signal(index_bits(config.array.bank_rows))
        self._rows_left, self._requested = Signal(self._row_bits, name="rows_left"), Signal(name="requested")
        self._ends, self._opens = Signal(name="ends"), Signal(name="opens")
        self._row_decided = Signal(name="row_decided")
        # The state, a register each, for the clock.
        self._idles, self._sweeps = Signal(init=1, name="idles"), Signal(name="sweeps")
        self._loads, self._dumps = Signal(name="loads"), Signal(name="dumps")
        self._moves_words = Signal(name="moves_words")
        self._enters = {
            state: Signal(name=f"enters_{state.name.lower()}") for state in (State.SWEEP, State.LOAD, State.DUMP)
        }
        self._sweep_ends, self._words_end = Signal(name="sweep_ends"), Signal(name="words_end")
        m.d.comb += self.state.eq(Cat(self._sweeps | self._dumps, self._loads | self._dumps))
        # What waits, a command or a SEED write, and whether anything does.
        self._asked = Signal(name="asked")
        waits = (self._waiting.as_value() & ~self._consumed.as_value()) | self.command.as_value()
        m.d.sync += [self._waiting.eq(waits), self._asked.eq(waits.any())]
        self._output, self._group = Signal(output_context(config)), Signal(index_bits(len(config.output_groups)))
        self._activation = Signal(
            data.StructLayout(
                {
                    "slot": len(self.slot),
                    "last_slot": 1,
                    "correct": 1,
                    "correct_next": 1,
                    "gram": signed(config.gram.width),
                    "output": output_context(config),
                }
            )
        )
        self._constants(m)

        tick = Const(1)
        if latency.interval == 2:
            phase = Signal()
            m.d.sync += phase.eq(~phase)
            tick = ~phase
        decided = self._was_decided(m, Cat(self.decision[name] for name in PACKETS))
        unsettled = self._timer(m, decided, latency.settle - 1, "unsettled")
        quiet, was_quiet = Signal(name="quiet"), Signal(init=1, name="was_quiet")
        rests, flushes = Signal(init=1, name="rests"), Signal(name="flushes")
        pending = self.pending_u | self.pending_v
        m.d.comb += quiet.eq(self._idles & ~self.activate & ~self.output & self.error_idle & ~decided & ~unsettled)
        # Nothing but a sweep, LOAD or DUMP ends it or applies an update, and those show in the state.
        m.d.sync += [was_quiet.eq(quiet), rests.eq(quiet & ~pending), flushes.eq(quiet & pending)]

        self._left, self._at_end = Signal(self._row_bits, name="left"), Signal(name="at_end")
        self._left_is_one = Signal(name="left_is_one")
        self._list, self._list_is = Signal(self._row_bits, name="list"), Signal(len(LENGTHS), name="list_is")

        self._prepare_sweep(m)
        loads = self._loads & self.load_valid & tick
        m.d.comb += self.load_ready.eq(self._loads & tick)
        self._unwritten = self._timer(m, loads, latency.align, "loaded")

        # Whether each may be decided was found out a cycle before, and at most one of them may.
        output_next, activate_next = Signal(name="output_next"), Signal(name="activate_next")
        neither_next = Signal(init=1)
        output, activate = Signal(name="decides_output"), Signal(name="decides_activate")
        m.d.comb += [output.eq(output_next & tick), activate.eq(activate_next & tick)]
        self._hidden_rows(m, tick & neither_next, activate)
        # The last output row of its group is decided.
        self._at_gram = self.output_row == config.network.classes
        self._grams = Signal(name="decides_gram")
        m.d.comb += self._grams.eq(output & self._at_gram)
        activate_follows = self._activations(m, activate)
        output_follows = self._output_rows(m, output, output_next, activate)
        m.d.sync += [
            activate_next.eq(activate_follows),
            output_next.eq(output_follows),
            neither_next.eq(~(activate_follows | output_follows)),
        ]
        self._count(m, output)
        with m.If(self._idles):
            reseeds = self._idle(m, rests, flushes)
        m.d.sync += self.reseed.eq(reseeds)
        self._place_words(m)
        with m.If(self._loads):
            self._load(m, loads)
        with m.If(self._dumps):
            self._dump(m, tick)
        self._count_words(m, loads, tick)
        self._change_state(m)
        m.d.comb += self.busy.eq(~(self._idles & was_quiet) | self._asked | self.sample_complete)
        return m

    def _was_decided(self, m, packets):
        """Whether a packet was decided in the cycle before."""
        return delay(m, packets, 1, "decided", reset_less=False).any()

    def _change_state(self, m):
        """Each flag from what it waits for alone: IDLE comes behind every other state, and they behind IDLE."""
        sweep, load, dump = (self._enters[state] for state in (State.SWEEP, State.LOAD, State.DUMP))
        m.d.sync += [
            self._idles.eq((self._idles & ~(sweep | load | dump)) | self._sweep_ends | self._words_end),
            self._sweeps.eq((self._sweeps & ~self._sweep_ends) | sweep),
            self._loads.eq((self._loads & ~self._words_end) | load),
            self._dumps.eq((self._dumps & ~self._words_end) | dump),
            self._moves_words.eq((self._moves_words & ~self._words_end) | load | dump),
        ]

    def _enter(self, m, state):
        m.d.comb += self._enters[state].eq(1)

    @staticmethod
    def _timer(m, start, cycles, name):
        """1 for ``cycles`` cycles after ``start``."""
        left, runs = Signal(range(max(2, cycles + 1)), name=f"{name}_left"), Signal(name=f"{name}_runs")
        with m.If(start):
            m.d.sync += [left.eq(cycles), runs.eq(cycles > 0)]
        with m.Elif(runs):
            m.d.sync += [left.eq(left - 1), runs.eq(left != 1)]
        return runs

    def _constants(self, m):
        """What belongs to the current slot."""
        config = self._config
        passes, groups = config.passes, config.output_groups
        offsets = [sum(config.network.layers[1 : item.layer - 1]) for item in passes]
        self._offset = lookup(m, self.slot, offsets, "list_offset")
        self._layer = lookup(m, self.slot, [item.layer - 1 for item in passes], "layer_index")
        self._next_layer = lookup(m, self.slot, [item.layer - 1 for item in passes[1:]] + [0], "next_layer")
        # Kept beside the slot, for the clock.
        self._following = Signal.like(self.slot, init=1 % len(passes), name="following_slot")
        self._last_slot = Signal(init=int(len(passes) == 1), name="last_slot")
        self._neurons = lookup(m, self.slot, [item.neurons for item in passes], "neurons")
        self._fan_in = lookup(m, self.slot, [item.fan_in for item in passes], "fan_in")
        self._group_slot = groups[0][0].slot
        m.d.comb += self.layer.eq(self._layer + 1)

    # Hidden rows

    def _hidden_rows(self, m, free, activated):
        latency = self._config.latency
        inputs = self._layer == 0
        first = self._first
        known = inputs | self.list_complete
        last = Mux(inputs, self._at_last_input(), self.list_complete & (self.row == self.list_rows))
        may, ends = Signal(name="decides_row"), self._ends
        first_next, last_next = Signal(name="first_next"), Signal(name="last_next")
        listed, held_up = Signal(name="listed"), Signal(name="held_up")
        m.d.comb += [
            listed.eq(known | (self.list_rows > self.row)),
            held_up.eq((first & ~first_next) | (last & ~last_next)),
            may.eq(free & self._sweeps & listed & ~held_up),
            ends.eq(may & last),
        ]

        following, wanted_next = self._following, Signal()
        later = Mux(following == len(self._config.passes) - 1, 0, following + 1)
        m.d.comb += wanted_next.eq(
            Mux(
                self._last_slot,
                self.pending_v & ~self._freeze_v[0],
                self.pending_u & ~self._freeze_u.bit_select(self._next_layer, 1),
            )
        )
        # Deltas are asked for a cycle later, and what was delivered before is valid for one more.
        asks, wanted = delay(m, may & first, 1, "asks", reset_less=False), Signal()
        with m.If(ends):
            m.d.sync += wanted.eq(wanted_next)
        if latency.serial:
            no_room = self._wait_for_sums(m, activated, first_next, wanted)
        else:
            self._wait_for_writes(
                m,
                may,
                ends,
                later,
                first_next,
                ~wanted | (self.delivered & ~asks),
                ~wanted_next | (self.delivered & ~first & ~asks),
            )
            # A last row waits until its ACTIVATE has room.
            no_room = self.activate | ends | self._timer(m, activated, self._config.array.lanes - 2, "activated")
        # The last row of a sweep waits for U's errors.
        no_errors = self._last_slot & self.pending_u & ~self.ready.bit_select(self.parity, 1)
        m.d.sync += last_next.eq(~(no_room | no_errors))
        lacks_errors = delay(m, no_errors & ~no_room, 1, "lacks_errors")
        for_errors = listed & ((first & ~first_next) | (last & lacks_errors))
        waits = free & self._sweeps & ~(listed & ~held_up)
        m.d.sync += [self.error_waits.eq(waits & for_errors), self.activation_waits.eq(waits & ~for_errors)]
        m.d.sync += self.input_waits.eq(self._idles & ~self._asked & ~self.sample_complete)
        if self._config.lists:
            m.d.sync += self.skipped_rows.eq(Mux(ends, self._fan_in - self.row, 0))

        packet, request = self.decision, self.shadow_request
        self._place_row(m, may)
        m.d.comb += [
            self.entry.eq(Mux(inputs, 0, self._offset) + self.row - 1),
            self.previous_list.eq(self._previous),
            packet.first.eq(first),
            packet.last.eq(last),
            packet.bias.eq(first),
            packet.inputs.eq(inputs),
            packet.null.eq(self._null),
            packet.noise.eq(self.noise_state),
            packet.row.eq(may),
            packet.update.eq(self.pending_u),
            request.valid.eq(asks),
            request.slot.eq(delay(m, following, 1, "asked_slot")),
            request.bank.eq(delay(m, self.parity ^ self._last_slot, 1, "asked_bank")),
            request.needed.eq(delay(m, wanted_next, 1, "asked_needed")),
        ]
        with m.If(may):
            m.d.sync += [self.row.eq(Mux(last, 0, self.row + 1)), first.eq(last)]
        with m.If(ends):
            m.d.sync += [
                self.slot.eq(following),
                following.eq(later),
                self._last_slot.eq(later == 0),
                self.activate.eq(1),
            ]
        self._follow_list(m, may, last)
        self._end_slot(m, ends, inputs)
        m.d.comb += self._row_decided.eq(may & ~first)

    def _place_row(self, m, may):
        base = lookup(m, self.slot, [item.base for item in self._config.passes], "base")
        m.d.comb += self.decision.base.eq(Mux(self._first, base, base + 1))

    def _at_last_input(self):
        return self._at_end

    def _follow_list(self, m, may, last):
        """Entries left of the list, which starts again for every slot."""
        empty, one, two = self._list_is
        with m.If(may):
            m.d.sync += [
                self._left.eq(Mux(self._first, self._list, self._left) - 1),
                self._left_is_one.eq(Mux(self._first, two, self._left == 2)),
            ]
        with m.If(may | self._idles):
            follows = Mux(last, empty, Mux(self._first, one, self._left_is_one))
            m.d.sync += self._at_end.eq(Mux(self._idles, self._swept_is[0], follows))

    def _wait_for_writes(self, m, may, ends, later, first_next, delivered, delivered_next):
        """A first row waits for the slot's deltas, if any are wanted, and until what it may read is written."""
        slots, older = len(self._config.passes), []
        valid, slot = may, self.slot
        for i in range(self._config.latency.align):
            register = Signal(name=f"decided_{i}"), Signal.like(self.slot, name=f"decided_slot_{i}")
            m.d.sync += [register[0].eq(valid), register[1].eq(slot)]
            valid, slot = register
            older.append(register)
        # Whether a row of the slot that is next, or of the one behind it, was decided: ahead, for the clock.
        current, following, beyond = (
            Cat(valid & (slot == number) for valid, slot in older).any()
            for number in (self.slot, self._following, later)
        )
        unwritten, unwritten_next = Signal(name="unwritten"), Signal(name="unwritten_next")
        m.d.sync += [
            unwritten.eq(Mux(ends, following | (slots == 1), current | may)),
            unwritten_next.eq(Mux(ends, beyond | (slots <= 2), following | (may & (slots == 1)))),
        ]
        with m.If(ends):
            m.d.sync += first_next.eq(~unwritten_next & (slots > 1) & delivered_next)
        with m.Else():
            m.d.sync += first_next.eq(~unwritten & delivered)

    def _wait_for_sums(self, m, activated, first_next, wanted):
        """A first row waits for the slot's deltas, and until what the lanes have of the slot before is answered.

        Returns whether a last row has to wait for its ACTIVATE's room: never, as it has it then.
        """
        config = self._config
        recent = Const(0)
        if len(config.network.layers) > 3:  # Behind the last hidden layer's come output rows, longer.
            recent = self._timer(m, activated, config.latency.activation_wait(config.array.lanes) - 2, "activated")
        m.d.sync += first_next.eq(~(self.activate | self.output | recent) & (~wanted | self.delivered))
        return Const(0)

    def _count(self, m, output):
        """Useful multiply-accumulates, three cycles later."""
        context, frozen = self._output, self._freeze_u.bit_select(self._layer, 1)
        outputs = delay(
            m, Cat(~context.null, context.update) & (output & ~self._at_gram).replicate(2), 1, "output_counts"
        )
        hidden = delay(m, self._row_decided, 1, "row_counts", reset_less=False).replicate(2)
        rows = delay(m, Cat(~self._null, self.pending_u & ~frozen), 1, "row_operations") & hidden
        counts = delay(m, outputs | rows, 1, "counts")
        counted = delay(m, Mux(output, self._group_neurons, self._neurons), 2, "counted_neurons")
        m.d.sync += self.macs.eq(Mux(counts[0], counted, 0) + Mux(counts[1], counted, 0))

    def _end_slot(self, m, ends, inputs):
        """The last row of a slot is decided: an ACTIVATE waits; after the last slot the generations move on.

        What belongs to the ACTIVATE is kept a cycle later, out of the decision's way, unless registers are dear.
        """
        sweep, waiting = self._sweep, self._activation
        layers = len(self._config.network.layers) - 1
        trained = sweep.train & ~self._null
        corrects = self.pending_v & trained
        ending = Signal.like(waiting)
        serial = self._config.latency.serial
        m.d["comb" if serial else "sync"] += [
            ending.slot.eq(self.slot),
            ending.last_slot.eq(self._last_slot),
            ending.correct.eq(corrects & ~self._freeze_v.bit_select(self._layer, 1)),
            ending.correct_next.eq(
                Mux(
                    self._last_slot,
                    trained & ~sweep.freeze[0],
                    corrects & ~self._freeze_v.bit_select(self._next_layer, 1),
                )
            ),
            ending.gram.eq(Mux(inputs, self.input_gram, self.list_gram)),
            ending.output.null.eq(self._null),
            ending.output.parity.eq(self.parity),
            ending.output.update.eq(self.pending_u & ~self._freeze_u[layers - 1]),
            ending.output.correct.eq(corrects & ~self._freeze_v[layers - 1]),
        ]
        # The sweep's settings and noise are its own until a cycle later, too.
        m.d.comb += [ending.output.settings.eq(sweep), ending.output.noise.eq(self.noise_state)]
        with m.If(ends if serial else delay(m, ends, 1, "ended", reset_less=False)):
            m.d.sync += waiting.eq(ending)

        finished, trains, swept = Signal(name="finished"), Signal(name="trains"), Signal(name="swept_parity")
        m.d.sync += [finished.eq(self._sweep_ends), trains.eq(trained), swept.eq(self.parity)]
        m.d.comb += [
            self.advance_noise.eq(finished & delay(m, self.pending_u, 1, "applied")),
            self.clear_ready.eq(Mux(finished & trains, Mux(swept, 0b10, 0b01), 0)),
        ]
        m.d.comb += self._sweep_ends.eq(ends & self._last_slot)
        with m.If(self._sweep_ends):
            m.d.sync += [
                self.pending_u.eq(self.pending_v),
                self._freeze_u.eq(self._freeze_v),
                self.pending_v.eq(trained),
                self._freeze_v.eq(sweep.freeze),
                self.parity.eq(~self.parity),
            ]

    # ACTIVATE

    def _waiting_gram(self):
        return self._activation.gram

    def _activations(self, m, may):
        """Returns whether the ACTIVATE may be decided in the next cycle."""
        waiting, passes = self._activation, self._config.passes
        returned = waiting.slot < self._group_slot
        unfinished = self._timer(m, self._ends, self._config.latency.align - 1, "unfinished")
        follows = (
            self.activate
            & ~unfinished
            & ~may
            & (~self.output | self._grams)
            & ~self.collector_busy
            & (self.corrected | ~waiting.correct)
        )
        last_lane = lookup(m, waiting.slot, [item.active_lanes - 1 for item in passes], "collect_last_lane")
        last_count = lookup(
            m, waiting.slot, [item.tiles_of_lane(item.active_lanes - 1) for item in passes], "collect_last_count"
        )
        packet, request = self.decision, self.correction_request
        m.d.comb += [
            self.collect_request.kind.eq(Kind.HIDDEN),
            self.collect_request.last_lane.eq(last_lane),
            self.collect_request.last_count.eq(last_count),
            request.valid.eq(may),
            request.needed.eq(waiting.correct_next),
            request.slot.eq(Mux(waiting.last_slot, 0, waiting.slot + 1)),
            request.bank.eq(waiting.output.parity ^ ~waiting.last_slot),
        ]
        with m.If(may):
            m.d.comb += [
                packet.activate.eq(1),
                packet.first.eq(waiting.correct),
                packet.value.eq(Mux(waiting.correct, self._waiting_gram(), 0)),
                packet.slot.eq(waiting.slot),
                packet.parity.eq(waiting.output.parity),
                self.collect.eq(returned),
            ]
            m.d.sync += self.activate.eq(0)
            with m.If(~returned):
                m.d.sync += [
                    self.output.eq(1),
                    self._output.eq(waiting.output),
                    self._group.eq(waiting.slot - self._group_slot),
                    self._opens.eq(waiting.slot == self._group_slot),
                ]
        return follows

    # Output rows

    def _output_rows(self, m, may, may_next, activated):
        """Returns whether an output row may be decided in the next cycle."""
        config = self._config
        groups = config.output_groups
        context = self._output
        self._group_neurons = lookup(m, self._group, [item.neurons for item, _ in groups], "output_neurons")
        gram = self._at_gram
        waits = self._timer(m, activated, config.latency.output_wait(config.array.lanes) - 2, "output_waits")
        opened = self.output & ~waits & (~self._opens | self.error_idle)
        m.d.comb += [
            self.error_context.eq(context),
            self.final_group.eq(self._group == len(groups) - 1),
        ]
        packet = self.decision
        with m.If(may):
            m.d.comb += [
                self.error_start.eq(self._opens & ~context.null),
                packet.output.eq(~gram),
                packet.gram.eq(gram),
                packet.update.eq(context.update),
                packet.last.eq(~context.null),
                packet.parity.eq(context.parity),
                packet["class"].eq(self.output_row),
                packet.noise.eq(context.noise),
            ]
            m.d.sync += [self._opens.eq(0), self.output_row.eq(self.output_row + 1)]
            with m.If(gram):
                m.d.sync += [self.output_row.eq(0), self.output.eq(0)]
        self._place_output_row(m, may)
        return (may_next | opened) & ~(may & gram)

    def _place_output_row(self, m, may):
        base = lookup(m, self._group, [base for _, base in self._config.output_groups], "output_base")
        with m.If(may):
            m.d.comb += self.decision.base.eq(base + Mux(self._at_gram, 0, self.output_row))

    # Between sweeps

    def _prepare_sweep(self, m):
        """What a sweep that started now would be: kept ready in IDLE."""
        settings, sweep = self.settings, self._sweep
        # With U alone pending, the sample's list would not fit: it holds the inputs of two samples before.
        self._needs_null = Mux(settings.train, self.pending_u & ~self.pending_v, self.pending_u | self.pending_v)
        null = self._asked | self._needs_null
        # The lists have their lengths long before they are swept.
        lists = {"incoming": self.next_rows, "newest": self.rows_newest, "older": self.rows_older}
        incoming, newest, older = (
            delay(m, Cat(rows, [rows == length for length in LENGTHS]), 1, name) for name, rows in lists.items()
        )
        swept = Mux(null, Mux(self.pending_v, older, newest), incoming)
        rows, self._swept_is = swept[: self._row_bits], swept[self._row_bits :]
        with m.If(self._latches_sweep()):
            m.d.sync += [
                self._null.eq(null),
                self._previous.eq(null & self.pending_v),
                self._list.eq(rows),
                self._list_is.eq(self._swept_is),
                sweep.train.eq(settings.train),
                sweep.label.eq(self.label),
                sweep.mantissa.eq(settings.rate_mantissa),
                sweep.exponent.eq(settings.rate_exponent),
                sweep.freeze.eq(settings.freeze),
            ]

    def _latches_sweep(self):
        return self._idles

    def _may_follow(self):
        """Whether what was decided leaves room for the next sample's sweep; what was loaded must be written."""
        return ~self._unwritten

    def _idle(self, m, rests, flushes):
        """``rests``, ``flushes``: it was quiet in the cycle before, with no update pending, or one."""
        waiting = self._waiting
        reseeds = Signal()
        ready = self.sample_complete & self._may_follow()
        m.d.comb += [
            self.take_sample.eq(~self._asked & ready & ~self._needs_null),
            self.start_sweep.eq(Mux(self._asked, flushes, ready)),
        ]
        with m.If(self.start_sweep):
            self._enter(m, State.SWEEP)
        with m.If(rests):
            with m.If(waiting.seed):
                m.d.comb += [reseeds.eq(1), self._consumed.seed.eq(1)]
            with m.Elif(waiting.flush):
                m.d.comb += self._consumed.flush.eq(1)
            with m.Elif(waiting.load):
                self._enter(m, State.LOAD)
                m.d.comb += self._consumed.load.eq(1)
            with m.Elif(waiting.dump):
                self._enter(m, State.DUMP)
                m.d.comb += self._consumed.dump.eq(1)
        # What a LOAD or DUMP would begin with.
        m.d.sync += [self._address.eq(self._first_row_of_words()), self._rows_left.eq(self.settings.row_count)]
        return reseeds

    def _load(self, m, loads):
        tiles, lanes = self._config.array.tiles, self._config.array.lanes
        tile, lane = Signal(index_bits(tiles + 1), name="tile"), Signal(index_bits(lanes), name="lane")
        ends = Signal(name="ends_lane")  # With the next word a lane's are complete.
        m.d.comb += [
            self.decision.load.eq(loads),
            self.decision.tile.eq(tile),
            self.decision.lane.eq(lane),
            self.decision.value.eq(self.load_value),
        ]
        wraps = ends & (lane == lanes - 1)
        with m.If(loads):
            m.d.sync += [
                # Masked, where a choice of 0 would be a reset that waits for ``loads``.
                tile.eq((tile + 1) & ~ends.replicate(len(tile))),
                lane.eq((lane + ends) & ~wraps.replicate(len(lane))),
                # Lane 0 has a word more, the bias tile's; others of a single tile have one.
                ends.eq(
                    ((tile == Mux(lane == 0, tiles - 1, tiles - 2)) & ~ends) | (ends & ~wraps if tiles == 1 else 0)
                ),
            ]

    def _dump(self, m, tick):
        tiles, lanes = self._config.array.tiles, self._config.array.lanes
        requested = self._requested
        with m.If(~requested & ~self.collector_busy & tick):
            m.d.comb += [
                self.decision.read.eq(1),
                self.decision.first.eq(1),
                self.decision.last.eq(1),
                self.collect.eq(1),
                self.collect_request.kind.eq(Kind.WEIGHT),
                self.collect_request.last_lane.eq(lanes - 1),
                self.collect_request.last_count.eq(tiles + 1 if lanes == 1 else tiles),
            ]
            m.d.sync += requested.eq(1)

    def _place_words(self, m):
        with m.If(self._moves_words):
            m.d.comb += self.decision.base.eq(self._address)

    def _first_row_of_words(self):
        return self.settings.row_first

    def _count_words(self, m, loads, tick):
        """Rows of words loaded, or dumped the cycle before; after the last one, IDLE."""
        words = self._config.array.tiles * self._config.array.lanes + 1
        left = Signal(range(words + 1), init=words, name="words_left")
        # With the next word.
        load_ends, dump_ends = Signal(name="load_ends"), Signal(name="dump_ends")
        # A row has two words at least, so this is known in time.
        last_row = delay(m, self._rows_left == 1, 1, "last_row")
        moves, row_ends = Signal(name="word_moves"), Signal(name="row_of_words_ends")
        transferred = delay(m, self.dump_transfer, 1, "transferred", reset_less=False)
        m.d.comb += [
            moves.eq(loads | transferred),
            row_ends.eq((load_ends & self.load_valid & tick) | (dump_ends & transferred)),
        ]
        with m.If(moves):
            m.d.sync += [
                # One less, 0 when the last one moves: an OR there, not a reset that all bits wait for.
                left.eq((left - 1) | Mux(load_ends | dump_ends, words, 0)),
                load_ends.eq(self._loads & (left == 2)),
                dump_ends.eq(self._dumps & (left == 2)),
            ]
        with m.If(row_ends):
            m.d.sync += [
                self._address.eq(self._address + 1),
                self._rows_left.eq(self._rows_left - 1),
                self.row.eq(Mux(last_row, 0, self.row + 1)),
                self._requested.eq(0),
            ]
        m.d.comb += self._words_end.eq(row_ends & last_row)
