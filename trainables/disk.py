"""Atomic writes, and where data lie. A kill at any moment leaves the old content of a file or the new one."""

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
    """Open a file that replaces `path` once it is complete and vanishes if writing fails.

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
    """Replace `target` by a hard link to `source`, or by a copy where the file system has no links."""
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
    """A name beside `path` that no other process uses, so that two can write the same file."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")


def remove_unfinished(folder: Path) -> None:
    """Delete the unfinished files that killed processes left in a folder."""
    for path in folder.glob("*.part"):
        path.unlink(missing_ok=True)


def data_folder(root: Path | None = None) -> Path:
    """The folder of data sets: `root`, else $ENTPROP_DATA, else the user's cache."""
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
