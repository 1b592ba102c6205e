"""A checked classification data set."""

from dataclasses import dataclass

import numpy as np


class DatasetError(ValueError):
    """Data that cannot be used; the message names the file, the value and what is allowed."""


@dataclass(frozen=True)
class Dataset:
    """Training and test samples.

    Attributes
    ----------
    name : str
    train_x, test_x : float32 arrays (samples, features), in [-1, 1]
    train_y, test_y : int64 arrays (samples,), 0 .. classes - 1
    classes : int
    """

    name: str
    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    classes: int

    @property
    def features(self) -> int:
        """Inputs a sample."""
        return self.train_x.shape[1]


def make_dataset(name: str, train: tuple, test: tuple) -> Dataset:
    """Check and scale two (x, y) pairs.

    Raises
    ------
    DatasetError
        If shapes do not agree, labels are not 0, 1, 2, … or values are not finite and in range.
    """
    train_x, train_y = _checked(f"{name}, training part", *train)
    test_x, test_y = _checked(f"{name}, test part", *test)
    if train_x.shape[1] != test_x.shape[1]:
        raise DatasetError(f"{name}: training samples have {train_x.shape[1]} features, test samples {test_x.shape[1]}")
    present = np.union1d(train_y, test_y)
    classes = int(present[-1]) + 1
    if classes < 2:
        raise DatasetError(f"{name}: every label is 0; at least 2 classes are needed")
    if len(present) < classes:
        # Labels counted from 1 would otherwise train an output that no sample belongs to.
        absent = np.setdiff1d(np.arange(classes), present)[0]
        raise DatasetError(f"{name}: no sample has label {absent}; labels must be 0 to {classes - 1} without a gap")
    return Dataset(name, train_x, train_y, test_x, test_y, classes)


def check_shapes(name: str, x: np.ndarray, y: np.ndarray) -> None:
    """Refuse samples that are not one row of values and one label each.

    Raises
    ------
    DatasetError
        If there are no values, or not one label a sample.
    """
    if x.ndim < 2 or x.size == 0:
        raise DatasetError(f"{name}: values must have shape (samples, features), at least (1, 1), not {x.shape}")
    if y.ndim != 1:
        raise DatasetError(f"{name}: {len(x)} samples need labels of shape ({len(x)},), not {y.shape}")
    if len(y) != len(x):
        raise DatasetError(f"{name}: {len(x)} samples need {len(x)} labels, not {len(y)}")


def _checked(name: str, x, y) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x), np.asarray(y)
    check_shapes(name, x, y)
    return _values(name, x.reshape(len(x), -1)), _labels(name, y)


def _labels(name: str, y: np.ndarray) -> np.ndarray:
    if y.dtype.kind not in "iufb":
        raise DatasetError(f"{name}: labels must be whole numbers, not {y.dtype}")
    if y.dtype.kind == "f" and not (np.isfinite(y).all() and (y == np.floor(y)).all()):
        bad = y[~(np.isfinite(y) & (y == np.floor(y)))][0]
        raise DatasetError(f"{name}: labels must be whole numbers, not {bad}")
    if y.min() < 0 or y.max() > 4095:
        raise DatasetError(f"{name}: labels must be 0 to 4095, not {y.min()} to {y.max()}")
    return y.astype(np.int64)


def _values(name: str, x: np.ndarray) -> np.ndarray:
    if x.dtype == np.uint8:
        return x.astype(np.float32) / 255
    if x.dtype.kind not in "iuf":
        raise DatasetError(f"{name}: values must be numbers, not {x.dtype}")
    if not np.isfinite(x).all():
        raise DatasetError(f"{name}: {int((~np.isfinite(x)).sum())} values are not finite")
    if x.min() < -1 or x.max() > 1:
        outside = int(((x < -1) | (x > 1)).sum())
        raise DatasetError(
            f"{name}: {outside} values lie outside [-1, 1] (they span {x.min():g} to {x.max():g}); "
            f"scale them, or store bytes 0 to 255 as uint8"
        )
    return x.astype(np.float32)
