"""The host link with its UART in cocotb: nothing hangs it, every refused frame is counted, weights stay right."""

import pytest

from dfarray.fpga.link.link import HostLink
from dfarray.sim import simulators
from dfarray.sim.bench_link import DIVISOR
from dfarray.sim.fuzz import LINKED, PARAMETERS, fuzzed_configuration, linked_verilog
from dfarray.sim.simulators import available_simulators

CASES = ["bad_line", "reset_in_a_sample", "overrun_and_no_reader"]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The directory of a simulator's build, made when it is first wanted."""
    config, directories = fuzzed_configuration(), {}

    def build(simulator):
        if simulator not in directories:
            directory = directories[simulator] = tmp_path_factory.mktemp(simulator)
            text, _ = linked_verilog(config, HostLink(config, PARAMETERS, DIVISOR))
            source = directory / "linked.v"
            source.write_text(text)
            simulators.build(simulator, [source], LINKED, directory)
        return directories[simulator]

    return build


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("simulator", [pytest.param("icarus"), pytest.param("verilator", marks=pytest.mark.slow)])
def test_link(simulator, case, built):
    if simulator not in available_simulators():
        pytest.skip(f"{simulator} is not installed")
    disturbances = "6" if simulator == "verilator" else "1"
    simulators.run(
        simulator,
        LINKED,
        built(simulator),
        "dfarray.sim.bench_link",
        testcase=case,
        environment={"DFARRAY_DISTURBANCES": disturbances},
    )
