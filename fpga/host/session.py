"""A session with a board: numbered frames, several on their way at once, repeated until each has been answered once."""

import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from dfarray.fpga.host.frames import Frame, Reply, ReplyReader
from dfarray.fpga.link.protocol import VERSION, Command, LinkParameters, Status
from dfarray.line import LARGEST_FRAME
from dfarray.register_map import MAGIC

FIRST_RETRY, LONGEST_WAIT = 0.25, 8.0
"""Seconds without a reply until the first unanswered frame is repeated, at least: four times as long as replies usually
take, for a simulated board, or a busy host, may be slow all the time. Doubled each time, up to the second one."""

GREETINGS = 3
QUIET = 0.05
"""Seconds without a byte after which nothing more is coming."""

IDENTITY = 0x00
"""Address of the register whose upper half is the same in every accelerator."""


class LinkError(RuntimeError):
    """The board does not answer, or not as it should; the message says what was seen."""


class SessionLostError(LinkError):
    """The board was reset or unplugged: what it was training is gone."""


class Port(Protocol):
    """What is used of a ``serial.Serial``."""

    timeout: float | None

    def read(self, size: int = 1) -> bytes: ...
    def write(self, data: bytes) -> int | None: ...
    def reset_input_buffer(self) -> None: ...
    def close(self) -> None: ...
    @property
    def in_waiting(self) -> int: ...


@dataclass
class LineCounts:
    """What went wrong on the line, as the host sees it.

    Attributes
    ----------
    frames, repeated : int
        Sent first, and again.
    damaged_replies, refused_frames : int
        Replies that failed their check; frames that the board did not take because of damage or a gap.
    """

    frames: int = 0
    repeated: int = 0
    damaged_replies: int = 0
    refused_frames: int = 0


@dataclass
class _Unanswered:
    frame: Frame
    sequence: int
    encoded: bytes
    sent: float
    repeated: bool = False
    reply: Reply | None = field(default=None)


class Session:
    """Frames to a board, and its replies in their order.

    Parameters
    ----------
    port : Port
        Open.
    timeout : float
        Seconds without any progress after which the board is given up.

    Attributes
    ----------
    parameters : LinkParameters
        As the board tells them; 0 watchdog bits, which it does not tell.
    counts : LineCounts

    Raises
    ------
    LinkError
        If the board does not answer, or speaks another version.
    """

    def __init__(self, port: Port, *, timeout: float = 30.0):
        self._port, self._timeout = port, timeout
        self._reader, self.counts = ReplyReader(), LineCounts()
        self._unanswered: deque[_Unanswered] = deque()
        self._gap_at: int | None = None
        self._patience, self._round_trip = FIRST_RETRY, 0.0
        # One frame at a time until the board has told its sizes.
        self.parameters = LinkParameters(512, 32, 2, 0)
        self._greet()

    def _greet(self) -> None:
        self._port.write(bytes(2))
        hello = identity = Reply(b"", 0, 0)
        for _ in range(GREETINGS):
            self._drain()
            # A hello with the last session's numbers, one of 65,536, would be taken for that one's: then what follows
            # is answered with something else.
            first, second = os.urandom(2)
            self._next = first
            hello, identity = self.exchange([Frame(Command.HELLO, second), Frame(Command.READ, IDENTITY)])
            known = len(identity.payload) == 4 and int.from_bytes(identity.payload, "little") >> 16 == MAGIC >> 16
            if known and len(hello.payload) == 4 and hello.payload[0] == VERSION:
                break
        else:
            if len(identity.payload) != 4 or int.from_bytes(identity.payload, "little") >> 16 != MAGIC >> 16:
                raise LinkError(f"what answers on this port is no dfarray accelerator: {identity}")
            raise LinkError(
                f"the board speaks version {hello.payload[:1].hex()} of the link's protocol, this driver {VERSION:02x}"
            )
        self.parameters = LinkParameters(*(1 << size for size in hello.payload[1:]), 0)

    def _drain(self) -> None:
        """Wait until the line rests: what an earlier session was answered must not pass for an answer to this one."""
        self._port.timeout = QUIET
        until = time.monotonic() + LONGEST_WAIT
        while self._port.read(4096) and time.monotonic() < until:
            pass
        self._port.reset_input_buffer()
        self._reader = ReplyReader()

    @property
    def largest_payload(self) -> int:
        """Bytes of a frame's payload."""
        return LARGEST_FRAME - 3

    def exchange(self, frames: Iterable[Frame]) -> Iterator[Reply]:
        """Send frames, as many at once as the board takes; yields a reply for each, in order.

        The generator must be used up.

        Raises
        ------
        SessionLostError, LinkError
        """
        waiting = iter(frames)
        coming = next(waiting, None)
        progress = asked = time.monotonic()
        while coming is not None or self._unanswered:
            data = bytearray()
            while coming is not None and self._room(coming):
                data += self._number(coming).encoded
                coming = next(waiting, None)
            if data:
                if len(self._unanswered) == 1:
                    asked = time.monotonic()
                self._port.write(bytes(data))
            self._port.timeout = 0.02
            received = self._port.read(max(1, self._port.in_waiting))
            now = time.monotonic()
            answered = False
            for reply in self._reader.feed(received):
                self._take(reply)
                while self._unanswered and (first := self._unanswered[0].reply) is not None:
                    self._unanswered.popleft()
                    answered = True
                    yield first
            self.counts.damaged_replies = self._reader.damaged
            if answered:
                progress = asked = time.monotonic()
                self._patience = self._usual_wait()
            elif now - progress > self._timeout:
                raise LinkError(self._silence())
            elif self._unanswered and now - asked > self._patience:
                # The first one alone: if more got lost, the board says so; if it is only slow, more would slow it down.
                self._repeat([self._unanswered[0]])
                asked, self._patience = now, min(2 * self._patience, LONGEST_WAIT)

    def _usual_wait(self) -> float:
        return min(LONGEST_WAIT, max(FIRST_RETRY, 4 * self._round_trip))

    def _silence(self) -> str:
        counts = self.counts
        if not counts.damaged_replies and not counts.refused_frames and counts.frames == len(self._unanswered):
            return f"nothing on this port answers within {self._timeout:g} s; is it the board's, and is it programmed?"
        return (
            f"the board has not answered for {self._timeout:g} s; of {counts.frames} frames {counts.repeated} were "
            f"repeated, {counts.refused_frames} refused, and {counts.damaged_replies} replies came damaged"
        )

    def _room(self, frame: Frame) -> bool:
        used = sum(item.frame.buffered for item in self._unanswered)
        if not self._unanswered:
            return True
        return len(self._unanswered) < self.parameters.slots - 1 and (
            used + frame.buffered < self.parameters.buffer_bytes
        )

    def _number(self, frame: Frame) -> _Unanswered:
        item = _Unanswered(frame, self._next, frame.encoded(self._next), time.monotonic())
        self._next = self._next + 1 & 0xFF
        self._unanswered.append(item)
        self.counts.frames += 1
        return item

    def _repeat(self, items: Iterable[_Unanswered]) -> None:
        """Send again; a delimiter ends what may have stayed unfinished."""
        again = [item for item in items if item.reply is None]
        self.counts.repeated += len(again)
        for item in again:
            item.repeated = True
        self._port.write(bytes(1) + b"".join(item.encoded for item in again))

    def _take(self, reply: Reply) -> None:
        if reply.status == Status.NO_SESSION:
            # Also after a hello that got lost, before which there was no session.
            if self._unanswered and self._unanswered[0].frame.command == Command.HELLO:
                return
            raise SessionLostError("the board was reset: it knows of no session, and what it was training is gone")
        if reply.status in (Status.DAMAGED, Status.UNEXPECTED):
            self.counts.refused_frames += 1
            if self._unanswered and (reply.status == Status.DAMAGED or reply.sequence != self._gap_at):
                self._gap_at = reply.sequence
                self._repeat(self._unanswered)
            return
        for place, item in enumerate(self._unanswered):
            if item.sequence == reply.sequence and item.reply is None:
                item.reply = reply
                if not item.repeated:
                    self._round_trip += 0.2 * (time.monotonic() - item.sent - self._round_trip)
                if self._gap_at == item.sequence:
                    self._gap_at = None
                # Replies come in order: those of the frames before it got lost.
                lost = [before for before in list(self._unanswered)[:place] if before.reply is None]
                if lost:
                    self._repeat(lost)
                return
