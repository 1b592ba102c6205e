"""Reset in the middle of anything: what comes behind it is as after the first one."""

import dataclasses
import random
import shutil

import pytest
from mutants.runs import CASES
from verify.case import differs, orders_of, prepare
from verify.player import Order, build, launch, told_path


@pytest.fixture(scope="module")
def design(tmp_path_factory):
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")
    directory = tmp_path_factory.mktemp("reset")
    case = dataclasses.replace(CASES["deep"], phases=CASES["deep"].phases[:2], seed=5)
    job = prepare(case, directory)
    return case, job, build(job, directory / "icarus")


@pytest.mark.parametrize("seed", range(4))
def test_reset_in_mid_run(design, seed):
    """Weights are loaded again, since a bank keeps what it has; results, weights and noise are the integer model's."""
    case, job, program = design
    job.discard()
    draw, orders = random.Random(seed), []
    whole = orders_of(case, job)
    for _ in range(4):
        # Samples flow without a wait for their results until the reset comes.
        waits = (Order.RESULTS, Order.DUMPED, Order.READ, Order.IDLE, Order.TAKEN)
        flowing = [order for order in whole if order[0] not in waits]
        orders += [*flowing, (Order.CYCLES, draw.randrange(900), 0), (Order.RESET, 0, 0)]
    simulation = launch(job, program, [*orders, *whole])
    assert simulation.wait(300) == 0
    told = told_path(job).read_text().splitlines()
    assert told[-1] == "end", told
    read = [(int(line.split()[1]), int(line.split()[2])) for line in told if line.startswith("read")]
    assert differs(case, job, read) == ""
