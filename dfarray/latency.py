"""Pipeline latencies in clock cycles, read by the RTL, the golden cycle model and the estimator.

``docs/architecture.md`` section 4 says what they mean.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """What a hard-block family adds to the pipeline.

    Attributes
    ----------
    weight_read : int
        R, from the weight bank's read address to its data, 1 or more.
    multiply : int
        M, from a lane multiplier's operands to its product, 1 or more.
    interval : int
        I, cycles from one packet to the next: 1, or 2 for a weight bank with one port. Then reads and writes must
        meet it in different cycles: a weight is written an odd number of cycles after it is read.
    """

    weight_read: int
    multiply: int
    interval: int = 1

    def __post_init__(self) -> None:
        if self.weight_read < 1 or self.multiply < 1:
            raise ValueError(f"latencies must be 1 or more cycles, not {self}")
        if self.interval not in (1, 2):
            raise ValueError(f"interval must be 1 or 2 cycles, not {self.interval}")
        if self.interval == 2 and self.align % 2:
            raise ValueError(f"with one port, align must be even: write {self.align + 1} cycles after the read; {self}")

    @property
    def align(self) -> int:
        """K: from a packet in the lane to its updated weight, not yet saturated."""
        return max(self.multiply + 1, self.weight_read) + 1

    @property
    def read(self) -> int:
        """From a row's command in a lane to its read address: the weight arrives with its update, and none earlier."""
        spare = self.align - 1 - self.weight_read
        return spare - spare % self.interval

    @property
    def sum(self) -> int:
        """E: one cycle less than from a ``last`` packet in a tile's hop register to the lane's result register."""
        return self.align + self.multiply + 3

    @property
    def correct(self) -> int:
        """Y: from an ACTIVATE in a tile's hop register to its first sum being taken, corrected."""
        return self.multiply + 3

    @property
    def settle(self) -> int:
        """Q: cycles without a packet after which every lane is at rest."""
        return self.align + self.multiply + 5

    @property
    def early(self) -> int:
        """By so many cycles a lane has the activation to update with before its new one.

        An output row's update comes K + 1 cycles before its forward product. At most 8, so that a neuron's history is
        written before it is read again.
        """
        return min(self.align + 1, 8)

    def output_wait(self, lanes: int) -> int:
        """W: from an ACTIVATE to the first output row of its group.

        The row's update needs the last lane's activation to update with, its product the new one.
        """
        return self.correct + ACTIVATED + lanes - 2 - self.early


FETCH = 10
"""F: from the sequencer's decision to the packet at the head of the broadcast chain."""

HISTORY = 4
"""From a lane's place in the history to its activation to update with."""

ACTIVATED = 9
"""Of Y + ACTIVATED: from an ACTIVATE in a tile's hop register to lane 0's activation; from one at the head to the first
collect token."""

SOFTMAX, SQUARED = 26, 13
"""From the last logit to the first g: C + SOFTMAX, or SQUARED."""

WALK = 5
"""From the start of a feedback walk to the head, the words before not counted."""

DELTA = 10
"""From a DELTA word in a tile to the lane's shadow or correction delta; at most FETCH, so that a row may follow."""

COUNTED = 4
"""From a row's decision to the first cycle in which a read of MACS_LOW answers with its multiply-accumulates."""

FAMILIES = {
    "generic": Latency(weight_read=2, multiply=3),
    "ecp5": Latency(weight_read=4, multiply=5),
    "ice40up5k": Latency(weight_read=2, multiply=4, interval=2),
    "gowin": Latency(weight_read=2, multiply=3),
}
"""Latency by family: a block RAM with output register, a multiplier with input, pipeline and output registers.

ECP5 has a register before and one behind its multipliers, and two behind its block RAM, since the routes to and from
the hard blocks limit its clock. An iCE40 block RAM has no output register, so its second cycle is a register in the
fabric; its large RAM has one port, so a packet comes every second cycle.
"""


def first_error(classes: int, softmax: bool) -> int:
    """From the last logit to the first g."""
    return classes + SOFTMAX if softmax else SQUARED


def error_latency(classes: int, softmax: bool) -> int:
    """From the last logit to the error unit idle, results permitting."""
    return classes + first_error(classes, softmax)


READOUT = 13
"""From the last GRAM row's partial at the exit to the first logit."""


def feedback_latency(scalars: int, nonzeros: int, lanes: int) -> int:
    """From the start of a feedback walk to its last word at the head of the feedback chain."""
    return WALK + scalars * nonzeros + lanes


WAITING = 4
"""Transfers of samples that wait at most: enough that one can be made and one be used up in every cycle."""

ACCEPT = 3
"""From a transfer to the first merge step that can use it up."""

DISCARD = 2
"""From a wrong transfer to the last cycle of what it discards."""

REOPEN = 6
"""From the last transfer of a discarded sample to the first of the next one."""

MERGE_END = 7
"""From the end of a merge to the sample being complete."""

COMPLETE = 9
"""From the last activation of a layer at the exit to the layer being complete."""
