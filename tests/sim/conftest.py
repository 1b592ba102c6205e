import pytest

from dfarray.sim.simulators import available_simulators


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request):
    if request.param not in available_simulators():
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture
def fast_simulator():
    """Icarus builds in a moment; small designs run fast enough. Verilator where there is no Icarus."""
    return available_simulators()[-1]
