"""A bad serial line: a pseudo-terminal that passes bytes on to another one, in both directions, and spoils some.

``python bad_line.py PORT SHARE SEED`` prints the name of its own end, and when it is ended, what it did.
"""

import os
import random
import select
import signal
import sys
import tty


def spoil(data: bytes, share: float, rng: random.Random) -> tuple[bytes, int]:
    """Flip, lose, repeat and invent bytes, each with that probability; returns how often, too."""
    spoilt, count = bytearray(), 0
    for byte in data:
        if rng.random() >= share:
            spoilt.append(byte)
            continue
        count += 1
        kind = rng.randrange(4)
        if kind == 0:
            spoilt.append(byte ^ 1 << rng.randrange(8))
        elif kind == 1:
            spoilt += bytes([byte, byte])
        elif kind == 2:
            spoilt += bytes([byte, rng.randrange(256)])
    return bytes(spoilt), count


def pass_on(port: str, share: float, seed: int) -> None:
    """Until SIGTERM."""
    board = os.open(port, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(board)
    here, there = os.openpty()
    tty.setraw(there)
    print(os.ttyname(there), flush=True)
    rng, others, counts = random.Random(seed), {board: here, here: board}, {board: 0, here: 0}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while True:
            for source in select.select([board, here], [], [])[0]:
                data, count = spoil(os.read(source, 4096), share, rng)
                counts[source] += count
                while data:
                    data = data[os.write(others[source], data) :]
    finally:
        print(f"{counts[here]} {counts[board]}", flush=True)


if __name__ == "__main__":
    pass_on(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
