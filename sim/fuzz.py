"""Fuzzing the host link: damaged frames by the million must change no weight, and none may stop it.

``python -m dfarray.sim.fuzz`` runs it; the figures are those of ``fuzz.cpp``.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from amaranth.hdl import Value
from amaranth.lib.wiring import In

from dfarray.configuration import Configuration, parse_configuration
from dfarray.console import CheckError
from dfarray.fpga.host.board import weights_digest
from dfarray.fpga.host.frames import Frame
from dfarray.fpga.host.samples import sample_frames, suitable_layouts
from dfarray.fpga.link.link import ByteLink, HostLink
from dfarray.fpga.link.linked import LinkedAccelerator
from dfarray.fpga.link.protocol import VERSION, Command, LinkParameters, Status, weight_bytes
from dfarray.golden.integer import IntegerNetwork
from dfarray.hw.generate import verilog_of
from dfarray.initial_weights import initial_weights
from dfarray.line import logit_bytes
from dfarray.placement import to_image
from dfarray.register_map import register_map
from dfarray.sim.boards import compile_program

PARAMETERS = LinkParameters(buffer_bytes=512, slot_bytes=32, slots=16, watchdog_bits=13)
"""Small enough that overruns and the watchdog have their turns."""

SAMPLES = 16
"""Between two looks at the weights."""

NONCE = 0x3A5C
"""Argument of the script's HELLO, and its number."""


LINKED = "dfarray_linked"
"""Top module of an accelerator and its link."""


class Mode(StrEnum):
    """Damaged frames between good ones, or good ones that make no sense."""

    LINE = "line"
    SENSE = "sense"


@dataclass(frozen=True)
class Figures:
    """What a run sent and got.

    Attributes
    ----------
    frames, bad, good : int
        Pieces between delimiters; damaged ones; whole ones.
    repeated : int
        Frames of the script that had to be sent again.
    starved : int
        Frames that stopped in the middle until the watchdog ended them.
    replies, cycles : int
    """

    frames: int
    bad: int
    good: int
    repeated: int
    starved: int
    replies: int
    cycles: int


def fuzzed_configuration() -> Configuration:
    """A network so small that the link is what is simulated."""
    return parse_configuration(
        {
            "network": {"layers": [9, 5, 3]},
            "array": {"tiles": 2, "lanes": 1, "bank_rows": 64},
            "training": {"learning_rate": 0.2, "rounding": "stochastic"},
        }
    )


def linked_verilog(config: Configuration, link: ByteLink | HostLink) -> tuple[str, dict[str, tuple[int, str]]]:
    """An accelerator with its initial weights behind a link: Verilog, and its ports as (width, "i" or "o")."""
    linked = LinkedAccelerator(config, initial_weights(config), link)
    ports = {}
    for path, member, value in linked.signature.flatten(linked):
        ports["__".join(map(str, path))] = (Value.cast(value), "i" if member.flow == In else "o")
    text, _ = verilog_of(linked, ports, LINKED)
    shapes = {"clk": (1, "i"), "rst": (1, "i")} | {name: (len(value), way) for name, (value, way) in ports.items()}
    return text, shapes


def script(config: Configuration, rounds: int, seed: int) -> Iterator[tuple[Frame, bytes]]:
    """Frames, and the payloads of their replies as the golden model has them.

    Each round trains, infers, and looks at the weights; weights are loaded at the beginning.
    """
    registers = {register.name: register for register in register_map(config)}
    rng, network = np.random.default_rng(seed), IntegerNetwork(config)
    size, fmt = weight_bytes(config), config.formats.activation
    rows, width = config.bank_rows_used, config.array.tiles * config.array.lanes + 1

    def write(name: str, **fields: int) -> tuple[Frame, bytes]:
        word = registers[name].pack(**fields).to_bytes(4, "little")
        return Frame.register(Command.WRITE, registers[name].offset, word), b""

    yield Frame(Command.HELLO, NONCE >> 8), bytes([VERSION, *(s.bit_length() - 1 for s in (512, 32, 16))])
    yield Frame(Command.READ, 0), registers["ID"].reset.to_bytes(4, "little")
    rate = config.training.rate
    yield write("LEARNING_RATE", mantissa=rate.mantissa, exponent=rate.exponent)
    yield write("FREEZE", layers=0)
    yield write("ROW_FIRST", row=0)
    yield write("ROW_COUNT", rows=rows)
    weights = [rng.integers(-20_000, 20_000, layer.shape).astype(np.int32) for layer in network.weights]
    image = _words(to_image(config, weights), size)
    yield write("COMMAND", load=1)
    for start in range(0, len(image), 20 * size):
        yield Frame(Command.LOAD, 0, image[start : start + 20 * size]), b""
    network = IntegerNetwork(config, weights)
    yield write("SEED", seed=config.training.seed)
    for _ in range(rounds):
        train = bool(rng.random() < 0.8)
        x = rng.integers(0, fmt.hi + 1, (SAMPLES, config.network.inputs)).astype(np.int16)
        x[rng.random(x.shape) < 0.5] = 0
        if rng.random() < 0.3:
            x = np.where(rng.random(x.shape) < 0.5, fmt.hi, 0).astype(np.int16)
        if rng.random() < 0.2:
            x = (-x).astype(np.int16)
        labels = rng.integers(0, config.network.classes, SAMPLES)
        layouts = suitable_layouts(config, x)
        layout = layouts[rng.integers(len(layouts))]
        logits = network.train(x, labels) if train else network.logits(x)
        answers = [bytes([answer.argmax()]) + _words(answer, logit_bytes(config)) for answer in logits.astype(np.int32)]
        yield write("CONTROL", train=int(train), events=int(layout.events))
        for k in range(SAMPLES):
            frames = list(sample_frames(config, x[k], int(labels[k]), layout, answer=k > 0))
            yield from ((frame, b"") for frame in frames[:-1])
            yield frames[-1], answers[k - 1] if k else b""
        yield Frame(Command.RESULT), answers[-1]
        network.flush()
        yield write("COMMAND", dump=1)
        if rng.random() < 0.9:
            yield Frame(Command.DIGEST), weights_digest(config, network.weights).to_bytes(4, "little")
            continue
        words, step = _words(to_image(config, network.weights), size), PARAMETERS.reply_bytes // size
        for start in range(0, rows * width, step):
            count = min(step, rows * width - start)
            yield Frame(Command.DUMP, count), words[start * size : (start + count) * size]


def _words(values: np.ndarray, size: int) -> bytes:
    flat = np.ascontiguousarray(values, dtype="<i4").reshape(-1)
    return flat.view(np.uint8).reshape(-1, 4)[:, :size].tobytes()


def numbered(step: int, frame: Frame, payload: bytes) -> tuple[bytes, bytes]:
    """A step of the script as it goes onto the line, and its reply without COBS and CRC."""
    number = (NONCE & 0xFF) + step & 0xFF
    return frame.encoded(number), payload + bytes([Status.OK, number])


def write_script(steps, path: Path) -> int:
    """Write the script as ``fuzz.cpp`` reads it; returns the number of steps."""
    count = 0
    with path.open("wb") as file:
        for count, (frame, payload) in enumerate(steps, 1):
            for record in numbered(count - 1, frame, payload):
                file.write(len(record).to_bytes(2, "little") + record)
    return count


def fuzz(mode: Mode, frames: int, directory: Path, *, seed: int = 1, rounds: int | None = None) -> Figures:
    """Run the fuzzer.

    Parameters
    ----------
    frames : int
        Damaged or senseless ones.
    rounds : int or None
        Of the script; None: one for 400 frames.

    Raises
    ------
    CheckError
        If the board does anything else than the golden model; the message says what, with which seed.
    SimulationError
    """
    config = fuzzed_configuration()
    text, shapes = linked_verilog(config, ByteLink(config, PARAMETERS))
    main = Path(__file__).with_name("fuzz.cpp")
    program = compile_program(text, LINKED, shapes, config.array.family, main, directory)
    path = directory.resolve() / f"script-{mode}-{seed}.bin"
    write_script(script(config, rounds or max(2, frames // 400), seed), path)
    command = [str(program), str(path), str(frames), str(seed), str(1 << PARAMETERS.watchdog_bits), str(mode)]
    done = subprocess.run(command, cwd=program.parent, capture_output=True, text=True)
    path.unlink()
    if done.returncode:
        raise CheckError(f"fuzzing ({mode}, seed {seed}): {done.stderr.strip() or f'exit code {done.returncode}'}")
    return Figures(*map(int, done.stdout.split()))


def main() -> None:
    """Run both modes and print their figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=Path("build/fuzz"))
    options = parser.parse_args()
    for mode, frames in ((Mode.LINE, options.frames), (Mode.SENSE, options.frames // 50)):
        try:
            figures = fuzz(mode, frames, options.output, seed=options.seed)
        except CheckError as error:
            sys.exit(str(error))
        print(f"{mode}: {', '.join(f'{value:,} {name}' for name, value in vars(figures).items())}; no wrong weight")


if __name__ == "__main__":
    main()
