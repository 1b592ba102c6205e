import numpy as np
import pytest

from dfarray.configuration import parse_configuration
from dfarray.golden.presentation import epoch_samples, sample_order


def configuration(inputs=16, **training):
    return parse_configuration(
        {"network": {"layers": [inputs, 2, 3]}, "array": {"tiles": 3, "lanes": 1}, "training": training}
    )


def test_an_epoch_sends_every_sample_once_in_an_order_of_its_own():
    config = configuration(seed=5)
    x = np.arange(20 * 16).reshape(20, 16)
    first, sent = epoch_samples(config, 1, x)
    assert sorted(first) == list(range(20))
    np.testing.assert_array_equal(sent, x[first])
    np.testing.assert_array_equal(first, sample_order(config, 1, 20))
    assert list(sample_order(config, 2, 20)) != list(first)
    assert list(sample_order(configuration(seed=6), 1, 20)) != list(first)


def test_shifted_images_are_the_images_moved_with_zeros_coming_in():
    config = configuration(seed=1, shift=2)
    x = np.random.default_rng(0).integers(1, 99, (400, 16)).astype(np.int16)
    order, sent = epoch_samples(config, 3, x)
    found = set()
    for source, image in zip(x[order].reshape(-1, 4, 4), sent.reshape(-1, 4, 4), strict=True):
        padded = np.pad(source, 2)
        # A shift down by dy shows the padded image from row 2 - dy on.
        matches = [
            (dy, dx)
            for dy in range(-2, 3)
            for dx in range(-2, 3)
            if (padded[2 - dy : 6 - dy, 2 - dx : 6 - dx] == image).all()
        ]
        assert matches
        found.update(matches)
    assert len(found) == 25
    assert sent.dtype == np.int16


def test_shifts_differ_from_epoch_to_epoch_and_repeat_with_the_seed():
    config, x = configuration(shift=1), np.ones((50, 16), dtype=np.int16)
    first, again, second = (epoch_samples(config, epoch, x)[1] for epoch in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != second).any()


def test_only_square_images_can_be_shifted():
    with pytest.raises(ValueError, match=r"training.shift = 1: samples must be square images .* not 15 values"):
        epoch_samples(configuration(15, shift=1), 1, np.zeros((2, 15)))


@pytest.mark.parametrize("shift", [0, 2])
def test_the_first_samples_are_the_same_however_many_are_wanted(shift):
    config = configuration(seed=1, shift=shift)
    x = np.random.default_rng(0).integers(1, 99, (50, 16))
    order, sent = epoch_samples(config, 3, x)
    few, shown = epoch_samples(config, 3, x, 7)
    np.testing.assert_array_equal(few, order[:7])
    np.testing.assert_array_equal(shown, sent[:7])
