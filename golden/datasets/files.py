"""Reading .npz, .csv and IDX files."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from dfarray.files import naming
from dfarray.golden.datasets.dataset import Dataset, DatasetError, check_shapes, make_dataset

TEST_SHARE = 0.2
SPLIT_SEED = 20191

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def split(name: str, x: np.ndarray, y: np.ndarray) -> Dataset:
    """Hold out a fifth of the samples, drawn with a fixed seed, for testing."""
    check_shapes(name, x, y)
    if len(x) < 5:
        raise DatasetError(f"{name}: {len(x)} samples cannot be split; at least 5 are needed")
    order = np.random.default_rng(SPLIT_SEED).permutation(len(x))
    held = round(len(x) * TEST_SHARE)
    train, test = order[held:], order[:held]
    return make_dataset(name, (x[train], y[train]), (x[test], y[test]))


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of a .npz file, by name.

    Raises
    ------
    DatasetError
        If the file is damaged or holds anything but arrays.
    """
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK" and not file.seek(0) and file.read(6) != b"\x93NUMPY":
                raise ValueError("it is no zip archive")
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array, as .npy files do")
            arrays = {name: archive[name] for name in archive.files}
    # zipfile, zlib and NumPy each have their own exceptions for damage, down to RuntimeError and MemoryError.
    except Exception as error:
        raise DatasetError(f"{path}: not a readable .npz file: {error}") from None
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise DatasetError(f"{path}: not a readable .npz file: {name} is not an array")
    return arrays


def read_npz(path: Path) -> Dataset:
    """Arrays ``x_train, y_train, x_test, y_test`` (or ``train_x`` …), or ``x, y`` to be split.

    Raises
    ------
    DatasetError
        If the file is damaged or has other arrays.
    """
    arrays = read_arrays(path)
    for names in (("x_train", "y_train", "x_test", "y_test"), ("train_x", "train_y", "test_x", "test_y")):
        if all(name in arrays for name in names):
            train_x, train_y, test_x, test_y = (arrays[name] for name in names)
            return make_dataset(str(path), (train_x, train_y), (test_x, test_y))
    if "x" in arrays and "y" in arrays:
        return split(str(path), arrays["x"], arrays["y"])
    raise DatasetError(
        f"{path}: has the arrays {', '.join(sorted(arrays)) or 'none'}; "
        f"x_train, y_train, x_test and y_test are needed, or x and y"
    )


def save_npz(dataset: Dataset, path: Path) -> None:
    """Write a data set as :func:`read_npz` reads it."""
    if path.suffix != ".npz":
        raise DatasetError(f"{path}: data sets are written as .npz, not {path.suffix or 'this'}")
    arrays = {name: getattr(dataset, name) for name in ("train_x", "train_y", "test_x", "test_y")}
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, allow_pickle=False, **arrays)


def read_csv(path: Path) -> Dataset:
    """One sample a line, the label in the column headed ``label``, ``target`` or ``class``, else in the last one.

    The first line is a header if it names that column or has no number at all; otherwise it is a sample, so that a
    mistyped cell in it is refused like in any other line.

    Raises
    ------
    DatasetError
        If a cell is not a number or lines differ in length.
    """
    try:
        lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from None
    if not lines:
        raise DatasetError(f"{path}: is empty")
    header = [cell.strip().strip('"').lower() for cell in lines[0].split(",")]
    named = next((i for i, cell in enumerate(header) if cell in ("label", "target", "class")), None)
    has_header = named is not None or not any(_is_number(cell) for cell in header)
    column = len(header) - 1 if named is None else named
    if len(lines) == has_header:
        raise DatasetError(f"{path}: has a header and no samples")
    try:
        table = np.loadtxt(lines[has_header:], delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        # NumPy goes on with advice for its own callers.
        raise DatasetError(f"{path}: {str(error).partition(';')[0]}; lines count from the first sample") from None
    if table.shape[1] != len(header):
        raise DatasetError(f"{path}: the header has {len(header)} columns, the samples {table.shape[1]}")
    if table.shape[1] < 2:
        raise DatasetError(f"{path}: at least a value and a label a line are needed, not {table.shape[1]} column")
    return split(str(path), np.delete(table, column, axis=1), table[:, column])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def read_bytes(path: Path) -> bytes:
    """A file's bytes, decompressed if it ends in .gz.

    Raises
    ------
    DatasetError
        If it cannot be read or is damaged.
    """
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from None


def parse_idx(data: bytes, name: str) -> np.ndarray:
    """An IDX file's array. Source: LeCun, "THE IDX FILE FORMAT".

    Raises
    ------
    DatasetError
        If the header is not IDX or the length does not match it.
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _IDX_TYPES or data[3] == 0:
        raise DatasetError(f"{name}: not an IDX file; it starts with {data[:4].hex() or 'nothing'}")
    dtype, dimensions = np.dtype(_IDX_TYPES[data[2]]), data[3]
    start = 4 + 4 * dimensions
    if len(data) < start:
        raise DatasetError(f"{name}: ends inside its header")
    shape = tuple(int(n) for n in np.frombuffer(data, dtype=">u4", count=dimensions, offset=4))
    wanted = start + math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        raise DatasetError(f"{name}: shape {shape} needs {wanted} bytes, it has {len(data)}")
    return np.frombuffer(data, dtype=dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def read_idx_directory(path: Path) -> Dataset:
    """The four files ``train-images-idx3-ubyte[.gz]`` … of a directory.

    Raises
    ------
    DatasetError
        If one is missing or damaged.
    """
    arrays = []
    for stem in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        found = sorted(path.glob(f"{stem}*ubyte*"))
        if not found:
            raise DatasetError(f"{path}: has no {stem}-idx…-ubyte file; the four IDX files of a data set are needed")
        arrays.append(parse_idx(read_bytes(found[0]), str(found[0])))
    return make_dataset(str(path), (arrays[0], arrays[1]), (arrays[2], arrays[3]))


def read_idx_pair(path: Path) -> Dataset:
    """One IDX file of images and the file of labels that lies beside it under the same name, to be split.

    Raises
    ------
    DatasetError
        If the labels are missing or a file is damaged.
    """
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    labels = path.with_name(name)
    if labels == path:
        raise DatasetError(
            f"{path}: the name must contain 'images'; the labels are looked for under 'labels' beside it"
        )
    if not labels.exists():
        raise DatasetError(f"{path}: its labels are missing; {name} is looked for beside it")
    return split(str(path), parse_idx(read_bytes(path), str(path)), parse_idx(read_bytes(labels), str(labels)))
