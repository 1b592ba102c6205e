"""The Verilog test bench around the generated Verilog.

It plays streams from files and records streams and the trace to files, so that Python is needed only where something is
decided. The accelerator's Verilog is instantiated as generated; the trace looks into it by hierarchical names.
"""

import re
from pathlib import Path

from dfarray.sim.trace_file import layout_of

TOP = "dfarray_bench"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEMPLATE = Path(__file__).with_name("harness.v")


def write_harness(manifest: dict, directory: Path) -> Path:
    """Write ``bench.v`` for a manifest and return its path."""
    ports = manifest["ports"]
    registers = [p for p in ports if p["name"].startswith("registers__")]
    bits = manifest["trace"]["inputs"] + manifest["trace"]["outputs"]
    layout = layout_of(manifest)
    widths = {p["name"]: p["width"] for p in ports}
    text = _TEMPLATE.read_text(encoding="utf-8")
    replacements = {
        "@REGISTER_PORTS@": ",\n  ".join(map(_public_port, registers)),
        "@REGISTER_CONNECTIONS@": "\n    ".join(f".{p['name']}({p['name']})," for p in registers),
        "@TOP@": manifest["top"],
        "@VALUE_BITS@": str(widths["samples__value"]),
        "@INDEX_BITS@": str(widths["samples__index"]),
        "@LABEL_BITS@": str(widths["samples__label"]),
        "@LOGIT_BITS@": str(widths["results__logit"]),
        "@PREDICTION_BITS@": str(widths["results__prediction"]),
        "@WEIGHT_BITS@": str(widths["weights_in__data"]),
        "@TRACE_BITS@": str(layout.words * 64),
        "@TRACE@": _concatenation(bits, layout),
    }
    for mark, value in replacements.items():
        text = text.replace(mark, value)
    path = directory / "bench.v"
    path.write_text(text, encoding="utf-8")
    return path


def _public_port(port: dict) -> str:
    direction = "input" if port["direction"] == "i" else "output"
    return f"{direction} [{port['width'] - 1}:0] {port['name']} /*verilator public_flat_rw*/"


def _reference(expression: str) -> str:
    """A hierarchical reference below ``dut``, escaped where Verilog asks for it."""
    path, _, index = expression.partition("[")
    parts = [part if _PLAIN.fullmatch(part) else f"\\{part} " for part in path.split(".")]
    return "dut." + ".".join(parts) + (f"[{index}" if index else "")


def _shown(entry: dict) -> str:
    value = _reference(entry["expression"])
    if "gate" not in entry:
        return value
    gate = _reference(entry["gate"])
    condition = " || ".join(f"{gate} == {code}" for code in entry["when"])
    return f"(({condition}) ? {value} : {entry['width']}'d0)"


def _concatenation(entries, layout) -> str:
    """Bits from the lowest upwards, gaps filled, as one Verilog concatenation (highest first)."""
    parts, at = [], 0
    for entry, (word, bit) in zip(entries, layout.positions, strict=True):
        gap = word * 64 + bit - at
        if gap:
            parts.append(f"{gap}'d0")
        parts.append(_shown(entry))
        at += gap + entry["width"]
    if rest := layout.words * 64 - at:
        parts.append(f"{rest}'d0")
    return "{" + ",\n      ".join(reversed(parts)) + "}"
