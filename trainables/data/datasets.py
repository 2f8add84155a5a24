"""The data sets: what each is, its usual recipe, and how it becomes train, validation and test.

Listing names and recipes must not cost an import of torch or numpy, so both are imported where something is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainables.data.images import IMAGENET_MEAN, IMAGENET_STD, Images, RawData, Splits
from trainables.data.splits import cut_validation, digest_of, limited, mean_and_std, validation_count
from trainables.disk import data_folder
from trainables.options import unknown

# ----------------------------------------------------------------------------------------------------- the registry


@dataclass(frozen=True)
class Dataset:
    """One line in a list, one recipe, one loader."""

    description: str
    recipe: Mapping[str, object]  # values of TrialConfig fields
    load: Callable[[Path], RawData]  # from the data folder
    folder_only: bool = False  # no download: the files must be put into the data folder by hand
    validation: float | int = 0.1  # share or number of training images cut for validation; a share stops at 5,000


def _later(function: str, path: Path | None = None) -> Callable[[Path], RawData]:
    """A loader by name, imported only when the data are wanted, for a path or else the data folder."""

    def load(root: Path) -> RawData:
        from trainables.data import loaders, npz_file

        return getattr(npz_file if function == "npz" else loaders, function)(path or root)

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
# The same for clothes, whose mirror images are clothes; at 0.4 most methods are at their best.
_CLOTHES = {**_DIGITS, "epochs": 15, "lr": 0.4, "augment": "flip"}
# Uncertainty paper, MNIST; its own net, mnist_cnn, has no norms to double, so the smallest net here stands in for it.
_MNIST = {**_SGD, "model": "resnet8", "epochs": 40, "batch_size": 128, "lr": 0.01, "weight_decay": 1e-4,
          "schedule": "milestones", "milestones": (20,), "augment": "none"}  # fmt: skip
# CEB paper: a wide ResNet and nothing else; Adam at 1e-3 and the small net are ours. Mirrored clothes are clothes.
_FASHION = {**_SGD, "model": "resnet8", "epochs": 40, "batch_size": 128, "optimizer": "adam", "lr": 1e-3,
            "weight_decay": 0.0, "schedule": "cosine", "augment": "flip"}  # fmt: skip
# Somebody's own small images. Their number is not known, so the net that a laptop can train, and the digits recipe
# lengthened until 1,000 CIFAR-10 images were learnt by heart. Mirror images: right for things, wrong for writing.
_OWN_SMALL = {**_DIGITS, "epochs": 35, "augment": "flip"}

EMBEDDED = "fashion"  # the default: it comes with the program, so that nothing is downloaded

DATASETS: dict[str, Dataset] = {
    "fashion": Dataset(
        "2,000 pieces of clothing of Fashion-MNIST, 28 px grey, brought to 32; embedded, nothing to download",
        _CLOTHES, _later("fashion"), validation=400),
    "digits": Dataset(
        "1,797 handwritten digits of scikit-learn, 8 px brought to 32; nothing to download",
        _DIGITS, _later("digits"), validation=200),
    "cifar10": Dataset("60,000 images of 10 classes, 32 px; downloaded", _CIFAR, _later("cifar10")),
    "cifar100": Dataset("60,000 images of 100 classes, 32 px; downloaded", _CIFAR, _later("cifar100")),
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
        "ILSVRC2012: 1.3 million images of 1,000 classes, 224 px; from a folder",
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
        from trainables.data import loaders

        recipe = _OWN_SMALL if loaders.holds_small_images(Path(path)) else _FINE_TUNE
        return Dataset(f"images of {path}", recipe, _later("folder", Path(path)))
    if name not in DATASETS:
        raise ValueError(unknown("dataset", name, [*DATASETS, "folder:PATH", "npz:PATH"]))
    return DATASETS[name]


# ---------------------------------------------------------------------------------------- from raw data to three parts


SPLIT_SEED = 0  # every run has the same validation images


def load_dataset(name: str, root: Path | None = None, *, limit: int | None = None) -> Splits:
    """The training, validation and test images of a named data set, `folder:PATH` or `npz:PATH`.

    `root` is the data folder: by default $ENTPROP_DATA, else the user's cache. `limit` keeps that many training images,
    each class in its proportion, and leaves validation and test images as they are.
    """
    entry = dataset_entry(name)
    raw = entry.load(data_folder(root))
    count = validation_count(entry.validation, len(raw.train), len(raw.classes))
    train, held_out = cut_validation(raw, count, SPLIT_SEED)
    if limit is not None:
        train = limited(train, limit, len(raw.classes), SPLIT_SEED)
    size, mean, std = 224, IMAGENET_MEAN, IMAGENET_STD
    if isinstance(train, Images):
        size, (mean, std) = train.pixels.shape[1], mean_and_std(train)
    digest = digest_of(train, held_out, raw.test)
    return Splits(name, train, held_out, raw.test, raw.classes, size, mean, std, raw.source, digest)
