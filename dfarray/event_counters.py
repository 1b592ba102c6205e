"""The event counters: their order, and the walk that keeps them in one memory; docs/architecture.md section 4.7."""

from collections.abc import Sequence

EVENT_COUNTERS = {
    "SAMPLES": "Samples answered",
    "FRAMING_ERRORS": "Samples discarded: last or index came wrongly",
    "BUSY_CYCLES": "Clock cycles spent busy",
    "MACS": "Useful multiply-accumulates",
    "INPUT_WAITS": "Cycles without work: neither a complete sample nor a command was there",
    "ERROR_WAITS": "Decisions in which a row waited for errors or their deltas",
    "ACTIVATION_WAITS": "Decisions in which a row waited for activations",
    "HOST_WAITS": "Cycles in which a result or weight was offered and not taken",
    "SKIPPED_ROWS": "Rows of zeros that were not sent",
    "ZERO_DELTAS": "Deltas of 0 that were delivered for an update",
    "WEIGHT_SATURATIONS": "Weights that an update would have brought out of their format",
    "ACTIVATION_SATURATIONS": "Sums of hidden neurons outside the preactivation's format",
    "LOGIT_SATURATIONS": "Sums of outputs outside the logit's format",
    "DELTA_SATURATIONS": "Scaled output errors outside the delta's format",
}
"""Name and what is counted, in the order in which they are walked."""

WORD_BITS, WORDS = 16, 4
"""A counter's words in the memory, the lowest first."""

WALK = 64
"""Cycles from one look at a counter to the next; the memory's words, some of them unused."""


def look(name: str, accepted: int) -> int:
    """The cycle in which a counter is looked at for a read of its register that was accepted in a cycle."""
    place = WORDS * list(EVENT_COUNTERS).index(name)
    return accepted + 1 + (place - accepted - 1) % WALK


def whole_count(high_before: int, low: int, high_after: int) -> int:
    """A counter's 64 bits from reads of its registers HIGH, LOW and HIGH, one after the other."""
    # If the high half moved meanwhile, a large low half belongs to the first one read.
    return (high_before if low >> 31 else high_after) << 32 | low


def whole_counts(name: str, high: Sequence[tuple[int, int]], low: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """:func:`whole_count` of readings (cycle in which it was accepted, value), with the cycles of their looks."""
    pairs = zip(high[::2], high[1::2], low, strict=True)
    return [(look(name, at), whole_count(before, value, after)) for (_, before), (_, after), (at, value) in pairs]
