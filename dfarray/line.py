"""Sizes on the serial line between host and board; docs/host-interface.md has the frames."""

from dfarray.configuration import Configuration

LARGEST_FRAME = 250
"""Bytes of a frame to the board before its CRC: COBS then never has to break a run of nonzero bytes."""

FRAME_BYTES = 9
"""Of a frame beside its payload: COBS' byte, number, command, argument, CRC, delimiter."""

REPLY_BYTES = 8
"""Of a reply beside its payload: COBS' byte, status, number, CRC, delimiter."""

BITS = 10
"""Of a byte: start bit, eight, stop bit."""


def label_bytes(config: Configuration) -> int:
    """Bytes of a label and of a prediction: 1, or 2 with more than 256 classes."""
    return 1 if config.network.classes <= 256 else 2


def logit_bytes(config: Configuration) -> int:
    """Bytes of a logit, sign-extended."""
    return -(-config.formats.logit.width // 8)


def sample_line_bytes(config: Configuration, payload: float) -> float:
    """Bytes of a sample on the line in the busier one of both directions, which are there at once.

    Parameters
    ----------
    payload : float
        The packed inputs' bytes.
    """
    second = label_bytes(config) - 1
    frames = max(1, -(-payload // (LARGEST_FRAME - 3 - second)))
    answer = label_bytes(config) + config.network.classes * logit_bytes(config)
    return max(payload + frames * (FRAME_BYTES + second), frames * REPLY_BYTES + min(answer, 256 - REPLY_BYTES))
