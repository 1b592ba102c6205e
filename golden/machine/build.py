"""From a configuration to the machine after reset."""

import numpy as np

from dfarray.configuration import Configuration, ErrorKind, Rounding
from dfarray.feedback import routes
from dfarray.golden.machine.registers import (
    CONTEXT,
    FEEDBACK_WORD,
    INFINITE,
    LONG_AGO,
    PACKET,
    PARAMETERS,
    PINS,
    SLOT,
    STATE,
    Chains,
    Errors,
    Hidden,
    Intake,
    Lanes,
    Machine,
    Trace,
)
from dfarray.golden.noise import first_state, tile_words
from dfarray.golden.tables import activation_tables, exponential_codes, reciprocal_codes
from dfarray.placement import to_banks
from dfarray.trace import index_bits, output_signals
from dfarray.trace_layout import WORD, TraceLayout

LANE_SIGNALS: list[str] = [
    "result",
    "delta",
    "delta.valid",
    "correction",
    "activation",
    "gram_activation",
    "update_activation",
    "weight_write.enable",
    "weight_write.address",
    "weight_write.data",
]
"""In the order of RESULT to DATA in :mod:`dfarray.golden.machine.registers`."""

TILE_SIGNALS: list[str] = [
    "return.valid",
    "return.kind",
    "return.value",
    "partial.valid",
    "partial.value",
    "error_scalar",
]
"""In the order of RETURN_VALID to SCALAR."""


def build(config: Configuration, weights: list[np.ndarray]) -> Machine:
    """Lay out the machine's state after reset."""
    state, pins = _zeros(1, STATE), _zeros(1, PINS)
    first = state[0]
    first["noise"], first["was_quiet"] = first_state(config.training.seed), 1
    first["complete_at"] = first["discard_at"] = first["done_at"] = INFINITE
    for name in ("last_packet", "last_load", "last_first", "last_activate", "collector_until", "complete_until"):
        first[name] = LONG_AGO
    shown = _zeros(1, _shown_type(config))
    return Machine(
        state,
        _parameters(config),
        _slots(config),
        _zeros(4, CONTEXT),
        pins,
        pins.view(np.int64),
        shown,
        shown.view(np.int64),
        _intake(config),
        _hidden(config),
        _lanes(config, weights),
        _errors(config),
        _chains(config),
        _trace(config),
    )


def layout(config: Configuration) -> TraceLayout:
    """Where the output signals are in the packed trace."""
    signals = output_signals(config)
    return TraceLayout(tuple(signal.width for signal in signals), tuple(signal.signed for signal in signals))


def _zeros(count: int, kind: np.dtype) -> np.ndarray:
    return np.zeros(count, dtype=kind)


def _integers(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.int64)


def _shown_type(config: Configuration) -> np.dtype:
    """The signals of the whole array in trace order, noise too: then all configurations have the same type."""
    names = [signal.name for signal in output_signals(config) if signal.tile is None]
    names += [] if "broadcast.noise" in names else ["broadcast.noise"]
    return np.dtype([(name.replace(".", "_"), np.int64) for name in names])


def _parameters(config: Configuration) -> np.ndarray:
    formats, array, latency = config.formats, config.array, config.latency
    values = {
        "tiles": array.tiles,
        "lanes": array.lanes,
        "neurons_all": array.tiles * array.lanes,
        "inputs": config.network.inputs,
        "classes": config.network.classes,
        "slots": len(config.passes),
        "hidden_layers": len(config.network.layers) - 2,
        "interval": latency.interval,
        "multiply": latency.multiply,
        "align": latency.align,
        "sum": latency.sum,
        "correct": latency.correct,
        "settle": latency.settle,
        "early": latency.early,
        "operands": latency.operands,
        "output_wait": latency.output_wait(array.lanes),
        "activation_wait": latency.activation_wait(array.lanes) if latency.serial else 0,
        "tree": (array.lanes - 1).bit_length(),
        "zero_skipping": array.zero_skipping,
        "stochastic": config.training.rounding is Rounding.STOCHASTIC,
        "saturates": config.accumulator_saturates,
        "softmax": config.network.error is ErrorKind.SOFTMAX_CROSS_ENTROPY,
        "one": formats.activation.one,
        "output_base": config.output_groups[0][1],
        "nonzeros": config.feedback.nonzeros,
        "log2_scale": config.feedback.log2_scale,
        "update_shift": formats.update_shift,
        "z_shift": formats.product_fraction - formats.preactivation.fraction_bits,
        "logit_shift": formats.product_fraction - formats.logit.fraction_bits,
        "logit_fraction": formats.logit.fraction_bits,
        "error_fraction": formats.error.fraction_bits,
        "delta_fraction": formats.delta.fraction_bits,
        "activation_fraction": formats.activation.fraction_bits,
        "gram_shift": 2 * formats.activation.fraction_bits - config.gram.fraction_bits,
        "correction_shift": config.correction_shift,
        "fetch": latency.fetch,
        "activated": latency.activated,
        "readout": config.readout_latency,
        "first_error": config.first_error,
        "class_interval": config.class_interval,
        "walk": latency.walk,
        "walk_rest": config.walk_rest,
        "lane_interval": config.lane_interval,
        "delivery": config.delivery,
        "waiting": config.waiting,
        "merge_interval": config.merge_interval,
        "lists": config.lists,
    }
    bounds = {
        "weight": formats.weight,
        "accumulator": config.accumulator,
        "z": formats.preactivation,
        "logit": formats.logit,
        "error": formats.error,
        "delta": formats.delta,
        "gram": config.gram,
    }
    for name, fmt in bounds.items():
        values |= {f"{name}_lo": fmt.lo, f"{name}_hi": fmt.hi}
    return np.array([tuple(int(values[name]) for name in PARAMETERS.names or ())], dtype=PARAMETERS)


def _slots(config: Configuration) -> np.ndarray:
    groups = {item.slot: (group, base) for group, (item, base) in enumerate(config.output_groups)}
    rows = [
        (
            item.layer,
            item.fan_in,
            item.base,
            item.neurons,
            item.active_tiles,
            item.active_lanes,
            *groups.get(item.slot, (-1, 0)),
        )
        for item in config.passes
    ]
    return np.array(rows, dtype=SLOT)


def _intake(config: Configuration) -> Intake:
    inputs = config.network.inputs
    pairs, rows = _integers(4, inputs, 3), _integers(4, inputs, 3)
    paired, listed = _integers(4), _integers(4)
    if not config.lists:
        # Before the first sample, which is number 0, all inputs were zero.
        pairs[:, :, 0] = rows[:, :, 0] = np.arange(inputs)
        paired[1:] = listed[1:] = inputs
    return Intake(_integers(config.waiting, 4), pairs, paired, rows, listed, _integers(4))


def _hidden(config: Configuration) -> Hidden:
    """The hidden layers but the last."""
    widths = config.network.layers[1:-2]
    total, layers = sum(widths), len(widths)
    starts = np.concatenate([[0], np.cumsum(widths, dtype=np.int64)])
    never = np.full(layers, INFINITE)
    rows = _integers(total, 3)
    return Hidden(starts, rows, _integers(layers), _integers(layers), never, _integers(total), _integers(total))


def _lanes(config: Configuration, weights: list[np.ndarray]) -> Lanes:
    places, slots = config.array.tiles * config.array.lanes, len(config.passes)
    banks, bias = to_banks(config, weights)
    # Any address that the packets can carry.
    bank = np.zeros((1 << index_bits(config.array.bank_rows), places), dtype=np.int32)
    bank[: len(banks)] = banks.reshape(len(banks), places)
    sign = _integers(slots, places)
    for route in routes(config):
        for lane, one in enumerate(route.lane_signs):
            sign[route.slot, lane * config.array.tiles + route.tile] = one
    return Lanes(
        bank=bank,
        bias=bias,
        accumulator=_integers(places),
        step=np.zeros(places, dtype=np.int32),
        held=_integers(7, places + 1),
        shadow=_integers(2, places),
        shadow_valid=_integers(2, places),
        history=_integers(2, slots, places),
        slope=_integers(2, slots, places),
        sign=sign,
        words=np.zeros(config.array.tiles + 1, dtype=np.uint32),
        noise_steps=np.ascontiguousarray(tile_words(np.arange(256, dtype=np.uint32), 2)[:, 1]),
        functions=np.stack(activation_tables(config)),
        scratch=_integers(2, places + 1),
        every=np.ones(places, dtype=np.int64),
    )


def _errors(config: Configuration) -> Errors:
    classes, nonzeros = config.network.classes, config.feedback.nonzeros
    route_classes = _integers(len(config.passes), config.array.tiles, nonzeros)
    route_signs = _integers(len(config.passes), config.array.tiles, nonzeros)
    for route in routes(config):
        route_classes[route.slot, route.tile] = route.classes
        route_signs[route.slot, route.tile] = route.class_signs
    return Errors(
        sums=_integers(classes),
        logits=_integers(classes),
        fresh=_integers(classes),
        g=_integers(2, classes),
        ready_from=np.full(2, INFINITE),
        exponentials=exponential_codes(config),
        reciprocals=reciprocal_codes(config),
        route_classes=route_classes,
        route_signs=route_signs,
    )


def _horizon(config: Configuration) -> int:
    """A power of two beyond the cycles for which anything is known ahead."""
    array, latency = config.array, config.latency
    packet = latency.fetch + 1 + array.tiles + latency.sum + array.lanes + latency.activated + 4
    return 1 << max(packet, 2 * array.tiles + 4).bit_length()


def _chains(config: Configuration) -> Chains:
    words, latency = config.array.tiles * config.array.lanes + 1, config.latency
    return Chains(
        packets=_zeros(1 << latency.fetch.bit_length(), PACKET),
        feedback=_zeros(1 << latency.walk.bit_length(), FEEDBACK_WORD),
        exits=_integers(_horizon(config), 3),
        offered=_integers(words),
        offered_from=_integers(words),
        row_at=np.full(len(config.passes), LONG_AGO),
    )


def _trace(config: Configuration) -> Trace:
    signals, placed = output_signals(config), layout(config)
    tiles, lanes = config.array.tiles, config.array.lanes
    lane_place, tile_place = (
        _integers(2, len(LANE_SIGNALS), tiles * lanes + 1),
        _integers(2, len(TILE_SIGNALS), tiles + 1),
    )
    masks = {signal.name: (1 << signal.width) - 1 for signal in signals}
    heads = []
    for signal, position in zip(signals, placed.positions, strict=True):
        if signal.tile is None:
            heads.append((*position, masks[signal.name]))
        elif signal.lane is None:
            tile_place[:, TILE_SIGNALS.index(signal.name), signal.tile] = position
        else:
            lane = tiles * lanes if signal.tile == tiles else signal.lane * tiles + signal.tile
            lane_place[:, LANE_SIGNALS.index(signal.name), lane] = position
    words, ahead = placed.words, _horizon(config)
    unsigned = np.uint64
    return Trace(
        held=np.zeros(words, dtype=unsigned),
        change=np.zeros((ahead, words), dtype=unsigned),
        pulse=np.zeros((ahead, words), dtype=unsigned),
        record=np.zeros(words, dtype=unsigned),
        lane_word=lane_place[0],
        lane_bit=lane_place[1].astype(unsigned),
        lane_mask=np.array([masks[name] for name in LANE_SIGNALS], dtype=unsigned),
        tile_word=tile_place[0],
        tile_bit=tile_place[1].astype(unsigned),
        tile_mask=np.array([masks[name] for name in TILE_SIGNALS], dtype=unsigned),
        scalar=_integers(tiles),
        head_word=np.array([word for word, _, _ in heads]),
        head_bit=np.array([bit for _, bit, _ in heads], dtype=unsigned),
        head_mask=np.array([mask for _, _, mask in heads], dtype=unsigned),
        rotate=np.arange(words, dtype=unsigned) * 11 % WORD,
        signature=np.zeros(1, dtype=unsigned),
    )
