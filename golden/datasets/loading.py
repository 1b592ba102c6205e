"""One function for every data set."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np

from dfarray.golden.datasets.dataset import Dataset, DatasetError, make_dataset
from dfarray.golden.datasets.files import read_csv, read_idx_directory, read_idx_pair, read_npz
from dfarray.golden.datasets.standard import STANDARD, load_standard

DIGITS_TRAINING = 1437


def load_dataset(name: str, *, download: bool = False, progress: Callable[[str], None] = print) -> Dataset:
    """Load a data set by name or path.

    Parameters
    ----------
    name : str
        ``digits``, ``mnist``, ``fashion-mnist``, or the path of a .npz, .csv or IDX file or a directory of IDX files.
    download : bool
        Fetch MNIST or Fashion-MNIST if it is not on this machine.
    progress : callable(str)
        Told what is being fetched.

    Raises
    ------
    DatasetError
        If it is unknown, missing, damaged or not a classification data set.
    """
    if name == "digits":
        return _digits()
    if name in STANDARD:
        return load_standard(STANDARD[name], download=download, progress=progress)
    path = Path(name)
    if path.is_dir():
        return read_idx_directory(path)
    if not path.is_file():
        raise DatasetError(f"{name!r} is neither digits, {', '.join(STANDARD)} nor an existing file or directory")
    readers = {".npz": read_npz, ".csv": read_csv}
    if path.suffix in readers:
        return readers[path.suffix](path)
    if "ubyte" in path.name or path.suffix == ".idx":
        return read_idx_pair(path)
    raise DatasetError(f"{path}: .npz, .csv and IDX (…-ubyte) files are understood, not {path.suffix or 'this name'!r}")


def _digits() -> Dataset:
    """The 1797 handwritten 8x8 digits of UCI's "Optical Recognition" test part, as in scikit-learn's ``load_digits``.

    Values 0 to 16 are divided by 16; 1437 samples, drawn with seed 0, train, the other 360 test.
    """
    with files("dfarray.golden.datasets").joinpath("digits.npz").open("rb") as file, np.load(file) as archive:
        x, y = archive["x"].astype(np.float32) / 16, archive["y"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:DIGITS_TRAINING], order[DIGITS_TRAINING:]
    return make_dataset("digits", (x[train], y[train]), (x[test], y[test]))
