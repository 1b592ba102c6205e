"""Wrong data sets."""

import gzip
import io

import numpy as np

from bad_input.case import Case, Preparation, written

X, Y = np.zeros((10, 6)), np.arange(10) % 3
ROWS = "\n".join(f"0.{i},0,0,0,0,0,{i % 3}" for i in range(10))

_TRAIN = "train net.toml --data"


def _npz(**arrays) -> Preparation:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return written("bad.npz", buffer.getvalue())


def _npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _idx(array) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    return header + array.astype(np.uint8).tobytes()


def _of_npz(title: str, message: str, **arrays) -> Case:
    return Case(title, f"{_TRAIN} bad.npz", message, prepare=_npz(**arrays))


def _of_csv(title: str, message: str, text: str) -> Case:
    return Case(title, f"{_TRAIN} bad.csv", message, prepare=written("bad.csv", text))


def _without(*modules: str) -> Preparation:
    def hide(directory, patch):
        for name in modules:
            patch.setitem(__import__("sys").modules, name, None)

    return hide


def _unreachable(directory, patch):
    from dfarray.golden.datasets import standard

    def refused(*arguments, **options):
        raise OSError("network is unreachable")

    patch.setattr(standard.urllib.request, "urlopen", refused)
    patch.setattr(standard.shutil, "which", lambda name: None)


_IMAGES, _LABELS = "a-images-idx3-ubyte", "a-labels-idx1-ubyte"


def _images(images: bytes, labels: bytes | None) -> Preparation:
    def write(directory, patch):
        written(_IMAGES, images)(directory, patch)
        if labels is not None:
            written(_LABELS, labels)(directory, patch)

    return write


CASES = [
    Case(
        "no such name or file",
        f"{_TRAIN} nothing.npz",
        "error: 'nothing.npz' is neither digits, mnist-1d, mnist, fashion-mnist, cifar-10, cifar-100 nor an existing file or directory",
    ),
    Case(
        "a kind of file that is not read",
        f"{_TRAIN} net.toml",
        "error: net.toml: .npz, .csv and IDX (…-ubyte) files are understood, not '.toml'",
    ),
    Case(
        "an empty directory",
        f"{_TRAIN} empty",
        "error: empty: has no train-images-idx…-ubyte file; the four IDX files of a data set are needed",
        prepare=lambda d, p: (d / "empty").mkdir(),
    ),
    Case(
        "MNIST is not on this machine",
        "data mnist",
        "error: mnist is not on this machine (looked in …); fetch it with: dfarray data mnist --download",
    ),
    Case(
        "MNIST cannot be fetched",
        "data mnist --download",
        "error: mnist could not be fetched: mirrors: network is unreachable",
        prepare=_unreachable,
    ),
    Case(
        "CIFAR is not on this machine",
        "data cifar-10",
        "error: cifar-10 is not on this machine (looked for cifar-10-batches-py or cifar-10-batches-bin in …); unpack https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz in one of these",
    ),
    Case(
        "a damaged CIFAR file",
        "data cifar-10-batches-py",
        "error: cifar-10-batches-py/data_batch_1: not a batch of cifar-10 (UnpicklingError: could not find MARK); MD5 is 1cb251ec0d568de6a929b520c4aed8d1, the published file's c99cafc152244af753f735de768cd75f",
        prepare=written("cifar-10-batches-py/data_batch_1", b"text"),
    ),
    Case(
        "a CIFAR file that is cut off",
        "data cifar-10-batches-bin",
        "error: cifar-10-batches-bin/data_batch_1.bin: 100 bytes are not a whole number of records of 3073",
        prepare=written("cifar-10-batches-bin/data_batch_1.bin", bytes(100)),
    ),
    Case(
        "a package that a data set needs is missing",
        "data mnist-1d",
        "error: mnist-1d needs the package mnist1d; install with: pip install 'dfarray[mnist1d]'",
        prepare=_without("mnist1d.data"),
    ),
    Case(
        "an unknown backbone",
        "data digits@resnet",
        "error: digits@resnet: backbones are efficientnet-lite0, not 'resnet'",
    ),
    Case(
        "more samples than there are",
        "data digits:9999",
        "error: digits has 1437 training samples: 1 to 1437 can be taken, not 9999",
    ),
    Case("no samples", "data digits:0", "error: digits has 1437 training samples: 1 to 1437 can be taken, not 0"),
    Case(
        "more test samples than there are",
        "data digits:10:9999",
        "error: digits has 360 test samples: 1 to 360 can be taken, not 9999",
    ),
    Case(
        "features that do not fit the network",
        f"{_TRAIN} digits",
        "error: digits has 64 features a sample, the network 6 inputs",
    ),
    _of_npz(
        "more classes than the network has",
        "error: bad.npz has 5 classes, the network 3 outputs",
        x=X,
        y=np.arange(10) % 5,
    ),
    Case(
        "a damaged .npz",
        f"{_TRAIN} bad.npz",
        "error: bad.npz: not a readable .npz file: it is no zip archive",
        prepare=written("bad.npz", b"half a file"),
    ),
    Case(
        "a single array",
        f"{_TRAIN} bad.npz",
        "error: bad.npz: not a readable .npz file: it holds a single array, as .npy files do",
        prepare=written("bad.npz", _npy(X)),
    ),
    _of_npz(
        "arrays of other names",
        "error: bad.npz: has the arrays images, labels; x_train, y_train, x_test and y_test are needed, or x and y",
        images=X,
        labels=Y,
    ),
    _of_npz(
        "an array of objects",
        "error: bad.npz: not a readable .npz file: Object arrays cannot be loaded when allow_pickle=False",
        x=np.array([{}]),
        y=Y,
    ),
    _of_npz(
        "values in one dimension",
        "error: bad.npz: values must have shape (samples, features), at least (1, 1), not (10,)",
        x=np.zeros(10),
        y=Y,
    ),
    _of_npz(
        "no values",
        "error: bad.npz: values must have shape (samples, features), at least (1, 1), not (10, 0)",
        x=X[:, :0],
        y=Y,
    ),
    _of_npz("text for values", "error: bad.npz, training part: values must be numbers, not <U32", x=X.astype(str), y=Y),
    _of_npz(
        "values outside [-1, 1]",
        "error: bad.npz, training part: 48 values lie outside [-1, 1] (they span 200 to 200); scale them, or store bytes 0 to 255 as uint8",
        x=X + 200.0,
        y=Y,
    ),
    _of_npz("values that are no numbers", "error: bad.npz, training part: 48 values are not finite", x=X * np.nan, y=Y),
    _of_npz("too few labels", "error: bad.npz: 10 samples need 10 labels, not 9", x=X, y=Y[:9]),
    _of_npz(
        "labels in two dimensions",
        "error: bad.npz: 10 samples need labels of shape (10,), not (10, 10)",
        x=X,
        y=np.eye(10),
    ),
    _of_npz(
        "labels in fractions", "error: bad.npz, training part: labels must be whole numbers, not 1.5", x=X, y=Y + 0.5
    ),
    _of_npz(
        "labels in text", "error: bad.npz, training part: labels must be whole numbers, not <U21", x=X, y=Y.astype(str)
    ),
    _of_npz("negative labels", "error: bad.npz, training part: labels must be 0 to 4095, not -1 to 1", x=X, y=Y - 1),
    _of_npz(
        "labels from 1 on", "error: bad.npz: no sample has label 0; labels must be 0 to 3 without a gap", x=X, y=Y + 1
    ),
    _of_npz("one class only", "error: bad.npz: every label is 0; at least 2 classes are needed", x=X, y=0 * Y),
    _of_npz(
        "too few samples to hold some out",
        "error: bad.npz: 4 samples cannot be split; at least 5 are needed",
        x=X[:4],
        y=Y[:4],
    ),
    _of_npz(
        "test samples of another width",
        "error: bad.npz: training samples have 6 features, test samples 5",
        x_train=X,
        y_train=Y,
        x_test=X[:, :5],
        y_test=Y,
    ),
    _of_csv("an empty .csv", "error: bad.csv: is empty", ""),
    _of_csv("a header alone", "error: bad.csv: has a header and no samples", "a,b,label\n"),
    _of_csv(
        "a cell that is no number",
        "error: bad.csv: could not convert string 'o.1' to float64 at row 0, column 2.; lines count from the first sample",
        f"0,o.1,0,0,0,0,1\n{ROWS}",
    ),
    _of_csv(
        "an empty cell",
        "error: bad.csv: could not convert string '' to float64 at row 0, column 2.; lines count from the first sample",
        f"0,,0,0,0,0,1\n{ROWS}",
    ),
    _of_csv(
        "lines of different lengths",
        "error: bad.csv: the number of columns changed from 7 to 2 at row 11; lines count from the first sample",
        f"{ROWS}\n0,1\n",
    ),
    _of_csv(
        "a header of another width", "error: bad.csv: the header has 3 columns, the samples 7", f"a,b,label\n{ROWS}"
    ),
    _of_csv(
        "no column of values",
        "error: bad.csv: at least a value and a label a line are needed, not 1 column",
        "0\n1\n0\n1\n0\n",
    ),
    Case(
        "not text",
        f"{_TRAIN} bad.csv",
        "error: bad.csv: cannot be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
        prepare=written("bad.csv", b"\xff\xfe\x00\x01"),
    ),
    Case(
        "not an IDX file",
        f"{_TRAIN} {_IMAGES}",
        "error: a-images-idx3-ubyte: not an IDX file; it starts with 74657874",
        prepare=_images(b"text", _idx(Y)),
    ),
    Case(
        "an IDX header cut off",
        f"{_TRAIN} {_IMAGES}",
        "error: a-images-idx3-ubyte: ends inside its header",
        prepare=_images(bytes([0, 0, 8, 3, 0]), _idx(Y)),
    ),
    Case(
        "an IDX file cut off",
        f"{_TRAIN} {_IMAGES}",
        "error: a-images-idx3-ubyte: shape (10, 6) needs 72 bytes, it has 71",
        prepare=_images(_idx(X)[:-1], _idx(Y)),
    ),
    Case(
        "IDX images without labels",
        f"{_TRAIN} {_IMAGES}",
        "error: a-images-idx3-ubyte: its labels are missing; a-labels-idx1-ubyte is looked for beside it",
        prepare=_images(_idx(X), None),
    ),
    Case(
        "IDX images under another name",
        f"{_TRAIN} a.idx",
        "error: a.idx: the name must contain 'images'; the labels are looked for under 'labels' beside it",
        prepare=written("a.idx", _idx(X)),
    ),
    Case(
        "a damaged .gz",
        f"{_TRAIN} {_IMAGES}.gz",
        "error: a-images-idx3-ubyte.gz: cannot be read: Compressed file ended before the end-of-stream marker was reached",
        prepare=lambda d, p: (
            written(f"{_IMAGES}.gz", gzip.compress(_idx(X))[:-9])(d, p),
            written(f"{_LABELS}.gz", gzip.compress(_idx(Y)))(d, p),
        ),
    ),
    Case(
        "export under another name",
        "data blobs.npz --export out.csv",
        "error: out.csv: data sets are written as .npz, not .csv",
    ),
]
