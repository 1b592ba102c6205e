"""What carry cells absorb, they compute: every netlist sums the same before and after."""

import copy
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dfarray.fpga.carry import PINS, absorb

ADDS, SUBTRACTS = "0", "1"
"""At pin C of what yosys makes of an adder: B as it is, or inverted."""

INPUTS = 7
"""Nets 0 to 6 are inputs, higher ones are driven by cells."""


def lut(nets, init, output):
    pins = [*nets, *["0"] * (4 - len(nets))]
    return {
        "type": "LUT4",
        "parameters": {"INIT": f"{init:016b}"},
        "port_directions": {**dict.fromkeys(PINS, "input"), "Z": "output"},
        "connections": {**{pin: [net] for pin, net in zip(PINS, pins, strict=True)}, "Z": [output]},
    }


def carry(operands, sums, carry_in, carry_out, invert=ADDS, inject="NO"):
    """Two bits of ``a + b`` as yosys maps them."""
    connections = {"CIN": [carry_in], "COUT": [carry_out]}
    for half, (a, b) in enumerate(operands):
        pins = zip(PINS, (a, b, invert, "1"), strict=True)
        connections |= {f"{pin}{half}": [net] for pin, net in pins} | {f"S{half}": [sums[half]]}
    outputs = ("S0", "S1", "COUT")
    return {
        "type": "CCU2C",
        "parameters": {"INIT0": f"{0x96AA:016b}", "INIT1": f"{0x96AA:016b}", "INJECT1_0": inject, "INJECT1_1": inject},
        "port_directions": {port: "output" if port in outputs else "input" for port in connections},
        "connections": connections,
    }


def evaluate(cells, inputs):
    """Values of all nets; a cell is evaluated once its inputs are known."""
    values = {**dict(enumerate(inputs)), "0": 0, "1": 1}
    left = list(cells.values())
    while left:
        cell = next(c for c in left if all(c["connections"][p][0] in values for p, d in directions(c) if d == "input"))
        left.remove(cell)
        at = {port: values[bits[0]] for port, bits in cell["connections"].items() if bits[0] in values}
        if cell["type"] == "LUT4":
            values[cell["connections"]["Z"][0]] = bit(cell["parameters"]["INIT"], [at[pin] for pin in PINS])
            continue
        carries = at["CIN"]
        for half in "01":
            init = cell["parameters"][f"INIT{half}"]
            propagate = bit(init, [at[f"{pin}{half}"] for pin in PINS])
            generate = bit(init[-4:], [at[f"A{half}"], at[f"B{half}"]])
            values[cell["connections"][f"S{half}"][0]] = propagate ^ carries
            carries = carries if propagate else generate
        values[cell["connections"]["COUT"][0]] = carries
    return values


def directions(cell):
    return cell["port_directions"].items()


def bit(init, values):
    """The entry of a table written most significant first."""
    return int(init[-1 - sum(value << k for k, value in enumerate(values))])


def adder(fronts, invert=ADDS, inject="NO"):
    """Two bits whose operands are LUTs of the inputs: ``fronts`` has nets and INIT of a0, b0, a1, b1, or an input."""
    cells, operands = {}, []
    for k, front in enumerate(fronts):
        if isinstance(front, int):
            operands.append(front)
            continue
        cells[f"lut{k}"] = lut(*front, 10 + k)
        operands.append(10 + k)
    pairs = [tuple(operands[:2]), tuple(operands[2:])]
    cells["carry"] = carry(pairs, (20, 21), "1" if invert == SUBTRACTS else "0", 22, invert, inject)
    return cells


def assert_same(before, after, inputs):
    """Both sums and the carry."""
    wanted, found = evaluate(before, inputs), evaluate(after, inputs)
    assert [found[net] for net in (20, 21, 22)] == [wanted[net] for net in (20, 21, 22)]


AND, CHOOSE = 0b1000, 0b11001010
"""``x & y``; ``c ? y : x``."""


@pytest.mark.parametrize(
    ("fronts", "invert", "absorbed"),
    [
        pytest.param([0, ([1, 2], AND), 3, ([4, 2], AND)], ADDS, 2, id="an accumulator that begins anew"),
        pytest.param([([0, 1, 2], CHOOSE), 3, ([4, 5, 2], CHOOSE), 6], SUBTRACTS, 2, id="one of two, less a third"),
        pytest.param([([0, 1], AND), ([2, 3], AND), ([4, 1], AND), ([0, 3], AND)], ADDS, 4, id="a product's two rows"),
        pytest.param([([0, 1], AND), ([2, 3], AND), ([4, 1], AND), ([0, 3], AND)], SUBTRACTS, 4, id="the last rows"),
        pytest.param([([0, 1, 2], CHOOSE), ([3, 4, 5], CHOOSE), 0, 1], ADDS, 1, id="six inputs have no room"),
    ],
)
def test_what_is_absorbed(fronts, invert, absorbed):
    cells = adder(fronts, invert)
    before = copy.deepcopy(cells)
    assert absorb(cells) == absorbed
    assert len(cells) == len(before) - absorbed
    for code in range(1 << INPUTS):
        assert_same(before, cells, [code >> k & 1 for k in range(INPUTS)])


@settings(deadline=None, max_examples=80)
@given(st.randoms(use_true_random=False), st.sampled_from([ADDS, SUBTRACTS]))
def test_every_netlist_computes_what_it_did(draw: random.Random, invert):
    def front():
        if draw.random() < 0.3:
            return draw.randrange(INPUTS)
        nets = [draw.randrange(INPUTS) for _ in range(draw.randrange(1, 5))]
        return nets, draw.getrandbits(16)

    cells = adder([front() for _ in range(4)], invert)
    # LUTs in front of LUTs and of carry cells, of one or of several.
    fronts = [name for name in cells if name != "carry"]
    for k in range(2):
        cells[f"before{k}"] = lut([draw.randrange(INPUTS) for _ in range(2)], draw.getrandbits(16), 30 + k)
        for pin, name in ((pin, name) for pin in PINS for name in fronts if draw.random() < 0.2):
            cells[name]["connections"][pin] = [30 + k]
        if draw.random() < 0.3:
            cells["carry"]["connections"][f"{draw.choice('AB')}{draw.choice('01')}"] = [30 + k]
    before = copy.deepcopy(cells)
    gone = absorb(cells)
    assert len(cells) == len(before) - gone
    for _ in range(24):
        assert_same(before, cells, [draw.getrandbits(1) for _ in range(INPUTS)])


def test_a_lut_that_others_use_stays():
    cells = adder([0, ([1, 2], AND), 3, 4])
    assert absorb(copy.deepcopy(cells), kept=frozenset({11})) == 0
    cells["other"] = lut([11], 0b10, 40)
    assert absorb(cells) == 0


def test_a_carry_that_is_no_adder_stays():
    assert absorb(adder([0, ([1, 2], AND), 3, ([4, 2], AND)], inject="YES")) == 0


def test_a_luts_carry_input_is_no_operand():
    cells = adder([0, 1, 2, 3])
    cells["lut"] = lut([4, 5], AND, 50)
    cells["carry"]["connections"]["CIN"] = [50]
    assert absorb(cells) == 0
