"""Object stores: the addresses of their folders, and a study's tables there.

An address is `s3://BUCKET/PREFIX` or anything else that pyarrow opens. Further settings stand behind a question mark,
as in `?endpoint_override=http://HOST:PORT&scheme=http`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

SUFFIXES = (".csv", ".json")
LAST = ("trials.csv", "race.csv", "confirm.csv", "study.json")  # their rows say that the others are complete


def is_url(place: str) -> bool:
    """Whether a place is the address of an object store."""
    return "://" in place


def below(place: str, name: str) -> str:
    """The address or the path of a folder in a folder."""
    if not is_url(place):
        return f"{place}/{name}"
    path, mark, known = place.partition("?")
    return f"{path.rstrip('/')}/{name}{mark}{known}"


def above(place: str) -> tuple[str, str]:
    """The address of the folder that a folder is in, and its name there."""
    path, mark, known = place.partition("?")
    before, _, name = path.rstrip("/").rpartition("/")
    return f"{before}{mark}{known}", name


def opened(place: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    from pyarrow import fs

    found: tuple[Any, str] = fs.FileSystem.from_uri(place)
    return found


def send(folder: Path, place: str, names: Iterable[str]) -> None:
    """Copy files of a folder to an object store."""
    from pyarrow import fs

    system, path = opened(place)
    system.create_dir(path)
    for name in names:
        fs.copy_files(str(folder / name), f"{path}/{name}", fs.LocalFileSystem(), system)


def fetch_study(place: str, folder: Path) -> None:
    """Copy study.json and the tables of a study from an object store into a new folder; ValueError if none is there."""
    from pyarrow import fs

    try:
        system, path = opened(place)
        there = [each.path for each in system.get_file_info(fs.FileSelector(path)) if each.path.endswith(SUFFIXES)]
        if not any(each.endswith("/study.json") for each in there):
            raise ValueError("it holds no study.json")
        folder.mkdir(parents=True)
        for each in there:
            fs.copy_files(each, str(folder / Path(each).name), system, fs.LocalFileSystem())
    except (OSError, ValueError) as error:
        raise ValueError(f"resume must name a study, got {place} ({str(error).splitlines()[0]})") from error


class Copy:
    """A study's tables in an object store, brought up to date file by file."""

    def __init__(self, folder: Path, place: str) -> None:
        self.folder, self.place = folder, place
        self.sent: dict[str, tuple[int, int]] = {}  # time and size of each file as the store has it

    def update(self) -> None:
        """Send what has changed; OSError if the store cannot be reached."""
        names = {path.name for path in self.folder.iterdir() if path.suffix in SUFFIXES}
        for name in (*sorted(names - set(LAST)), *(name for name in LAST if name in names)):
            state = (self.folder / name).stat()
            if self.sent.get(name) != (state.st_mtime_ns, state.st_size):
                send(self.folder, self.place, [name])
                self.sent[name] = state.st_mtime_ns, state.st_size
