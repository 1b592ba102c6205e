"""The link's frames as numbers that hardware and driver share; docs/host-interface.md describes them byte by byte."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from dfarray.configuration import Configuration
from dfarray.line import LARGEST_FRAME, label_bytes, logit_bytes

VERSION = 3

DELIMITER = 0x00
"""Ends every frame, and is nowhere in one: what is between two of them is encoded by COBS."""

CRC_BYTES = 4
"""CRC-32 (that of zlib), least significant byte first."""

LINK_REGISTERS = 0x80
"""Addresses from here to 0xff are the link's own, the others those of the accelerator's register map."""

COUNTERS = ("line_errors", "bad_frames", "overruns", "out_of_sequence", "timeouts")
"""The link's counters, at ``LINK_REGISTERS`` + 4 k."""

COUNTER_BITS = 8
"""Of each: they count modulo a power of two."""

REJECTIONS = ("bad_frames", "overruns", "out_of_sequence")
"""Those of frames that were not carried out."""

FACTS = ("clock", "baud")
"""Behind the counters: the clock in units of 10 kHz, the baud rate in hundreds; 0 where there is no UART."""


class Command(IntEnum):
    """Bits 2:0 of a frame's second byte."""

    HELLO = 0
    READ = 1
    WRITE = 2
    SAMPLE = 3
    RESULT = 4
    LOAD = 5
    DUMP = 6
    DIGEST = 7


PAGE_SHIFT = 3
"""Bit of a READ's or WRITE's second byte that is bit 8 of the address; the others are the argument."""


class Format(IntEnum):
    """Bits 5:3 of a SAMPLE's second byte: how its payload is packed."""

    BITS_1 = 0
    BITS_2 = 1
    BITS_4 = 2
    BITS_8 = 3
    BITS_16 = 4
    EVENTS_8 = 5
    EVENTS_16 = 6

    @property
    def events(self) -> bool:
        """Whether (gap, value) pairs are sent, not every input."""
        return self >= Format.EVENTS_8

    @property
    def wide(self) -> bool:
        """Whether a value takes two bytes."""
        return self in (Format.BITS_16, Format.EVENTS_16)


class SampleFlag(IntFlag):
    """Further bits of a SAMPLE's second byte."""

    LAST = 1 << 6
    """The frame ends the sample."""
    ANSWER = 1 << 7
    """The reply waits for a result, and carries it."""


class Status(IntEnum):
    """The last byte of a reply before its CRC. From 0x80 on, the frame was not carried out."""

    OK = 0x00
    REFUSED = 0x01
    """The register port answered with an error, or the payload was too short."""
    TIMEOUT = 0x02
    """The accelerator did not go on; what was under way is given up."""
    DAMAGED = 0x80
    """A frame came that did not pass its check; ``sequence`` is the number expected next."""
    UNEXPECTED = 0x81
    """Another sequence number than the one expected next, which is the reply's."""
    NO_SESSION = 0x82
    """No HELLO since reset."""


@dataclass(frozen=True)
class LinkParameters:
    """What the hardware and the driver have to agree on, beside the configuration; HELLO tells the driver.

    Attributes
    ----------
    buffer_bytes : int
        Of the receiver's memory, a power of two: whole frames wait there, checked.
    slot_bytes : int
        Longest reply with its delimiter, a power of two.
    slots : int
        Replies that are kept to be repeated, a power of two; ``slots - 1`` frames may be unanswered.
    watchdog_bits : int
        A wait of 2**watchdog_bits cycles is given up.
    mhz : float
    baud : int
        What READ tells of clock and line.
    """

    buffer_bytes: int
    slot_bytes: int
    slots: int
    watchdog_bits: int
    mhz: float = 0.0
    baud: int = 0

    def __post_init__(self) -> None:
        for name in ("buffer_bytes", "slot_bytes", "slots"):
            value = getattr(self, name)
            if value < 2 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, 2 or more, not {value}")
        if self.buffer_bytes < 2 * (LARGEST_FRAME + CRC_BYTES) or self.buffer_bytes > 1 << 15:
            raise ValueError(f"buffer_bytes must be 512 to 32768, not {self.buffer_bytes}")
        if not 32 <= self.slot_bytes <= 256:
            raise ValueError(f"slot_bytes must be 32 to 256, not {self.slot_bytes}")
        if not 2 <= self.slots <= 64:
            raise ValueError(f"slots must be 2 to 64, not {self.slots}")

    @property
    def reply_bytes(self) -> int:
        """Longest payload of a reply: without COBS' byte, sequence number, status, CRC and delimiter."""
        return self.slot_bytes - (1 + 1 + 1 + CRC_BYTES + 1)


BUFFER_MEMORY = 1024
"""Bytes of the receiver's memory, for some frames of the longest kind."""

REPLY_MEMORY = 512
"""Bytes of the replies that are kept: one RAM40 of an iCE40."""

WATCHDOG_SECONDS = 0.1
"""At least so long; a USB serial port may pause for some milliseconds in the middle of a frame."""


def link_parameters(config: Configuration, mhz: float, baud: int, buffer_bytes: int = BUFFER_MEMORY) -> LinkParameters:
    """What suits a configuration.

    Parameters
    ----------
    mhz : float
        Clock of the link, from which follows the watchdog's patience: a tenth of a second, or eight samples.
    """
    answer = label_bytes(config) + config.network.classes * logit_bytes(config)
    slot_bytes = 32
    while slot_bytes < 256 and slot_bytes < answer + 8:
        slot_bytes *= 2
    longest = 8 * (config.bank_rows_used * config.latency.interval + 4 * config.network.classes + 1000)
    cycles = max(longest, WATCHDOG_SECONDS * mhz * 1e6)
    return LinkParameters(buffer_bytes, slot_bytes, REPLY_MEMORY // slot_bytes, int(cycles).bit_length(), mhz, baud)


def weight_bytes(config: Configuration) -> int:
    """Bytes of a weight, sign-extended."""
    return -(-config.formats.weight.width // 8)


def logits_in_reply(config: Configuration, parameters: LinkParameters) -> int:
    """Logits, class 0 first, for which a reply has room."""
    room = (parameters.reply_bytes - label_bytes(config)) // logit_bytes(config)
    return min(config.network.classes, room)
