"""Routing aims at what placement promised, at less if that takes too long, at last at nothing."""

import json
import sys

import pytest

from dfarray.fpga.boards import BOARDS
from dfarray.fpga.flows import FLOWS
from dfarray.fpga.routing import AIMS, PATIENCE, place_and_route
from dfarray.fpga.toolchain import Tool, ToolFailedError

BOARD = BOARDS["ulx3s-85f"]

PROMISES = """Info: Max frequency for clock 'array': 100.00 MHz (FAIL at 160.00 MHz)
Info: Max frequency for clock 'link': 90.00 MHz (PASS at 40.00 MHz)
Info: Max frequency for clock 'array': {array:.2f} MHz ({verdict} at 160.00 MHz)
Info: Max frequency for clock 'link': 80.00 MHz (PASS at 40.00 MHz)"""
"""The second pair is of the finished placement."""

SCRIPT = """
import json, pathlib, sys, time
runs = pathlib.Path("runs.json")
before = json.loads(runs.read_text()) if runs.exists() else []
aimed = pathlib.Path("routing.lpf")
run = {{"arguments": sys.argv[1:], "constraints": aimed.read_text() if aimed.exists() else ""}}
runs.write_text(json.dumps([*before, run]))
if "--no-route" in sys.argv:
    print({promises!r})
elif "--tmg-ripup" in sys.argv and len(before) <= {failing}:
    for k in range({rounds}):
        print(f"Info:     iter={{k + 1}} wires=9 overused=0 overuse=0 tmgfail=3 archfail=NA", flush=True)
    time.sleep(60)
elif {broken}:
    print("ERROR: no route")
    raise SystemExit(1)
"""


def runs(tmp_path, *, array=120.0, failing=0, broken=False):
    """What the router was told in each of its runs."""
    promises = PROMISES.format(array=array, verdict="PASS" if array >= 160 else "FAIL")
    script = SCRIPT.format(promises=promises, failing=failing, rounds=PATIENCE + 1, broken=broken)
    router = Tool("nextpnr-ecp5", (sys.executable, "-c", script), "0")
    flow = FLOWS[BOARD.family]
    (tmp_path / flow.constraints).write_text('LOCATE COMP "clk" SITE "G2";\nFREQUENCY PORT "clk" 25 MHZ;\n')
    logs = place_and_route(router, flow, BOARD, tmp_path, seed=3, mhz=160.0, hopeless=lambda log: False)
    assert all((tmp_path / log).exists() for log in logs)
    return json.loads((tmp_path / "runs.json").read_text())


def clocks(run):
    lines = [line.split() for line in run["constraints"].splitlines() if line.startswith("FREQUENCY")]
    return {line[2].strip('"'): float(line[3]) for line in lines}


def test_routing_aims_below_the_promise(tmp_path):
    placing, routing = runs(tmp_path)
    assert {"--no-route", "netlist.json", "--seed", "3", "pins.lpf"} <= set(placing["arguments"])
    assert {"--no-place", "--no-pack", "--tmg-ripup", "placed_cells.json", "routing.lpf"} <= set(routing["arguments"])
    # 120 of 160 MHz: each clock of the PLL that much slower.
    assert clocks(routing) == {"array": pytest.approx(120 * AIMS[0]), "link": pytest.approx(30 * AIMS[0])}
    assert 'LOCATE COMP "clk" SITE "G2";' in routing["constraints"]


def test_a_promise_above_the_goal_is_not_aimed_at(tmp_path):
    assert clocks(runs(tmp_path, array=200.0)[1]) == {"array": 160.0, "link": 40.0}


def test_an_aim_that_takes_too_long_is_given_up(tmp_path):
    _, *routing = runs(tmp_path, failing=2)
    assert [clocks(run)["array"] for run in routing] == [pytest.approx(120 * aim, abs=1e-3) for aim in AIMS[:3]]


def test_at_last_it_aims_at_nothing(tmp_path):
    _, *routing = runs(tmp_path, failing=len(AIMS))
    assert ["--tmg-ripup" in run["arguments"] for run in routing] == [True] * len(AIMS) + [False]


def test_a_design_without_a_route_fails(tmp_path):
    with pytest.raises(ToolFailedError, match="nextpnr-ecp5 failed: ERROR: no route"):
        runs(tmp_path, broken=True)
