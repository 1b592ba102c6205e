"""Placement and routing: in one run, or for a fast clock apart, the best of some placements routed to keep its promise.

What placements of a nearly full device promise differs by a tenth. nextpnr's router does not look at the clock by
itself: of 75 lanes it loses a tenth of the promise. With ``--tmg-ripup`` it takes up again what is too slow, and goes
on for ever if the clock cannot be had. So it is told a little less than the promise; if that takes too long, less;
at last nothing.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from dfarray.fpga.boards import Board
from dfarray.fpga.flows import NETLIST, REPORT, Flow
from dfarray.fpga.toolchain import Tool, ToolFailedError, read_log

AIMS = (0.985, 0.97, 0.94, 0.9, 0.85)
"""Shares of the promised clock that routing is told, one after the other."""

PATIENCE = 80
"""Rounds of the router that one aim may take."""

PLACEMENTS = 2
"""Tried for a seed."""

AIMED = "routing.lpf"

_SEEDS = 1000
"""From one placement's seed to the next one's."""

_PROMISE = re.compile(r"Max frequency for clock\s+'([^']+)':\s+([\d.]+) MHz \(\w+ at ([\d.]+) MHz\)")
_ROUND = re.compile(r"^Info:\s+iter=\d+ ", re.MULTILINE)


def place_and_route(
    router: Tool,
    flow: Flow,
    board: Board,
    directory: Path,
    *,
    seed: int,
    mhz: float,
    hopeless: Callable[[str], bool],
) -> tuple[str, ...]:
    """From the netlist to the placed and routed design and its report.

    Parameters
    ----------
    router : Tool
    flow : Flow
    board : Board
    directory : Path
        With the netlist and the constraints.
    seed : int
        Of several placements the first one has it, the others seeds of their own.
    mhz : float
        The clock wanted.
    hopeless : function of the log so far
        Whether the design cannot be placed.

    Returns
    -------
    tuple of str : names of the logs.

    Raises
    ------
    ToolFailedError
    """
    device = ["--timing-allow-fail", *board.place_and_route]
    first = ["--json", NETLIST, "--freq", f"{mhz:.6f}", *device, *flow.placing]
    report = ["--report", REPORT]
    if flow.clock_constraint is None:
        router.run([*first, "--seed", str(seed), *report, *flow.routing], directory, hopeless)
        return (router.log(),)
    constraints = directory / flow.constraints
    place = [*first, "--lpf", flow.constraints, "--router", "router2", "--no-route"]
    for log in placing_logs(router, flow):  # An earlier build's.
        (directory / log).unlink(missing_ok=True)
    steps = {_step(k): seed + k * _SEEDS for k in range(PLACEMENTS)}
    router.run_all(
        {step: [*place, "--seed", str(own), "--write", _placed(step)] for step, own in steps.items()},
        directory,
        hopeless,
        at_once=min(PLACEMENTS, os.cpu_count() or 1),
    )
    promises = {step: _promised(read_log(directory / router.log(step))) for step in steps}
    best = max(steps, key=lambda step: _share(promises[step]))
    promised = promises[best]
    placed = ["--json", _placed(best), "--no-pack", "--no-place", "--lpf", AIMED, *device, *report, *flow.routing]
    # Pads keep their settings; the oscillator's clock would constrain all that comes from it.
    pads = [line for line in constraints.read_text(encoding="utf-8").splitlines() if not line.startswith("FREQUENCY")]
    reached = _share(promised)

    def aim_at(share: float) -> None:
        clocks = [
            flow.clock_constraint.format(net=net, mhz=wanted * min(1, share * reached))
            for net, (_, wanted) in promised.items()
        ]
        (directory / AIMED).write_text("\n".join([*pads, *clocks, ""]), encoding="utf-8")

    logs = router.log(best), router.log()
    for share in AIMS:
        aim_at(share)
        try:
            router.run([*placed, "--tmg-ripup"], directory, _too_long)
        except ToolFailedError:
            if not _too_long(read_log(directory / router.log())):
                raise
        else:
            return logs
    aim_at(1)
    router.run(placed, directory)
    return logs


def placing_logs(router: Tool, flow: Flow) -> list[str]:
    """Names of the logs of all runs that place."""
    return [router.log(_step(k)) for k in range(PLACEMENTS)] if flow.clock_constraint else [router.log()]


def _step(placement: int) -> str:
    return f"placing-{placement}"


def _placed(step: str) -> str:
    return f"{step}.json"


def _promised(log: str) -> dict[str, tuple[float, float]]:
    """By clock net: what placement expects of it, and what was wanted, MHz."""
    return {net: (float(achieved), float(wanted)) for net, achieved, wanted in _PROMISE.findall(log)}


def _share(promised: dict[str, tuple[float, float]]) -> float:
    """Of what is wanted of the clock that has the least of it."""
    return min(achieved / wanted for achieved, wanted in promised.values())


def _too_long(log: str) -> bool:
    return len(_ROUND.findall(log)) > PATIENCE
