"""A folder of images, one folder per class: every file is looked at before anything else is done with them."""

import functools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from trainables.data.images import SMALL, Files, Images, RawData, Split, path_array
from trainables.data.recipes import MEDIUM, resize_advice

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
LISTED = 50  # problems that a message lists; of more, it says how many there are
LOOKED_AT = 1024  # images that wait for a thread at once
SAMPLE = 400  # images whose sizes give the median, evenly spaced over the folder
# PIL's answers to files that are cut off, garbled or absurdly large.
UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError)


# --------------------------------------------------------------------------------------------------------- the loader


def folder(base: Path, resize: int | None = None) -> RawData:
    """train/ and test/ (or val/), each with one folder of images per class; small ones are kept in memory.

    With `resize`, images get this side in pixels. Every file is read first, so that one message names all bad ones.
    """
    (train, test), classes, problems = _listed(base)
    files = Files.joined([train, test])
    sizes, unreadable = _look_at(files)
    refuse([*problems, *unreadable])
    side, source = float(np.median(sizes.max(axis=1))), f"folder {base.resolve()}"
    if resize is None and side <= MEDIUM:
        _must_be_equal(files, sizes, side)
        resize = int(sizes[0, 0])
    if resize is not None and resize <= SMALL:
        return RawData(in_memory(train, resize), in_memory(test, resize), classes, source)
    return RawData(train, test, classes, source)


def listed_folder(base: Path) -> RawData:
    """The same as files that stay on disk and are not read yet: published data sets can be millions of them."""
    (train, test), classes, problems = _listed(base)
    refuse(problems)
    return RawData(train, test, classes, f"folder {base.resolve()}")


class Listed(NamedTuple):
    """The training and test files of a folder, its classes, and everything that is missing there."""

    parts: tuple[Files, Files]
    classes: tuple[str, ...]
    problems: list[str]


def _listed(base: Path) -> Listed:
    bases = train_and_test(base)
    train, test = ({each.name: images_in(each) for each in folders_in(part)} for part in bases)
    problems = [
        f"{part / name} must hold images, got none"
        for part, images in zip(bases, (train, test), strict=True)
        for name, files in images.items()
        if not len(files)
    ]
    problems += [
        f"{bases[0]} and {bases[1]} must hold the same classes, got {name!r} in one of them only"
        for name in sorted(train.keys() ^ test.keys())
    ]
    return Listed((_files(train), _files(test)), tuple(train), problems)


def _files(images: Mapping[str, np.ndarray]) -> Files:
    labels = np.repeat(np.arange(len(images)), [len(files) for files in images.values()])
    return Files(np.concatenate(list(images.values())), labels)


def refuse(problems: Sequence[str]) -> None:
    """ValueError in one line for all problems, if there are any."""
    if problems:
        more = f"; and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
        raise ValueError("; ".join(problems[:LISTED]) + more)


# ------------------------------------------------------------------------------------------------------- what is there


def train_and_test(base: Path) -> tuple[Path, Path]:
    """The folders of the training and of the test images."""
    tests = [base / name for name in ("test", "val") if (base / name).is_dir()]
    if not (base / "train").is_dir() or not tests:
        raise FileNotFoundError(f"{base} must hold train/ and test/ (or val/) with one folder of images per class")
    if len(tests) > 1:  # silently leaving one out would surprise
        raise ValueError(
            f"{base} must hold either test/ or val/, got both; validation is cut from train/, so move val/ away"
        )
    return base / "train", tests[0]


def class_folders(base: Path) -> tuple[tuple[str, ...], Files]:
    """The classes in alphabetical order and their images."""
    images = {each.name: images_in(each) for each in folders_in(base)}
    refuse([f"{base / name} must hold images, got none" for name, files in images.items() if not len(files)])
    return tuple(images), _files(images)


def folders_in(base: Path) -> list[Path]:
    """The class folders, in alphabetical order."""
    folders = sorted(entry for entry in base.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise ValueError(f"{base} must hold one folder per class, got none")
    return folders


def images_in(class_folder: Path) -> np.ndarray:
    """The paths of a class's image files in alphabetical order, as one array of bytes."""
    files = (os.path.join(base, name) for base, _, names in os.walk(class_folder) for name in names)
    return path_array(sorted(file for file in files if file.lower().endswith(IMAGE_SUFFIXES)))


# --------------------------------------------------------------------------------------------------------------- sizes

Size = tuple[int, int]  # width, height


class Seen(NamedTuple):
    """What reading a file showed: its size, or why it cannot be read."""

    size: Size | None
    problem: str


def _look(path: str) -> Seen:
    """Read a file as a whole; a large JPEG at an eighth of its size, which finds the same damage in less time."""
    try:
        with open_image(path) as image:
            size = image.size
            image.draft("RGB", (max(1, size[0] // 8), max(1, size[1] // 8)))
            image.load()
            return Seen(size, "")
    except UNREADABLE as error:
        return Seen(None, _unreadable(path, error))


def _look_at(files: Files) -> tuple[np.ndarray, list[str]]:
    """Width and height of every image, int32 (N, 2), and what is wrong with those that cannot be read."""
    sizes, problems = np.zeros((len(files), 2), dtype=np.int32), []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # PIL decodes without Python's lock
        for start in range(0, len(files), LOOKED_AT):
            rows = range(start, min(start + LOOKED_AT, len(files)))
            for row, seen in zip(rows, pool.map(lambda row: _look(files.path(row)), rows), strict=True):
                sizes[row] = seen.size or 0
                problems += [seen.problem] if seen.problem else []
    return sizes, problems


def median_side(base: Path) -> float | None:
    """The median of the longer sides of the training images, of some hundred; None where none can be read."""
    try:
        return _median_side(base, (base / "train").stat().st_mtime_ns)
    except (OSError, ValueError):
        return None


@functools.lru_cache(maxsize=8)
def _median_side(base: Path, changed: int) -> float | None:
    files = np.concatenate([images_in(each) for each in folders_in(train_and_test(base)[0])])
    sides = []
    for file in files[:: max(1, len(files) // SAMPLE)]:
        try:
            sides.append(max(_size_of(os.fsdecode(file))))
        except ValueError:  # the loader will list it with all the others
            continue
    return median(sides) if sides else None


def _size_of(path: str) -> Size:
    with open_image(path) as image:
        return image.size


def _must_be_equal(files: Files, sizes: np.ndarray, side: float) -> None:
    """ValueError unless all images are small, square and of one size, with the option that makes them so."""
    advice, longer = resize_advice(side), sizes.max(axis=1)
    width, height = sizes[0].tolist()
    if odd := np.flatnonzero((sizes != sizes[0]).any(axis=1)).tolist():
        raise ValueError(
            f"images with a median side of up to {MEDIUM} pixels must be equally large, got sides of {longer.min()} to "
            f"{longer.max()} (median {side:g}), {tuple(sizes[odd[0]].tolist())} and not {(width, height)}: "
            f"{files.path(odd[0])}; {advice}"
        )
    if width != height:
        raise ValueError(
            f"images of up to {MEDIUM} pixels must be square, got {width}x{height}: {files.path(0)}; {advice}"
        )
    if side > SMALL:
        raise ValueError(
            f"images of up to {MEDIUM} pixels are kept in memory with at most {SMALL} a side, got {side:g}; {advice}, "
            "or --resize 224 to fine-tune a pretrained network"
        )


# -------------------------------------------------------------------------------------------------------------- pixels


def in_memory(part: Split, side: int) -> Images:
    """The images of a part as squares of this side: the shorter side is scaled, the middle of the longer one kept."""
    pixels = np.empty((len(part), side, side, 3), dtype=np.uint8)
    for row in range(len(part)):
        image = Image.fromarray(part.pixels[row]) if isinstance(part, Images) else read_image(part.path(row))
        pixels[row] = np.asarray(ImageOps.fit(image, (side, side), Image.Resampling.BICUBIC))
    return Images(pixels, part.labels)


def small_in_memory(files: Files, size: Size) -> Split:
    """Small images as one array, large ones as they are; `size` is the width and height of the training part's."""
    if max(size) > SMALL:
        return files
    pixels = np.empty((len(files), size[1], size[0], 3), dtype=np.uint8)
    for row in range(len(files)):
        path = files.path(row)
        image = read_image(path)
        if image.size != size:
            raise ValueError(
                f"images of up to {SMALL} pixels must be equally large, got {size} and {image.size}: {path}"
            )
        pixels[row] = np.asarray(image)
    return Images(pixels, files.labels)


def read_image(path: str) -> Image.Image:
    """The image in RGB."""
    with open_image(path) as image:
        try:
            return image.convert("RGB")
        except UNREADABLE as error:
            raise ValueError(_unreadable(path, error)) from error


def open_image(path: str) -> Image.Image:
    """The file opened, its header read."""
    try:
        return Image.open(path)
    except OSError as error:
        raise ValueError(_unreadable(path, error)) from error


def _unreadable(path: str, error: Exception) -> str:
    if str(error).startswith(path):  # said before
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        reason: object = "of no known format"
    else:
        reason = getattr(error, "strerror", None) or error
    return f"{path} is not a readable image: {reason}"
