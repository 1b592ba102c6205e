"""A board as its registers, weights and samples: what the driver and the self-test are made of."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from zlib import crc32

import numpy as np

from dfarray.configuration import Configuration
from dfarray.event_counters import EVENT_COUNTERS, whole_count
from dfarray.fpga.host.frames import Frame, Reply
from dfarray.fpga.host.samples import choose_layout, sample_frames
from dfarray.fpga.host.session import LinkError, Port, Session
from dfarray.fpga.link.protocol import (
    COUNTERS,
    LINK_REGISTERS,
    Command,
    Format,
    Status,
    logits_in_reply,
    weight_bytes,
)
from dfarray.learning_rate import LearningRate
from dfarray.line import label_bytes, logit_bytes
from dfarray.placement import from_image, to_image
from dfarray.register_map import MAGIC, register_map

SETTLING = 1_000
"""Looks at STATUS, each a round trip."""

BUSY_OR_PENDING = 0b11


class WrongBitstreamError(LinkError):
    """The board runs another configuration than the driver was given."""


def open_port(name: str, baud: int = 3_000_000) -> Port:
    """A serial port, or what pyserial takes for one: a path, or a URL such as ``socket://``.

    Raises
    ------
    LinkError
        If it cannot be opened.
    """
    import serial

    try:
        return serial.serial_for_url(name, baudrate=baud, timeout=0.05, exclusive=True)
    except (serial.SerialException, ValueError, OSError) as error:
        raise LinkError(f"port {name}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Why a port cannot be opened; pyserial tells the system's reason within its own."""
    said, number = str(error), getattr(error, "errno", None)
    if "exclusively lock" in said:
        return "busy, another program holds it"
    if "configure port" in said:
        return "not a serial port"
    return f"{os.strerror(number)}; is the board plugged in?" if number else said


class Board:
    """A session with a board that runs a configuration.

    Parameters
    ----------
    config : Configuration
    session : Session

    Raises
    ------
    WrongBitstreamError
        If the board's digest of its configuration is another.
    LinkError
    """

    def __init__(self, config: Configuration, session: Session):
        self.config, self.session = config, session
        self._registers = {register.name: register for register in register_map(config)}
        self._check()

    def _check(self) -> None:
        if (version := self.read("ID")) != MAGIC:
            raise WrongBitstreamError(
                f"the board's register map has version {version:#010x}, this driver's {MAGIC:#010x}"
            )
        wanted, found = self._registers["CONFIGURATION"].reset, self.read("CONFIGURATION")
        if found != wanted:
            raise WrongBitstreamError(
                f"the board runs another configuration: its digest is {found:08x}, that of this configuration "
                f"{wanted:08x}; build and flash this one, or name the board's"
            )

    def read(self, name: str) -> int:
        """A register's word."""
        (word,) = self._words([self._registers[name].offset])
        return word

    def _words(self, addresses: Iterable[int]) -> list[int]:
        frames = [Frame.register(Command.READ, address) for address in addresses]
        return [int.from_bytes(reply.payload, "little") for reply in self._done(frames)]

    def write(self, name: str, **fields: int) -> None:
        """Write a register by its fields; those not named become 0."""
        self._all([self._writing(name, **fields)])

    def _writing(self, name: str, **fields: int) -> Frame:
        register = self._registers[name]
        return Frame.register(Command.WRITE, register.offset, register.pack(**fields).to_bytes(4, "little"))

    def _done(self, frames) -> Iterator[Reply]:
        """Exchange frames; a frame that failed raises."""
        for reply in self.session.exchange(frames):
            if reply.status == Status.REFUSED:
                raise LinkError("the board refused a command: an address it does not have, or weights that do not come")
            if reply.status == Status.TIMEOUT:
                raise LinkError("the board's watchdog gave a command up: the accelerator did not go on")
            yield reply

    def _all(self, frames) -> list[Reply]:
        return list(self._done(frames))

    def counters(self) -> dict[str, int]:
        """What both sides counted: the array's events, the link's errors, and the driver's repetitions.

        They can be read at any time; those of a training are differences.

        Returns
        -------
        dict : names of :data:`dfarray.event_counters.EVENT_COUNTERS` and the link's ``COUNTERS`` in lower case, and of
        :class:`dfarray.fpga.host.session.LineCounts`.
        """
        halves = [f"{name}_{half}" for half in ("HIGH", "LOW", "HIGH") for name in EVENT_COUNTERS]
        places = [self._registers[half].offset for half in halves]
        words = self._words([*places, *(LINK_REGISTERS + 4 * k for k in range(len(COUNTERS)))])
        count = len(EVENT_COUNTERS)
        triples = zip(words[:count], words[count : 2 * count], words[2 * count : 3 * count], strict=True)
        events = {name.lower(): whole_count(*read) for name, read in zip(EVENT_COUNTERS, triples, strict=True)}
        return events | dict(zip(COUNTERS, words[3 * count :], strict=True)) | asdict(self.session.counts)

    def clock_and_baud(self) -> tuple[float, int]:
        """Clock of the array in Hz, and baud rate of the line, as the bitstream was made."""
        first = LINK_REGISTERS + 4 * len(COUNTERS)
        clock, baud = self._words([first, first + 4])
        return clock * 1e4, baud * 100

    def flush(self) -> None:
        """Apply the pending updates."""
        self.write("COMMAND", flush=1)

    def settled(self, name: str) -> int:
        """A register's word once nothing is under way and no update is pending.

        Raises
        ------
        LinkError
            If that takes longer than the board's watchdog would wait.
        """
        for _ in range(SETTLING):
            if not self.read("STATUS") & BUSY_OR_PENDING:
                return self.read(name)
        raise LinkError("the board is busy, or has updates pending, and nothing was asked of it")

    def _command_rows(self, **command: int) -> list[Frame]:
        return [
            self._writing("ROW_FIRST", row=0),
            self._writing("ROW_COUNT", rows=self.config.bank_rows_used),
            self._writing("COMMAND", **command),
        ]

    def load_weights(self, weights: list[np.ndarray], progress: Callable[[int], object] = lambda words: None) -> None:
        """Replace all weights; pending updates are applied to the old ones.

        Parameters
        ----------
        weights : list of int arrays (n_l, 1 + n_{l-1})
        progress : callable
            Told the words sent.
        """
        size = weight_bytes(self.config)
        words = _as_bytes(to_image(self.config, weights), size)
        step = self.session.largest_payload // size * size

        def frames():
            yield from self._command_rows(load=1)
            for start in range(0, len(words), step):
                yield Frame(Command.LOAD, 0, words[start : start + step])
                progress(min(len(words), start + step) // size)

        self._all(frames())

    def weights(self, progress: Callable[[int], object] = lambda words: None) -> list[np.ndarray]:
        """All weights, after a flush.

        Returns
        -------
        list of int32 arrays (n_l, 1 + n_{l-1})
        """
        size, (rows, width) = weight_bytes(self.config), self._image_shape()
        step = min(255, self.session.parameters.reply_bytes // size)
        total = rows * width

        def frames():
            yield from self._command_rows(dump=1)
            for start in range(0, total, step):
                yield Frame(Command.DUMP, min(step, total - start))

        words = bytearray()
        for reply in self._done(frames()):
            words += reply.payload
            progress(len(words) // size)
        if len(words) != total * size:
            raise LinkError(f"the board sent {len(words) // size} weights, not {total}")
        return from_image(self.config, _from_bytes(bytes(words), size).reshape(rows, width))

    def _image_shape(self) -> tuple[int, int]:
        return self.config.bank_rows_used, self.config.array.tiles * self.config.array.lanes + 1

    def digest(self) -> int:
        """CRC-32 of all weights as the board computes it, after a flush; see :func:`weights_digest`."""
        *_, reply = self._all([*self._command_rows(dump=1), Frame(Command.DIGEST)])
        return int.from_bytes(reply.payload, "little")

    def set_learning(self, rate: LearningRate, freeze: int = 0) -> None:
        """Settings of the samples that follow; a frozen layer l is bit l - 1."""
        self._all(
            [
                self._writing("LEARNING_RATE", mantissa=rate.mantissa, exponent=rate.exponent),
                self._writing("FREEZE", layers=freeze),
            ]
        )

    def set_seed(self, seed: int) -> None:
        """Restart the rounding noise, after a flush."""
        self.write("SEED", seed=seed)

    def answers(
        self, x: np.ndarray, labels: np.ndarray | None = None, *, train: bool, layout: Format | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Send samples; yields the prediction and logits of each, in order.

        Two samples are on the board at once, so that it trains one while the next one comes in.

        Parameters
        ----------
        x : int array (samples, n_0)
            Activation codes.
        labels : int array (samples,) or None
        train : bool
        layout : Format or None
            None: the one that takes fewest bytes.

        Raises
        ------
        LinkError
            Also if the board counts other samples than were sent.
        """
        layout = choose_layout(self.config, x) if layout is None else layout
        labels = np.zeros(len(x), dtype=int) if labels is None else labels
        before = self.read("SAMPLES_LOW")

        def frames():
            yield self._writing("CONTROL", train=int(train), events=int(layout.events))
            for k in range(len(x)):
                yield from sample_frames(self.config, x[k], int(labels[k]), layout, answer=k > 0)
            if len(x):
                yield Frame(Command.RESULT)

        for reply in self._done(frames()):
            if reply.payload:
                yield self._answer(reply.payload)
        done = self.read("SAMPLES_LOW") - before & 0xFFFF_FFFF
        if done != len(x):
            raise LinkError(f"the board answered {done} samples, not the {len(x)} that were sent")

    def _answer(self, data: bytes) -> tuple[int, np.ndarray]:
        head, size = label_bytes(self.config), logit_bytes(self.config)
        count = logits_in_reply(self.config, self.session.parameters)
        return int.from_bytes(data[:head], "little"), _from_bytes(data[head : head + size * count], size)


def weights_digest(config: Configuration, weights: list[np.ndarray]) -> int:
    """What a board with these weights answers to DIGEST.

    CRC-32 of the words in the order of a dump, least significant byte first, sign-extended to whole bytes.
    """
    return crc32(_as_bytes(to_image(config, weights), weight_bytes(config)))


def _as_bytes(words: np.ndarray, size: int) -> bytes:
    flat = np.ascontiguousarray(words, dtype="<i4").reshape(-1)
    return flat.view(np.uint8).reshape(-1, 4)[:, :size].tobytes()


def _from_bytes(data: bytes, size: int) -> np.ndarray:
    """Signed words of 1 to 4 bytes: int32."""
    found = np.zeros((len(data) // size, 4), dtype=np.uint8)
    found[:, :size] = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    return found.view("<i4").reshape(-1) << (32 - 8 * size) >> (32 - 8 * size)
