"""CIFAR-10 and CIFAR-100 in the files their authors publish: Python pickles, or binary records.

Source of the formats: Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html. A sample is 3,072 bytes: 1,024 red,
1,024 green, 1,024 blue ones, row by row.
"""

import hashlib
import io
import os
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from dfarray.golden.datasets.dataset import Dataset, DatasetError, make_dataset
from dfarray.golden.datasets.files import read_bytes

PIXELS = 3072


@dataclass(frozen=True)
class Cifar:
    """One of the two data sets.

    Attributes
    ----------
    name : str
    folders : tuple of str
        Of the pickles, and of the binary records.
    train, test : dict of file name to MD5, of the pickles
    binary_train, binary_test : tuple of str
        Files of the binary records.
    label : bytes
        The pickles' key.
    labels_a_record : int
        Bytes before the pixels of a binary record; the last one is the label.
    """

    name: str
    folders: tuple[str, str]
    train: dict[str, str]
    test: dict[str, str]
    binary_train: tuple[str, ...]
    binary_test: tuple[str, ...]
    label: bytes
    labels_a_record: int


CIFAR = {
    "cifar-10": Cifar(
        "cifar-10",
        ("cifar-10-batches-py", "cifar-10-batches-bin"),
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        },
        {"test_batch": "40351d587109b95175f43aff81a1287e"},
        tuple(f"data_batch_{n}.bin" for n in range(1, 6)),
        ("test_batch.bin",),
        b"labels",
        1,
    ),
    "cifar-100": Cifar(
        "cifar-100",
        ("cifar-100-python", "cifar-100-binary"),
        {"train": "16019d7e3df5f24257cddd939b257f8d"},
        {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
        ("train.bin",),
        ("test.bin",),
        b"fine_labels",
        2,
    ),
}


def load_cifar(cifar: Cifar) -> Dataset:
    """Load from the first place that has it; CIFAR-100 with its 100 fine labels.

    Raises
    ------
    DatasetError
        If it is nowhere, or a file is damaged.
    """
    tried = []
    for place in _places():
        for folder in cifar.folders:
            if (place / folder).is_dir():
                return read_cifar_directory(place / folder)
        tried.append(str(place))
    archive = f"{cifar.name}-python.tar.gz"
    raise DatasetError(
        f"{cifar.name} is not on this machine (looked for {' or '.join(cifar.folders)} in {', '.join(tried)}); unpack "
        f"https://www.cs.toronto.edu/~kriz/{archive} in one of these"
    )


def is_cifar_directory(path: Path) -> bool:
    """Whether a directory has the name and a file of the data sets."""
    return any(path.name in cifar.folders for cifar in CIFAR.values())


def read_cifar_directory(path: Path) -> Dataset:
    """Read a directory under its published name, such as ``cifar-10-batches-py``.

    Raises
    ------
    DatasetError
        If a file is missing or damaged.
    """
    cifar = next(cifar for cifar in CIFAR.values() if path.name in cifar.folders)
    if path.name == cifar.folders[0]:
        parts = [
            [_pickled(cifar, path / file, md5) for file, md5 in part.items()] for part in (cifar.train, cifar.test)
        ]
    else:
        parts = [[_records(cifar, path / file) for file in part] for part in (cifar.binary_train, cifar.binary_test)]
    train, test = ((np.concatenate([x for x, _ in part]), np.concatenate([y for _, y in part])) for part in parts)
    return make_dataset(cifar.name, train, test)


def _places() -> Iterator[Path]:
    if root := os.environ.get("DFARRAY_DATA"):
        yield Path(root)
    with suppress(RuntimeError):
        yield Path(platformdirs.user_cache_dir("dfarray"))
    yield Path("data")
    with suppress(RuntimeError):
        yield Path("~/.keras/datasets").expanduser()


def _records(cifar: Cifar, path: Path) -> tuple[np.ndarray, np.ndarray]:
    data = np.frombuffer(read_bytes(path), dtype=np.uint8)
    record = cifar.labels_a_record + PIXELS
    if not len(data) or len(data) % record:
        raise DatasetError(f"{path}: {len(data)} bytes are not a whole number of records of {record}")
    rows = data.reshape(-1, record)
    return rows[:, cifar.labels_a_record :], rows[:, cifar.labels_a_record - 1].astype(np.int64)


def _pickled(cifar: Cifar, path: Path, md5: str) -> tuple[np.ndarray, np.ndarray]:
    data = read_bytes(path)
    checksums = f"MD5 is {hashlib.md5(data, usedforsecurity=False).hexdigest()}, the published file's {md5}"
    try:
        batch = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
        x, y = np.asarray(batch[b"data"]), np.asarray(batch[cifar.label])
    except (pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError, AttributeError, IndexError) as error:
        raise DatasetError(
            f"{path}: not a batch of {cifar.name} ({type(error).__name__}: {error}); {checksums}"
        ) from None
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != PIXELS or y.shape != (len(x),):
        raise DatasetError(
            f"{path}: bytes of shape (samples, {PIXELS}) and a label each are needed, not {x.dtype} {x.shape} and "
            f"labels {y.shape}; {checksums}"
        )
    return x, y


_ARRAY_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_ARRAY_NAMES = ("ndarray", "dtype", "_reconstruct")


class _ArrayUnpickler(pickle.Unpickler):
    """Makes arrays and nothing else: a pickle can name any function of the machine to be called."""

    def find_class(self, module_name: str, global_name: str):
        """Find what arrays need."""
        if (module_name, global_name) == ("_codecs", "encode"):
            return _encode
        if module_name not in _ARRAY_MODULES or global_name not in _ARRAY_NAMES:
            raise pickle.UnpicklingError(f"{module_name}.{global_name} has no place in it")
        return super().find_class(module_name.replace("numpy.core", "numpy._core"), global_name)


def _encode(text: str, encoding: str) -> bytes:
    """Turn text to bytes, as protocol 2 stores them."""
    return text.encode(encoding)
