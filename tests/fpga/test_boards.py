import pytest

from dfarray.configuration import shipped
from dfarray.fpga.boards import BOARDS, board_named
from dfarray.fpga.flows import FLOWS


def test_every_board_has_a_flow_and_the_pins_of_the_top():
    for board in BOARDS.values():
        assert board.family in FLOWS
        assert set(board.pins) == {"clk", "serial_in", "serial_out", "strobe"}
        assert len(set(board.pins.values())) == 4


def test_an_unknown_board_is_refused():
    with pytest.raises(ValueError, match="must be one of ulx3s-85f, icebreaker, tangnano20k, not 'de10'"):
        board_named("de10")


def test_the_ulx3s_configuration_trains_as_the_measured_one():
    """Its accuracy is that of configs/mnist.toml; a family changes latencies only."""
    board, measured = shipped("ulx3s"), shipped("mnist")
    assert board.network == measured.network
    assert (board.formats, board.feedback, board.training) == (measured.formats, measured.feedback, measured.training)
    assert board.array.tiles * board.array.lanes == 75
