"""MNIST-1D: 40 values a sample, ten classes, generated. Source: Greydanus and Kobak 2024, arXiv 2011.14439."""

import importlib

import numpy as np

from dfarray.golden.datasets.dataset import Dataset, DatasetError, make_dataset

SCALE = 4.0
"""Standard deviations that become 1; the few values beyond are clipped."""


def load_mnist1d() -> Dataset:
    """Generate the published set: 4,000 training and 1,000 test samples, seed 42.

    Raises
    ------
    DatasetError
        If the package ``mnist1d`` is not installed.
    """
    try:
        data = importlib.import_module("mnist1d.data")
    except ImportError:
        raise DatasetError("mnist-1d needs the package mnist1d; install with: pip install 'dfarray[mnist1d]'") from None
    # The generator seeds NumPy's global state; nobody else shall notice.
    kept = np.random.get_state()  # noqa: NPY002
    try:
        made = data.make_dataset(data.get_dataset_args())
    finally:
        np.random.set_state(kept)  # noqa: NPY002
    x, test_x = (np.clip(made[name] / SCALE, -1, 1) for name in ("x", "x_test"))
    return make_dataset("mnist-1d", (x, made["y"]), (test_x, made["y_test"]))
