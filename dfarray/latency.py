"""Pipeline latencies in clock cycles, read by the RTL, the golden cycle model and the estimator.

``docs/architecture.md`` draws the timing these numbers describe.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Latency:
    """What a hard-block family adds to the pipeline.

    Attributes
    ----------
    weight_read : int
        From the weight bank's read address to its data, 1 or more.
    multiply : int
        From a lane multiplier's operands to its product, 1 or more.
    """

    weight_read: int
    multiply: int

    def __post_init__(self) -> None:
        if self.weight_read < 1 or self.multiply < 1:
            raise ValueError(f"latencies must be 1 or more cycles, not {self}")

    @property
    def align(self) -> int:
        """K: from a packet in the lane to its old weight beside its rounded update."""
        return max(self.multiply + 1, self.weight_read)

    @property
    def result(self) -> int:
        """Q: from a ``last`` packet at the head (tile 0) to the lane's result register."""
        return self.align + self.multiply + 5


FETCH = 3
"""From the sequencer's decision to the packet at the head of the broadcast chain."""

COLLECT = 4
"""From a collect token in a tile to the tile's word in its return register."""

FAMILIES = {
    "generic": Latency(weight_read=2, multiply=3),
    "ecp5": Latency(weight_read=3, multiply=4),
    "ice40up5k": Latency(weight_read=2, multiply=3),
    "gowin": Latency(weight_read=2, multiply=3),
}
"""Latency by family: a block RAM with output register, a multiplier with input, pipeline and output registers.

ECP5 has one more register behind each, since the routes from the hard blocks limit its clock. An iCE40 block RAM has no
output register, so its second cycle is a register in the fabric.
"""


def error_latency(classes: int, softmax: bool) -> int:
    """From the last logit at the chain's exit to the error unit idle, results permitting."""
    return 2 * classes + 10 if softmax else classes + 5


def feedback_latency(scalars: int, nonzeros: int, lanes: int) -> int:
    """From a feedback request to its last word at the head of the feedback chain."""
    return 4 + scalars * nonzeros + lanes
