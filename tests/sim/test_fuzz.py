"""Damaged frames change no weight, senseless ones stop nothing, and a link that is wrong is found out."""

import re

import pytest

from dfarray.console import CheckError
from dfarray.sim import boards, fuzz
from dfarray.sim.fuzz import Mode
from dfarray.sim.simulators import available_simulators

pytestmark = pytest.mark.skipif("verilator" not in available_simulators(), reason="verilator is not installed")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def test_damaged_frames(directory):
    figures = fuzz.fuzz(Mode.LINE, 4_000, directory, rounds=8)
    assert figures.frames > 3_000
    assert figures.bad > 1_500
    assert figures.good > 1_000


def test_frames_without_sense(directory):
    figures = fuzz.fuzz(Mode.SENSE, 300, directory, rounds=2)
    assert figures.replies >= 300 + figures.good - figures.frames


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "pattern", "instead"),
    [
        ("a damaged frame is carried out", r"match_detected", "1'h1"),
        ("a frame is carried out twice", r"\bbehind\b", "8'h00"),
    ],
)
def test_a_wrong_link_is_found_out(what, pattern, instead, tmp_path, monkeypatch):
    simplify = boards.simplify

    def spoilt(text, top):
        assigned = re.compile(rf"^((?:  assign \\?\S*| +){pattern}\s*=) .*;$", re.M)
        # The executor has a CRC too, of which nobody looks at the match.
        text, count = assigned.subn(rf"\1 {instead};", text)
        assert count, what
        return simplify(text, top)

    monkeypatch.setattr(boards, "simplify", spoilt)
    with pytest.raises(CheckError):
        fuzz.fuzz(Mode.LINE, 4_000, tmp_path, rounds=8)
