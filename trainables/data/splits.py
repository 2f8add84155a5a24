"""How a data set is cut into training and validation images, stratified by class."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.data.images import Channels, Files, Images, RawData, Split, Splits

if TYPE_CHECKING:
    import numpy as np


def validation_count(validation: float | int, images: int, classes: int) -> int:
    """How many training images to hold out: a share gives at least one per class and at most 5,000."""
    if isinstance(validation, float):
        if not 0 < validation < 1:
            raise ValueError(f"validation must be a share in (0, 1) or a whole number of images, got {validation}")
        count = max(classes, min(5000, round(validation * images)))
    else:
        count = validation
    if not classes <= count <= images - classes:
        raise ValueError(
            f"validation must take and leave at least one image per class, {classes}, got {count} of {images}"
        )
    return count


def cut_validation(raw: RawData, count: int, seed: int) -> tuple[Split, Split]:
    """The training images without those held out for validation, and the `count` held-out ones, drawn from the seed."""
    import numpy as np

    held_out = np.zeros(len(raw.train), dtype=bool)
    held_out[stratified(raw.train.labels, count, seed)] = True
    train = raw.train.take(np.flatnonzero(~held_out))
    left = np.bincount(train.labels, minlength=len(raw.classes))
    if not left.all():
        empty = raw.classes[int(left.argmin())]
        raise ValueError(
            f"each class must have a training image beside the {count} for validation, got none of {empty!r}"
        )
    return train, raw.train.take(np.flatnonzero(held_out))


def redrawn(splits: Splits, seed: int) -> Splits:
    """The same images with other validation images, as many, drawn from the seed; test images stay."""
    raw = RawData(_joined(splits.train, splits.validation), splits.test, splits.classes, splits.source)
    train, held_out = cut_validation(raw, len(splits.validation), seed)
    mean, std = mean_and_std(train) if isinstance(train, Images) else (splits.mean, splits.std)
    digest = digest_of(train, held_out, splits.test)
    return dataclasses.replace(splits, train=train, validation=held_out, mean=mean, std=std, digest=digest)


def _joined(first: Split, second: Split) -> Split:
    import numpy as np

    labels = np.concatenate([first.labels, second.labels])
    if isinstance(first, Images) and isinstance(second, Images):
        return Images(np.concatenate([first.pixels, second.pixels]), labels)
    assert isinstance(first, Files)
    assert isinstance(second, Files)
    return Files.joined([first, second])


def limited(train: Split, limit: int, classes: int, seed: int) -> Split:
    if not classes <= limit <= len(train):
        raise ValueError(f"training images can be limited to {classes} (one per class) to {len(train)}, got {limit}")
    return train.take(stratified(train.labels, limit, seed))


def stratified(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The sorted rows of `count` images, stratified: each class keeps its proportion to within one image."""
    import numpy as np

    exact = count * np.bincount(labels) / len(labels)
    wanted = np.floor(exact).astype(int)
    largest_remainders = np.argsort(wanted - exact, kind="stable")[: count - wanted.sum()]
    wanted[largest_remainders] += 1
    random = np.random.RandomState(seed)  # not default_rng: numpy promises that this stream never changes
    rows = [random.permutation(np.flatnonzero(labels == label))[:some] for label, some in enumerate(wanted)]
    return np.sort(np.concatenate(rows))


def mean_and_std(images: Images) -> tuple[Channels, Channels]:
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


def digest_of(*parts: Split) -> str:
    """sha256 of labels and pixels; of files, of labels, file sizes and the last three parts of each path."""
    import numpy as np

    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{type(part).__name__} {len(part)}\n".encode())
        digest.update(part.labels.tobytes())
        if isinstance(part, Images):
            digest.update(np.ascontiguousarray(part.pixels).data)
        else:
            for path in map(part.path, range(len(part))):
                digest.update(f"{_tail(path)} {os.path.getsize(path)}\n".encode())
    return digest.hexdigest()


def _tail(path: str) -> str:
    """The part of a path that is the same on every machine: split, class, file."""
    return "/".join(Path(path).parts[-3:])
