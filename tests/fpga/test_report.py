"""nextpnr's reports, from committed samples of its output."""

import json
from pathlib import Path

import pytest

from dfarray.fpga.build import missed_timing
from dfarray.fpga.report import Used, logged_utilisation, overfull, read_report

SAMPLES = Path(__file__).parent / "samples"


def test_report_of_a_routed_design():
    routed = read_report(SAMPLES / "nextpnr-ecp5.json")
    assert routed.fmax_mhz == pytest.approx(80.515, abs=1e-3)
    assert routed.resources["MULT18X18D"] == Used(8, 156)
    assert routed.resources["DP16KD"] == Used(4, 208)
    path = routed.critical_path
    assert path is not None
    assert path.delay_ns == pytest.approx(1000 / routed.fmax_mhz, abs=0.01)
    assert path.logic_ns + path.routing_ns == pytest.approx(path.delay_ns, abs=0.01)
    assert path.start == "port.component.core.error_unit.source.reciprocal_table.0.0.DOA7"
    assert "product_TRELLIS_FF_Q" in path.end
    assert f"{path.delay_ns:.2f} ns" in str(path)


def test_paths_of_other_clocks_do_not_count(tmp_path):
    report = json.loads((SAMPLES / "nextpnr-ecp5.json").read_text())
    report["critical_paths"] = [path for path in report["critical_paths"] if "<async>" in path["from"] + path["to"]]
    assert report["critical_paths"]
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert read_report(tmp_path / "report.json").critical_path is None


def test_a_slower_clock_of_the_same_pll_counts_by_what_it_leaves(tmp_path):
    report = json.loads((SAMPLES / "nextpnr-ecp5.json").read_text())
    (array, found), link = next(iter(report["fmax"].items())), "link"
    report["fmax"][link] = {"achieved": 50.0, "constraint": found["constraint"] / 3}
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert read_report(tmp_path / "report.json").fmax_mhz == found["achieved"], "50 MHz leave the array 150"
    report["fmax"][link]["achieved"] = 20.0
    (tmp_path / "report.json").write_text(json.dumps(report))
    limited = read_report(tmp_path / "report.json")
    assert limited.fmax_mhz == pytest.approx(60.0)
    assert limited.critical_path is None, f"those in the sample are of {array}"


def test_a_report_without_a_clock_is_refused(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps({"fmax": {}, "critical_paths": [], "utilization": {}}))
    with pytest.raises(ValueError, match="analysed no clock"):
        read_report(tmp_path / "report.json")


def test_utilisation_is_in_the_log_even_if_the_design_does_not_fit():
    found = logged_utilisation((SAMPLES / "nextpnr-ice40-overfull.log").read_text())
    assert found["ICESTORM_DSP"] == Used(14, 8)
    assert found["ICESTORM_LC"] == Used(3916, 5280)
    assert found["ICESTORM_RAM"] == Used(15, 30)


def test_overfull_says_what_by_how_much_and_what_would_fit():
    fits = {"LUT4": Used(90, 100), "MULT18X18D": Used(100, 100), "DUMMY": Used(3, 0)}
    assert overfull(fits, 75) is None
    text = overfull({**fits, "MULT18X18D": Used(167, 156), "DP16KD": Used(209, 208)}, 75)
    assert text == (
        "MULT18X18D: 167 of 156, 11 too many; DP16KD: 209 of 208, 1 too many; at most 70 of 75 lanes would fit"
    )
    assert overfull({"ICESTORM_DSP": Used(17, 8)}, 2) == (
        "ICESTORM_DSP: 17 of 8, 9 too many; not even one lane would fit"
    )


def test_missed_timing_says_by_how_much():
    path = {"text": "a.Q -> b.D: 6.41 ns (2.00 logic, 4.41 routing, 3 cells between)"}
    figures = {"timing_met": False, "fmax_mhz": 155.98, "target_mhz": 170.0, "critical_path": path}
    assert missed_timing(figures) == (
        f"156.0 MHz reached, 14.0 MHz short of 170 MHz; the slowest path is {path['text']}; "
        "it holds with --mhz 155, or try another --seed"
    )
    assert missed_timing(figures | {"timing_met": True}) is None
