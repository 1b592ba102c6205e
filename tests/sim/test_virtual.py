"""A board behind a pseudo-terminal trains as the golden model does, whatever happens to its line."""

import os
import random
import signal
import subprocess
import time
from typing import cast

import numpy as np
import pytest

from dfarray.configuration import with_values
from dfarray.fpga import Accelerator
from dfarray.fpga.host.board import Board, WrongBitstreamError, open_port, weights_digest
from dfarray.fpga.host.frames import Frame
from dfarray.fpga.host.session import LinkError, Port, Session, SessionLostError
from dfarray.fpga.link.protocol import Command, Format
from dfarray.golden.integer import IntegerNetwork
from dfarray.sim.boards import CYCLES_PER_BIT, virtual_program
from dfarray.sim.fuzz import fuzzed_configuration
from dfarray.sim.simulators import available_simulators

pytestmark = pytest.mark.skipif("verilator" not in available_simulators(), reason="verilator is not installed")

CONFIG = fuzzed_configuration()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return virtual_program(CONFIG, tmp_path_factory.mktemp("virtual"))


@pytest.fixture
def running(program):
    process = subprocess.Popen(
        [str(program), str(CYCLES_PER_BIT)],
        cwd=program.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process, process.stdout.readline().strip()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) in (0, -signal.SIGKILL)
    process.stdout.close()


@pytest.fixture
def port(running):
    opened = open_port(running[1])
    yield opened
    opened.close()


def samples(count, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (count, CONFIG.network.inputs)).astype(np.int16)
    x[rng.random(x.shape) < 0.5] = 0
    return x, rng.integers(0, CONFIG.network.classes, count)


class BadLine:
    """A port that loses, flips and repeats bytes, in both directions.

    Parameters
    ----------
    share : float
        Of the writes, and of the reads, that suffer.
    """

    def __init__(self, port, share, seed):
        self._port, self._share, self._rng = port, share, random.Random(seed)

    def __getattr__(self, name):
        return getattr(self._port, name)

    def read(self, size=1):
        return self._spoil(self._port.read(size))

    def write(self, data):
        return self._port.write(self._spoil(data))

    def _spoil(self, data):
        data, rng = bytearray(data), self._rng
        if data and rng.random() < self._share:
            place = rng.randrange(len(data))
            kind = rng.randrange(4)
            if kind == 0:
                data[place] ^= 1 << rng.randrange(8)
            elif kind == 1:
                del data[place : place + rng.randrange(1, 20)]
            elif kind == 2:
                data[place:place] = data[max(0, place - 30) : place]
            else:
                data[place:place] = rng.randbytes(rng.randrange(1, 20))
        return bytes(data)


def trained(board, count=60, layout=None):
    """Train; assert that the board answers, and ends, as the golden model."""
    network = IntegerNetwork(CONFIG)
    board.load_weights(network.weights)
    board.set_seed(CONFIG.training.seed)
    board.set_learning(CONFIG.training.rate)
    x, labels = samples(count)
    expected = network.train(x, labels)
    answers = list(board.answers(x, labels, train=True, layout=layout))
    assert np.array_equal([logits for _, logits in answers], expected)
    assert [prediction for prediction, _ in answers] == expected.argmax(axis=1).tolist()
    network.flush()
    assert board.digest() == weights_digest(CONFIG, network.weights)
    assert all(map(np.array_equal, board.weights(), network.weights))


@pytest.mark.parametrize("layout", [Format.BITS_8, Format.EVENTS_8, Format.BITS_16, Format.EVENTS_16])
def test_training_ends_with_the_golden_weights(port, layout):
    board = Board(CONFIG, Session(port))
    trained(board, layout=layout)
    counters = board.counters()
    assert counters["samples"] == 60
    assert not any(counters[name] for name in ("line_errors", "bad_frames", "overruns", "timeouts", "framing_errors"))
    assert board.clock_and_baud() == (1e6, 250_000)


def test_the_estimator(running):
    x, labels = samples(40)
    network = IntegerNetwork(CONFIG)
    with Accelerator(CONFIG, running[1], epochs=1) as net:
        net.partial_fit(x / 256, labels)
        network.train(x, labels)
        assert net.predict(x / 256).tolist() == network.predict(x).tolist()
        assert net.score(x / 256, labels) == (network.predict(x) == labels).mean()
        assert net.get_params()["epochs"] == 1
        names = np.array(["ant", "bee", "cat"])[labels]
        assert set(net.fit(x / 256, names).predict(x / 256)) <= {"ant", "bee", "cat"}
        with pytest.raises(ValueError, match=r"X must have shape \(samples, 9\), not \(2, 8\)"):
            net.predict(np.zeros((2, 8)))
        with pytest.raises(ValueError, match="y has 4 different labels, the network 3 outputs"):
            net.fit(x / 256, np.arange(40) % 4)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bad_line_changes_no_weight(port, seed):
    board = Board(CONFIG, Session(cast(Port, BadLine(port, 0.05, seed)), timeout=60))
    trained(board, 150)
    counters = board.counters()
    assert counters["repeated"] > 0
    assert counters["bad_frames"] + counters["out_of_sequence"] > 0
    assert counters["samples"] == 150


def test_a_session_that_dies_in_a_sample_leaves_nothing_behind(port):
    board = Board(CONFIG, Session(port))
    half = Frame(Command.SAMPLE | Format.BITS_8 << 3, 0, bytes([9, 9, 9]))
    list(board.session.exchange([half]))
    # Half a frame as well.
    port.write(half.encoded(77)[:-4])
    board = Board(CONFIG, Session(port))
    trained(board)
    assert board.counters()["framing_errors"] == 1


def test_a_dump_and_a_load_that_were_not_finished(port):
    for command in ({"dump": 1}, {"load": 1}):
        board = Board(CONFIG, Session(port))
        board.write("ROW_COUNT", rows=CONFIG.bank_rows_used)
        board.write("COMMAND", **command)
    trained(Board(CONFIG, Session(port)))


def test_the_button_ends_the_session(running, port):
    board = Board(CONFIG, Session(port))
    os.kill(running[0].pid, signal.SIGUSR1)
    time.sleep(0.5)
    with pytest.raises(SessionLostError, match="the board was reset"):
        board.counters()
    trained(Board(CONFIG, Session(port)))


def test_a_host_that_does_not_read(port):
    board = Board(CONFIG, Session(port))
    frames = [Frame(Command.READ, 0).encoded(board.session._next + k & 0xFF) for k in range(600)]
    for frame in frames:
        port.write(frame)
        time.sleep(0.0005)
    time.sleep(1)
    trained(Board(CONFIG, Session(port)))


def test_a_board_that_is_gone(running, port):
    board = Board(CONFIG, Session(port, timeout=1.0))
    running[0].kill()
    running[0].wait()
    with pytest.raises((LinkError, OSError)):
        board.counters()


def test_another_configuration_is_told(port):
    other = with_values(CONFIG, {"training.seed": 7})
    with pytest.raises(WrongBitstreamError, match="the board runs another configuration: its digest is"):
        Board(other, Session(port))


def test_nobody_answers():
    master, slave = os.openpty()
    with pytest.raises(LinkError, match=r"nothing on this port answers within 0\.5 s"):
        Session(open_port(os.ttyname(slave)), timeout=0.5)
    os.close(master)


def test_a_command_that_cannot_be_carried_out_is_refused_at_once(port):
    board = Board(CONFIG, Session(port))
    with pytest.raises(LinkError, match="refused a command"):
        list(board._done([Frame(Command.DUMP, 1)]))
    (reply,) = board.session.exchange([Frame(Command.RESULT)])
    assert reply.status == 2
    assert board.counters()["timeouts"] == 1
    trained(board)
