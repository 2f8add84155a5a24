"""Corrupted copies of a set of images, made once and shared as memory-mapped files, or the published archives.

A cache entry is two files, `fog-3.npy` and `fog-3.json` (checksum and origin), in a folder named after everything that
decides its bytes. Each is written beside its place and renamed into it. Whoever makes an entry holds an operating-
system lock on it, which is gone when its process is, however it ended; others make the remaining entries meanwhile,
then wait.
"""

import errno
import hashlib
import io
import json
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from trainables.corruptions import filters, frost, functions, jpeg, resampling, rng
from trainables.corruptions.frost import frost_source
from trainables.corruptions.functions import CORRUPTIONS, REPORTED, corrupt
from trainables.corruptions.severities import CONSTANTS, SEVERITIES, Table, constants_for
from trainables.disk import cache_folder, write_atomically

Key = tuple[str, int]  # corruption, severity
Progress = Callable[[int, int, str], None]  # images done, images to make, what is being made


@dataclass(frozen=True)
class CorruptedSets(Mapping[Key, np.ndarray]):
    """Read-only uint8 arrays (n, side, side, 3) by (corruption, severity)."""

    arrays: Mapping[Key, np.ndarray]
    source: str  # for a table's footnote: constants and seed, or the archive; and the pictures of frost
    labels: np.ndarray | None = None  # of the archives; sets made here keep the labels of their images

    def __getitem__(self, key: Key) -> np.ndarray:
        if key not in self.arrays:
            raise KeyError(
                f"no corrupted set {key!r}; known: {', '.join(f'{name}-{level}' for name, level in self.arrays)}"
            )
        return self.arrays[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


def corrupted_sets(
    images: np.ndarray,
    *,
    digest: str | None = None,
    types: Sequence[str] = REPORTED,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    constants: str | Table | None = None,
    frost_dir: str | None = None,
    cache_dir: str | Path | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
) -> CorruptedSets:
    """The corrupted sets of uint8 images (n, side, side, 3), from the cache where they are whole, else made now.

    `digest` names the images when their checksum is known already; `progress` is told how far the making is.
    """
    entries = _entries(
        images, digest, types, severities, seed, constants, frost_dir, Path(cache_dir or cache_folder() / "corrupted")
    )
    missing = [entry for entry in entries if not entry.is_whole()]
    if missing:
        _require_space(missing[0].file.parent, len(missing), missing[0].size)
        _make(missing, images, device, progress or (lambda done, total, what: None))
    arrays = {(entry.name, entry.severity): np.load(entry.file, mmap_mode="r", allow_pickle=False) for entry in entries}
    return CorruptedSets(
        arrays, max((entry.source for entry in entries), key=len)
    )  # the one that also names frost's pictures


def official_sets(
    folder: str | Path, *, types: Sequence[str] = REPORTED, severities: Sequence[int] = SEVERITIES
) -> CorruptedSets:
    """The published CIFAR-10-C or CIFAR-100-C: one array for each corruption, five severities in a row."""
    folder = Path(folder)
    _check_names(types, severities)
    missing = [name for name in (*types, "labels") if not (folder / f"{name}.npy").is_file()]
    if missing:
        raise ValueError(
            f"{folder} must hold the published archives, it lacks {', '.join(f'{name}.npy' for name in missing)}"
        )
    labels = _load_archive(folder / "labels.npy")
    if (
        labels.ndim != 1
        or len(labels) % 5
        or not np.array_equal(labels[: len(labels) // 5], labels[-(len(labels) // 5) :])
    ):
        raise ValueError(
            f"{folder / 'labels.npy'} must hold the labels of the images five times, got the shape {labels.shape}"
        )
    count = len(labels) // 5
    arrays = {}
    for name in types:
        archive = _load_archive(folder / f"{name}.npy")
        wanted = (5 * count, *archive.shape[1:2] * 2, 3)
        if archive.dtype != np.uint8 or archive.shape != wanted or archive.ndim != 4:
            raise ValueError(
                f"{folder / name}.npy must hold uint8 images ({5 * count}, side, side, 3), "
                f"got {archive.dtype} {archive.shape}"
            )
        arrays.update({(name, severity): archive[(severity - 1) * count : severity * count] for severity in severities})
    return CorruptedSets(arrays, f"published archives, {folder}", np.array(labels[:count]))


# --- entries ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    """One corrupted set in the cache."""

    folder: Path
    name: str
    severity: int
    shape: tuple[int, ...]
    seed: int
    table: Table
    frost_dir: str | None
    source: str

    @property
    def label(self) -> str:
        return f"{self.name}-{self.severity}"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.label}.npy"

    @property
    def note(self) -> Path:
        return self.folder / f"{self.label}.json"

    @property
    def size(self) -> int:
        return int(np.prod(self.shape)) + 128

    def is_whole(self) -> bool:
        """Both files are there and agree. A process reads the bytes once; later it looks at size and time."""
        try:
            state = self.file.stat()
            stamp = (state.st_ino, state.st_size, state.st_mtime_ns)
            if _seen_whole.get(self.file) == stamp:
                return True
            if json.loads(self.note.read_text())["crc32"] != _file_checksum(self.file):
                return False
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False
        _seen_whole[self.file] = stamp
        return True


_seen_whole: dict[Path, tuple[int, int, int]] = {}


def _entries(
    images: np.ndarray,
    digest: str | None,
    types: Sequence[str],
    severities: Sequence[int],
    seed: int,
    constants: str | Table | None,
    frost_dir: str | None,
    root: Path,
) -> list[_Entry]:
    _check_images(images)
    _check_names(types, severities)
    table = constants_for(images.shape[1], constants)
    data = digest or hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()
    label = next((name for name, known in CONSTANTS.items() if known is table), "own")
    base = f"made here with {label} constants, seed {seed}"
    entries = []
    for name in types:
        pictures = f"; frost from {frost_source(frost_dir)}" if name == "frost" else ""
        identity = [data, list(images.shape), seed, table[name], pictures, _code_checksum()]
        folder = root / hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:24]
        for severity in severities:
            entries.append(_Entry(folder, name, severity, images.shape, seed, table, frost_dir, base + pictures))
    return entries


def _check_images(images: np.ndarray) -> None:
    square = images.ndim == 4 and images.shape[1] == images.shape[2] and images.shape[3] == 3
    if images.dtype != np.uint8 or not square or not len(images):
        raise ValueError(f"images must be uint8 of the shape (n, side, side, 3), got {images.dtype} {images.shape}")


def _check_names(types: Sequence[str], severities: Sequence[int]) -> None:
    for name in types:
        if name not in CORRUPTIONS:
            raise ValueError(f"unknown corruption {name!r}; known: {', '.join(CORRUPTIONS)}")
    for severity in severities:
        if severity not in SEVERITIES:
            raise ValueError(f"severity must be one of 1, 2, 3, 4, 5, got {severity!r}")
    if not types or not severities:
        raise ValueError(f"types and severities must not be empty, got {types!r} and {severities!r}")


def _code_checksum() -> str:
    """Of the code that makes the images: an edited corruption never meets the files of its predecessor."""
    parts = (functions, rng, frost, filters, jpeg, resampling)
    return hashlib.sha256(b"".join(Path(str(part.__file__)).read_bytes() for part in parts)).hexdigest()


def _file_checksum(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(2**22):
            checksum = zlib.crc32(block, checksum)
    return checksum


def _load_archive(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} must be a whole .npy file of numbers: {error}") from error


# --- making -----------------------------------------------------------------------------------------------------------


def _make(missing: Sequence[_Entry], images: np.ndarray, device: str, progress: Progress) -> None:
    """Make what nobody else is making, then wait for the others, and make what they left undone."""
    total, done = len(missing) * len(images), 0
    left, wait = list(missing), False
    while left:
        busy = []
        for entry in left:
            with _clear_when_full(entry), _lock_of(entry, wait=wait) as held:
                if not held:
                    busy.append(entry)
                    continue
                if not entry.is_whole():
                    for made in _make_entry(entry, images, device):
                        progress(done + made, total, entry.label)
            done += len(images)
            progress(done, total, entry.label)
        left, wait = busy, True


def _make_entry(entry: _Entry, images: np.ndarray, device: str) -> Iterator[int]:
    """Yields the number of images written so far."""
    unfinished = entry.file.with_suffix(
        ".npy.part"
    )  # one left behind by a killed process is overwritten: its lock is ours
    for left in entry.folder.glob(f"{entry.note.name}.*.part"):
        left.unlink(missing_ok=True)
    try:
        with unfinished.open("wb") as file:
            checksum = 0
            for block, count in _blocks(entry, images, device):
                checksum = zlib.crc32(block, checksum)
                file.write(block)
                yield count
            file.flush()
            os.fsync(file.fileno())
        note = {"crc32": checksum, "shape": entry.shape, "corruption": entry.label, "source": entry.source}
        write_atomically(entry.note, json.dumps(note, indent=1))
        unfinished.replace(entry.file)
        _sync_folder(entry.folder)
    finally:
        unfinished.unlink(missing_ok=True)


def _blocks(entry: _Entry, images: np.ndarray, device: str) -> Iterator[tuple[bytes | memoryview, int]]:
    """The bytes of the file, piece by piece, and how many images they complete."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": entry.shape})
    yield header.getvalue(), 0
    at_once = max(1, 2**25 // images[0].size)
    for start in range(0, len(images), at_once):
        part = torch.from_numpy(np.array(images[start : start + at_once])).to(device)
        made = corrupt(
            part,
            entry.name,
            entry.severity,
            seed=entry.seed,
            first_index=start,
            constants=entry.table,
            frost_dir=entry.frost_dir,
        )
        yield made.cpu().contiguous().numpy().data, start + len(part)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # so that the new name survives a power cut; elsewhere folders cannot be synchronised
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


# --- space and locks --------------------------------------------------------------------------------------------------

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _require_space(folder: Path, count: int, size: int) -> None:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    if shutil.disk_usage(existing).free < count * size:
        raise _no_space(folder, count * size)


def _no_space(folder: Path, size: int) -> OSError:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(existing).free
    return OSError(
        errno.ENOSPC,
        f"the corrupted images need {size / 1e6:.1f} MB in {folder.parent}, where {free / 1e6:.1f} MB can be had; "
        "free some or set ENTPROP_CACHE to a folder on a larger disk",
    )


@contextmanager
def _clear_when_full(entry: _Entry) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise _no_space(entry.folder, entry.size) from error
        raise


@contextmanager
def _lock_of(entry: _Entry, *, wait: bool) -> Iterator[bool]:
    """An exclusive lock that the operating system lets go when its process ends; yields whether it was had."""
    entry.folder.mkdir(parents=True, exist_ok=True)
    with (entry.folder / f".{entry.label}.lock").open("a+b") as file:
        held = _try_lock(file, wait)
        try:
            yield held
        finally:
            if held:
                _unlock(file)


if sys.platform == "win32":
    import msvcrt
    import time

    def _try_lock(file: BinaryIO, wait: bool) -> bool:
        while True:
            try:
                file.seek(0)
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False
                time.sleep(0.1)

    def _unlock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: BinaryIO, wait: bool) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
