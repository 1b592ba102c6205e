"""Verilog and its manifest."""

import json
import os
import re
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Fragment, Value
from amaranth.lib.wiring import In

from dfarray.configuration import Configuration
from dfarray.hw.accelerator import Accelerator
from dfarray.hw.probes import Probe, input_probes, output_probes, verilog_expression
from dfarray.movement import multiply_accumulates, words_moved
from dfarray.register_map import register_map
from dfarray.trace import input_signals, output_signals

TOP = "dfarray_accelerator"


def generate(config: Configuration, weights, directory: str | Path) -> dict:
    """Write ``accelerator.v`` and ``manifest.json``.

    Parameters
    ----------
    config : Configuration
    weights : list of int arrays (n_l, 1 + n_{l-1})
        Initial weights.
    directory : path
        Created if it does not exist.

    Returns
    -------
    dict : the manifest.
    """
    # A stray yosys on PATH must not decide what is generated.
    os.environ["AMARANTH_USE_YOSYS"] = "builtin"
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(config, weights)
    ports = {}
    for path, member, value in accelerator.signature.flatten(accelerator):
        direction = "i" if member.flow == In else "o"
        ports["__".join(map(str, path))] = (Value.cast(value), direction)
    # Taken after the signature is known: elaboration names the signals.
    text, names = verilog.convert_fragment(
        Fragment.get(accelerator, None),
        ports={name: (value, _direction(direction)) for name, (value, direction) in ports.items()},
        name=TOP,
        emit_src=False,
        strip_internal_attrs=True,
    )
    text = _evaluate_at_time_zero(text)
    manifest = _manifest(config, weights, ports, accelerator, names)
    (directory / "accelerator.v").write_text(text, encoding="utf-8")
    (directory / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def _evaluate_at_time_zero(text: str) -> str:
    """Let every ``always @*`` run once before the first event.

    yosys adds a register to each block's sensitivity, set by its declaration. Icarus sets it before the blocks start
    to wait, so that nothing triggers them and their outputs stay unknown; a non-blocking assignment comes after.
    """
    return re.sub(
        r"^  reg (\\\$auto\$verilog_backend\S+) +(= 0);$", r"  reg \1 ;\n  initial \1 <= 0;", text, flags=re.M
    )


def _direction(letter):
    from amaranth.hdl._ir import PortDirection

    return PortDirection.Input if letter == "i" else PortDirection.Output


def _manifest(config, weights, ports, accelerator, names):
    def entry(signal, probe: Probe):
        described = {"name": signal.name, "tile": signal.tile, "lane": signal.lane}
        described |= {"width": signal.width, "signed": signal.signed}
        described["expression"] = verilog_expression(probe.value, names)
        if probe.gate is not None:
            described["gate"] = verilog_expression(probe.gate, names)
            described["when"] = list(probe.when)
        return described

    inputs, outputs = input_probes(accelerator), output_probes(accelerator, config)
    return {
        "top": TOP,
        "verilog": "accelerator.v",
        "configuration": json.loads(config.model_dump_json()),
        "ports": [
            {"name": name, "width": len(value), "signed": value.shape().signed, "direction": direction}
            for name, (value, direction) in ports.items()
        ],
        "registers": [
            {
                "name": register.name,
                "offset": register.offset,
                "access": str(register.access),
                "fields": [vars(item) for item in register.fields],
            }
            for register in register_map(config)
        ],
        "macs": multiply_accumulates(config),
        "words_moved": words_moved(config),
        "trace": {
            "inputs": [entry(signal, inputs[signal.name]) for signal in input_signals(config)],
            "outputs": [
                entry(signal, outputs[(signal.name, signal.tile, signal.lane)]) for signal in output_signals(config)
            ],
        },
    }
