"""From a configuration to a bitstream and its figures."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from amaranth.hdl import Value

from dfarray.configuration import Configuration
from dfarray.files import write_atomically
from dfarray.fpga.boards import Board
from dfarray.fpga.complaints import Complaint, complaints
from dfarray.fpga.estimate import ARRAY_FAMILIES, alternatives
from dfarray.fpga.floorplan import floorplan
from dfarray.fpga.flows import FLOWS, NETLIST, REPORT, RTLIL, VERILOG
from dfarray.fpga.netlist import Netlist
from dfarray.fpga.pinout import placed
from dfarray.fpga.report import Used, logged_utilisation, overfull, read_report
from dfarray.fpga.routing import place_and_route, placing_logs
from dfarray.fpga.summary import summary
from dfarray.fpga.toolchain import Tool, ToolFailedError, find_tools, read_log
from dfarray.fpga.top import TOP, BoardTop

STEPS = ("generate", "synthesise", "place and route", "pack")
FIGURES, SUMMARY, SYNTHESIS_LOG = "build.json", "report.txt", "synthesis.log"


class OverfullError(RuntimeError):
    """The design does not fit the device; the message says what is exceeded and how many lanes would fit."""


class MiscompiledError(RuntimeError):
    """Synthesis has said that what it made is another design than it was given."""


def build(
    config: Configuration,
    weights,
    board: Board,
    directory: str | Path,
    *,
    seed: int = 1,
    mhz: float | None = None,
    cycles_per_sample: float | None = None,
    native: bool = False,
    progress: Callable[[str, int], None] = lambda step, done: None,
) -> dict:
    """Build an accelerator for a board; the same arguments and tools make the same bitstream.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Initial weights.
    board : Board
    directory : path
        Created if it does not exist. Gets RTLIL, Verilog, constraints, netlist, bitstream, the tools' logs and
        reports, ``report.txt``, and last ``build.json``: a directory that has it is whole.
    seed : int
        Of placement and routing.
    mhz : float, optional
        Clock of the array; default: the board's target.
    cycles_per_sample : int, optional
        Training; gives the samples a second.
    native : bool
        Tools from PATH rather than YoWASP's, see :func:`dfarray.fpga.toolchain.find_tools`.
    progress : function (step, steps done)

    Returns
    -------
    dict : figures, as in ``build.json``. ``timing_met`` tells whether the clock holds.

    Raises
    ------
    ToolMissingError, ToolFailedError
    OverfullError, MiscompiledError
    """
    flow = FLOWS[board.family]
    yosys, router, packer = find_tools(("yosys", flow.place_and_route, flow.pack), native=native)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    # What an earlier build left must not pass for this one's.
    for name in (FIGURES, flow.bitstream, NETLIST, REPORT, SUMMARY):
        (directory / name).unlink(missing_ok=True)

    progress(STEPS[0], 0)
    top = BoardTop(board, config, weights, mhz or board.target_mhz)
    (directory / RTLIL).write_text(top.rtlil(), encoding="utf-8")
    (directory / "yosys.ys").write_text(
        flow.yosys_script(board, config.array.tiles, config.array.lanes), encoding="utf-8"
    )
    ports = {name: len(Value.cast(getattr(top, name))) for name in top.signature.members}
    pins = placed(ports, board.pins)
    (directory / flow.constraints).write_text(flow.constrain(board, pins), encoding="utf-8")
    progress(STEPS[1], 1)
    # Its WebAssembly build prints nothing any more once ABC has run; the log it writes itself is whole.
    yosys.run(["-q", "-l", SYNTHESIS_LOG, "-s", "yosys.ys"], directory)
    for item in complaints(yosys.name, read_log(directory / SYNTHESIS_LOG)):
        if item.is_wrong:
            raise MiscompiledError(_miscompiled(item, config, board))
    netlist = Netlist(directory / NETLIST)
    sites = floorplan(config, board.device, netlist.named(flow.multipliers), netlist.named(flow.block_rams))
    netlist.place(sites)
    netlist.absorb()
    netlist.write()
    progress(STEPS[2], 2)
    lanes = config.array.tiles * config.array.lanes
    routed_logs = _place_and_route(router, directory, config, board, seed, top.mhz)
    progress(STEPS[3], 3)
    packer.run(flow.pack_arguments(board), directory)
    progress("done", 4)

    logs = [(yosys, SYNTHESIS_LOG), *((router, log) for log in routed_logs), (packer, packer.log())]
    routed = read_report(directory / REPORT)
    cells = netlist.count()
    unknown = Used(0, 0)
    critical_path = routed.critical_path
    fmax = round(routed.fmax_mhz, 2)
    figures = {
        "board": board.name,
        "device": board.device,
        "seed": seed,
        "fmax_mhz": fmax,
        "target_mhz": round(top.mhz, 3),
        "baud": top.baud,
        "timing_met": routed.fmax_mhz >= top.mhz,
        "lanes": lanes,
        "placed_blocks": len(sites),
        "multipliers": asdict(routed.resources.get(flow.multipliers, unknown)),
        "block_rams": asdict(routed.resources.get(flow.block_rams, unknown)),
        "luts": asdict(routed.resources.get(flow.luts, unknown)),
        "flip_flops": sum(count for name, count in cells.items() if name.startswith(flow.flip_flops)),
        "cycles_per_sample": cycles_per_sample,
        "samples_per_second": None if cycles_per_sample is None else round(fmax * 1e6 / cycles_per_sample),
        "critical_path": None if critical_path is None else asdict(critical_path) | {"text": str(critical_path)},
        "resources": {name: asdict(count) for name, count in routed.resources.items() if count.used},
        "warnings": [asdict(item) for item in _complaints(directory, logs)],
        "tools": {tool.name: tool.version for tool in (yosys, router, packer)},
        "dfarray": version("dfarray"),
        "top": TOP,
        "verilog": VERILOG,
        "constraints": flow.constraints,
        "netlist": NETLIST,
        "bitstream": flow.bitstream,
        "report": SUMMARY,
        "sha256": {name: digest(directory / name) for name in (flow.bitstream, flow.constraints, VERILOG, NETLIST)},
        "configuration": json.loads(config.model_dump_json()),
    }
    (directory / SUMMARY).write_text(summary(figures), encoding="utf-8")
    write_atomically(directory / FIGURES, (json.dumps(figures, indent=1) + "\n").encode())
    return figures


def digest(file: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _miscompiled(item: Complaint, config: Configuration, board: Board) -> str:
    family = ARRAY_FAMILIES[board.family]
    advice = (
        "" if config.array.family == family else f"; set array.family = {family!r}, so that it infers no multipliers"
    )
    return f"the design would compute wrongly, {item}{advice}"


def _complaints(directory: Path, logs: list[tuple[Tool, str]]) -> list[Complaint]:
    texts = ((tool.name, read_log(directory / log)) for tool, log in logs if (directory / log).exists())
    return list(dict.fromkeys(item for name, text in texts for item in complaints(name, text)))


def _place_and_route(
    router: Tool, directory: Path, config: Configuration, board: Board, seed: int, mhz: float
) -> tuple[str, ...]:
    lanes, flow = config.array.tiles * config.array.lanes, FLOWS[board.family]

    def too_much(log: str) -> bool:
        # Some placers would go on trying for ever.
        return overfull(logged_utilisation(log), lanes) is not None

    try:
        return place_and_route(router, flow, board, directory, seed=seed, mhz=mhz, hopeless=too_much)
    except ToolFailedError:
        logs = [directory / name for name in placing_logs(router, flow)]
        counts = [logged_utilisation(read_log(log)) for log in logs if log.exists()]
        found = next(((used, excess) for used in counts if (excess := overfull(used, lanes))), None)
        if found is None:
            raise
        used, excess = found
        luts = used.get(flow.luts)
        others = alternatives(config, board, luts.used if luts else 0)
        elsewhere = f"; by `dfarray estimate` {others}" if others else ""
        raise OverfullError(f"{board.device} of {board.name} is too small: {excess}{elsewhere}") from None


def missed_timing(figures: dict) -> str | None:
    """Say by how much a build misses its clock, and what limits it; None if it does not."""
    if figures["timing_met"]:
        return None
    fmax, target = figures["fmax_mhz"], figures["target_mhz"]
    path = figures["critical_path"]
    limit = f"; the slowest path is {path['text']}" if path else ""
    short = f"{fmax:.1f} MHz reached, {target - fmax:.1f} MHz short of {target:g} MHz"
    return f"{short}{limit}; it holds with --mhz {math.floor(fmax)}, or try another --seed"
