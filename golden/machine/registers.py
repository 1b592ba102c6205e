"""What the machine remembers, as records and arrays that compiled code can change.

A packet's way through the tiles is always the same, so everything it does is worked out when it is decided and laid
into a ring of the coming cycles; what is remembered of the tiles is what the packets so far will have left there.
"""

from typing import NamedTuple

import numpy as np

TRAIN, INFER, NULL = np.arange(3)
"""Kinds of sweeps."""

SWEEP, ACTIVATE, OUTPUT, ERROR = range(4)
"""Contexts: of the sweep under way, of the waiting ACTIVATE, of the output group, of the sample in the error unit."""

SHADOW, CORRECTION = np.arange(2)
"""Kinds of feedback."""

INFINITE = 1 << 60
"""A cycle that never comes, an index behind all others."""

LONG_AGO = -(1 << 60)
"""A cycle before reset."""


def _record(names: str) -> np.dtype:
    return np.dtype([(name, np.int64) for name in names.split()])


PARAMETERS = _record(
    """
    tiles lanes neurons_all inputs classes slots hidden_layers interval multiply align sum correct early settle
    output_wait operands activation_wait
    tree zero_skipping stochastic saturates softmax one output_base nonzeros log2_scale
    update_shift weight_lo weight_hi accumulator_lo accumulator_hi z_shift z_lo z_hi logit_shift logit_lo logit_hi
    logit_fraction error_fraction error_lo error_hi delta_fraction delta_lo delta_hi activation_fraction
    gram_shift gram_lo gram_hi correction_shift
    fetch activated readout first_error class_interval walk walk_rest lane_interval delivery
    waiting merge_interval lists
    """
)
"""The configuration as plain integers; ``tree`` is S, ``neurons_all`` P; ``align``, ``sum``, ``correct``, ``early`` and
``settle`` are K, E, Y, D and Q."""

SLOT = _record("layer fan_in base neurons active_tiles active_lanes group output_base")
"""A slot's pass; of the last hidden layer also its output group (else -1) and that one's first row."""

CONTEXT = _record("kind u v freeze_u freeze_v freeze parity noise label mantissa exponent slot correct gram")
"""What belongs to a sweep, and goes with its last slots to where they are worked on while the next sweep is sent."""

STATE = _record(
    """
    cycle samples framing_errors busy_cycles macs input_waits error_waits activation_waits host_waits
    skipped_rows zero_deltas weight_saturations activation_saturations logit_saturations delta_saturations
    state slot row u v freeze_u freeze_v parity noise activate output output_row output_from
    delivered corrected last_packet last_load last_first last_activate last_end error_busy
    activate_next activate_before was_delivered was_quiet error_was_busy asks asked_slot asked_pending asked_bank
    seed_waits flush_waits load_waits dump_waits row_first row_count place untransferred
    collecting token_lane token_lanes token_at token_kind token_slot collector_until
    received available arrived
    transferred used used_up open_from label dropping discard_at next_index
    complete_at complete_until sample next_pair merge_from
    logits_at errors_at results_at result prediction output_gram
    shadow_waits shadow_asked shadow_slot shadow_bank shadow_serial
    correction_waits correction_asked correction_slot correction_bank correction_serial
    walking walk_from walk_slot walk_bank walk_kind walk_serial done_at done_kind done_serial
    words_in words_out word_left
    """
)
"""Event counters; registers of the sequencer, the collector, the sample intake, the error and the feedback unit."""

PACKET = _record("op address x_prev x_cur value first last tile lane slot parity noise")
"""A broadcast packet on its way to the head of the chain."""

FEEDBACK_WORD = _record("op index slot bank correction count value final serial")
"""A word on its way to the head of the feedback chain; ``final`` is 1 for the last one of a walk."""

PINS = _record(
    """
    valid value index label last results_ready weights_valid weights_data weights_ready
    train events mantissa exponent freeze seed row_first row_count seed_strobe flush load dump
    """
)
"""A cycle's inputs, in the order of :func:`dfarray.trace.input_signals`."""


class Intake(NamedTuple):
    """The transfers that wait; of the latest four samples, by sample modulo 4, pair list, row list and their lengths.

    The columns of ``waiting`` are index, value, last and the transfer's cycle, of ``pairs`` index, x(n-1) and x(n), of
    ``rows`` index, x_prev and x_cur. ``gram`` is the sum of the products with the sample before.
    """

    waiting: np.ndarray
    pairs: np.ndarray
    paired: np.ndarray
    rows: np.ndarray
    listed: np.ndarray
    gram: np.ndarray


class Hidden(NamedTuple):
    """Activations that are presynaptic again, all such layers one after the other.

    Where each layer starts among them, and where the last one ends; row lists as of the inputs; of each layer the
    entries, the gram sum, and the cycle from which it is complete; the activations of the latest two sweeps.
    """

    starts: np.ndarray
    rows: np.ndarray
    entries: np.ndarray
    gram: np.ndarray
    complete_from: np.ndarray
    latest: np.ndarray
    before: np.ndarray


class Lanes(NamedTuple):
    """The lanes, lane index by lane index, tiles ascending; ``bias`` is the bank of the bias tile.

    ``history`` holds the activations of the latest two sweeps by slot, ``slope`` f' by bank and slot, ``step`` the
    active delta where it is valid; ``every`` is 1 for all lanes.
    """

    bank: np.ndarray
    bias: np.ndarray
    accumulator: np.ndarray
    step: np.ndarray
    held: np.ndarray
    shadow: np.ndarray
    shadow_valid: np.ndarray
    history: np.ndarray
    slope: np.ndarray
    sign: np.ndarray
    words: np.ndarray
    noise_steps: np.ndarray
    functions: np.ndarray
    scratch: np.ndarray
    every: np.ndarray


# Typed, since numba compiles a function anew for each literal that it is called with.
_SIGNALS = np.arange(10)
RESULT, DELTA, DELTA_VALID, KAPPA, ACTIVATION, GRAM_ACTIVATION, UPDATE_ACTIVATION, ENABLE, ADDRESS, DATA = _SIGNALS
"""Rows of ``Lanes.held``, and signals of a lane in ``Trace.lane_word``; the last three are signals only."""

RETURN_VALID, RETURN_KIND, RETURN_VALUE, PARTIAL_VALID, PARTIAL_VALUE, SCALAR = range(6)
"""Signals of a tile in ``Trace.tile_word``."""


class Trace(NamedTuple):
    """The packed trace of the coming cycles.

    ``held`` are the words of the held registers as they show now; ``change`` what is to be exclusive-ored into them,
    and ``pulse`` into one cycle's record only, by cycle modulo their length. ``*_word``, ``*_bit`` and ``*_mask`` place
    signals, by signal and lane or tile; ``rotate`` is by how much the signature rotates a word.
    """

    held: np.ndarray
    change: np.ndarray
    pulse: np.ndarray
    record: np.ndarray
    lane_word: np.ndarray
    lane_bit: np.ndarray
    lane_mask: np.ndarray
    tile_word: np.ndarray
    tile_bit: np.ndarray
    tile_mask: np.ndarray
    scalar: np.ndarray
    head_word: np.ndarray
    head_bit: np.ndarray
    head_mask: np.ndarray
    rotate: np.ndarray
    signature: np.ndarray


class Errors(NamedTuple):
    """Error and feedback unit: sums, logits, g of the sample in work; by bank g and from which cycle it is ready."""

    sums: np.ndarray
    logits: np.ndarray
    fresh: np.ndarray
    g: np.ndarray
    ready_from: np.ndarray
    exponentials: np.ndarray
    reciprocals: np.ndarray
    route_classes: np.ndarray
    route_signs: np.ndarray


class Chains(NamedTuple):
    """Words under way outside the tiles, by cycle: packets, feedback words, words at the exit; weights to offer.

    ``row_at`` is when a row of each slot was last decided.
    """

    packets: np.ndarray
    feedback: np.ndarray
    exits: np.ndarray
    offered: np.ndarray
    offered_from: np.ndarray
    row_at: np.ndarray


class Machine(NamedTuple):
    """All of it; ``pins`` and ``pin_values``, ``shown`` and ``shown_values`` are the same memory."""

    state: np.ndarray
    parameters: np.ndarray
    slots: np.ndarray
    contexts: np.ndarray
    pins: np.ndarray
    pin_values: np.ndarray
    shown: np.ndarray
    shown_values: np.ndarray
    intake: Intake
    hidden: Hidden
    lanes: Lanes
    errors: Errors
    chains: Chains
    trace: Trace
