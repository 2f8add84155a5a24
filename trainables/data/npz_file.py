"""A data set of one's own in one .npz file: its arrays, checked."""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from trainables.data.images import Images, RawData


def npz(file: Path) -> RawData:
    """Arrays train_images, train_labels, test_images, test_labels and, optionally, classes."""
    if not file.is_file():
        raise FileNotFoundError(f"no such file: {file}")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is not an npz file")
    arrays = _arrays(file)
    classes = _class_names(arrays, file)
    parts = [_checked_part(arrays, part, len(classes), file) for part in ("train", "test")]
    if parts[0].pixels.shape[1:] != parts[1].pixels.shape[1:]:
        sizes = " and ".join(str(part.pixels.shape[1]) for part in parts)
        raise ValueError(f"{file}: train_images and test_images must be equally large, got sides of {sizes}")
    _check_each_class(parts[0], classes, file)
    return RawData(parts[0], parts[1], classes, f"npz {file.resolve()}")


def side_of(file: Path) -> float | None:
    """The longer side of the training images, from the file's header alone; None where it cannot be read."""
    try:
        with zipfile.ZipFile(file) as archive, archive.open("train_images.npy") as array:
            first = np.lib.format.read_magic(array) == (1, 0)
            read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
            shape = read(array)[0]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return None
    return max(shape[1:3]) if len(shape) == 4 else None


def _check_each_class(train: Images, classes: tuple[str, ...], file: Path) -> None:
    """ValueError with all classes that have no training image."""
    counts = np.bincount(train.labels, minlength=len(classes))
    if counts[0] == 0 and counts.sum():
        raise ValueError(f"{file}: {_must_begin_at_0(train.labels)}")
    if empty := [name for name, count in zip(classes, counts, strict=True) if not count]:
        raise ValueError(f"{file}: each class must have a training image, got none of {', '.join(empty)}")


def _must_begin_at_0(labels: np.ndarray) -> str:
    low, high = labels.min(), labels.max()
    return f"labels must begin at 0, got {low} to {high}; subtract {low} from train_labels and test_labels"


def _arrays(file: Path) -> dict[str, np.ndarray]:
    needed = ("train_images", "train_labels", "test_images", "test_labels")
    try:
        with np.load(file, allow_pickle=False) as archive:
            missing = [name for name in needed if name not in archive]
            if missing:
                raise ValueError(f"must hold {', '.join(needed)}; {missing[0]} is missing")
            return {name: archive[name] for name in (*needed, "classes") if name in archive}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{file}: {' '.join(str(error).split())}") from error


def _class_names(arrays: dict[str, np.ndarray], file: Path) -> tuple[str, ...]:
    """The names in `classes`, else the numbers up to the largest training label."""
    if "classes" not in arrays:
        labels = arrays["train_labels"]
        count = int(labels.max()) + 1 if labels.size and labels.dtype.kind in "iu" else 1
        return tuple(map(str, range(count)))
    classes = arrays["classes"]
    if classes.dtype.kind != "U" or classes.ndim != 1 or not classes.size:
        raise ValueError(f"{file}: classes must be a list of strings, got {classes.dtype} of shape {classes.shape}")
    return tuple(classes.tolist())


def _checked_part(arrays: dict[str, np.ndarray], part: str, classes: int, file: Path) -> Images:
    pixels, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
    shape = pixels.shape
    if pixels.dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or not pixels.size:
        must = f"{part}_images must be uint8 of shape (N, S, S, 3), got {pixels.dtype} {shape}"
        raise ValueError(f"{file}: {must}{_advice(part, pixels)}")
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise ValueError(f"{file}: {part}_labels must be integers of shape (N,), got {labels.dtype} {labels.shape}")
    if len(labels) != len(pixels):
        raise ValueError(f"{file}: {part} must have one label per image, got {len(labels)} for {len(pixels)}")
    if labels.max() == classes and labels.min() == 1:
        raise ValueError(f"{file}: {_must_begin_at_0(labels)}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(f"{file}: {part}_labels must be in [0, {classes - 1}], got {labels.min()} to {labels.max()}")
    return Images(pixels, labels.astype(np.int64))


def _advice(part: str, pixels: np.ndarray) -> str:
    """How to bring an array into the shape and type that are needed, where that can be seen."""
    name, shape = f"{part}_images", pixels.shape
    if len(shape) == 4 and shape[1] in (1, 3) and shape[2] == shape[3] > 3:
        return f"; channels come last: {name}.transpose(0, 2, 3, 1)"
    if len(shape) == 3 or shape[-1:] == (1,):
        return "; repeat grey images to three channels"
    if len(shape) == 4 and shape[1] != shape[2] and shape[3] == 3:
        return "; make them square"
    if pixels.dtype.kind == "f" and pixels.size and pixels.min() >= 0 and pixels.max() <= 1:
        return f"; numbers from 0 to 1 become bytes with ({name} * 255).round().astype('uint8')"
    return ""
