"""The folders of trials: below the study, on a path that all machines share, or in an object store.

For an object store (`s3://BUCKET/PREFIX`, anything that pyarrow's file systems open) the worker keeps a copy on its own
disk and uploads it after each epoch: rows first, then the state, as a run's folder writes them. Tables for figures are
uploaded when they have been measured.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pyarrow import fs

from study.config.study_config import Study
from study.files.store import below, is_url
from study.workers.jobs import Job, Row
from study.workers.listener import Listener

CHECKPOINTS = {"last": "checkpoint.pt", "best": "best.pt"}
FILES = ("config.json", "epochs.csv", "selected.npy", "checkpoint.pt", "best.pt")


def base_of(out: str, storage: str | None) -> str:
    """The folder of all trials of a study; shared storage has a folder for each study."""
    if storage is None:
        return str(Path(out, "checkpoints").absolute())
    name = Path(out).resolve().name
    return below(storage, name) if is_url(storage) else str(Path(storage, name).absolute())


def keeping(study: Study) -> dict[str, Any]:
    """What a job is told of its checkpoints."""
    return {"send_every": study.checkpoint_every, "keep": study.keep}


def check_writable(place: str) -> None:
    """ValueError unless a file can be written there and removed; a missing folder is made."""
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
    except (OSError, ValueError) as error:  # pyarrow raises ValueError for what it cannot open
        reason = str(error).splitlines()[0]
        raise ValueError(f"storage must be writable, got {place} ({reason})") from error


def not_kept(keep: str) -> list[str]:
    """The files of checkpoints that go once a run has ended."""
    return [name for kind, name in CHECKPOINTS.items() if keep not in ("both", kind)]


def tidy(place: str, keep: str) -> None:
    """Remove the checkpoints of a run that has ended from its folder or object store, but those that are kept."""
    system, path = fs.FileSystem.from_uri(place) if is_url(place) else (fs.LocalFileSystem(), place)
    for name in not_kept(keep):
        if system.get_file_info(f"{path}/{name}").is_file:
            system.delete_file(f"{path}/{name}")


class Tidying(Listener):
    """Removes the checkpoints of trials that were stopped early: their workers may think that they only pause."""

    def on_end(self, phase: str, job: Job, row: Row) -> None:
        if row.get("status") == "stopped":
            with contextlib.suppress(OSError):  # a store that cannot be reached keeps them
                tidy(job.folder, job.keep)


class WorkFolder:
    """The local folder of a job, `path`; `send` uploads it if the job's folder is in an object store."""

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
        """Upload files to the object store, if there is one."""
        if self.system is None:
            return
        self.system.create_dir(self.remote)
        for name in names:
            if (self.path / name).exists():
                fs.copy_files(str(self.path / name), f"{self.remote}/{name}", fs.LocalFileSystem(), self.system)

    def tidy(self, keep: str) -> None:
        """Remove the checkpoints of a run that has ended, but those that are kept."""
        for name in not_kept(keep):
            (self.path / name).unlink(missing_ok=True)
        tidy(self.place, keep)

    def clear(self) -> None:
        """Remove files that cannot be read, so that the job starts again."""
        for name in FILES:
            (self.path / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Remove the local copy of an object store."""
        if self.system is not None:
            shutil.rmtree(self.path, ignore_errors=True)
