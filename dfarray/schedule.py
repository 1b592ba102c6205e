"""Learning-rate schedules: what the host writes to the rate register before each epoch."""

from enum import StrEnum


class Schedule(StrEnum):
    """How the learning rate falls over the epochs.

    ``constant``; ``linear`` to nearly zero; ``step``: halved at one half and again at three quarters of the epochs;
    ``power-of-two``: halved at equal distances, so that only the exponent changes in hardware.
    """

    CONSTANT = "constant"
    LINEAR = "linear"
    STEP = "step"
    POWER_OF_TWO = "power-of-two"


def scheduled_rate(schedule: Schedule, rate: float, epoch: int, epochs: int, halvings: int) -> float:
    """Learning rate of one epoch.

    Parameters
    ----------
    schedule : Schedule
    rate : float
        Of the first epoch.
    epoch, epochs : int
        From 1, and how many there are.
    halvings : int
        Of ``power-of-two``: over the whole training.

    Returns
    -------
    float, above 0 and at most ``rate``.

    Raises
    ------
    ValueError
        If the epoch is not one of the epochs.
    """
    if not 1 <= epoch <= epochs:
        raise ValueError(f"epoch must be 1 to {epochs}, not {epoch}")
    done = epoch - 1
    if schedule is Schedule.LINEAR:
        return rate * (epochs - done) / epochs
    if schedule is Schedule.STEP:
        return rate / 2 ** ((2 * done >= epochs) + (4 * done >= 3 * epochs))
    if schedule is Schedule.POWER_OF_TWO:
        return rate / 2 ** ((halvings + 1) * done // epochs)
    return rate
