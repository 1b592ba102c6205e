"""Data sets that may not be on this machine."""

import pytest

from dfarray.golden.datasets import Dataset, DatasetError, load_dataset


def real_dataset(name: str) -> Dataset:
    """Load a data set, or skip the test where it is not to be had."""
    try:
        return load_dataset(name)
    except DatasetError as error:
        pytest.skip(str(error))
