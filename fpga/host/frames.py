"""Frames as bytes on the line."""

from collections.abc import Iterator
from dataclasses import dataclass
from zlib import crc32

from cobs import cobs

from dfarray.fpga.link.protocol import CRC_BYTES, DELIMITER, PAGE_SHIFT, Command

_END = bytes([DELIMITER])
_LONGEST_REPLY = 1024
"""Bytes after which something that has no end is no reply."""


@dataclass(frozen=True)
class Frame:
    """What the host asks for, without its sequence number.

    Attributes
    ----------
    command : int
        Second byte: a :class:`dfarray.fpga.link.protocol.Command` and its flags.
    argument : int
        Third byte.
    payload : bytes
    """

    command: int
    argument: int = 0
    payload: bytes = b""

    @classmethod
    def register(cls, command: Command, address: int, payload: bytes = b"") -> "Frame":
        """READ or WRITE of a register."""
        return cls(command | address >> 8 << PAGE_SHIFT, address & 0xFF, payload)

    def encoded(self, sequence: int) -> bytes:
        """As it goes onto the line."""
        body = bytes([sequence, self.command, self.argument]) + self.payload
        return cobs.encode(body + crc32(body).to_bytes(CRC_BYTES, "little")) + _END

    @property
    def buffered(self) -> int:
        """Bytes that it takes in the board's buffer until it is carried out."""
        return 1 + 3 + len(self.payload) + CRC_BYTES


@dataclass(frozen=True)
class Reply:
    """What the board answers.

    Attributes
    ----------
    payload : bytes
    status, sequence : int
    """

    payload: bytes
    status: int
    sequence: int


def checked_body(piece: bytes) -> bytes | None:
    """What stands between two delimiters, without COBS and CRC; None if it is damaged."""
    try:
        data = cobs.decode(piece)
    except cobs.DecodeError:
        return None
    body, check = data[:-CRC_BYTES], data[-CRC_BYTES:]
    return body if crc32(body).to_bytes(CRC_BYTES, "little") == check else None


class ReplyReader:
    """Finds the replies in what the board sends, whatever comes before, after and between them.

    Attributes
    ----------
    damaged : int
        Pieces between delimiters that were no reply.
    """

    def __init__(self):
        self._pending = b""
        self.damaged = 0

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Take bytes in; yields the replies that are complete."""
        *pieces, self._pending = (self._pending + data).split(_END)
        for piece in pieces:
            if not piece:
                continue
            body = checked_body(piece)
            if body is None or len(body) < 2:
                self.damaged += 1
            else:
                yield Reply(body[:-2], body[-2], body[-1])
        self._pending = self._pending[:_LONGEST_REPLY]
