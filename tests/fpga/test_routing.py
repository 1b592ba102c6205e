"""Routing aims at what the best placement promised, at less if that takes too long, at last at nothing."""

import json
import sys

import pytest

from dfarray.fpga.boards import BOARDS
from dfarray.fpga.flows import FLOWS
from dfarray.fpga.routing import AIMS, PATIENCE, PLACEMENTS, place_and_route
from dfarray.fpga.toolchain import Tool, ToolFailedError

BOARD = BOARDS["ulx3s-85f"]

PROMISES = """Info: Max frequency for clock 'array': 100.00 MHz (FAIL at 160.00 MHz)
Info: Max frequency for clock 'link': 90.00 MHz (PASS at 40.00 MHz)
Info: Max frequency for clock 'array': %s at 160.00 MHz)
Info: Max frequency for clock 'link': 80.00 MHz (PASS at 40.00 MHz)"""
"""The second pair is of the finished placement."""

SCRIPT = """
import json, pathlib, sys, time
arguments = sys.argv[1:]
routes = "--no-route" not in arguments
before = len(list(pathlib.Path().glob("run-*-routes.json")))
name = f"run-{{before}}-routes.json" if routes else f"run-seed-{{arguments[arguments.index('--seed') + 1]}}.json"
constraints = pathlib.Path("routing.lpf").read_text() if routes else ""
pathlib.Path(name).write_text(json.dumps({{"arguments": arguments, "constraints": constraints}}))
if not routes:
    array = {arrays}[int(arguments[arguments.index("--seed") + 1])]
    print({promises!r} % f"{{array:.2f}} MHz ({{'PASS' if array >= 160 else 'FAIL'}}")
elif "--tmg-ripup" in arguments and before < {failing}:
    for k in range({rounds}):
        print(f"Info:     iter={{k + 1}} wires=9 overused=0 overuse=0 tmgfail=3 archfail=NA", flush=True)
    time.sleep({lasting})
elif {broken}:
    print("ERROR: no route")
    raise SystemExit(1)
"""


SEED = 3
SEEDS = [SEED + 1000 * k for k in range(PLACEMENTS)]


def runs(tmp_path, *, arrays=(110.0, 120.0), failing=0, lasting=60, broken=False):
    """What each placement was told, by its seed, and each routing; the clocks that placements promise are given."""
    promised = dict(zip(SEEDS, [*arrays, *[50.0] * PLACEMENTS], strict=False))
    script = SCRIPT.format(
        arrays=promised, promises=PROMISES, failing=failing, rounds=PATIENCE + 1, lasting=lasting, broken=broken
    )
    router = Tool("nextpnr-ecp5", (sys.executable, "-c", script), "0")
    flow = FLOWS[BOARD.family]
    (tmp_path / flow.constraints).write_text('LOCATE COMP "clk" SITE "G2";\nFREQUENCY PORT "clk" 25 MHZ;\n')
    logs = place_and_route(router, flow, BOARD, tmp_path, seed=SEED, mhz=160.0, hopeless=lambda log: False)
    assert all((tmp_path / log).exists() for log in logs)
    placings = {seed: json.loads((tmp_path / f"run-seed-{seed}.json").read_text()) for seed in SEEDS}
    return placings, [json.loads(file.read_text()) for file in sorted(tmp_path.glob("run-*-routes.json"))]


def after(run, option):
    return run["arguments"][run["arguments"].index(option) + 1]


def clocks(run):
    lines = [line.split() for line in run["constraints"].splitlines() if line.startswith("FREQUENCY")]
    return {line[2].strip('"'): float(line[3]) for line in lines}


def test_routing_aims_below_the_promise(tmp_path):
    placings, (routing,) = runs(tmp_path)
    for placing in placings.values():
        assert {"--no-route", "netlist.json", "pins.lpf"} <= set(placing["arguments"])
    best = after(placings[SEEDS[1]], "--write")
    assert best not in {after(placings[seed], "--write") for seed in SEEDS if seed != SEEDS[1]}
    assert after(routing, "--json") == best
    assert {"--no-place", "--no-pack", "--tmg-ripup", "routing.lpf"} <= set(routing["arguments"])
    # 120 of 160 MHz: each clock of the PLL that much slower.
    assert clocks(routing) == {"array": pytest.approx(120 * AIMS[0]), "link": pytest.approx(30 * AIMS[0])}
    assert 'LOCATE COMP "clk" SITE "G2";' in routing["constraints"]


def test_a_promise_above_the_goal_is_not_aimed_at(tmp_path):
    _, (routing,) = runs(tmp_path, arrays=[200.0])
    assert clocks(routing) == {"array": 160.0, "link": 40.0}


@pytest.mark.parametrize("lasting", [60, 0], ids=["under way", "through before it was looked at"])
def test_an_aim_that_takes_too_long_is_given_up(lasting, tmp_path):
    _, routing = runs(tmp_path, failing=2, lasting=lasting)
    assert [clocks(run)["array"] for run in routing] == [pytest.approx(120 * aim, abs=1e-3) for aim in AIMS[:3]]


def test_at_last_it_aims_at_nothing(tmp_path):
    _, routing = runs(tmp_path, failing=len(AIMS))
    assert ["--tmg-ripup" in run["arguments"] for run in routing] == [True] * len(AIMS) + [False]


def test_a_design_without_a_route_fails(tmp_path):
    with pytest.raises(ToolFailedError, match="nextpnr-ecp5 failed: ERROR: no route"):
        runs(tmp_path, broken=True)
