"""The self-test: a burst of training samples whose answers and weights are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from dfarray.configuration import Configuration, load_configuration, shipped, shipped_names
from dfarray.fpga.host.board import Board, weights_digest
from dfarray.fpga.host.frames import Frame
from dfarray.fpga.host.samples import suitable_layouts
from dfarray.fpga.host.session import LinkError, Port, Session
from dfarray.fpga.link.protocol import Command
from dfarray.golden.integer import IntegerNetwork
from dfarray.initial_weights import initial_weights
from dfarray.register_map import configuration_crc, register_map

BURST = 64
"""Training samples."""

FREQUENT_ZEROS = 0.6


def burst(config: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Random samples, many inputs zero, of nonnegative codes: (codes (64, n_0), labels (64,))."""
    rng, fmt = np.random.default_rng(64), config.formats.activation
    x = rng.integers(0, min(fmt.hi, 255) + 1, (BURST, config.network.inputs))
    x[rng.random(x.shape) < FREQUENT_ZEROS] = 0
    return x.astype(np.int16), rng.integers(0, config.network.classes, BURST)


def configuration_of(session: Session, file: Path | None) -> Configuration:
    """The configuration that a board runs.

    Parameters
    ----------
    file : Path or None
        None: looked for among the shipped ones by the board's digest.

    Raises
    ------
    LinkError
        If it is none of them.
    """
    if file is not None:
        return load_configuration(file)
    (register,) = (register for register in register_map(shipped("digits")) if register.name == "CONFIGURATION")
    (reply,) = session.exchange([Frame.register(Command.READ, register.offset)])
    digest = int.from_bytes(reply.payload, "little")
    for name in shipped_names():
        if configuration_crc(config := shipped(name)) == digest:
            return config
    raise LinkError(
        f"the board runs none of the shipped configurations (its digest is {digest:08x}): name it, --config"
    )


def self_test(port: Port, file: Path | None, progress: Callable[[str, int], object]) -> dict:
    """Train the burst from the initial weights on the board, in every layout that its samples allow.

    Returns
    -------
    dict : digests of both sides, counters; ``passed`` tells whether they are equal, ``differs`` what is not. The
    board's weights are those of the burst afterwards.
    """
    session = Session(port)
    config = configuration_of(session, file)
    board, network = Board(config, session), IntegerNetwork(config)
    progress("weights", 0)
    if board.digest() != weights_digest(config, initial_weights(config)):
        board.load_weights(initial_weights(config))
    board.set_seed(config.training.seed)
    board.set_learning(config.training.rate)
    x, labels = burst(config)
    parts = np.array_split(np.arange(BURST), len(layouts := suitable_layouts(config, x)))
    wrong = []
    for layout, part in zip(layouts, parts, strict=True):
        expected = network.train(x[part], labels[part])
        answers = board.answers(x[part], labels[part], train=True, layout=layout)
        for place, (logits, (prediction, values)) in enumerate(zip(expected, answers, strict=True), part[0]):
            progress("train", place + 1)
            if prediction != logits.argmax() or (values != logits[: len(values)]).any():
                wrong.append(place)
    network.flush()
    board_digest, model_digest = board.digest(), weights_digest(config, network.weights)
    differs = []
    if wrong:
        differs.append(f"answers to {len(wrong)} samples, the first of them sample {wrong[0]},")
    if board_digest != model_digest:
        differs.append("weights")
    return {
        "configuration": f"{configuration_crc(config):08x}",
        "trained": BURST,
        "board_digest": f"{board_digest:08x}",
        "golden_digest": f"{model_digest:08x}",
        "passed": not differs,
        "differs": " and ".join(differs),
        **board.counters(),
    }
