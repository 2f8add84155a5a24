"""The data sets: what each is, its usual recipe, and how it becomes train, validation and test.

Listing names and recipes must not cost an import of torch or numpy, so both are imported where something is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trainables.data import recipes
from trainables.data.images import IMAGENET_MEAN, IMAGENET_STD, SMALL, Images, RawData, Splits
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
    reason: str = ""  # why images of one's own get this recipe
    folder_only: bool = False  # no download: the files must be put into the data folder by hand
    validation: float | int = 0.1  # share or number of training images cut for validation; a share stops at 5,000


def _later(function: str) -> Callable[[Path], RawData]:
    """A loader by name, imported only when the data are wanted."""

    def load(root: Path) -> RawData:
        from trainables.data import loaders

        return getattr(loaders, function)(root)

    return load


OWN = ("folder", "npz")  # schemes of images of one's own
EMBEDDED = "fashion"  # the default: it comes with the program, so that nothing is downloaded

DATASETS: dict[str, Dataset] = {
    "fashion": Dataset(
        "2,000 pieces of clothing of Fashion-MNIST, 28 px grey, brought to 32; embedded, nothing to download",
        recipes.CLOTHES, _later("fashion"), validation=400),
    "digits": Dataset(
        "1,797 handwritten digits of scikit-learn, 8 px brought to 32; nothing to download",
        recipes.DIGITS, _later("digits"), validation=200),
    "cifar10": Dataset("60,000 images of 10 classes, 32 px; downloaded", recipes.CIFAR, _later("cifar10")),
    "cifar100": Dataset("60,000 images of 100 classes, 32 px; downloaded", recipes.CIFAR, _later("cifar100")),
    "svhn": Dataset(
        "99,289 house numbers (without the extra part), 32 px; downloaded",
        {**recipes.CIFAR, "augment": "crop4"}, _later("svhn")),  # a mirrored digit is no digit
    "mnist": Dataset(
        "70,000 handwritten digits, 28 px grey, black border to 32 px, three equal channels; downloaded",
        recipes.MNIST, _later("mnist")),
    "fashion_mnist": Dataset(
        "70,000 pieces of clothing, 28 px grey, black border to 32 px, three equal channels; downloaded",
        recipes.FASHION, _later("fashion_mnist")),
    "pets": Dataset(
        "Oxford-IIIT Pets: 7,349 cats and dogs of 37 breeds, 224 px; downloaded", recipes.FINE_TUNE, _later("pets")),
    "cars": Dataset(
        "Stanford Cars: 16,185 cars of 196 models, 224 px; from a folder",
        recipes.FINE_TUNE, _later("cars"), folder_only=True),
    "cub": Dataset(
        "CUB-200-2011: 11,788 birds of 200 species, 224 px; from a folder",
        recipes.FINE_TUNE, _later("cub"), folder_only=True),
    "imagenet": Dataset(
        "ILSVRC2012: 1.3 million images of 1,000 classes, 224 px; from a folder",
        recipes.IMAGENET, _later("imagenet"), folder_only=True),
    "imagenet100": Dataset(
        "100 classes of ILSVRC2012, 224 px; from a folder",
        recipes.IMAGENET100, _later("imagenet100"), folder_only=True),
}  # fmt: skip


def check_dataset(name: str) -> None:
    """ValueError unless it is a data set's name, `folder:PATH` or `npz:PATH`; no path is looked at."""
    scheme, _, path = name.partition(":")
    if name not in DATASETS and not (scheme in OWN and path):
        raise ValueError(unknown("dataset", name, [*DATASETS, *(f"{each}:PATH" for each in OWN)]))


def dataset_entry(name: str, resize: int | None = None) -> Dataset:
    """The entry of a name, or one made for `folder:PATH` or `npz:PATH`; whether these exist is seen on loading.

    The recipe for images of one's own depends on their median side, or on the side that they are resized to.
    """
    check_dataset(name)
    if name in DATASETS:
        return DATASETS[name]
    scheme, _, path = name.partition(":")
    if scheme == "npz":
        from trainables.data.npz_file import side_of

        recipe = recipes.recipe_for(None if resize else side_of(Path(path)), resize, array=True)
        return Dataset(f"arrays of {path}", recipe.values, lambda root: _npz(Path(path)), recipe.reason)
    from trainables.data import folders

    recipe = recipes.recipe_for(None if resize else folders.median_side(Path(path)), resize)
    return Dataset(f"images of {path}", recipe.values, lambda root: folders.folder(Path(path), resize), recipe.reason)


def _npz(file: Path) -> RawData:
    from trainables.data.npz_file import npz

    return npz(file)


# ---------------------------------------------------------------------------------------- from raw data to three parts


SPLIT_SEED = 0  # every run has the same validation images


def load_dataset(name: str, root: Path | None = None, *, limit: int | None = None, resize: int | None = None) -> Splits:
    """The training, validation and test images of a named data set, `folder:PATH` or `npz:PATH`.

    `root` is the data folder: by default $ENTPROP_DATA, else the user's cache. `limit` keeps that many training images,
    each class in its proportion, and leaves validation and test images as they are. `resize` gives all images this
    side in pixels.
    """
    entry = dataset_entry(name, resize)
    raw = _resized(entry.load(data_folder(root)), resize)
    if len(raw.classes) < 2:
        raise ValueError(f"{name} must have at least two classes, got {raw.classes[0]!r} alone")
    count = validation_count(entry.validation, len(raw.train), len(raw.classes))
    train, held_out = cut_validation(raw, count, SPLIT_SEED)
    if limit is not None:
        train = limited(train, limit, len(raw.classes), SPLIT_SEED)
    size, mean, std = 224, IMAGENET_MEAN, IMAGENET_STD
    if isinstance(train, Images):
        size, (mean, std) = train.pixels.shape[1], mean_and_std(train)
    digest = digest_of(train, held_out, raw.test)
    return Splits(name, train, held_out, raw.test, raw.classes, size, mean, std, raw.source, digest)


def _resized(raw: RawData, resize: int | None) -> RawData:
    """The data with images of this side in memory; those that are read from files at 224 pixels stay as they are."""
    if resize is None or (resize > SMALL and not isinstance(raw.train, Images)):
        return raw
    if isinstance(raw.train, Images) and raw.train.pixels.shape[1] == resize:
        return raw
    from trainables.data.folders import in_memory

    return RawData(in_memory(raw.train, resize), in_memory(raw.test, resize), raw.classes, raw.source)
