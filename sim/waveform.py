"""A waveform (VCD) of the architectural signals, from a recorded trace."""

from pathlib import Path

from vcd import VCDWriter

from dfarray.configuration import Configuration
from dfarray.sim.trace_file import TraceReader, layout_of
from dfarray.trace import OPERATIONS, STATES, input_signals, output_signals

PERIOD_NS = 10
_NAMES = {
    "sequencer.state": {code: name for name, code in STATES.items()},
    "broadcast.op": {code: name for name, code in OPERATIONS.items()},
}


def write_waveform(config: Configuration, manifest: dict, trace: Path, path: Path, cycles: int) -> int:
    """Write the first cycles of a trace as VCD; operations and states by name.

    Returns
    -------
    int : cycles written.
    """
    signals = [(signal, "inputs") for signal in input_signals(config)]
    signals += [(signal, "outputs") for signal in output_signals(config)]
    records = TraceReader(trace, layout_of(manifest)).read(cycles)
    with path.open("w", encoding="utf-8") as file, VCDWriter(file, timescale="1 ns", date="") as writer:
        clock = writer.register_var("dfarray", "clk", "wire", size=1, init=0)
        variables = []
        for signal, group in signals:
            scope = ["dfarray", group]
            scope += [f"tile_{signal.tile}"] if signal.tile is not None else []
            scope += [f"lane_{signal.lane}"] if signal.lane is not None else []
            name = signal.name.replace(".", "_")
            if signal.name in _NAMES:
                variables.append(writer.register_var(scope, name, "string", init=""))
            else:
                variables.append(writer.register_var(scope, name, "wire", size=signal.width, init=0))
        for cycle, record in enumerate(records):
            writer.change(clock, cycle * PERIOD_NS, 1)
            for (signal, _), variable, value in zip(signals, variables, record.tolist(), strict=True):
                shown = (
                    _NAMES[signal.name].get(value, str(value))
                    if signal.name in _NAMES
                    else value & ((1 << signal.width) - 1)
                )
                writer.change(variable, cycle * PERIOD_NS, shown)
            writer.change(clock, cycle * PERIOD_NS + PERIOD_NS // 2, 0)
    return len(records)
