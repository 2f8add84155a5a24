"""Where the folders of trials lie: below the study, on a path that all machines share, or in an object store.

A folder in an object store (`s3://BUCKET/PREFIX`, anything that pyarrow's file systems open) is worked on in a copy on
the worker's own disk, which is sent there after each epoch: rows first, then the state, as a run's folder writes them.
What a figure is drawn from follows when it has been measured.
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyarrow import fs

FILES = ("config.json", "epochs.csv", "selected.npy", "checkpoint.pt", "best.pt")


def base_of(out: str, storage: str | None) -> str:
    """The place of all of a study's trials; a shared one holds many studies, so it gets a folder for each."""
    if storage is None:
        return str(Path(out, "checkpoints").absolute())
    name = Path(out).resolve().name
    return f"{storage.rstrip('/')}/{name}" if is_url(storage) else str(Path(storage, name).absolute())


def is_url(place: str) -> bool:
    """Whether a place is an address of an object store rather than a path."""
    return "://" in place


def check_writable(place: str) -> None:
    """ValueError unless a file can be written there and taken away again; a folder is made if it is missing."""
    try:
        if is_url(place):
            system, path = fs.FileSystem.from_uri(place)
            system.create_dir(path)
            probe = f"{path}/.probe"
            with system.open_output_stream(probe) as file:
                file.write(b"entprop")
            system.delete_file(probe)
        else:
            Path(place).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=place):
                pass
    except (OSError, ValueError) as error:  # pyarrow says what it cannot open as ValueError
        reason = str(error).splitlines()[0]
        raise ValueError(f"storage must be a place that can be written, got {place} ({reason})") from error


class WorkFolder:
    """The folder that a job works in, `path`; `send` brings what changed to where the job's folder really is."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.system: Any = None
        self.path = Path(place)
        if is_url(place):
            self.system, self.remote = fs.FileSystem.from_uri(place)
            self.path = Path(tempfile.mkdtemp(prefix="entprop-"))
            self._fetch()

    def _fetch(self) -> None:
        for name in FILES:
            if self.system.get_file_info(f"{self.remote}/{name}").type == fs.FileType.File:
                fs.copy_files(f"{self.remote}/{name}", str(self.path / name), self.system, fs.LocalFileSystem())

    def send(self, names: Iterable[str] = FILES) -> None:
        """Bring files to their place; nothing to do where they already are."""
        if self.system is None:
            return
        self.system.create_dir(self.remote)
        for name in names:
            if (self.path / name).exists():
                fs.copy_files(str(self.path / name), f"{self.remote}/{name}", fs.LocalFileSystem(), self.system)

    def clear(self) -> None:
        """Take away what cannot be read, so that the job starts anew."""
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Take the local copy away."""
        if self.system is not None:
            shutil.rmtree(self.path, ignore_errors=True)
