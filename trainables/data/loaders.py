"""One function per data set: from its files on disk to its published training and test split."""

import http.client
import importlib.util
import socket
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainables.data.folders import listed_folder
from trainables.data.images import Files, Images, RawData
from trainables.disk import cache_folder

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


# ------------------------------------------------------------------------------------------------- nothing to download


def digits(root: Path) -> RawData:
    """scikit-learn's digits upscaled from 8 to 32 pixels; in a fixed random order, the first 1,200 are for training.

    In double precision every product of the upscaling is exact, so all machines round to the same bytes.
    """
    import torch

    table = np.loadtxt(_digits_file(), delimiter=",")  # 64 grey values from 0 to 16 and the label
    small = torch.from_numpy(table[:, :64] / 16).view(-1, 1, 8, 8)
    large = torch.nn.functional.interpolate(small, size=(32, 32), mode="bicubic", align_corners=False)
    grey = large.clamp(0, 1).mul(255).round().to(torch.uint8)
    everything = Images(grey.permute(0, 2, 3, 1).repeat(1, 1, 1, 3).numpy(), table[:, 64].astype(np.int64))
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(1)).numpy()
    train, test = everything.take(order[:1200]), everything.take(order[1200:])
    return RawData(train, test, tuple("0123456789"), "scikit-learn load_digits")


def _digits_file() -> Path:
    """The file that `sklearn.datasets.load_digits` reads; importing scikit-learn for it would take seconds."""
    package = importlib.util.find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise FileNotFoundError("the digits are a file of scikit-learn, which is not installed")
    return Path(package.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"


def fashion(root: Path) -> RawData:
    """2,000 images of Fashion-MNIST, in `fashion.npz` beside this file: of each class 160 for training, 40 for test."""
    with np.load(Path(__file__).with_name("fashion.npz")) as file:
        train, test = (
            _images(_grey_to_32(file[f"{part}_images"]), file[f"{part}_labels"]) for part in ("train", "test")
        )
    return RawData(train, test, FASHION_CLASSES, "a part of Fashion-MNIST that comes with the program")


# -------------------------------------------------------------------------------------------- downloaded by torchvision


def cifar10(root: Path) -> RawData:
    """CIFAR-10, downloaded if it is not there."""
    return _cifar("CIFAR10", root)


def cifar100(root: Path) -> RawData:
    """CIFAR-100, downloaded if it is not there."""
    return _cifar("CIFAR100", root)


def _cifar(name: str, root: Path) -> RawData:
    kind = _torchvision(name)
    by_hand = f"put {kind.url} there and unpack it"
    train, test = (_fetched(kind, root, by_hand, train=train) for train in (True, False))
    source = f"{kind.__name__} of torchvision in {root}"
    return RawData(_images(train.data, train.targets), _images(test.data, test.targets), tuple(train.classes), source)


def svhn(root: Path) -> RawData:
    """SVHN without its extra images, downloaded if it is not there."""
    kind = _torchvision("SVHN")
    by_hand = f"put {' and '.join(kind.split_list[split][0] for split in ('train', 'test'))} there"
    raw = [_fetched(kind, root, by_hand, split=split) for split in ("train", "test")]
    train, test = (_images(part.data.transpose(0, 2, 3, 1), part.labels) for part in raw)  # it holds them as NCHW
    return RawData(train, test, tuple("0123456789"), f"SVHN of torchvision in {root}")


def mnist(root: Path) -> RawData:
    """MNIST, downloaded if it is not there."""
    return _mnist("MNIST", root)


def fashion_mnist(root: Path) -> RawData:
    """Fashion-MNIST, downloaded if it is not there."""
    return _mnist("FashionMNIST", root)


def _mnist(name: str, root: Path) -> RawData:
    kind = _torchvision(name)
    files = ", ".join(file for file, _ in kind.resources)
    by_hand = f"put {files} of {kind.mirrors[0]} into {root / kind.__name__ / 'raw'} and gunzip them"
    raw = [_fetched(kind, root, by_hand, train=train) for train in (True, False)]
    train, test = (_images(_grey_to_32(part.data.numpy()), part.targets) for part in raw)
    return RawData(train, test, tuple(raw[0].classes), f"{kind.__name__} of torchvision in {root}")


def _grey_to_32(grey: np.ndarray) -> np.ndarray:
    """(N, 28, 28) with a black border of 2 and three equal channels: (N, 32, 32, 3)."""
    return np.repeat(np.pad(grey, ((0, 0), (2, 2), (2, 2)))[..., None], 3, axis=3)


def pets(root: Path) -> RawData:
    """The official split: list `trainval` (3,680 images) is for training, list `test` (3,669) for test."""
    base = root / "oxford-iiit-pet"
    by_hand = f"unpack images.tar.gz and annotations.tar.gz of https://www.robots.ox.ac.uk/~vgg/data/pets in {base}"
    _fetched(_torchvision("OxfordIIITPet"), root, by_hand)
    names: dict[int, str] = {}
    parts = []
    for split in ("trainval", "test"):
        rows = [line.split() for line in _lines(base / "annotations" / f"{split}.txt")]  # name_number, class, …
        labels = [int(row[1]) - 1 for row in rows]
        names.update((label, row[0].rsplit("_", 1)[0]) for row, label in zip(rows, labels, strict=True))
        parts.append(Files.of([base / "images" / f"{row[0]}.jpg" for row in rows], labels))
    classes = tuple(name for _, name in sorted(names.items()))
    return RawData(parts[0], parts[1], classes, f"Oxford-IIIT Pets in {base}")


def _torchvision(name: str) -> Any:
    from torchvision import datasets  # slow to import

    return getattr(datasets, name)


def _fetched(kind: Any, root: Path, by_hand: str, **which: Any) -> Any:
    """A torchvision data set in `root`, checked; torchvision downloads what is missing."""
    if root != cache_folder() and not root.is_dir():
        raise FileNotFoundError(f"the data folder must exist, got {str(root)!r}")
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)  # seconds; without it a silent network hangs for ever
    try:
        return kind(root, download=True, **which)
    except (OSError, RuntimeError, http.client.HTTPException, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise FileNotFoundError(
            f"{kind.__name__} is not in {root} and could not be downloaded ({reason}); by hand: {by_hand}"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)


def _images(pixels: np.ndarray, labels: Any) -> Images:
    return Images(np.ascontiguousarray(pixels), np.asarray(labels, dtype=np.int64))


# --------------------------------------------------------------------------------------------------- from local folders


def cars(root: Path) -> RawData:
    """Either train/ and test/ with one folder per model, or the original devkit with its .mat annotations."""
    base = root / "stanford_cars"
    if (base / "train").is_dir():
        return listed_folder(base)
    from scipy.io import loadmat

    where = {"cars_train": "devkit/cars_train_annos.mat", "cars_test": "cars_test_annos_withlabels.mat"}
    _must_exist(
        "the makers no longer offer Stanford Cars: get a copy (Kaggle has some) with these files, "
        f"or sort the images into class folders in {base / 'train'} and {base / 'test'}",
        [base / file for file in ("devkit/cars_meta.mat", *where, *where.values())],
    )
    classes = loadmat(base / "devkit/cars_meta.mat", squeeze_me=True)["class_names"]
    parts = []
    for images, annotations in where.items():
        rows = np.atleast_1d(loadmat(base / annotations, squeeze_me=True)["annotations"])
        paths = [base / images / str(row["fname"]) for row in rows]
        parts.append(Files.of(paths, [int(row["class"]) - 1 for row in rows]))
    return RawData(parts[0], parts[1], tuple(map(str, classes)), f"Stanford Cars in {base}")


def cub(root: Path) -> RawData:
    """CUB-200-2011 in its published folder, with its own split."""
    base = root / "CUB_200_2011"
    lists = [base / f"{name}.txt" for name in ("images", "image_class_labels", "train_test_split", "classes")]
    _must_exist("get CUB_200_2011.tgz from https://data.caltech.edu/records/65de6-vp158 and unpack it", lists)
    images, labels, is_train, classes = (dict(line.split(maxsplit=1) for line in _lines(file)) for file in lists)
    parts = []
    for flag in ("1", "0"):
        ids = [image for image in images if is_train[image] == flag]
        paths = [base / "images" / images[image] for image in ids]
        parts.append(Files.of(paths, [int(labels[image]) - 1 for image in ids]))
    return RawData(parts[0], parts[1], tuple(classes.values()), f"CUB-200-2011 in {base}")


def imagenet(root: Path) -> RawData:
    """ILSVRC2012 as class folders; its validation images are the test images."""
    base = root / "imagenet"
    _must_exist(
        "get ILSVRC2012 from https://image-net.org (an account is needed) and sort it into class folders",
        [base / "train", base / "val"],
    )
    return listed_folder(base)


def imagenet100(root: Path) -> RawData:
    """One's own choice of 100 classes of ILSVRC2012, as class folders."""
    base = root / "imagenet100"
    _must_exist(
        "put 100 class folders of ILSVRC2012 there; the MixProp paper does not say which",
        [base / "train", base / "val"],
    )
    return listed_folder(base)


def _must_exist(advice: str, paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; {advice}")


def _lines(file: Path) -> list[str]:
    return [line for line in file.read_text().splitlines() if line.strip()]
