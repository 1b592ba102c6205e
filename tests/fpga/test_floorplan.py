"""Sites of the tiles' hard blocks, and how they get into the netlist."""

import json
from itertools import pairwise

import pytest
from accelerators import accelerator

from dfarray.fpga.floorplan import ECP5_85, floorplan
from dfarray.fpga.netlist import Netlist

DEVICE = "LFE5U-85F-6BG381C"
SITES = {site.bel: site for site in (*(site for row in ECP5_85.multipliers for site in row), *ECP5_85.block_rams)}


def cells(tiles, lanes, banks=2):
    """Names as the build makes them, and one of each kind that belongs to no tile."""
    prefix = "port.component.core."
    multipliers = [
        f"{prefix}tile_{tile}.lane_{lane}.{name}_multiplier.block"
        for tile in range(tiles)
        for lane in range(lanes)
        for name in ("update", "forward")
    ]
    block_rams = [
        f"{prefix}tile_{tile}.lane_{lane}.bank.block_0_{k}"
        for tile in range(tiles)
        for lane in range(lanes)
        for k in range(banks)
    ]
    block_rams += [f"{prefix}tile_{tile}.activation.table.block_0_0" for tile in range(tiles)]
    return [*multipliers, f"{prefix}other"], [*block_rams, f"{prefix}input_store.pairs.block_0_0"]


def planned(tiles, lanes, **options):
    multipliers, block_rams = cells(tiles, lanes, **options)
    config = accelerator([3, 4, 2], tiles, lanes)
    return floorplan(config, DEVICE, multipliers, block_rams), multipliers[:-1], block_rams


def distance(a, b):
    return abs(SITES[a].x - SITES[b].x) + abs(SITES[a].y - SITES[b].y)


@pytest.mark.parametrize(("tiles", "lanes"), [(15, 5), (5, 5), (1, 1), (2, 1), (3, 26), (12, 6)])
def test_every_block_of_a_tile_has_a_site_of_its_own(tiles, lanes):
    places, multipliers, block_rams = planned(tiles, lanes, banks=1)
    assert sorted(places) == sorted([*multipliers, *block_rams])
    assert len(set(places.values())) == len(places)
    assert all(("MULT18" in places[name]) == ("multiplier" in name) for name in places)
    assert set(places.values()) <= set(SITES)


def test_what_belongs_together_is_near():
    places, multipliers, block_rams = planned(15, 5)
    for update, forward in zip(multipliers[::2], multipliers[1::2], strict=True):
        assert distance(places[update], places[forward]) <= 1
    lanes = [name.rsplit(".", 2)[0] for name in multipliers[::2]]
    for lane in lanes:
        banks = [name for name in block_rams if name.startswith(f"{lane}.")]
        # Twelve rows are between multipliers and block RAMs.
        assert all(distance(places[name], places[f"{lane}.update_multiplier.block"]) <= 26 for name in banks)
    firsts = [places[f"port.component.core.tile_{tile}.lane_2.forward_multiplier.block"] for tile in range(15)]
    # One row further, or one tile aside; once over two rows. The chains' ends are near each other.
    assert max(distance(a, b) for a, b in pairwise(firsts)) <= 48
    assert distance(firsts[0], firsts[-1]) <= 24


def test_the_same_names_get_the_same_sites_in_any_order():
    multipliers, block_rams = cells(4, 3)
    config = accelerator([3, 4, 2], 4, 3)
    once = floorplan(config, DEVICE, multipliers, block_rams)
    assert once == floorplan(config, DEVICE, multipliers[::-1], block_rams[::-1])


@pytest.mark.parametrize(("tiles", "lanes"), [(16, 5), (1, 27), (4, 26), (13, 6)])
def test_what_does_not_fit_is_the_placers(tiles, lanes):
    assert planned(tiles, lanes)[0] == {}


def test_other_devices_are_the_placers():
    assert floorplan(accelerator([3, 4, 2], 1, 1), "LFE5U-25F-6BG381C", *cells(1, 1)) == {}


def test_multipliers_in_logic_need_no_site():
    assert floorplan(accelerator([3, 4, 2], 1, 1), DEVICE, [], cells(1, 1)[1]) == {}


def netlist(path, **cells):
    def module(top, cells):
        return {"attributes": {"top": "0" * 31 + "1"} if top else {}, "cells": cells}

    modules = {"LUT4": module(False, {"x": {"type": "$specify2"}}), "board": module(True, cells)}
    path.write_text(json.dumps({"modules": modules}))
    return Netlist(path)


def test_cells_of_the_top_module_are_counted_and_named(tmp_path):
    found = netlist(tmp_path / "netlist.json", a={"type": "LUT4"}, b={"type": "LUT4"}, c={"type": "TRELLIS_FF"})
    assert found.count() == {"LUT4": 2, "TRELLIS_FF": 1}
    assert found.named("LUT4") == ["a", "b"]


def test_sites_are_attributes_in_the_file(tmp_path):
    path = tmp_path / "netlist.json"
    found = netlist(path, a={"type": "M", "attributes": {"src": "x"}}, b={"type": "M"})
    found.place({"a": "X1/Y2/M"})
    found.write()
    cells = json.loads(path.read_text())["modules"]["board"]["cells"]
    assert cells == {"a": {"type": "M", "attributes": {"src": "x", "BEL": "X1/Y2/M"}}, "b": {"type": "M"}}
