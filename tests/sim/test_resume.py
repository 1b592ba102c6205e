"""A training goes from engine to engine, and ends as if one had done all of it."""

import pytest
from trainings import CONFIG, session

from dfarray.checkpoint import Checkpoint
from dfarray.configuration import with_values
from dfarray.golden.engine import GoldenEngine
from dfarray.sim.cosim import Report
from dfarray.sim.engine import RtlEngine
from dfarray.sim.simulators import available_simulators

pytestmark = pytest.mark.skipif("verilator" not in available_simulators(), reason="Verilator cannot run here")

PLAN = session(epochs=2, every=40, samples=80)


class BrokenOffError(Exception):
    """Stands for whatever ends a process."""


def breaking_off(engine_class, calls: int):
    """An engine that is gone in the midst of its n-th training."""

    class Engine(engine_class):
        left = calls

        def train(self, x, labels, **options):
            self.left -= 1
            if self.left < 0:
                raise BrokenOffError
            return super().train(x, labels, **options)

    return Engine


def test_engines_take_turns(tmp_path):
    whole, path, rtl = tmp_path / "whole.npz", tmp_path / "run.npz", tmp_path / "rtl.npz"
    PLAN.run(GoldenEngine(CONFIG), save=whole)

    # The RTL alone, whose weights and noise state are read from it: the same file, byte for byte.
    engine = RtlEngine(CONFIG, directory=tmp_path / "rtl")
    PLAN.run(engine, save=rtl)
    assert rtl.read_bytes() == whole.read_bytes()
    assert isinstance(engine.report, Report)
    assert (engine.report.mismatches, engine.report.samples) == (0, 2 * (60 + 20))
    assert engine.report.cycles == engine.report.cycles_checked > 0

    # The model up to sample 40; the RTL, which is another machine than before, into the second epoch; the model again.
    with pytest.raises(BrokenOffError):
        PLAN.run(breaking_off(GoldenEngine, 1)(CONFIG), save=path)
    assert (Checkpoint.load(path).epoch, Checkpoint.load(path).done) == (1, 40)
    with pytest.raises(BrokenOffError):
        PLAN.run(breaking_off(RtlEngine, 2)(CONFIG, directory=tmp_path / "rtl"), resume=path, save=path)
    assert (Checkpoint.load(path).epoch, Checkpoint.load(path).done) == (2, 40)
    PLAN.run(GoldenEngine(CONFIG), resume=path, save=path)
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_without_noise(tmp_path):
    """With nearest rounding NOISE reads 0, and the RTL still goes on from a checkpoint."""
    config = with_values(CONFIG, {"training.rounding": "nearest"})
    plan = session(epochs=1, every=40, samples=80, config=config)
    plan.run(GoldenEngine(config), save=tmp_path / "whole.npz")
    plan.run(RtlEngine(config, directory=tmp_path / "rtl"), save=tmp_path / "rtl.npz")
    assert (tmp_path / "rtl.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
