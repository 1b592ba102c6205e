"""Mutants of hw/: each of these edits must be found, and the signal that shows it first is named.

``signal`` is empty where nothing of the trace differs, but what a register says, or the final weights.
"""

from typing import NamedTuple

from formal.mutation import Edit


class Mutant(NamedTuple):
    """``before``, which stands once in ``hw/<module>.py``, becomes ``after``; ``signal`` shows it first.

    ``run`` names the run that must find it: one of :data:`mutants.runs.CASES`, a test of the register bench, or
    ``counters``, where ``signal`` is the counter.
    ``equivalent`` says why nothing can find it.
    """

    module: str
    before: str
    after: str
    signal: str
    run: str = "small"
    equivalent: str = ""

    @property
    def edit(self) -> Edit:
        """The change of the source."""
        return Edit(self.module, self.before, self.after)


MUTANTS = {
    # Lane
    "update added": Mutant("lane", "before - rounded,", "before + rounded,", "weight_write.data"),
    "truncated, not rounded": Mutant("lane", "return Const(1 << (bits - 1))", "return Const(0)", "weight_write.data"),
    # Loaded weights go the same way, and are written before anything is summed.
    "stale weight beside the update": Mutant(
        "lane", "align - 1 - latency.read - latency.weight_read,", "1 + 0 * align,", "weight_write.data"
    ),
    "forward product subtracted": Mutant(
        "lane",
        "add_with_carry(before, addend[part], carry)",
        "add_with_carry(before, addend[part], carry, minus=True)",
        "result",
    ),
    "a sum goes on with the one before": Mutant(
        "lane", 'before = Mux(delay(m, fresh, k, f"fresh_{k}"), 0, accumulator)', "before = accumulator", "result"
    ),
    "a sum that saturates goes on with the one before": Mutant(
        "lane", "Mux(fresh, 0, accumulator)", "accumulator", "result", "saturating"
    ),
    "hidden update without its delta's valid bit": Mutant(
        "lane", "(command.update & self.delta_valid)", "command.update", "weight_write.enable"
    ),
    "output rows do not update": Mutant("lane", "command.output_update | (command", "(command", "weight_write.enable"),
    "output update with the activation of the sample after": Mutant(
        "lane", "selects.output, local.update,", "selects.output, local.gram,", "weight_write.data"
    ),
    "gram of the sample with itself": Mutant(
        "lane", "selects.gram, local.gram,", "selects.gram, local.current,", "partial.value"
    ),
    "loaded weight ignored": Mutant("lane", "selects.loads, command.loaded,", "selects.loads, 0,", "weight_write.data"),
    "correction dropped": Mutant("lane", "command.correct & correction_valid", "Const(0)", "correction"),
    "correction of the sample before": Mutant(
        "lane", "selects.activate, correction_delta,", "selects.activate, self.delta,", "correction"
    ),
    "all lanes take the same noise": Mutant("lane", "5 * lane % 32", "0", "weight_write.data", "deep"),
    # Tile
    "correction added": Mutant("tile", '"difference", minus=True', '"difference"', "activation"),
    "f' in the other sample's bank": Mutant("tile", "Cat(at, bank)", "Cat(at, ~bank)", "correction"),
    "update activation one sample old": Mutant(
        "tile",
        "present_ahead, history.read_data.older,",
        "present_ahead, history.read_data.newer,",
        "update_activation",
    ),
    "one tile too many answers": Mutant("tile", "token.count > self", "token.count >= self", "return.valid", "deep"),
    "delta for a missing neuron": Mutant("tile", "word.count > self", "word.count >= self", "correction"),
    "bias tile silent": Mutant("bias_tile", "delay(m, lane.product, ", "delay(m, 0 * lane.product, ", "partial.value"),
    "bias tile answers in every group": Mutant(
        "bias_tile",
        "lane.here.eq(decoder.takes_part)",
        "lane.here.eq(1)",
        "partial.value",
        "deep",
    ),
    # Sequencer
    "parity stays": Mutant(
        "sequencer", "self.parity.eq(~self.parity)", "self.parity.eq(self.parity)", "sequencer.parity"
    ),
    "shadow deltas of the wrong bank": Mutant(
        "sequencer", "self.parity ^ self._last_slot, 1", "~self.parity ^ self._last_slot, 1", "feedback.op"
    ),
    "corrections of the wrong bank": Mutant(
        "sequencer", "waiting.output.parity ^ ~waiting.last_slot", "waiting.output.parity", "feedback.op", "deep"
    ),
    "hidden rows do not wait for their deltas": Mutant(
        "sequencer", "~wanted | (self.delivered & ~asks),", "Const(1),", "sequencer.row"
    ),
    "a weight is read before it is written": Mutant(
        "sequencer", "Cat(valid & (slot == number) for valid, slot in older).any()", "Const(0)", "sequencer.row"
    ),
    "ACTIVATE does not wait for the corrections": Mutant(
        "sequencer", "(self.corrected | ~waiting.correct)", "Const(1)", "sequencer.activate"
    ),
    "every group has the first one's output rows": Mutant(
        "sequencer",
        "[base for _, base in self._config.output_groups]",
        "[base for _, base in self._config.output_groups[:1] * len(self._config.output_groups)]",
        "broadcast.address",
        "deep",
    ),
    "freeze bits of the sample after": Mutant(
        "sequencer", "self._freeze_u.eq(self._freeze_v)", "self._freeze_u.eq(sweep.freeze)", "broadcast.op"
    ),
    "noise advances in every sweep": Mutant(
        "sequencer", 'finished & delay(m, self.pending_u, 1, "applied")', "finished", "broadcast.noise", "deep"
    ),
    "noise advances twice": Mutant(
        "noise", "xorshift32(self.state)", "xorshift32(xorshift32(self.state))", "broadcast.noise", "deep"
    ),
    "output rows in the latest sweep's noise": Mutant(
        "sequencer", "packet.noise.eq(context.noise)", "packet.noise.eq(self.noise_state)", "broadcast.noise", "deep"
    ),
    # Fetch and stores
    "output error of the other bank": Mutant("fetch", "error_bank.eq(asked", "error_bank.eq(~asked", "broadcast.value"),
    "a NULL sweep shows the latest sample": Mutant(
        "fetch", "Mux(nothing, 0, entry.current)", "entry.current", "broadcast.x_cur"
    ),
    "a NULL sweep has the wrong list": Mutant(
        "sequencer", "null & self.pending_v", "Const(0)", "broadcast.address", "small"
    ),
    "a row is left out though its update matters": Mutant(
        "input_store", 'row = some["older"] | some["current"]', 'row = some["current"]', "sequencer.state"
    ),
    "the same in a hidden layer": Mutant(
        "stores",
        "(word.value != 0) | (history.read_data.older != 0)",
        "(word.value != 0)",
        "activations.available",
        "deep",
    ),
    "hidden gram with the wrong sample": Mutant(
        "stores", "gram.b.eq(history.read_data.newer)", "gram.b.eq(history.read_data.older)", "broadcast.value", "deep"
    ),
    "gram without the bias": Mutant("gram", "empty = formats.activation.one**2 + ", "empty = ", "broadcast.value"),
    # Readout and error unit
    "output correction dropped": Mutant(
        "readout", "Mux(self.correct, exact_kappa, 0)", "Mux(0, exact_kappa, 0)", "logit.value"
    ),
    "the last group's sums alone": Mutant(
        "readout", "Mux(first, 0, before.read_data)", "Mux(1, 0, before.read_data)", "logit.value", "deep"
    ),
    "output correction by the wrong sample": Mutant(
        "core", "(readout.read_class, ~error_unit.bank,", "(readout.read_class, error_unit.bank,", "logit.value"
    ),
    "smallest logit wins": Mutant(
        "error_unit",
        "is_less(arrived, coming), is_less(largest, coming)",
        "is_less(coming, arrived), is_less(coming, largest)",
        "results.prediction",
    ),
    "label of the next sample": Mutant(
        "error_unit", "label.eq(settings.label)", "label.eq(self.context.settings.label)", "error.value"
    ),
    "probability rounded down": Mutant("softmax", "product + half,", "product,", "error.value"),
    # Widths, order of words, what holds for which sample
    "a sum in one bit less": Mutant(
        "lane",
        'aligned(m, Cat(sums), cycles, "accumulated")',
        'aligned(m, Cat(*sums[:-1], sums[-1][:-1]), cycles, "accumulated")',
        "result",
        "extreme",
    ),
    "weights wrap around": Mutant(
        "lane",
        'updated = saturate(m, difference, formats.weight.width, "updated")',
        "updated = difference[: formats.weight.width].as_signed()",
        "weight_write.data",
        "full",
    ),
    "the accumulator wraps around": Mutant(
        "lane",
        'saturate(m, Mux(fresh, 0, accumulator) + self.product, width, "total")',
        "(Mux(fresh, 0, accumulator) + self.product)[:width].as_signed()",
        "result",
        "saturating",
    ),
    "no carry into the upper half of a lane's sum": Mutant(
        "lane", "            carry = Cat(carries)\n", "            carry = None\n", "result", "halves"
    ),
    "no carry into the upper half of a partial": Mutant(
        "arithmetic", "        carry = Cat(carries)\n", "        carry = None\n", "partial.value", "halves"
    ),
    "a borrow added": Mutant("arithmetic", "Const(0) if minus else carry", "carry", "activation", "halves"),
    "a partial passed on whole": Mutant(
        "partial_chain", "return passed", "return partial.value", "partial.value", "halves"
    ),
    "a lower bound one too high": Mutant(
        "arithmetic", "Const(1 << (width - 1), width)", "Const((1 << (width - 1)) + 1, width)", "feedback.value", "full"
    ),
    "noise of the lane's neighbour": Mutant(
        "lane", "5 * lane % 32", "5 * (lane + 1) % 32", "weight_write.data", "deep"
    ),
    "one noise bit too few": Mutant("lane", "% 32)[:bits]", "% 32)[: bits - 1]", "weight_write.data", "deep"),
    "shadow valid bits stay": Mutant(
        "lane",
        "self.delta_valid.eq(shadow_valid), shadow_valid.eq(0)",
        "self.delta_valid.eq(shadow_valid)",
        "delta.valid",
        "deep",
    ),
    "correction valid bits stay": Mutant(
        "lane",
        "with m.If(self._selects.activate):\n            m.d.sync += valid.eq(0)",
        "with m.If(0):\n            m.d.sync += valid.eq(0)",
        "correction",
        "deep",
    ),
    # Tile
    "derivatives of the wrong lane": Mutant(
        "tile",
        "place = self._place(word.slot, word.index)",
        "place = self._place(word.slot, word.index ^ 1)",
        "correction",
        "deep",
    ),
    "signs of b swapped": Mutant("tile", "if sign < 0)", "if sign > 0)", "correction"),
    "delta's half rounded down": Mutant(
        "tile",
        "m, round_half_up(signed_product, fraction), 1",
        "m, signed_product >> fraction, 1",
        "correction",
        "deep",
    ),
    "scalar of the tile before": Mutant(
        "tile", "(incoming.index == self._index)", "(incoming.index == max(0, self._index - 1))", "error_scalar", "deep"
    ),
    "slot's place without its lane": Mutant(
        "tile",
        "Cat(lane[: index_bits(self._config.array.lanes)], slot)",
        "Cat(Const(0, index_bits(self._config.array.lanes)), slot)",
        "correction",
        "deep",
    ),
    # Activation
    "preactivation truncated": Mutant("tile", "round_half_up(difference, shift)", "difference >> shift", "activation"),
    "relu of the other sign": Mutant(
        "activation", "slope = z > 0 if relu", "slope = z < 0 if relu", "correction", "deep"
    ),
    "f' at zero": Mutant("activation", "slope = z > 0 if relu", "slope = z >= 0 if relu", "correction", "coarse"),
    "the most negative number's magnitude": Mutant(
        "activation", "~fits | delay(m, self.exact[-1] & ", "~fits | delay(m, Const(0) & ", "activation", "tanh"
    ),
    "tanh of a number beyond the table": Mutant(
        "activation", "limited = ~fits | delay", "limited = delay", "activation", "tanh"
    ),
    # Sequencer
    "a sample goes with a U that is too young": Mutant(
        "sequencer", "self.pending_u & ~self.pending_v,", "Const(0),", "samples.ready", "walks"
    ),
    "an inference meets V": Mutant(
        "sequencer",
        "~self.pending_v, self.pending_u | self.pending_v)",
        "~self.pending_v, self.pending_u)",
        "sequencer.state",
        "events",
    ),
    "the last row does not wait for the ACTIVATE before": Mutant(
        "sequencer",
        "no_room = self.activate | ends",
        "no_room = ends",
        "sequencer.slot",
        "deep",
    ),
    "the last row does not wait for lanes": Mutant(
        "sequencer",
        'ends | self._timer(m, activated, self._config.array.lanes - 2, "activated")',
        "ends",
        "sequencer.slot",
        "wide",
    ),
    "the last row does not wait for errors": Mutant(
        "sequencer",
        "~(no_room | no_errors)",
        "~no_room",
        "sequencer.state",
        "late",
    ),
    "a slot without its second row": Mutant(
        "sequencer",
        "Mux(self._first, base, base + 1)",
        "Mux(self._first, base, base + 2)",
        "broadcast.address",
    ),
    "bias in the row of the slot before": Mutant(
        "sequencer",
        "Mux(self._first, base, base + 1)",
        "Mux(self._first, base - 1, base + 1)",
        "broadcast.address",
        "deep",
    ),
    "an output row too few": Mutant(
        "sequencer",
        "self.output_row == config.network.classes",
        "self.output_row == config.network.classes - 1",
        "sequencer.output",
        "small",
    ),
    "output rows begin at the second class": Mutant(
        "sequencer",
        "Mux(self._at_gram, 0, self.output_row))",
        "Mux(self._at_gram, 0, self.output_row ^ 1))",
        "broadcast.address",
    ),
    "an output group does not wait for the error unit": Mutant(
        "sequencer", "(~self._opens | self.error_idle)", "Const(1)", "sequencer.row", "stalled"
    ),
    "output rows come before their activations": Mutant(
        "sequencer",
        "output_wait(config.array.lanes) - 2",
        "output_wait(config.array.lanes) - 3",
        "sequencer.output_row",
    ),
    "ACTIVATE does not wait for the collector": Mutant(
        "sequencer",
        "& ~self.collector_busy\n            & (self.corrected",
        "& (self.corrected",
        "sequencer.activate",
        "deep",
    ),
    "ACTIVATE does not wait for the sum": Mutant(
        "sequencer",
        'self._config.latency.align - 1, "unfinished"',
        'self._config.latency.align - 2, "unfinished"',
        "sequencer.activate",
    ),
    "a sweep begins before the load is written": Mutant(
        "sequencer", "return ~self._unwritten", "return Const(1)", "sequencer.state", "walks"
    ),
    "a loaded row has a word too many": Mutant(
        "sequencer", "Mux(lane == 0, tiles - 1, tiles - 2)", "Mux(lane == 0, tiles - 1, tiles - 1)", "broadcast.tile"
    ),
    "load and dump stay in their first row": Mutant(
        "sequencer", "self._address.eq(self._address + 1)", "self._address.eq(self._address)", "broadcast.address"
    ),
    "errors of the other sample are waited for": Mutant(
        "sequencer",
        "self.ready.bit_select(self.parity, 1)",
        "self.ready.bit_select(~self.parity, 1)",
        "sequencer.state",
        "late",
    ),
    "the input's gram for every layer": Mutant(
        "sequencer", "Mux(inputs, self.input_gram, self.list_gram)", "self.input_gram", "broadcast.value", "deep"
    ),
    "a frozen layer is corrected": Mutant(
        "sequencer",
        "ending.correct.eq(corrects & ~self._freeze_v.bit_select(self._layer, 1))",
        "ending.correct.eq(corrects)",
        "broadcast.value",
        "deep",
    ),
    "a frozen output layer learns": Mutant(
        "sequencer",
        "ending.output.update.eq(self.pending_u & ~self._freeze_u[layers - 1])",
        "ending.output.update.eq(self.pending_u)",
        "broadcast.op",
    ),
    "a frozen layer's deltas are sent": Mutant(
        "sequencer",
        "self.pending_u & ~self._freeze_u.bit_select(self._next_layer, 1)",
        "self.pending_u",
        "sequencer.delivered",
        "deep",
    ),
    "updates are not counted": Mutant(
        "sequencer",
        "Mux(counts[0], counted, 0) + Mux(counts[1], counted, 0)",
        "Mux(counts[0], counted, 0)",
        "MACS",
        "counters",
    ),
    "a flush is forgotten": Mutant(
        "sequencer",
        "m.d.sync += [self._waiting.eq(waits), self._asked.eq(waits.any())]",
        "m.d.sync += [self._waiting.eq(waits), self._asked.eq(waits[0])]",
        "sequencer.state",
    ),
    # Collector, dump queue
    "a token too many": Mutant(
        "collector",
        "at_last_lane = lane == request.last_lane",
        "at_last_lane = lane == request.last_lane + 1",
        "token.valid",
    ),
    "tokens follow too closely": Mutant(
        "collector", "Mux(at_last_lane, tiles, count - 1)", "Mux(at_last_lane, tiles, 0)", "token.valid"
    ),
    "the collector is free too early": Mutant(
        "collector", "Mux(at_last_lane, tiles, count - 1)", "Mux(at_last_lane, tiles - 1, count - 1)", "collector.busy"
    ),
    "a dumped word is lost": Mutant(
        "dump_queue", "(held + fresh <= 1)", "(held + fresh <= 2)", "weights_out.data", "restless"
    ),
    "a dumped word is doubled": Mutant("dump_queue", "place.eq(place + asks)", "place.eq(place)", "weights_out.data"),
    # Feedback
    "error of the next class": Mutant(
        "feedback", '"class": c, "negative"', '"class": (c + 1) % config.network.classes, "negative"', "feedback.value"
    ),
    "feedback of the wrong sign": Mutant("feedback", "int(sign < 0)} for", "int(sign > 0)} for", "feedback.value"),
    "one class of several": Mutant("feedback", "Mux(addend.first, 0, total)", "0", "feedback.value", "deep"),
    "feedback does not saturate": Mutant(
        "feedback",
        'return saturate(m, scaled, width, "scalar")',
        "return scaled[:width].as_signed()",
        "feedback.value",
        "full",
    ),
    "a replaced walk speaks for the newer request": Mutant(
        "feedback",
        "summed.correction & (summed.serial == serials[1])",
        "summed.correction",
        "sequencer.corrected",
        "restless",
        "a correction is asked for again only behind a NULL sweep, whose first row waited for the shadow of that slot "
        "and sample, which walks behind the correction",
    ),
    "shadows before corrections": Mutant(
        "feedback",
        'corrects.eq(may["correction"])',
        'corrects.eq(may["correction"] & ~may["shadow"])',
        "feedback.slot",
        "three",
    ),
    "the last lane gets no delta": Mutant(
        "feedback",
        "with m.If(lane == last_lane):\n                m.d.sync += [deltas.eq(0)",
        "with m.If(lane + 1 == last_lane):\n                m.d.sync += [deltas.eq(0)",
        "sequencer.corrected",
        "deep",
    ),
    # Samples in
    "a frame one transfer too long": Mutant(
        "frames", "(word.last ^ ends) | beyond", "(word.last ^ ends)", "", "framing"
    ),
    "an index that comes again": Mutant(
        "frames", "(word.index < following)", "(word.index + 1 < following)", "", "framing"
    ),
    "an index that is no input": Mutant("frames", "(word.index >= inputs)", "(word.index < 0)", "", "framing"),
    "a sample too early behind a wrong one": Mutant("frames", "REOPEN - 3", "REOPEN - 4", "", "framing"),
    "label of the first transfer": Mutant(
        "frames", "self.label.eq(word.label)", "self.label.eq(self.samples.payload.label)", "error.value", "deep"
    ),
    "a pair is kept although both are zero": Mutant(
        "input_store",
        'keep_pair = delay(m, (some["newer"] | some["current"])',
        'keep_pair = delay(m, (some["newer"] | some["current"] | some["older"])',
        "samples.complete",
        "events",
    ),
    "row lists do not rotate": Mutant(
        "input_store", "older.eq(newest)", "older.eq(older)", "broadcast.address", "deep"
    ),
    "the row list grows on": Mutant(
        "input_store",
        "with m.If(delay(m, taken | discard, 1",
        "with m.If(delay(m, taken, 1",
        "sequencer.slot",
        "restless",
    ),
    "input gram with the sample before the last": Mutant(
        "input_store", "gram.b.eq(step.pair.newer)", "gram.b.eq(step.pair.older)", "broadcast.value", "deep"
    ),
    "a hidden list's index off by one": Mutant(
        "stores",
        'lookup(m, belongs, starts, "list_start")',
        'lookup(m, belongs, [start + 1 for start in starts], "list_start")',
        "broadcast.x_cur",
        "three",
    ),
    "layers complete early": Mutant(
        "stores",
        "self.write.enable & ends, COMPLETE - 2",
        "self.write.enable & ends, COMPLETE - 3",
        "sequencer.slot",
        "deep",
    ),
    # Readout and error unit
    "gram without the groups before": Mutant("readout", "Mux(first, 0, gram)", "0", "logit.value", "deep"),
    "logit truncated": Mutant(
        "readout",
        "logit = round_half_up(lessened, formats.product_fraction - formats.logit.fraction_bits)",
        "logit = lessened >> (formats.product_fraction - formats.logit.fraction_bits)",
        "logit.value",
    ),
    "the later of two equal logits": Mutant(
        "error_unit",
        "is_less(arrived, coming), is_less(largest, coming)",
        "is_less(arrived, coming + 1), is_less(largest, coming + 1)",
        "results.prediction",
        "coarse",
    ),
    "a logit compared with the largest but one": Mutant(
        "error_unit",
        "Mux(larger, is_less(arrived, coming),",
        "Mux(0, is_less(arrived, coming),",
        "results.prediction",
    ),
    "g's half too small": Mutant(
        "error_unit", "half.eq((Const(1) << amount) >> 1)", "half.eq((Const(1) << amount) >> 2)", "error.value"
    ),
    "the learning rate's exponent off by one": Mutant(
        "error_unit",
        "wanted = Signal(range(width + 1), reset_less=True), exponent + right",
        "wanted = Signal(range(width + 1), reset_less=True), exponent + right + 1",
        "error.value",
    ),
    "a shift beyond the width wraps": Mutant(
        "error_unit", "Mux(wanted > width, width, wanted)", "wanted", "error.value", "events"
    ),
    "the error unit forgets the results": Mutant(
        "error_unit", "~(results_pending | errors_pending)", "~errors_pending", "sequencer.row", "stalled"
    ),
    "results change while stalled": Mutant(
        "error_unit", "Mux(transfer, after, index)", "after", "results.logit", "stalled"
    ),
    "a bank's errors are ready for ever": Mutant(
        "error_unit", "m.d.sync += self.ready[bank].eq(0)", "m.d.sync += self.ready[bank].eq(1)", "feedback.op", "deep"
    ),
    "the target in the wrong place": Mutant(
        "softmax", "class_before == self.label", "class_before == ~self.label", "error.value"
    ),
    "the difference beyond the table": Mutant(
        "softmax",
        "Mux(distance >= len(table), len(table) - 1, distance)",
        "distance[: (len(table) - 1).bit_length()]",
        "error.value",
        "extreme",
    ),
    "one exponential, not their sum": Mutant(
        "softmax", "m.d.sync += total.eq(total + power)", "m.d.sync += total.eq(power)", "error.value"
    ),
    # Registers
    "strobes of bytes ignored": Mutant(
        "registers",
        "writes & chosen[name] & strobe[bit // 8]",
        "writes & chosen[name] & strobe.any()",
        "",
        "registers",
    ),
    "rows beyond the bank": Mutant("registers", "some & (end <= rows)", "some & (end <= rows + 1)", "", "refused_rows"),
    "a load of no row": Mutant("registers", "some & (end <= rows)", "end <= rows", "", "refused_rows"),
    "a refused command is passed on": Mutant(
        "registers", "self._checked.dump & allowed", "self._checked.dump", "", "refused_rows"
    ),
    "SEED written and not applied": Mutant(
        "registers", "m.d.sync += asked.seed.eq(1)", "m.d.sync += asked.seed.eq(0)", "", "registers"
    ),
    "a seed of zero": Mutant("noise", "self.seed[0] | ~self.seed.any()", "self.seed[0]", "", "registers"),
    # Event counters
    "events before a look counted again": Mutant(
        "event_counters", "count.eq(amount)", "count.eq(count + amount)", "BUSY_CYCLES", "counters"
    ),
    "events of the cycle of a look lost": Mutant(
        "event_counters",
        "count.eq(amount)",
        "count.eq(0)",
        "BUSY_CYCLES",
        "counters",
    ),
    "bias tile's saturations lost": Mutant("bias_tile", "+ lane.saturated", "", "WEIGHT_SATURATIONS", "counters"),
    "weights that nearly saturate counted": Mutant(
        "lane",
        "overflows(difference, formats.weight.width)",
        "overflows(difference, formats.weight.width - 1)",
        "WEIGHT_SATURATIONS",
        "counters",
    ),
    "deltas of corrections counted": Mutant("tile", "strobe & ~correction, 1", "strobe, 1", "ZERO_DELTAS", "counters"),
    "every blocked last row waits for activations": Mutant("sequencer", "(last & lacks_errors)", "0", "", "late"),
    "the bias row counted as skipped": Mutant(
        "sequencer", "self._fan_in - self.row, 0", "self._fan_in - self.row + 1, 0", "SKIPPED_ROWS", "counters"
    ),
    "results that are taken counted as waiting": Mutant(
        "core", "(results.valid & ~results.ready)", "results.valid", "HOST_WAITS", "counters"
    ),
    # The iCE40's serial parts
    "a serial product a bit short": Mutant("serial", "to_do.eq(bits)", "to_do.eq(bits - 1)", "error.value", "serial"),
    "serial kappa of the wrong class": Mutant(
        "serial_readout", "self.read_class.eq(row)", "self.read_class.eq(row + 1)", "logit.value", "serial"
    ),
    "serial sums without the groups before": Mutant(
        "serial_readout", "as_signed(), sums.read_data) +", "as_signed(), 0) +", "logit.value", "serial"
    ),
    "serial target in the wrong place": Mutant(
        "serial_errors", "index == self.label", "index == self.label + 1", "error.value", "serial"
    ),
    "serial rounding bit": Mutant(
        "serial_errors", "+ product.value[bits - 1]", "+ product.value[bits - 2]", "error.value", "serial"
    ),
    "small family: an update without a delta": Mutant(
        "serial_lane", "(command.fused & self.delta_valid)", "command.fused", "weight_write.enable", "serial"
    ),
    "small family: a sum begins with the one before": Mutant(
        "serial_lane", "forward.clear.eq(command.fresh)", "forward.clear.eq(0)", "result", "serial"
    ),
    "small family: output rows by the older activation": Mutant(
        "serial_lane",
        "Mux(command.answers, local.current,",
        "Mux(command.answers, local.gram,",
        "partial.value",
        "serial",
    ),
    "small family: kappa's half lost": Mutant(
        "serial_lane", "Const(self._activate),", "Const(0),", "correction", "serial"
    ),
    "small family: every tile loads": Mutant(
        "serial_decoder", "packet.tile == self._index", "packet.tile == packet.tile", "weight_write.enable", "serial"
    ),
    "small family: biases beyond group 0": Mutant(
        "serial_bias", "here.eq(row < config.network.classes)", "here.eq(1)", "weight_write.enable", "serial"
    ),
    "small family: b of one sign": Mutant(
        "serial_feedback",
        'delay(m, negative, 1, "minus")',
        'delay(m, negative ^ negative, 1, "minus")',
        "feedback.value",
        "serial",
    ),
    "small family: x of a NULL sweep": Mutant(
        "serial_fetch", "Mux(nothing, entry.current, entry.previous)", "entry.previous", "broadcast.x_prev", "serial"
    ),
    "small family: a sample does not wait for the one before": Mutant(
        "dense_sequencer", " & ~self.activate & ~self._opens", "", "sequencer.state", "serial"
    ),
    "small family: a slot does not wait for output rows": Mutant(
        "sequencer", "~(self.activate | self.output | recent)", "~(self.activate | recent)", "sequencer.row", "serial"
    ),
    "small family: an address of the group before": Mutant(
        "dense_sequencer", "address.eq(address.init)", "address.eq(address)", "broadcast.address", "serial"
    ),
    "the dense store's samples do not take turns": Mutant(
        "dense_store",
        "Mux(upper, read[1], read[0]), Mux(upper, read[0], read[1])",
        "Mux(upper, read[0], read[1]), Mux(upper, read[0], read[1])",
        "broadcast.x_cur",
        "serial",
    ),
}
