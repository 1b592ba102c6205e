"""PLL settings are within the data sheets' ranges and make the wanted frequency."""

import pytest
from accelerators import accelerator

from dfarray.fpga.boards import BOARDS
from dfarray.fpga.clocks import ClockGenerator, dividers
from dfarray.fpga.top import BoardTop
from dfarray.initial_weights import initial_weights


@pytest.mark.parametrize(
    ("board", "mhz", "expected"),
    # ecppll -i 25 -o 170; icepll -i 12 -o 30; gowin_pll -i 27 -o 54.
    [("ulx3s-85f", 170, (5, 34)), ("icebreaker", 30, (1, 80)), ("tangnano20k", 54, (1, 2))],
)
def test_dividers_are_those_of_the_vendors_calculators(board, mhz, expected):
    found = dividers(BOARDS[board], mhz)
    assert found.mhz == pytest.approx(mhz)
    assert (found.reference, found.multiply) == expected


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_the_goal_of_every_board_can_be_made(board):
    assert dividers(board, board.target_mhz).mhz == pytest.approx(board.target_mhz, rel=0.01)


def test_a_frequency_out_of_reach_is_refused():
    with pytest.raises(ValueError, match=r"2000 MHz: the PLL of icebreaker comes no closer than"):
        dividers(BOARDS["icebreaker"], 2000)


def test_the_oscillator_itself_needs_no_pll():
    config = accelerator([3, 4, 2], 2, 1)
    weights = initial_weights(config)
    board = BOARDS["ulx3s-85f"]
    assert ClockGenerator(board, board.oscillator_mhz).mhz == board.oscillator_mhz
    assert "EHXPLLL" not in BoardTop(board, config, weights, board.oscillator_mhz).rtlil()
    assert "EHXPLLL" in BoardTop(board, config, weights, 100.0).rtlil()
