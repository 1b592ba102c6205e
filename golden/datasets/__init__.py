"""Data sets by name or path: ``digits`` is embedded, MNIST and Fashion-MNIST are cached, files are the user's."""

from dfarray.golden.datasets.dataset import Dataset, DatasetError
from dfarray.golden.datasets.files import save_npz
from dfarray.golden.datasets.loading import load_dataset

__all__ = ["Dataset", "DatasetError", "load_dataset", "save_npz"]
