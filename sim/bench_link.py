"""A cocotb bench for the host link, UART and all: a bad line, and hosts that stop, hurry, or do not read."""

import os
import random
from collections import deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer

from dfarray.fpga.host.frames import Frame, checked_body
from dfarray.fpga.link.protocol import COUNTER_BITS, COUNTERS, LINK_REGISTERS, REJECTIONS, Command, Status
from dfarray.sim.fuzz import PARAMETERS, fuzzed_configuration, numbered, script

DIVISOR = 4
PERIOD_NS = 10
BIT_NS = DIVISOR * PERIOD_NS
QUIET_BITS = 400
"""Without a reply for so long, nothing more is coming, unless the watchdog is what is waited for."""

PATIENCE = 60
"""Frames sent again before the link is taken to hang."""

WORKING = 0b010
"""Of the lights."""

AHEAD, BEFORE = 3, 12
"""Frames of the script that a disturbance may take, from behind and from before the one whose turn it is."""


class Line:
    """The other side of the UART, and what a receiver that keeps to the rules would count.

    Attributes
    ----------
    replies : deque of bytes
        Without COBS and CRC.
    pieces, hellos, broken_bytes : int
        Between delimiters, good or bad; good ones that begin a session; bytes without a stop bit.
    """

    def __init__(self, dut):
        self._dut = dut
        self.replies: deque[bytes] = deque()
        self.pieces = self.hellos = self.broken_bytes = 0
        self._piece, self._broken = bytearray(), False
        self._reply = bytearray()

    async def start(self):
        """Clock, reset, and somebody who listens."""
        Clock(self._dut.clk, PERIOD_NS, "ns").start()
        for name, level in (("rx", 1), ("reset", 0), ("rst", 1)):
            getattr(self._dut, name).value = level
        await Timer(10 * PERIOD_NS, "ns")
        self._dut.rst.value = 0
        await Timer(10 * PERIOD_NS, "ns")
        cocotb.start_soon(self._receive())

    async def send(self, data: bytes | bytearray):
        """Bytes back to back."""
        for byte in data:
            await self._bits(0b1 << 9 | byte << 1, 10)
            if byte:
                self._piece.append(byte)
            else:
                self.end_piece()

    async def send_broken(self):
        """A byte whose stop bit is missing."""
        await self._bits(0b10 << 9 | 0x55 << 1, 11)
        self._broken = True
        self.broken_bytes += 1

    async def quiet(self, bits: int):
        """Send nothing for so many bits."""
        await Timer(bits * BIT_NS, "ns")

    async def press(self):
        """The reset button; what was coming in or going out is gone, and so are all counts."""
        self._dut.reset.value = 1
        await Timer(20 * PERIOD_NS, "ns")
        self._dut.reset.value = 0
        self._piece, self._broken = bytearray(), False
        self.pieces = self.hellos = self.broken_bytes = 0
        await self.quiet(QUIET_BITS)
        self._reply.clear()
        self.replies.clear()

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun to come in."""
        return bool(self._piece) or self._broken

    def end_piece(self):
        """By a delimiter, or by the watchdog."""
        if self.unfinished:
            self.pieces += 1
            body = None if self._broken else checked_body(bytes(self._piece))
            self.hellos += body is not None and len(body) >= 3 and body[1] & 7 == Command.HELLO
        self._piece, self._broken = bytearray(), False

    async def _bits(self, bits: int, count: int):
        for k in range(count):
            self._dut.rx.value = bits >> k & 1
            await Timer(BIT_NS, "ns")

    async def _receive(self):
        piece = self._reply
        while True:
            await FallingEdge(self._dut.tx)
            await Timer(BIT_NS + BIT_NS // 2, "ns")
            byte = 0
            for k in range(8):
                byte |= int(self._dut.tx.value) << k
                await Timer(BIT_NS, "ns")
            assert self._dut.tx.value == 1, "a byte without a stop bit"
            if byte:
                piece.append(byte)
                continue
            if piece:
                body = checked_body(bytes(piece))
                assert body, f"a reply does not pass its check: {piece.hex()}"
                self.replies.append(body)
            piece.clear()


class Host:
    """Plays the script, whatever else is on the line, and accounts for every frame.

    Parameters
    ----------
    seed : int
        Of script and disturbances.
    disturbances : int
        Before each step.
    """

    def __init__(self, line: Line, seed: int, disturbances: int):
        self.line, self._disturbances, self._draw = line, disturbances, random.Random(seed)
        steps = script(fuzzed_configuration(), 1, seed)
        self.steps = [numbered(k, frame, payload) for k, (frame, payload) in enumerate(steps)]
        self._at, self.timeouts = 0, 0

    async def play(self, until: int | None = None):
        """The script, or its first steps."""
        for at in range(self._at, len(self.steps[:until])):
            self._at = at
            if at > 1:
                for _ in range(self._draw.randrange(self._disturbances + 1)):
                    await self._disturb()
                await self.line.send(bytes(1))
            await self._transact()

    async def _transact(self):
        frame, expected = self.steps[self._at]
        for _ in range(PATIENCE):
            await self.line.send(frame)
            for _ in range(QUIET_BITS // 20):
                await self.line.quiet(20)
                if self._look(expected):
                    return
            await self.line.send(bytes(1))
        raise AssertionError(f"step {self._at} is not answered: the link hangs")

    def _look(self, expected: bytes) -> bool:
        """Check the replies; whether the expected one is among them."""
        known = {reply[-1]: reply for _, reply in self.steps[max(0, self._at - BEFORE - AHEAD) : self._at + AHEAD + 2]}
        found = False
        while self.line.replies:
            reply = self.line.replies.popleft()
            status, number = reply[-2:]
            if status in (Status.DAMAGED, Status.UNEXPECTED) or (status == Status.NO_SESSION and self._at == 0):
                continue
            assert known.get(number) == reply, f"step {self._at}: unexpected reply {reply.hex()}"
            found |= reply == expected
        return found

    def _near(self) -> bytes:
        """A frame of the script that is carried out already, or whose turn has not come."""
        places = [*range(max(0, self._at - BEFORE), self._at), *range(self._at + 1, self._at + 1 + AHEAD)]
        return self.steps[min(self._draw.choice(places), len(self.steps) - 1)][0]

    async def _disturb(self):
        draw, line, turn = self._draw, self.line, self.steps[self._at][0]
        frame = bytearray(draw.choice((turn, self._near())))
        kind = draw.randrange(9)
        if kind == 0:
            frame = bytearray(draw.randbytes(draw.randrange(1, 30)) + bytes(1))
        elif kind == 1:  # Cut, with or without an end.
            frame = frame[: draw.randrange(len(frame) - 1)] + bytes(draw.randrange(2))
        elif kind == 2:  # Its beginning is missing.
            del frame[: draw.randrange(1, len(frame) - 1)]
        elif kind == 3:
            frame[draw.randrange(len(frame))] ^= 1 << draw.randrange(8)
        elif kind == 4:  # Again, or out of order.
            frame = bytearray(self._near())
        elif kind == 5:  # A byte is repeated.
            place = draw.randrange(len(frame) - 1)
            frame.insert(place, frame[place])
        elif kind == 6:
            await line.send(frame[:3])
            await line.send_broken()
            frame = frame[3:]
        elif kind == 7:  # Longer than the buffer.
            if draw.random() > 0.1:
                return
            frame = bytearray(draw.choices(range(1, 256), k=600)) + bytes(1)
        elif draw.random() < 0.1:
            await self.starve(bytes(frame[: draw.randrange(1, len(frame) - 1)]))
            return
        if bytes(frame) != turn:
            await line.send(bytes(frame))

    async def starve(self, beginning: bytes):
        """Stop in the middle of a frame until the watchdog gives it up."""
        await self.line.send(beginning)
        if self.line.unfinished:
            self.timeouts += 1
        await Timer(3 * (1 << PARAMETERS.watchdog_bits) * PERIOD_NS, "ns")
        self.line.end_piece()

    async def counters(self) -> dict[str, int]:
        """The link's, after the script."""
        line, number, counted = self.line, self.steps[-1][1][-1], {}
        for k, name in enumerate(COUNTERS):
            number = number + 1 & 0xFF
            await line.quiet(QUIET_BITS)
            line.replies.clear()
            await line.send(Frame(Command.READ, LINK_REGISTERS + 4 * k).encoded(number))
            await line.quiet(QUIET_BITS)
            reply = line.replies.popleft()
            assert reply[-2:] == bytes([Status.OK, number]), reply.hex()
            counted[name] = int.from_bytes(reply[:4], "little")
        return counted

    async def account(self):
        """The link's counters are those of a receiver that keeps to the rules."""
        refused, counted = self.line.pieces - self.line.hellos - (len(self.steps) - 1), await self.counters()
        assert (sum(counted[name] for name in REJECTIONS) - refused) % (1 << COUNTER_BITS) == 0, (counted, refused)
        assert counted["line_errors"] == self.line.broken_bytes, counted
        assert counted["timeouts"] == self.timeouts, counted


async def _started(dut, seed: int, disturbances: int) -> Host:
    line = Line(dut)
    await line.start()
    return Host(line, seed, disturbances * int(os.environ["DFARRAY_DISTURBANCES"]))


@cocotb.test()
async def bad_line(dut):
    """Random, cut, repeated, reordered, damaged, endless and unfinished frames: the weights are the golden model's."""
    host = await _started(dut, 1, 1)
    await host.play()
    await host.starve(host.steps[-1][0][:4])
    await host.account()


@cocotb.test()
async def reset_in_a_sample(dut):
    """The button, in the middle of a sample's frames, ends the session; the next one trains as if nothing had been."""
    host = await _started(dut, 2, 0)
    await host.play(until=len(host.steps) * 3 // 4)
    half = Frame(Command.SAMPLE | 3 << 3, 0, bytes([9, 9, 9]))
    number = host.steps[host._at][1][-1] + 1 & 0xFF
    await host.line.send(half.encoded(number))
    await host.line.send(half.encoded(number + 1 & 0xFF)[:-4])
    await host.line.press()
    await host.line.send(half.encoded(number + 1 & 0xFF))
    await host.line.quiet(QUIET_BITS)
    assert host.line.replies.popleft()[-2] == Status.NO_SESSION
    host = Host(host.line, 3, 0)
    # That frame was refused, and the HELLO's session discards the half sample.
    host.line.pieces = host.line.hellos = 0
    await host.play()


@cocotb.test()
async def overrun_and_no_reader(dut):
    """A host that waits for what does not come, sends on without looking, and sends too much."""
    host = await _started(dut, 4, 0)
    line = host.line
    await host.play(until=2)
    number = host.steps[1][1][-1] + 1
    # No sample is under way: each frame waits for the watchdog, and what comes meanwhile overruns the buffer.
    for k in range(4):
        await line.send(Frame(Command.RESULT).encoded(number + k & 0xFF))
    for k in range(4, 8):
        await line.send(Frame(Command.LOAD, 0, bytes(240)).encoded(number + k & 0xFF))
    while int(dut.lights.value) & WORKING:
        await line.quiet(QUIET_BITS)
    assert any(reply[-2] == Status.TIMEOUT for reply in line.replies)
    # The script's HELLO would be the repeated one of the session under way.
    await line.send(Frame(Command.HELLO, 0).encoded(0))
    await line.quiet(QUIET_BITS)
    line.replies.clear()
    host = Host(line, 5, 0)
    await host.play()
    counted = await host.counters()
    assert counted["overruns"] > 0, counted
    assert counted["timeouts"] >= 4, counted
