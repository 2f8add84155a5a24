"""Writing a file so that a kill at any moment leaves the old content or the new one; standard library only."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: Path, to_disk: bool = True) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when it is complete, and leaves nothing behind when it is not.

    With `to_disk` it also survives a loss of power, which takes some milliseconds.
    """
    unfinished = _unfinished(path)
    try:
        with open(unfinished, "wb") as file:
            yield file
            file.flush()
            if to_disk:
                os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, text: str, to_disk: bool = True) -> None:
    """Replace a file in one piece."""
    with replacing(path, to_disk) as file:
        file.write(text.encode())


def replace_by_link(source: Path, target: Path) -> None:
    """Give a file a second name that stays with its present content, in place of the file that had that name."""
    unfinished = _unfinished(target)
    try:
        try:
            os.link(source, unfinished)
        except OSError:  # a file system without links
            shutil.copyfile(source, unfinished)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)  # where both were names of one file, replacing does nothing


def _unfinished(path: Path) -> Path:
    """A name beside a file that no other process takes: of two that write the same file, each completes its own."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")


def remove_unfinished(folder: Path) -> None:
    """Take away what killed processes left half written in a folder that is ours to write."""
    for path in folder.glob("*.part"):
        path.unlink(missing_ok=True)


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
