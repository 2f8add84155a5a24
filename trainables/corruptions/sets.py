"""Corrupted copies of images: made while they are measured, or read from the published archives.

Nothing is kept on disk. A process keeps the sets it has made as long as they are small, so that a worker that evaluates
the same images again does not make them twice.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.corruptions.frost import frost_source
from trainables.corruptions.functions import CORRUPTIONS, REPORTED, corrupt
from trainables.corruptions.severities import CONSTANTS, SEVERITIES, constants_for

Key = tuple[str, int]  # corruption, severity
Block = tuple[Tensor, Tensor]  # pixels uint8 (n, side, side, 3), labels int64 (n,)

KEPT_BYTES = 2**28  # of corrupted images that a process keeps: CIFAR's validation sets fit, its test sets do not
ARCHIVE_BLOCK = 10_000  # images of an archive that are read together


@dataclass(frozen=True)
class CorruptedSets:
    """A stream of corrupted blocks, to be read once. Every set is complete when the stream ends."""

    blocks: Iterator[tuple[Key, Tensor, Tensor]]  # (corruption, severity), pixels, labels
    count: int  # of sets
    source: str  # for a table's footnote: constants, seed and frost pictures, or the archive


def corrupted_sets(
    blocks: Iterable[Block],
    images: int,
    side: int,
    *,
    types: Iterable[str] = REPORTED,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> CorruptedSets:
    """The corrupted sets of `images` square images of a side in pixels, which come in `blocks`."""
    keys = _keys(types, severities)
    constants = next(name for name, table in CONSTANTS.items() if table is constants_for(side))
    source = f"made here with {constants} constants, seed {seed}"
    if any(name == "frost" for name, _ in keys):
        source += f"; frost from {frost_source()}"
    keep = images * side * side * 3 * len(keys) <= KEPT_BYTES
    return CorruptedSets(
        _corrupted(blocks, keys, seed, torch.device(device), source if keep else None), len(keys), source
    )


def _corrupted(
    blocks: Iterable[Block], keys: Sequence[Key], seed: int, device: torch.device, kept_as: str | None
) -> Iterator[tuple[Key, Tensor, Tensor]]:
    """Every block in all its corruptions; with `kept_as` (what decides the bytes beside the images) they are kept."""
    first_index = 0
    for pixels, labels in blocks:
        digest = hashlib.sha256(pixels.cpu().numpy().data).digest() if kept_as else b""
        clean = pixels.to(device)
        for name, severity in keys:
            identity = (kept_as, digest, first_index, device.type, name, severity)
            made = _kept.get(identity) if kept_as else None
            if made is None:
                made = corrupt(clean, name, severity, seed=seed, first_index=first_index)
                if kept_as:
                    _keep(identity, made.cpu())
            yield (name, severity), made, labels
        first_index += len(pixels)


_kept: OrderedDict[Hashable, Tensor] = OrderedDict()  # in the memory of the host, the oldest first


def _keep(identity: Hashable, made: Tensor) -> None:
    """Keep a block; the oldest ones go when there are more than KEPT_BYTES."""
    _kept[identity] = made
    total = sum(each.nbytes for each in _kept.values())
    while total > KEPT_BYTES:
        total -= _kept.popitem(last=False)[1].nbytes


def official_sets(
    folder: str | Path, labels: np.ndarray, *, types: Iterable[str] = REPORTED, severities: Sequence[int] = SEVERITIES
) -> CorruptedSets:
    """The published CIFAR-10-C or CIFAR-100-C: one array for each corruption, five severities in a row.

    `labels` are those of the images to measure, the first ones of the test images; the archive must have the same.
    """
    folder, keys = Path(folder), _keys(types, severities)
    names = dict.fromkeys(name for name, _ in keys)
    missing = [f"{name}.npy" for name in (*names, "labels") if not (folder / f"{name}.npy").is_file()]
    if missing:
        raise ValueError(f"{folder} must hold the published archives, it lacks {', '.join(missing)}")
    count = _archive_images(folder, labels)
    arrays = {name: _archive(folder / f"{name}.npy", count) for name in names}
    return CorruptedSets(_archived(arrays, keys, count, labels), len(keys), f"published archives, {folder}")


def _archive_images(folder: Path, labels: np.ndarray) -> int:
    """How many images the archives of a folder have, whose labels must begin with the given ones."""
    found = _open_archive(folder / "labels.npy")
    count = len(found) // 5 if found.ndim == 1 else 0
    if not count or len(found) % 5 or not np.array_equal(found[:count], found[-count:]):
        raise ValueError(
            f"{folder / 'labels.npy'} must hold the labels of the images five times, got the shape {found.shape}"
        )
    if not np.array_equal(found[:count][: len(labels)], labels):
        raise ValueError(f"{folder} must belong to the test images of this run, but its labels differ")
    return count


def _archive(path: Path, count: int) -> np.ndarray:
    """The memory-mapped array of one corruption, five times `count` images."""
    archive = _open_archive(path)
    if archive.dtype != np.uint8 or archive.ndim != 4 or archive.shape != (5 * count, *archive.shape[1:2] * 2, 3):
        raise ValueError(
            f"{path} must hold uint8 images ({5 * count}, side, side, 3), got {archive.dtype} {archive.shape}"
        )
    return archive


def _open_archive(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} must be a whole .npy file of numbers: {error}") from error


def _archived(
    arrays: dict[str, np.ndarray], keys: Sequence[Key], count: int, labels: np.ndarray
) -> Iterator[tuple[Key, Tensor, Tensor]]:
    """The wanted images of the archives, some thousand at a time."""
    for name, severity in keys:
        wanted = arrays[name][(severity - 1) * count :][: len(labels)]
        for start in range(0, len(labels), ARCHIVE_BLOCK):
            part = slice(start, start + ARCHIVE_BLOCK)
            yield (name, severity), torch.from_numpy(np.array(wanted[part])), torch.from_numpy(labels[part])


def _keys(types: Iterable[str], severities: Sequence[int]) -> list[Key]:
    """Every corruption at every severity, checked."""
    for name in types:
        if name not in CORRUPTIONS:
            raise ValueError(f"unknown corruption {name!r}; known: {', '.join(CORRUPTIONS)}")
    for severity in severities:
        if severity not in SEVERITIES:
            raise ValueError(f"severity must be one of 1, 2, 3, 4, 5, got {severity!r}")
    return [(name, severity) for name in types for severity in severities]
