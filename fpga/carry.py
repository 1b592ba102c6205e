"""Moves LUTs into the carry cells behind them: half an ECP5's ``CCU2C`` has four inputs, of which an adder takes two.

yosys maps an adder to carry cells and what chooses, masks or multiplies its operands to LUTs in front, a level of
logic and of routing more: an accumulator that begins anew is an AND in front of every bit, a multiplier of adders two.

Source: yosys' ``techlibs/lattice/cells_sim.vh``, module ``CCU2C``: a half propagates ``P = INIT[A, B, C, D]``,
generates ``G = INIT[A, B, 0, 0]``, sums ``P ^ CIN`` and carries ``P ? CIN : G``.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations, product

PINS = "ABCD"

Net = int | str
"""A bit of the netlist: its number, or a constant, ``"0"``, ``"1"`` or ``"x"``."""


@dataclass(frozen=True)
class Table:
    """What a cell computes of the nets at its inputs.

    Attributes
    ----------
    nets : tuple of int
        The inputs that are no constants.
    propagate, generate : tuple of bool
        By the inputs' values, the first input's counting least; of a LUT both are its output.
    """

    nets: tuple[int, ...]
    propagate: tuple[int, ...]
    generate: tuple[int, ...]


def absorb(cells: dict[str, dict], kept: frozenset[int] = frozenset()) -> int:
    """Move every LUT into carry cells, of which all that use it have room.

    Parameters
    ----------
    cells : dict of name to cell
        As in yosys' JSON; changed in place.
    kept : set of int
        Nets that something outside the cells uses.

    Returns
    -------
    int : LUTs that are gone.
    """
    drivers, users = _connections(cells)
    gone, candidates = 0, list(drivers)
    while candidates:
        again = []
        for net in candidates:
            lut = drivers[net]
            sinks = users[net]
            if net in kept or not sinks or not all(_is_operand(cells[name], pin) for name, pin in sinks):
                continue
            table = _lut_table(cells[lut])
            moved = {(name, half): _merged(cells[name], half, net, table) for name, (_, half) in sinks}
            if any(found is None for found in moved.values()):
                continue
            for place, (pins, init) in moved.items():
                _rewire(cells, users, place, pins, init)
            for pin in PINS:
                del users[cells[lut]["connections"][pin][0]][lut, pin]
            del cells[lut]
            # What was in front of it is in front of the carry cell now.
            again += [driven for pins, _ in moved.values() for driven in pins if driven in drivers]
            gone += 1
        candidates = [net for net in dict.fromkeys(again) if drivers[net] in cells]
    return gone


def _connections(cells: Mapping[str, dict]):
    """LUT by the net it drives; cells and their pins by the net they use, in an order that every run repeats."""
    drivers: dict[Net, str] = {}
    users: dict[Net, dict[tuple[str, str], None]] = defaultdict(dict)
    for name, cell in cells.items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "input":
                if cell["type"] == "LUT4":
                    drivers[bits[0]] = name
                continue
            for index, bit in enumerate(bits):
                users[bit][name, port if len(bits) == 1 else f"{port}[{index}]"] = None
    return drivers, users


def _is_operand(cell, pin: str) -> bool:
    """Whether a pin is one of the four of a carry cell's half."""
    return cell["type"] == "CCU2C" and pin[0] in PINS and pin[1:] in ("0", "1")


def _table(nets: list[Net], init: int, generating: int) -> Table:
    """Of the nets at a cell's pins, and its INIT; the first ``generating`` pins select what is generated."""
    inputs = tuple(dict.fromkeys(net for net in nets if isinstance(net, int)))
    propagate, generate = [], []
    for values in _values(len(inputs)):
        known = dict(zip(inputs, values, strict=True))
        at_pins = [known[net] if isinstance(net, int) else int(net == "1") for net in nets]
        propagate.append(init >> _index(at_pins) & 1)
        generate.append(init >> _index(at_pins[:generating]) & 1)
    return Table(inputs, tuple(propagate), tuple(generate))


def _values(count):
    """All values of some inputs, the first changing fastest."""
    return [values[::-1] for values in product((0, 1), repeat=count)]


def _index(values) -> int:
    return sum(value << position for position, value in enumerate(values))


def _lut_table(cell) -> Table:
    nets = [cell["connections"][pin][0] for pin in PINS]
    return _table(nets, int(cell["parameters"]["INIT"], 2), len(PINS))


def _half_table(cell, half: str) -> Table:
    nets = [cell["connections"][f"{pin}{half}"][0] for pin in PINS]
    return _table(nets, int(cell["parameters"][f"INIT{half}"], 2), 2)


def _merged(cell, half: str, net: int, lut: Table) -> tuple[list[Net], int] | None:
    """The pins' nets and the INIT of half a carry cell that computes the LUT itself; None if it cannot."""
    if cell["parameters"][f"INJECT1_{half}"] != "NO":
        return None
    table = _half_table(cell, half)
    nets = list(dict.fromkeys([other for other in table.nets if other != net] + list(lut.nets)))
    if len(nets) > len(PINS):
        return None
    wanted = []
    for values in _values(len(nets)):
        known = dict(zip(nets, values, strict=True))
        known[net] = lut.propagate[_index(known[x] for x in lut.nets)]
        at = _index(known[x] for x in table.nets)
        wanted.append((values, table.propagate[at], table.generate[at]))
    for places in permutations(range(len(PINS)), len(nets)):
        init = _init(places, wanted)
        if init is not None:
            pins: list[Net] = ["1"] * len(PINS)
            for place, driven in zip(places, nets, strict=True):
                pins[place] = driven
            return pins, init
    return None


def _init(places, wanted) -> int | None:
    """An INIT for inputs at those pins, the others being 1; None if none propagates and generates as wanted."""
    bits: dict[int, int] = {}
    at_pins = []
    for values, propagate, generate in wanted:
        pins = [1] * len(PINS)
        for place, value in zip(places, values, strict=True):
            pins[place] = value
        bits[_index(pins)] = propagate
        at_pins.append((pins, propagate, generate))
    for pins, propagate, generate in at_pins:
        # What is generated matters where nothing is propagated.
        if not propagate and bits.setdefault(_index(pins[:2]), generate) != generate:
            return None
    return sum(bit << index for index, bit in bits.items())


def _rewire(cells, users, place, pins, init) -> None:
    name, half = place
    cell = cells[name]
    for pin, net in zip(PINS, pins, strict=True):
        port = f"{pin}{half}"
        del users[cell["connections"][port][0]][name, port]
        cell["connections"][port] = [net]
        users[net][name, port] = None
    cell["parameters"][f"INIT{half}"] = f"{init:016b}"
