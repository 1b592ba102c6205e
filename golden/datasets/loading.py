"""One function for every data set."""

import re
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import numpy as np

from dfarray.golden.datasets.cifar import CIFAR, is_cifar_directory, load_cifar, read_cifar_directory
from dfarray.golden.datasets.dataset import Dataset, DatasetError, make_dataset
from dfarray.golden.datasets.features import frozen_features
from dfarray.golden.datasets.files import read_csv, read_idx_directory, read_idx_pair, read_npz
from dfarray.golden.datasets.mnist1d import load_mnist1d
from dfarray.golden.datasets.standard import STANDARD, load_standard

DIGITS_TRAINING = 1437


def load_dataset(name: str, *, download: bool = False, progress: Callable[[str], None] = print) -> Dataset:
    """Load a data set by name or path.

    Parameters
    ----------
    name : str
        ``digits``, ``mnist``, ``fashion-mnist``, ``mnist-1d``, ``cifar-10``, ``cifar-100``, or the path of a .npz,
        .csv or IDX file or of a directory of IDX or CIFAR files. ``NAME:2500`` and ``NAME:2500:1000`` take the first
        training, and the first test, samples only; ``NAME@efficientnet-lite0`` is its frozen features.
    download : bool
        Fetch MNIST or Fashion-MNIST if it is not on this machine.
    progress : callable(str)
        Told what is being fetched or computed.

    Raises
    ------
    DatasetError
        If it is unknown, missing, damaged or not a classification data set.
    """
    images, at, backbone = name.rpartition("@")
    if at and not Path(name).exists():
        return frozen_features(load_dataset(images, download=download, progress=progress), backbone, progress)
    limited = re.fullmatch(r"(.+?):(\d+)(?::(\d+))?", name)
    if limited and not Path(name).exists():
        whole = load_dataset(limited[1], download=download, progress=progress)
        return _first(whole, int(limited[2]), None if limited[3] is None else int(limited[3]))
    generated = {"digits": _digits, "mnist-1d": load_mnist1d}
    if name in generated:
        return generated[name]()
    if name in CIFAR:
        return load_cifar(CIFAR[name])
    if name in STANDARD:
        return load_standard(STANDARD[name], download=download, progress=progress)
    return _from_path(Path(name), [*generated, *STANDARD, *CIFAR])


def _from_path(path: Path, names: list[str]) -> Dataset:
    if path.is_dir():
        return read_cifar_directory(path) if is_cifar_directory(path) else read_idx_directory(path)
    if not path.is_file():
        raise DatasetError(f"{str(path)!r} is neither {', '.join(names)} nor an existing file or directory")
    readers = {".npz": read_npz, ".csv": read_csv}
    if path.suffix in readers:
        return readers[path.suffix](path)
    if "ubyte" in path.name or path.suffix == ".idx":
        return read_idx_pair(path)
    raise DatasetError(f"{path}: .npz, .csv and IDX (…-ubyte) files are understood, not {path.suffix or 'this name'!r}")


def _first(whole: Dataset, train: int, test: int | None) -> Dataset:
    """Only the first samples; the classes stay."""
    for wanted, there, part in ((train, len(whole.train_x), "training"), (test, len(whole.test_x), "test")):
        if wanted is not None and not 1 <= wanted <= there:
            raise DatasetError(f"{whole.name} has {there} {part} samples: 1 to {there} can be taken, not {wanted}")
    name = f"{whole.name}:{train}" if test is None else f"{whole.name}:{train}:{test}"
    train_part, test_part = (whole.train_x[:train], whole.train_y[:train]), (whole.test_x[:test], whole.test_y[:test])
    return Dataset(name, *train_part, *test_part, whole.classes)


def _digits() -> Dataset:
    """The 1797 handwritten 8x8 digits of UCI's "Optical Recognition" test part, as in scikit-learn's ``load_digits``.

    Values 0 to 16 are divided by 16; 1437 samples, drawn with seed 0, train, the other 360 test.
    """
    with files("dfarray.golden.datasets").joinpath("digits.npz").open("rb") as file, np.load(file) as archive:
        x, y = archive["x"].astype(np.float32) / 16, archive["y"].astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:DIGITS_TRAINING], order[DIGITS_TRAINING:]
    return make_dataset("digits", (x[train], y[train]), (x[test], y[test]))
