"""Placement and routing: in one run, or for a fast clock in two, the second aiming at what the first one promises.

nextpnr's router does not look at the clock by itself: of 75 lanes it loses a tenth of what the placement promises. With
``--tmg-ripup`` it takes up again what is too slow, and goes on for ever if the clock cannot be had. So it is told a
little less than the promise; if that takes too long, less; at last nothing.
"""

import re
from collections.abc import Callable
from pathlib import Path

from dfarray.fpga.boards import Board
from dfarray.fpga.flows import NETLIST, REPORT, Flow
from dfarray.fpga.toolchain import Tool, ToolFailedError, read_log

AIMS = (0.97, 0.94, 0.9, 0.85)
"""Shares of the promised clock that routing is told, one after the other."""

PATIENCE = 80
"""Rounds of the router that one aim may take."""

PLACED, PLACING, AIMED = "placed_cells.json", "placing", "routing.lpf"

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
    first = ["--json", NETLIST, "--seed", str(seed), "--freq", f"{mhz:.6f}", *device, *flow.placing]
    report = ["--report", REPORT]
    if flow.clock_constraint is None:
        router.run([*first, *report, *flow.routing], directory, hopeless)
        return (router.log(),)
    constraints = directory / flow.constraints
    router.run(
        [*first, "--lpf", flow.constraints, "--router", "router2", "--no-route", "--write", PLACED],
        directory,
        hopeless,
        PLACING,
    )
    promised = _promised(read_log(directory / router.log(PLACING)))
    placed = ["--json", PLACED, "--no-pack", "--no-place", "--lpf", AIMED, *device, *report, *flow.routing]
    # Pads keep their settings; the oscillator's clock would constrain all that comes from it.
    pads = [line for line in constraints.read_text(encoding="utf-8").splitlines() if not line.startswith("FREQUENCY")]
    reached = min(achieved / wanted for achieved, wanted in promised.values())

    def aim_at(share: float) -> None:
        clocks = [
            flow.clock_constraint.format(net=net, mhz=wanted * min(1, share * reached))
            for net, (_, wanted) in promised.items()
        ]
        (directory / AIMED).write_text("\n".join([*pads, *clocks, ""]), encoding="utf-8")

    logs = router.log(PLACING), router.log()
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


def _promised(log: str) -> dict[str, tuple[float, float]]:
    """By clock net: what placement expects of it, and what was wanted, MHz."""
    return {net: (float(achieved), float(wanted)) for net, achieved, wanted in _PROMISE.findall(log)}


def _too_long(log: str) -> bool:
    return len(_ROUND.findall(log)) > PATIENCE
