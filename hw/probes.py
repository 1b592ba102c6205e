"""Where in the RTL the architectural signals of :mod:`dfarray.trace` are."""

from dataclasses import dataclass

from amaranth.hdl import Signal, Value
from amaranth.hdl._ast import Slice

from dfarray.configuration import Configuration, Rounding
from dfarray.hw.accelerator import Accelerator
from dfarray.trace import FEEDBACK_OPERATIONS, OPERATIONS


@dataclass(frozen=True)
class Probe:
    """A signal, or bits of one, shown while ``gate`` has one of ``when``; zero otherwise.

    Attributes
    ----------
    value, gate : Value
        A Signal or a slice of one. No gate: always shown.
    when : tuple of int
    """

    value: Value
    gate: Value | None = None
    when: tuple[int, ...] = (1,)


def input_probes(accelerator: Accelerator) -> dict[str, Probe]:
    """The array's inputs by trace name."""
    core = accelerator.core
    probes = {
        "samples.valid": accelerator.samples.valid,
        "samples.value": accelerator.samples.value,
        "samples.index": accelerator.samples.index,
        "samples.label": accelerator.samples.label,
        "samples.last": accelerator.samples.last,
        "results.ready": accelerator.results.ready,
        "weights_in.valid": accelerator.weights_in.valid,
        "weights_in.data": accelerator.weights_in.data,
        "weights_out.ready": accelerator.weights_out.ready,
    }
    probes |= {f"settings.{name}": core.settings[name] for name, _ in core.settings.shape()}
    probes |= {f"command.{name}": core.command[name] for name, _ in core.command.shape()}
    return {name: Probe(Value.cast(value)) for name, value in probes.items()}


def output_probes(accelerator: Accelerator, config: Configuration) -> dict[tuple[str, int | None, int | None], Probe]:
    """The compared signals by (trace name, tile, lane)."""
    probes = {(name, None, None): probe for name, probe in _array_probes(accelerator, config).items()}
    core = accelerator.core
    for t, tile in enumerate([*core.tiles, core.bias_tile]):
        word, partial = tile.returned, tile.partial
        probes[("return.valid", t, None)] = Probe(Value.cast(word.valid))
        probes[("return.kind", t, None)] = Probe(Value.cast(word.kind), Value.cast(word.valid))
        probes[("return.value", t, None)] = Probe(Value.cast(word.value), Value.cast(word.valid))
        probes[("partial.valid", t, None)] = Probe(Value.cast(partial.valid))
        probes[("partial.value", t, None)] = Probe(Value.cast(partial.value), Value.cast(partial.valid))
        for k, lane in enumerate(tile.lanes):
            probes[("weight_write.enable", t, k)] = Probe(lane.write_enable)
            probes[("weight_write.address", t, k)] = Probe(lane.write_address, lane.write_enable)
            probes[("weight_write.data", t, k)] = Probe(
                lane.write_data[: config.formats.weight.width], lane.write_enable
            )
            probes[("result", t, k)] = Probe(lane.result)
    for t, tile in enumerate(core.tiles):
        probes[("error_scalar", t, None)] = Probe(tile.error_scalar)
        for k, lane in enumerate(tile.lanes):
            probes[("delta", t, k)] = Probe(lane.delta)
            probes[("delta.valid", t, k)] = Probe(lane.delta_valid)
            probes[("correction", t, k)] = Probe(lane.correction)
            activations = tile.activations[k]
            probes[("activation", t, k)] = Probe(Value.cast(activations.current))
            probes[("gram_activation", t, k)] = Probe(Value.cast(activations.gram))
            probes[("update_activation", t, k)] = Probe(Value.cast(activations.update))
    return probes


def _array_probes(accelerator: Accelerator, config: Configuration) -> dict[str, Probe]:
    core = accelerator.core
    sequencer, error_unit = core.sequencer, core.error_unit
    results, weights_out = accelerator.results, accelerator.weights_out
    packet, token, word, logit = core.head, core.collector.token, core.feedback.word, core.readout.logit
    op = Value.cast(packet.op)
    token_valid, word_op, logit_valid = Value.cast(token.valid), Value.cast(word.op), Value.cast(logit.valid)

    def operations(*names: str) -> tuple[int, ...]:
        return tuple(OPERATIONS[name] for name in names)

    listed = operations("FORWARD", "FUSED", "READ")
    outputs = operations("OUT", "OUT_FUSED")
    load, activate = operations("LOAD"), operations("ACTIVATE")
    words = (FEEDBACK_OPERATIONS["SCALAR"], FEEDBACK_OPERATIONS["DELTA"])
    probes = {
        "sequencer.state": Probe(Value.cast(sequencer.state)),
        "sequencer.slot": Probe(sequencer.slot),
        "sequencer.row": Probe(sequencer.row),
        "sequencer.pending_u": Probe(sequencer.pending_u),
        "sequencer.pending_v": Probe(sequencer.pending_v),
        "sequencer.parity": Probe(sequencer.parity),
        "sequencer.activate": Probe(sequencer.activate),
        "sequencer.output": Probe(sequencer.output),
        "sequencer.output_row": Probe(sequencer.output_row),
        "sequencer.delivered": Probe(core.feedback.delivered),
        "sequencer.corrected": Probe(core.feedback.corrected),
        "collector.busy": Probe(core.collector.busy),
        "activations.received": Probe(core.received),
        "activations.available": Probe(core.available),
        "samples.ready": Probe(accelerator.samples.ready),
        "samples.complete": Probe(core.inputs.complete),
        "results.valid": Probe(results.valid),
        "results.logit": Probe(results.logit, results.valid),
        "results.prediction": Probe(results.prediction, results.valid),
        "results.last": Probe(results.last, results.valid),
        "weights_in.ready": Probe(accelerator.weights_in.ready),
        "weights_out.valid": Probe(weights_out.valid),
        "weights_out.data": Probe(weights_out.data, weights_out.valid),
        "broadcast.op": Probe(op),
        "broadcast.address": Probe(packet.address, op, listed + outputs + load),
        "broadcast.x_prev": Probe(Value.cast(packet.payload.x.prev), op, listed),
        "broadcast.x_cur": Probe(Value.cast(packet.payload.x.cur), op, listed),
        "broadcast.value": Probe(Value.cast(packet.payload.value), op, load + activate + operations("OUT_FUSED")),
        "broadcast.first": Probe(packet.first, op, listed + activate),
        "broadcast.last": Probe(packet.last, op, listed + outputs + operations("GRAM")),
        "broadcast.tile": Probe(packet.tile, op, load),
        "broadcast.lane": Probe(packet.lane, op, load),
        "broadcast.slot": Probe(packet.slot, op, activate),
        "broadcast.parity": Probe(packet.parity, op, activate),
        "token.valid": Probe(token_valid),
        "logit.valid": Probe(logit_valid),
        "logit.value": Probe(Value.cast(logit.value), logit_valid),
        "error.valid": Probe(error_unit.write_enable),
        "error.class": Probe(error_unit.write_class, error_unit.write_enable),
        "error.value": Probe(error_unit.write_value, error_unit.write_enable),
        "feedback.op": Probe(word_op),
        "feedback.value": Probe(Value.cast(word.value), word_op, (FEEDBACK_OPERATIONS["SCALAR"],)),
    }
    probes |= {f"token.{name}": Probe(Value.cast(token[name]), token_valid) for name in ("lane", "kind", "count")}
    probes |= {
        f"feedback.{name}": Probe(Value.cast(word[name]), word_op, words)
        for name in ("index", "slot", "bank", "correction", "count")
    }
    if config.training.rounding is Rounding.STOCHASTIC:
        probes["broadcast.noise"] = Probe(core.head_noise, op, operations("FUSED", "OUT_FUSED"))
    return probes


def verilog_expression(value: Value, names) -> str:
    """A hierarchical Verilog reference to a Signal, or to a slice of one, below the top module.

    Parameters
    ----------
    value : Value
    names : SignalDict
        Of :func:`amaranth.back.verilog.convert_fragment`; the first element of a path is the top module.
    """
    low, width = 0, len(value)
    while not isinstance(value, Signal):
        if isinstance(value, Slice):
            low += value.start
            value = value.value
        else:  # A signed field is a sign reinterpretation of a slice.
            (value,) = value.operands
    path = ".".join(names[value][1:])
    return path if width == len(value) else f"{path}[{low + width - 1}:{low}]"
