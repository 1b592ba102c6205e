"""How samples are packed for the line."""

from collections.abc import Iterator

import numpy as np

from dfarray.configuration import Configuration
from dfarray.fpga.host.frames import Frame
from dfarray.fpga.link.protocol import Command, Format, SampleFlag
from dfarray.line import LARGEST_FRAME, label_bytes

PIXEL_BITS = {Format.BITS_1: 1, Format.BITS_2: 2, Format.BITS_4: 4}

_BEYOND = 255
"""Largest gap of an event."""


def pixel_codes(config: Configuration, layout: Format) -> np.ndarray:
    """The activation code of every pixel of few bits: its bits repeated over the fraction bits, from the highest down.

    Returns
    -------
    int array (2**bits,)
    """
    bits, fraction = PIXEL_BITS[layout], config.formats.activation.fraction_bits
    repeats = -(-fraction // bits)
    pixels = np.arange(1 << bits)
    whole = sum(pixels << (bits * k) for k in range(repeats))
    return whole >> (bits * repeats - fraction)


def suitable_layouts(config: Configuration, x: np.ndarray) -> list[Format]:
    """Every layout in which samples can be sent without loss.

    Parameters
    ----------
    x : int array (samples, n_0)
        Activation codes.
    """
    found = [
        layout
        for layout in PIXEL_BITS
        if np.isin(x, np.unique(pixel_codes(config, layout))).all() and _can_repeat(config)
    ]
    if config.formats.activation.width <= 8 or ((x >= 0).all() and (x <= 0xFF).all()):
        return [*found, Format.BITS_8, Format.EVENTS_8]
    return [*found, Format.BITS_16, Format.EVENTS_16]


def _can_repeat(config: Configuration) -> bool:
    fmt = config.formats.activation
    return 0 < fmt.fraction_bits < fmt.width


def payload(config: Configuration, x: np.ndarray, layout: Format) -> bytes:
    """One sample, packed."""
    size = 2 if layout.wide else 1
    values = x.astype("<i2").view(np.uint8).reshape(-1, 2)[:, :size]
    if layout.events:
        return _events(x, values)
    if layout in PIXEL_BITS:
        bits = PIXEL_BITS[layout]
        pixels = np.searchsorted(pixel_codes(config, layout), x).astype(np.uint8)
        padded = np.zeros(-(-len(pixels) * bits // 8) * 8 // bits, dtype=np.uint8)
        padded[: len(pixels)] = pixels
        grouped = padded.reshape(-1, 8 // bits)
        return (grouped << np.arange(0, 8, bits, dtype=np.uint8)).sum(axis=1).astype(np.uint8).tobytes()
    return values.tobytes()


def _events(x: np.ndarray, values: np.ndarray) -> bytes:
    places = np.flatnonzero(x)
    if not len(places):
        places = np.array([0])
    gaps = np.diff(places, prepend=-1) - 1
    if gaps.max() > _BEYOND:
        # A zero in between carries no weight.
        places = np.union1d(places, np.arange(_BEYOND, len(x), _BEYOND + 1))
        gaps = np.diff(places, prepend=-1) - 1
    return np.hstack([gaps.astype(np.uint8)[:, None], values[places]]).tobytes()


def choose_layout(config: Configuration, x: np.ndarray, events: bool | None = None) -> Format:
    """The layout in which samples take fewest bytes on the line.

    Parameters
    ----------
    events : bool or None
        Only layouts of events, or only those of all inputs; None: any.
    """
    found = [layout for layout in suitable_layouts(config, x) if events in (None, layout.events)]
    return min(found, key=lambda layout: payload_bytes(config, x, layout))


def payload_bytes(config: Configuration, x: np.ndarray, layout: Format) -> float:
    """Bytes of a packed sample, in the mean; of a gap of more than 255 inputs those of its filling are left out."""
    nonzero = max(1.0, float(np.count_nonzero(x, axis=1).mean())) if len(x) else 1.0
    if layout.events:
        return nonzero * (3 if layout.wide else 2)
    return config.network.inputs * PIXEL_BITS.get(layout, 16 if layout.wide else 8) / 8


def sample_frames(config: Configuration, x: np.ndarray, label: int, layout: Format, *, answer: bool) -> Iterator[Frame]:
    """The frames of one sample.

    Parameters
    ----------
    x : int array (n_0,)
    answer : bool
        The last one's reply waits for a result.
    """
    high = bytes([label >> 8]) if label_bytes(config) == 2 else b""
    body, room = payload(config, x, layout), LARGEST_FRAME - 3 - len(high)
    if layout.events:
        room -= room % (3 if layout.wide else 2)
    elif layout.wide:
        room -= room % 2
    command = Command.SAMPLE | layout << 3
    for start in range(0, len(body), room):
        last = start + room >= len(body)
        flags = (SampleFlag.LAST | (SampleFlag.ANSWER if answer else 0)) if last else 0
        yield Frame(command | flags, label & 0xFF, high + body[start : start + room])
