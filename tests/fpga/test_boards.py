import pytest

from dfarray.configuration import shipped
from dfarray.fpga.boards import BOARDS, board_named
from dfarray.fpga.estimate import DEVICES
from dfarray.fpga.flows import FLOWS
from dfarray.fpga.pinout import Pin, placed


def test_every_board_has_a_flow_a_device_and_its_pins():
    for board in BOARDS.values():
        assert board.family in FLOWS
        assert board.device in DEVICES
        lights = [f"leds[{bit}]" for bit in range(len(board.leds))]
        assert set(board.pins) == {"clk", "uart_rx", "uart_tx", "button", *lights}
        assert lights
        sites = [pin.site for pin in board.pins.values()]
        assert len(set(sites)) == len(sites)


@pytest.mark.parametrize(
    ("board", "sites"),
    # Schematics and constraint files of the boards' makers.
    [
        ("ulx3s-85f", {"clk": "G2", "uart_rx": "M1", "uart_tx": "L4", "button": "R1", "leds[0]": "B2"}),
        ("icebreaker", {"clk": "35", "uart_rx": "6", "uart_tx": "9", "button": "10", "leds[1]": "37"}),
        ("orangecrab-85f", {"clk": "A9", "uart_rx": "N17", "uart_tx": "M18", "button": "J17", "leds[2]": "J3"}),
        ("ecpix5-85f", {"clk": "K23", "uart_rx": "R26", "uart_tx": "R24", "button": "AB1", "leds[11]": "P22"}),
        ("colorlight-i9", {"clk": "P3", "uart_rx": "H18", "uart_tx": "J17", "button": "K18", "leds[0]": "L2"}),
        ("tangnano20k", {"clk": "4", "uart_rx": "70", "uart_tx": "69", "button": "88", "leds[5]": "20"}),
        ("tangnano9k", {"clk": "52", "uart_rx": "18", "uart_tx": "17", "button": "3", "leds[0]": "10"}),
    ],
)
def test_pins(board, sites):
    assert {port: BOARDS[board].pins[port].site for port in sites} == sites


@pytest.mark.parametrize(
    ("board", "mhz"),
    [("ulx3s-85f", 25), ("icebreaker", 12), ("orangecrab-85f", 48), ("ecpix5-85f", 100), ("tangnano9k", 27)],
)
def test_oscillators(board, mhz):
    assert BOARDS[board].oscillator_mhz == mhz


def test_what_a_pin_needs_beside_its_place():
    pins = BOARDS["ulx3s-85f"].pins
    assert pins["button"] == Pin("R1", {"IO_TYPE": "LVCMOS33", "PULLMODE": "DOWN"})
    assert BOARDS["orangecrab-85f"].pins["button"] == Pin("J17", {"IO_TYPE": "SSTL135_I"}, active_low=True)
    assert all(pin.active_low for pin in BOARDS["tangnano9k"].leds)
    assert not any(pin.active_low for pin in BOARDS["ulx3s-85f"].leds)


def test_ports_by_bits():
    pins = BOARDS["colorlight-i9"].pins
    assert placed({"clk": 1, "leds": 1}, pins) == {"clk": pins["clk"], "leds": pins["leds[0]"]}
    # It has one light only.
    assert placed({"uart_rx": 1, "leds": 3}, pins) == {"uart_rx": pins["uart_rx"], "leds[0]": pins["leds[0]"]}
    assert list(placed({"leds": 2}, BOARDS["ulx3s-85f"].pins)) == ["leds[0]", "leds[1]"]


def test_an_unknown_board_is_refused():
    with pytest.raises(ValueError, match=r"board must be one of ulx3s-85f, icebreaker, .*, tangnano9k, not 'de10'"):
        board_named("de10")


def test_the_ulx3s_configuration_trains_as_the_measured_one():
    """Its accuracy is that of configs/mnist.toml; a family changes latencies only."""
    board, measured = shipped("ulx3s"), shipped("mnist")
    assert board.network == measured.network
    assert (board.formats, board.feedback, board.training) == (measured.formats, measured.feedback, measured.training)
    assert board.array.tiles * board.array.lanes == 75
