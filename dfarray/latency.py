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
    accumulate : int
        A, cycles of the longest additions, 1 or more: of so many parts of a sum, a carry from each to the next.
    interval : int
        I, cycles from one packet to the next: 1, or 2 for a weight bank with one port. Then reads and writes must
        meet it in different cycles: a weight is written an odd number of cycles after it is read.
    fetch : int
        F, from the sequencer's decision to the packet at the head of the broadcast chain.
    store_read : int
        Of it, from the place of a row list's entry to the entry.
    history : int
        From a lane's place in the history to its activation to update with.
    activated : int
        Of Y + ACTIVATED: from an ACTIVATE in a tile's hop register to lane 0's activation; from one at the head to the
        first collect token.
    ahead : int
        At most so many cycles before its new activation a lane has the one to update with.
    softmax, squared : int
        From the last logit to the first g: C + SOFTMAX + 2 G, or SQUARED + 2 G; G cycles from one to the next.
    walk : int
        From the start of a feedback walk to the head, the words before not counted.
    delta : int
        DELTA + J from a DELTA word in a tile to the lane's shadow or correction delta; J cycles from one to the next.
    readout : int
        READOUT + G from the last GRAM row's partial at the exit to the first logit.
    waiting : int
        Transfers of samples that wait at most: 4 are enough that one can be made and one be used up in every cycle.
    serial : bool
        Products in the fabric are made a bit a cycle, so that what needs one comes every so many cycles: see
        ``class_interval``, ``lane_interval`` and ``merge_interval`` of :class:`dfarray.configuration.Configuration`.
    preset_rows : int or None
        Rows of the deepest weight bank that has contents after configuration; None for any.
    """

    weight_read: int
    multiply: int
    accumulate: int = 1
    interval: int = 1
    fetch: int = 10
    store_read: int = 6
    history: int = 4
    activated: int = 9
    ahead: int = 8
    softmax: int = 24
    squared: int = 11
    walk: int = 5
    delta: int = 9
    readout: int = 12
    waiting: int = 4
    serial: bool = False
    preset_rows: int | None = None

    def __post_init__(self) -> None:
        if min(self.weight_read, self.multiply, self.accumulate) < 1:
            raise ValueError(f"latencies must be 1 or more cycles, not {self}")
        if self.interval not in (1, 2):
            raise ValueError(f"interval must be 1 or 2 cycles, not {self.interval}")
        if self.interval == 2 and (self.align - self.read) % 2:
            raise ValueError(
                f"with one port, a weight must be written an odd number of cycles after it is read, "
                f"not {self.align + 1 - self.read}; {self}"
            )
        if self.delta > self.fetch:
            raise ValueError(f"deltas must come before a row decided with them: delta at most fetch, not {self}")
        if self.serial and self.interval != 2:
            raise ValueError(f"serial needs an interval of 2 cycles, in which a sum is read and written; {self}")

    @property
    def align(self) -> int:
        """K: from a packet in the lane to its updated weight, not yet saturated.

        Serially the multiplier itself subtracts, of operands that it takes a cycle earlier, from the hop register.
        """
        return self.multiply - 1 if self.serial else max(self.multiply + 1, self.weight_read) + 1

    @property
    def read(self) -> int:
        """From a row's command in a lane to its read address: the weight arrives with its update, and none earlier."""
        spare = self.align - 1 - self.weight_read
        return spare if self.serial else spare - spare % self.interval

    @property
    def sum(self) -> int:
        """E: one cycle less than from a ``last`` packet in a tile's hop register to the lane's result register."""
        return self.align + self.multiply + 2 + self.accumulate

    @property
    def correct(self) -> int:
        """Y: from an ACTIVATE in a tile's hop register to its first sum being taken, corrected."""
        return self.multiply + 2 + self.accumulate

    @property
    def settle(self) -> int:
        """Q: cycles without a packet after which every lane is at rest."""
        return self.align + self.multiply + 4 + self.accumulate

    @property
    def early(self) -> int:
        """By so many cycles a lane has the activation to update with before its new one.

        An output row's update comes K + 1 cycles before its forward product. At most AHEAD, which is 8 or less, so that
        a neuron's history is written before it is read again.
        """
        return min(self.align + 1, self.ahead)

    @property
    def operands(self) -> int:
        """V: from a packet in the hop register to the operands of its update, and so to the slot's deltas."""
        return 0 if self.serial else 1

    def output_wait(self, lanes: int) -> int:
        """W: from an ACTIVATE to the first output row of its group.

        The row's update needs the last lane's activation to update with, its product the new one.
        """
        return self.correct + self.activated + lanes - 1 - self.operands - self.early

    def activation_wait(self, lanes: int) -> int:
        """From an ACTIVATE to a first row that needs the lanes' sums and corrections no more; serially."""
        return self.correct + lanes + 1


COUNTED = 5
"""From a row's decision to the first cycle in which a look at the counters finds its multiply-accumulates."""

FAMILIES = {
    "generic": Latency(weight_read=2, multiply=3),
    "ecp5": Latency(weight_read=4, multiply=5, accumulate=2, activated=10),
    "ice40up5k": Latency(
        weight_read=1,
        multiply=2,
        interval=2,
        fetch=2,
        store_read=1,
        activated=4,
        ahead=0,
        softmax=5,
        squared=1,
        walk=2,
        delta=1,
        readout=1,
        waiting=2,
        serial=True,
        preset_rows=1024,
    ),
    "gowin": Latency(weight_read=2, multiply=3),
}
"""Latency by family: a block RAM with output register, a multiplier with input, pipeline and output registers.

ECP5 has a register before and one behind its multipliers, and two behind its block RAM, since the routes to and from
the hard blocks limit its clock, and adds in two halves. An iCE40's large RAM has one port, so a packet comes every
second cycle. The chip is small and slow: a register is where logic is longer than a cycle of 30 MHz, and what is needed
once a sample is made a bit a cycle.
"""

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
