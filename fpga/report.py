"""Figures from what the tools wrote: utilisation, clock, critical path."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_UTILISATION = re.compile(r"^Info:\s+(\w+):\s*(\d+)/\s*(\d+)\s+\d+%", re.MULTILINE)


@dataclass(frozen=True)
class Used:
    """How much of a resource a design takes.

    Attributes
    ----------
    used, available : int
    """

    used: int
    available: int


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path between two registers of the array's clock.

    Attributes
    ----------
    start, end : str
        Cells and their ports; the names are those of the netlist.
    cells : int
        Cells passed between them.
    delay_ns, logic_ns, routing_ns : float
        Logic includes the start's clock-to-output and the end's setup time.
    """

    start: str
    end: str
    cells: int
    delay_ns: float
    logic_ns: float
    routing_ns: float

    def __str__(self) -> str:
        return (
            f"{self.start} -> {self.end}: {self.delay_ns:.2f} ns "
            f"({self.logic_ns:.2f} logic, {self.routing_ns:.2f} routing, {self.cells} cells between)"
        )


@dataclass(frozen=True)
class Routed:
    """What nextpnr reports of a routed design.

    Attributes
    ----------
    fmax_mhz : float
        Of the fastest clock. If another of the same PLL, slower by design, holds less well, what that one leaves it.
    resources : dict of name to Used
    critical_path : CriticalPath or None
    """

    fmax_mhz: float
    resources: dict[str, Used]
    critical_path: CriticalPath | None


def read_report(path: Path) -> Routed:
    """Read nextpnr's ``--report``.

    Raises
    ------
    ValueError
        If no clock was analysed.
    """
    report = json.loads(path.read_text(encoding="utf-8"))
    if not report["fmax"]:
        raise ValueError(f"{path}: nextpnr analysed no clock; is anything clocked?")
    fastest = max(found["constraint"] for found in report["fmax"].values())
    left = {clock: found["achieved"] * round(fastest / found["constraint"]) for clock, found in report["fmax"].items()}
    clock = min(left, key=lambda name: left[name])
    paths = [
        path
        for path in report["critical_paths"]
        if path["from"].endswith(f" {clock}") and path["to"].endswith(f" {clock}")
    ]
    return Routed(
        fmax_mhz=left[clock],
        resources={name: Used(**counts) for name, counts in report["utilization"].items()},
        critical_path=_critical_path(max(paths, key=_delay)["path"]) if paths else None,
    )


def _delay(path) -> float:
    return sum(segment["delay"] for segment in path["path"])


def _critical_path(segments) -> CriticalPath:
    def place(end):
        return f"{end['cell']}.{end['port']}"

    routing = [segment for segment in segments if segment["type"] == "routing"]
    spent_routing = sum(segment["delay"] for segment in routing)
    delay = sum(segment["delay"] for segment in segments)
    return CriticalPath(
        start=place(segments[0]["from"]),
        end=place(segments[-1]["to"]),
        cells=max(0, len(routing) - 1),
        delay_ns=round(delay, 3),
        logic_ns=round(delay - spent_routing, 3),
        routing_ns=round(spent_routing, 3),
    )


def logged_utilisation(log: str) -> dict[str, Used]:
    """Utilisation by resource from nextpnr's log, which has it even if the design does not fit."""
    return {name: Used(int(used), int(available)) for name, used, available in _UTILISATION.findall(log)}


def overfull(resources: Mapping[str, Used], lanes: int) -> str | None:
    """Say which resources a design exceeds, by how much, and how many lanes would fit; None if it fits.

    The number of lanes supposes that every lane takes the same share, and is an upper bound: what is not in the lanes
    stays.
    """
    exceeded = {name: count for name, count in resources.items() if count.used > count.available > 0}
    if not exceeded:
        return None
    items = [
        f"{name}: {count.used} of {count.available}, {count.used - count.available} too many"
        for name, count in exceeded.items()
    ]
    fitting = min(lanes * count.available // count.used for count in exceeded.values())
    advice = f"at most {fitting} of {lanes} lanes would fit" if fitting else "not even one lane would fit"
    return f"{'; '.join(items)}; {advice}"
