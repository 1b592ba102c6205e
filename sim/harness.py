"""The Verilog test bench around the generated Verilog.

It plays streams from files and records streams and the trace to files, so that Python is needed only where something is
decided. The accelerator's Verilog is instantiated as generated; the trace looks into it by hierarchical names.
"""

import re
from collections.abc import Callable
from pathlib import Path

from dfarray.event_counters import WALK, look
from dfarray.sim.simplify import Contents
from dfarray.sim.trace_file import layout_of
from dfarray.trace_layout import WORD, TraceLayout

TOP = "dfarray_bench"
CONTENTS = "contents"
"""Directory of initial memory contents, in the one where the simulation runs."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEMPLATE = Path(__file__).with_name("harness.v")


def write_harness(manifest: dict, contents: list[Contents], directory: Path, *, flat: bool = False) -> Path:
    """Write ``bench.v`` for a manifest and for memories whose contents are in ``contents/``; returns its path.

    Parameters
    ----------
    flat : bool
        For yosys, which finds what is inside the accelerator only by the names it has after flattening.
    """
    ports = manifest["ports"]
    registers = [p for p in ports if p["name"].startswith("registers__")]
    layout = layout_of(manifest)
    traced_inputs, traced_outputs = manifest["trace"]["inputs"], manifest["trace"]["outputs"]
    refer = _flat_reference if flat else _reference
    shown_inputs, shown_outputs = ([_shown(entry, refer) for entry in part] for part in (traced_inputs, traced_outputs))
    inputs = _words("input", [*shown_inputs, "macs_looked"], layout.inputs)
    outputs = _words("output", shown_outputs, layout.outputs)
    words = [*_names("input", layout.inputs), *_names("output", layout.outputs)]
    widths = {p["name"]: p["width"] for p in ports}
    text = _TEMPLATE.read_text(encoding="utf-8")
    replacements = {
        "@REGISTER_PORTS@": ",\n  ".join(map(_public_port, registers)),
        "@REGISTER_CONNECTIONS@": "\n    ".join(f".{p['name']}({p['name']})," for p in registers),
        "@TOP@": manifest["top"],
        "@CONTENTS@": "\n    ".join(reading_contents(contents)),
        "@MACS@": str(next(r["offset"] for r in manifest["registers"] if r["name"] == "MACS_LOW")),
        "@MACS_PLACE@": str(look("MACS", -1)),
        "@WALK@": str(WALK),
        "@VALUE_BITS@": str(widths["samples__value"]),
        "@INDEX_BITS@": str(widths["samples__index"]),
        "@LABEL_BITS@": str(widths["samples__label"]),
        "@LOGIT_BITS@": str(widths["results__logit"]),
        "@PREDICTION_BITS@": str(widths["results__prediction"]),
        "@WEIGHT_BITS@": str(widths["weights_in__data"]),
        "@TRACE_WORDS@": str(layout.words),
        "@TRACE@": "\n      ".join(f"trace[{place}] = {word};" for place, word in enumerate(words)),
        "@TRACE_CONCATENATION@": ", ".join(reversed(words)),
        "@INPUT_BITS@": str(layout.inputs.words * WORD),
        "@INSIDE@": "\n  ".join(_inside([*traced_inputs, *traced_outputs]) if flat else []),
        "@WORDS@": "\n  ".join([*inputs, *outputs]),
        "@INPUT_WORDS@": ", ".join(reversed(_names("input", layout.inputs))),
        "@FOLD@": " ^ ".join(_rotated(word, 11 * k % WORD) for k, word in enumerate(_names("output", layout.outputs))),
    }
    for mark, value in replacements.items():
        text = text.replace(mark, value)
    path = directory / "bench.v"
    path.write_text(text, encoding="utf-8")
    return path


def reading_contents(contents: list[Contents]) -> list[str]:
    """Statements that fill the memories of the instance ``dut`` from :data:`CONTENTS`."""
    return [
        f'$readmemh("{CONTENTS}/{index}.hex", {_reference(".".join(item.path))});'
        for index, item in enumerate(contents)
    ]


def _public_port(port: dict) -> str:
    direction = "input" if port["direction"] == "i" else "output"
    return f"{direction} [{port['width'] - 1}:0] {port['name']} /*verilator public_flat_rw*/"


def _inside(entries: list[dict]) -> list[str]:
    """Declarations of the flat names of a trace, each as wide as it is looked at.

    Gates need none of their own: each is shown itself, too.
    """
    widths: dict[str, int] = {}
    for entry in entries:
        name, _, bits = _flat_reference(entry["expression"]).partition("[")
        width = int(bits.partition(":")[0]) + 1 if bits else entry["width"]
        widths[name] = max(widths.get(name, 0), width)
    return [f"(* hierconn *) wire [{width - 1}:0] {name};" for name, width in widths.items()]


def _reference(expression: str) -> str:
    """A hierarchical reference below ``dut``, escaped where Verilog asks for it."""
    path, _, index = expression.partition("[")
    return "dut." + ".".join(map(_escaped, path.split("."))) + (f"[{index}" if index else "")


def _flat_reference(expression: str) -> str:
    """The same after flattening: one name."""
    path, _, index = expression.partition("[")
    return f"\\dut.{path.replace(chr(92), '')} " + (f"[{index}" if index else "")


def _escaped(name: str) -> str:
    # One that is plain behind its backslash is a keyword, such as "table".
    if _PLAIN.fullmatch(name):
        return name
    return "\\" + name.removeprefix("\\") + " "


def _shown(entry: dict, refer: Callable[[str], str]) -> str:
    value = refer(entry["expression"])
    if "gate" not in entry:
        return value
    gate = refer(entry["gate"])
    condition = " || ".join(f"{gate} == {code}" for code in entry["when"])
    return f"(({condition}) ? {value} : {entry['width']}'d0)"


def _words(name: str, values: list[str], layout: TraceLayout) -> list[str]:
    """Declarations of the 64-bit words ``name_0``, ``name_1`` and so on."""
    words: list[list[str]] = [[] for _ in range(layout.words)]
    ends = [0] * layout.words
    for value, width, (word, _) in zip(values, layout.widths, layout.positions, strict=True):
        words[word].insert(0, value)
        ends[word] += width
    for parts, end in zip(words, ends, strict=True):
        parts[:0] = [f"{WORD - end}'d0"] * (end < WORD)
    return [f"wire [{WORD - 1}:0] {name}_{k} = {{{', '.join(parts)}}};" for k, parts in enumerate(words)]


def _names(word: str, layout: TraceLayout) -> list[str]:
    return [f"{word}_{k}" for k in range(layout.words)]


def _rotated(name: str, by: int) -> str:
    return f"{{{name}[{WORD - 1 - by}:0], {name}[{WORD - 1}:{WORD - by}]}}" if by else name
