"""The data sets: what each is, its usual recipe, and how it becomes train, validation and test.

Listing names and recipes must not cost an import of torch or numpy, so both are imported where something is read.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.options import unknown

if TYPE_CHECKING:
    import numpy as np

SMALL = 64  # pictures up to this side live in memory as one uint8 array; larger ones are read from their files
Channels = tuple[float, ...]
IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)  # of large pictures, as pre-trained nets expect
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)


# ---------------------------------------------------------------------------------------------- what is handed out


@dataclass(frozen=True, eq=False)
class Images:
    """Small pictures, all in memory: pixels uint8 (N, S, S, 3), labels int64 (N,)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Images:
        return Images(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Files:
    """Large pictures, read when needed: one path per label; any sizes, brought to 224 pixels by the batches."""

    paths: tuple[str, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Files:
        return Files(tuple(self.paths[row] for row in rows), self.labels[rows])


Part = Images | Files


@dataclass(frozen=True, eq=False)
class RawData:
    """What a loader returns: the published training and test part, before the validation part is cut."""

    train: Part
    test: Part
    classes: tuple[str, ...]
    source: str  # where the data came from


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set ready for training; mean and std are per channel, of pixels in [0, 1]."""

    name: str
    train: Part
    validation: Part
    test: Part
    classes: tuple[str, ...]
    size: int  # side in pixels of what the network sees
    mean: Channels
    std: Channels
    source: str
    digest: str  # sha256 of all three parts: equal digests, equal pictures, labels and split


@dataclass(frozen=True)
class Augment:
    """What a training picture goes through: a random crop after `pad` black pixels on every side, a mirror image."""

    pad: int = 0
    flip: bool = False
    resized_crop: bool = False  # RandomResizedCrop to 224: for picture files alone
    auto: bool = False  # AutoAugment with ImageNet's policy, for picture files too


AUGMENTS: dict[str, Augment] = {
    "none": Augment(),
    "flip": Augment(flip=True),
    "crop": Augment(pad=2),
    "crop4": Augment(pad=4),
    "crop4_flip": Augment(pad=4, flip=True),
    "resized_crop_flip": Augment(resized_crop=True, flip=True),
    "auto_crop_flip": Augment(resized_crop=True, flip=True, auto=True),
}


# ----------------------------------------------------------------------------------------------------- the registry


@dataclass(frozen=True)
class Dataset:
    """One line in a list, one recipe, one loader."""

    description: str
    recipe: Mapping[str, object]  # values of TrialConfig fields
    load: Callable[[Path], RawData]  # from the data folder
    folder_only: bool = False  # no download: the files must be put into the data folder by hand
    corrupted: int | None = None  # how many test images are measured corrupted; unset: all
    validation: float | int = 0.1  # share or number of training images cut for validation; a share stops at 5,000


def _later(function: str, path: Path | None = None) -> Callable[[Path], RawData]:
    """That function of `loaders`, a module imported when the data are wanted, on the given path or the data folder."""

    def load(root: Path) -> RawData:
        from trainables import loaders

        return getattr(loaders, function)(path or root)

    return load


_SGD = {"optimizer": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 5e-4, "decay": 0.1, "warmup": 0.0,
        "milestones": (), "pretrained": False}  # fmt: skip
# EntProp paper, CIFAR-100. Its augmentation is not stated; crop and flip are what such nets are trained with.
_CIFAR = {**_SGD, "model": "resnet18", "epochs": 200, "batch_size": 128, "lr": 0.1, "schedule": "cosine",
          "augment": "crop4_flip"}  # fmt: skip
# EntProp paper, CUB, Pets and Cars: from ImageNet weights; as published, the rate is negligible after 40 epochs.
_FINE_TUNE = {**_SGD, "model": "resnet50", "epochs": 100, "batch_size": 64, "optimizer": "adam", "lr": 1e-4,
              "schedule": "milestones", "milestones": tuple(range(10, 100, 10)), "augment": "resized_crop_flip",
              "pretrained": True}  # fmt: skip
_IMAGENET = {**_SGD, "model": "resnet50", "epochs": 105, "batch_size": 256, "lr": 0.1, "schedule": "milestones",
             "milestones": (30, 60, 90), "augment": "resized_crop_flip"}  # fmt: skip
# MixProp paper, 100 classes of ImageNet.
_IMAGENET100 = {**_IMAGENET, "model": "resnet18", "epochs": 270, "batch_size": 128, "milestones": (90, 180, 220)}
# Measured for this study: ends in seconds on one core with the training images learnt by heart, as the effect needs.
_DIGITS = {**_SGD, "model": "resnet8", "epochs": 10, "batch_size": 64, "lr": 0.1, "nesterov": True, "warmup": 0.1,
           "schedule": "cosine", "augment": "crop"}  # fmt: skip
# Uncertainty paper, MNIST; its own net, mnist_cnn, has no norms to double, so the smallest net here stands in for it.
_MNIST = {**_SGD, "model": "resnet8", "epochs": 40, "batch_size": 128, "lr": 0.01, "weight_decay": 1e-4,
          "schedule": "milestones", "milestones": (20,), "augment": "none"}  # fmt: skip
# CEB paper: a wide ResNet and nothing else; Adam at 1e-3 and the small net are ours. Mirrored clothes are clothes.
_FASHION = {**_SGD, "model": "resnet8", "epochs": 40, "batch_size": 128, "optimizer": "adam", "lr": 1e-3,
            "weight_decay": 0.0, "schedule": "cosine", "augment": "flip"}  # fmt: skip
# Somebody's own small pictures. Their number is not known, so the net that a laptop can train, and the digits recipe
# lengthened until 1,000 CIFAR-10 pictures were learnt by heart. Mirror images: right for things, wrong for writing.
_OWN_SMALL = {**_DIGITS, "epochs": 35, "augment": "flip"}

DATASETS: dict[str, Dataset] = {
    "digits": Dataset(
        "1,797 handwritten digits of scikit-learn, 8 px brought to 32; embedded, nothing to download",
        _DIGITS, _later("digits"), validation=200, corrupted=300),
    "cifar10": Dataset("60,000 pictures of 10 classes, 32 px; downloaded", _CIFAR, _later("cifar10")),
    "cifar100": Dataset("60,000 pictures of 100 classes, 32 px; downloaded", _CIFAR, _later("cifar100")),
    "svhn": Dataset(
        "99,289 house numbers (without the extra part), 32 px; downloaded",
        {**_CIFAR, "augment": "crop4"}, _later("svhn")),  # a mirrored digit is no digit
    "mnist": Dataset(
        "70,000 handwritten digits, 28 px grey, black border to 32 px, three equal channels; downloaded",
        _MNIST, _later("mnist")),
    "fashion_mnist": Dataset(
        "70,000 pieces of clothing, 28 px grey, black border to 32 px, three equal channels; downloaded",
        _FASHION, _later("fashion_mnist")),
    "pets": Dataset(
        "Oxford-IIIT Pets: 7,349 cats and dogs of 37 breeds, 224 px; downloaded", _FINE_TUNE, _later("pets")),
    "cars": Dataset(
        "Stanford Cars: 16,185 cars of 196 models, 224 px; from a folder",
        _FINE_TUNE, _later("cars"), folder_only=True),
    "cub": Dataset(
        "CUB-200-2011: 11,788 birds of 200 species, 224 px; from a folder",
        _FINE_TUNE, _later("cub"), folder_only=True),
    "imagenet": Dataset(
        "ILSVRC2012: 1.3 million pictures of 1,000 classes, 224 px; from a folder",
        _IMAGENET, _later("imagenet"), folder_only=True),
    "imagenet100": Dataset(
        "100 classes of ILSVRC2012, 224 px; from a folder",
        _IMAGENET100, _later("imagenet100"), folder_only=True),
}  # fmt: skip


def dataset_entry(name: str) -> Dataset:
    """The entry of a name, or one made for `folder:PATH` or `npz:PATH`; whether these exist is seen on loading."""
    scheme, _, path = name.partition(":")
    if scheme == "npz" and path:
        return Dataset(f"arrays of {path}", _OWN_SMALL, _later("npz", Path(path)))
    if scheme == "folder" and path:
        from trainables import loaders

        recipe = _OWN_SMALL if loaders.holds_small_pictures(Path(path)) else _FINE_TUNE
        return Dataset(f"pictures of {path}", recipe, _later("folder", Path(path)))
    if name not in DATASETS:
        raise ValueError(unknown("dataset", name, [*DATASETS, "folder:PATH", "npz:PATH"]))
    return DATASETS[name]


# ---------------------------------------------------------------------------------------- from raw data to three parts


def load_dataset(
    name: str,
    root: Path | None = None,
    *,
    validation: float | int | None = None,
    split_seed: int = 0,
    limit: int | None = None,
) -> Splits:
    """Train, validation and test of a named data set, `folder:PATH` or `npz:PATH`.

    `root` is the data folder: by default $ENTPROP_DATA, else the user's cache. `validation` is a share of the training
    images, a number of them, 0 for none, or None for the data set's own; the cut depends on `split_seed` alone.
    `limit` keeps that many training images, every class in its share, and leaves validation and test as they are.
    """
    entry = dataset_entry(name)
    raw = entry.load(data_folder(root))
    count = _validation_count(entry.validation if validation is None else validation, len(raw.train), len(raw.classes))
    train, held_out = _cut(raw, count, split_seed)
    if limit is not None:
        train = _limited(train, limit, len(raw.classes), split_seed)
    size, mean, std = 224, IMAGENET_MEAN, IMAGENET_STD
    if isinstance(train, Images):
        size, (mean, std) = train.pixels.shape[1], _mean_and_std(train)
    digest = _digest(train, held_out, raw.test)
    return Splits(name, train, held_out, raw.test, raw.classes, size, mean, std, raw.source, digest)


def data_folder(root: Path | None = None) -> Path:
    """Where data sets lie: as told, else in $ENTPROP_DATA, else in the user's cache."""
    return Path(root or os.environ.get("ENTPROP_DATA") or cache_folder())


def cache_folder() -> Path:
    """The project's folder in the user's cache; the environment variable ENTPROP_CACHE moves it."""
    if os.environ.get("ENTPROP_CACHE"):
        return Path(os.environ["ENTPROP_CACHE"])
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "entprop"


def _validation_count(validation: float | int, images: int, classes: int) -> int:
    """How many images to hold out; a share stops at 5,000 and is never below one image per class."""
    if isinstance(validation, float):
        if not 0 <= validation < 1:
            raise ValueError(f"validation must be a share in [0, 1) or a whole number of images, got {validation}")
        count = max(classes, min(5000, round(validation * images))) if validation else 0
    else:
        count = validation
    if count and not classes <= count <= images - classes:
        raise ValueError(
            f"validation must take and leave at least one image per class, {classes}, got {count} of {images}"
        )
    return count


def _cut(raw: RawData, count: int, seed: int) -> tuple[Part, Part]:
    """The training part without its validation images, and these."""
    import numpy as np

    if count == 0:
        return raw.train, raw.train.take(np.arange(0))
    held_out = np.zeros(len(raw.train), dtype=bool)
    held_out[_stratified(raw.train.labels, count, seed)] = True
    train = raw.train.take(np.flatnonzero(~held_out))
    left = np.bincount(train.labels, minlength=len(raw.classes))
    if not left.all():
        empty = raw.classes[int(left.argmin())]
        raise ValueError(
            f"each class must have a training image beside the {count} for validation, got none of {empty!r}"
        )
    return train, raw.train.take(np.flatnonzero(held_out))


def _limited(train: Part, limit: int, classes: int, seed: int) -> Part:
    if not classes <= limit <= len(train):
        raise ValueError(f"training images can be limited to {classes} (one per class) to {len(train)}, got {limit}")
    return train.take(_stratified(train.labels, limit, seed))


def _stratified(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Rows of `count` images, each class's share right to within one image, in rising order."""
    import numpy as np

    exact = count * np.bincount(labels) / len(labels)
    wanted = np.floor(exact).astype(int)
    largest_remainders = np.argsort(wanted - exact, kind="stable")[: count - wanted.sum()]
    wanted[largest_remainders] += 1
    random = np.random.RandomState(seed)  # not default_rng: numpy promises that this stream never changes
    rows = [random.permutation(np.flatnonzero(labels == label))[:some] for label, some in enumerate(wanted)]
    return np.sort(np.concatenate(rows))


def _mean_and_std(images: Images) -> tuple[Channels, Channels]:
    """Per channel, of pixels in [0, 1]; from counts of the 256 values, so exact and without a float copy."""
    import numpy as np

    counts = np.zeros((3, 256))
    for start in range(0, len(images), 4096):
        chunk = images.pixels[start : start + 4096]
        counts += [np.bincount(chunk[..., channel].ravel(), minlength=256) for channel in range(3)]
    shares, values = counts / counts.sum(1, keepdims=True), np.arange(256) / 255
    mean = shares @ values
    std = np.sqrt((shares * (values - mean[:, None]) ** 2).sum(1))
    if std.min() < 1e-6:
        raise ValueError("training pixels must vary in each of the three channels, got one with a single value")
    return tuple(mean.tolist()), tuple(std.tolist())


def _digest(*parts: Part) -> str:
    """sha256 over labels and pixels, or labels, sizes of the files and the last three steps of their paths."""
    import numpy as np

    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{type(part).__name__} {len(part)}\n".encode())
        digest.update(part.labels.tobytes())
        if isinstance(part, Images):
            digest.update(np.ascontiguousarray(part.pixels).data)
        else:
            digest.update("".join(f"{_tail(path)} {os.path.getsize(path)}\n" for path in part.paths).encode())
    return digest.hexdigest()


def _tail(path: str) -> str:
    """The part of a path that is the same on every machine: split, class, file."""
    return "/".join(Path(path).parts[-3:])
