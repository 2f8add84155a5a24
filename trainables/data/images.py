"""The types of a data set: images in memory or on disk, raw data, splits, augmentations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


SMALL = 64  # images up to this side live in memory as one uint8 array; larger ones are read from their files
Channels = tuple[float, ...]
IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)  # of large images, as pre-trained nets expect
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)


# ---------------------------------------------------------------------------------------------- what is handed out


@dataclass(frozen=True, eq=False)
class Images:
    """Small images, all in memory: pixels uint8 (N, S, S, 3), labels int64 (N,)."""

    pixels: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Images:
        return Images(self.pixels[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Files:
    """Large images, read when needed: one path per label; any sizes, brought to 224 pixels by the batches.

    The paths are one array of bytes, which all processes of a machine share and which takes a third of the memory of a
    million strings.
    """

    paths: np.ndarray  # bytes (N,)
    labels: np.ndarray  # int64 (N,)

    @classmethod
    def of(cls, paths: Sequence[str | Path], labels: Sequence[int] | np.ndarray) -> Files:
        import numpy as np

        return cls(path_array(paths), np.asarray(labels, dtype=np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Files]) -> Files:
        """All files of several parts, in order."""
        import numpy as np

        return cls(np.concatenate([each.paths for each in parts]), np.concatenate([each.labels for each in parts]))

    def path(self, row: int) -> str:
        return os.fsdecode(self.paths[row])

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: np.ndarray) -> Files:
        return Files(self.paths[rows], self.labels[rows])


def path_array(paths: Sequence[str | Path]) -> np.ndarray:
    """Paths as one array of bytes."""
    import numpy as np

    return np.array([os.fsencode(path) for path in paths], dtype=bytes)


Split = Images | Files


@dataclass(frozen=True, eq=False)
class RawData:
    """What a loader returns: the published training and test split, before validation images are held out."""

    train: Split
    test: Split
    classes: tuple[str, ...]
    source: str  # where the data came from


@dataclass(frozen=True, eq=False)
class Splits:
    """A data set ready for training; mean and std are per channel, of pixels in [0, 1]."""

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    size: int  # side in pixels of what the network sees
    mean: Channels
    std: Channels
    source: str
    digest: str  # sha256 of the three splits: equal digests mean equal images, labels and split


@dataclass(frozen=True)
class Augment:
    """How training images are augmented: random crops after padding with `pad` black pixels, random flips."""

    pad: int = 0
    flip: bool = False
    resized_crop: bool = False  # RandomResizedCrop to 224; for image files only
    auto: bool = False  # AutoAugment with ImageNet's policy; for image files only


AUGMENTS: dict[str, Augment] = {
    "none": Augment(),
    "flip": Augment(flip=True),
    "crop": Augment(pad=2),
    "crop4": Augment(pad=4),
    "crop4_flip": Augment(pad=4, flip=True),
    "resized_crop_flip": Augment(resized_crop=True, flip=True),
    "auto_crop_flip": Augment(resized_crop=True, flip=True, auto=True),
}
