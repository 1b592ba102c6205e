"""The register port, and a host that does not wait its turn."""

import pytest
from accelerators import accelerator
from register_bench import TESTCASES, run

from dfarray.initial_weights import initial_weights
from dfarray.sim.cosim import prepare
from dfarray.sim.simulators import available_simulators

CONFIG = accelerator([5, 6, 3], 3, 2, rounding="stochastic", error="softmax-cross-entropy")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    simulator = available_simulators()[-1]
    return simulator, *prepare(CONFIG, initial_weights(CONFIG), simulator, tmp_path_factory.mktemp("registers"))


@pytest.mark.parametrize("testcase", TESTCASES)
def test_register_bench(testcase, built, tmp_path):
    simulator, verilog, build = built
    job = run(testcase, CONFIG, initial_weights(CONFIG), simulator, verilog, build, tmp_path)
    assert job.outcome()["cycles_checked"] > 500
