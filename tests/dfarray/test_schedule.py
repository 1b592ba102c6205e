import pytest

from dfarray.schedule import Schedule, scheduled_rate


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [8, 8, 8, 8, 8, 8, 8, 8]),
        ("linear", [8, 7, 6, 5, 4, 3, 2, 1]),
        ("step", [8, 8, 8, 8, 4, 4, 2, 2]),
        ("power-of-two", [8, 8, 4, 4, 2, 2, 1, 1]),
    ],
)
def test_rate_of_each_epoch(schedule, expected):
    found = [scheduled_rate(Schedule(schedule), 8.0, epoch, 8, 3) for epoch in range(1, 9)]
    assert found == expected


@pytest.mark.parametrize("schedule", list(Schedule))
def test_one_epoch_runs_at_the_full_rate(schedule):
    assert scheduled_rate(schedule, 0.25, 1, 1, 3) == 0.25


@pytest.mark.parametrize("epoch", [0, 4])
def test_other_epochs_are_refused(epoch):
    with pytest.raises(ValueError, match=f"epoch must be 1 to 3, not {epoch}"):
        scheduled_rate(Schedule.LINEAR, 0.1, epoch, 3, 3)
