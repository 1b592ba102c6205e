"""The command line trains a board as it trains the golden model: killed, resumed, and over a bad line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dfarray.configuration import load_configuration
from dfarray.sim.simulators import available_simulators

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("verilator" not in available_simulators(), reason="verilator is not installed"),
]

SMALL = """
[network]
layers = [20, 8, 4]
[array]
tiles = 1
lanes = 2
bank_rows = 128
[training]
learning_rate = 0.1
rounding = "stochastic"
"""

COMMAND = [str(Path(sys.executable).with_name("dfarray"))]


class Bench:
    """A configuration's virtual board, its data set, and the command line.

    Parameters
    ----------
    config : Path
    samples : int
        Of an epoch.
    """

    def __init__(self, config: Path, directory: Path, samples: int):
        self.config, self.directory, self.samples = config, directory, samples
        network, rng = load_configuration(config).network, np.random.default_rng(5)
        self.data = directory / "data.npz"
        x = rng.random((samples + 50, network.inputs), dtype=np.float32)
        x[rng.random(x.shape) < 0.7] = 0
        y = rng.integers(0, network.classes, len(x))
        np.savez(self.data, x_train=x[:samples], y_train=y[:samples], x_test=x[samples:], y_test=y[samples:])
        ready = directory / "port.json"
        self._board = subprocess.Popen(
            [*COMMAND, "virtual", str(config), "-o", str(directory / "virtual"), "--json", str(ready)],
            stdout=subprocess.DEVNULL,
        )
        while not (ready.exists() and ready.read_text().strip()):
            assert self._board.poll() is None
            time.sleep(0.1)
        self.port = json.loads(ready.read_text())["port"]

    def close(self):
        self._board.terminate()
        self._board.wait()

    def training(self, name: str, engine: str, *options: str) -> list[str]:
        return [
            *(*COMMAND, "train", str(self.config), "--data", str(self.data), "--samples", str(self.samples)),
            *("--engine", engine, "--save", str(self.file(name)), "-o", str(self.directory / "train"), *options),
        ]

    def file(self, name: str) -> Path:
        return self.directory / f"{name}.npz"

    def train(self, name: str, engine: str, *options: str) -> dict:
        figures = self.directory / f"{name}.json"
        done = subprocess.run(
            [*self.training(name, engine, *options), "--json", str(figures)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return json.loads(figures.read_text())


def check_board(bench: Bench, share: float):
    """A plain run, one that is killed and resumed, and one over a bad line end as the golden model's."""
    epochs = ("--epochs", "2", "--checkpoint-every", str(bench.samples // 4))
    bench.train("golden", "golden", *epochs)
    expected = bench.file("golden").read_bytes()
    report = bench.train("board", "board", "--port", bench.port, *epochs)
    assert bench.file("board").read_bytes() == expected
    assert report["limited_by"] in ("core", "link")
    assert report["rejected_frames"] == 0
    assert report["counters"]["input_waits"] > 0
    selftest = subprocess.run(
        [*COMMAND, "selftest", "--port", bench.port, "--config", str(bench.config)], capture_output=True, text=True
    )
    assert selftest.returncode == 0, selftest.stderr
    assert "weight saturations" in selftest.stdout

    killed = subprocess.Popen(
        bench.training("resumed", "board", "--port", bench.port, *epochs),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not bench.file("resumed").exists():
        assert killed.poll() is None, "the training ended before its first checkpoint"
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    interrupted = bench.file("resumed").read_bytes()
    bench.train("resumed", "board", "--port", bench.port, "--resume", str(bench.file("resumed")), *epochs)
    assert bench.file("resumed").read_bytes() == expected != interrupted

    line = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("bad_line.py")), bench.port, str(share), "1"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert line.stdout is not None
    report = bench.train("bad", "board", "--port", line.stdout.readline().strip(), *epochs)
    line.terminate()
    to_board, _ = map(int, line.stdout.readline().split())
    assert bench.file("bad").read_bytes() == expected
    assert to_board > 0
    assert report["rejected_frames"] > 0
    assert report["repeated_frames"] > 0
    assert report["damaged_replies"] > 0


def test_a_small_board(tmp_path):
    config = tmp_path / "small.toml"
    config.write_text(SMALL)
    bench = Bench(config, tmp_path, 80)
    try:
        check_board(bench, 0.002)
    finally:
        bench.close()


def test_the_shipped_board(tmp_path):
    bench = Bench(Path("configs/icebreaker.toml"), tmp_path, 200)
    try:
        check_board(bench, 0.0005)
    finally:
        bench.close()
