"""How a study says that it cannot begin or go on; light, so that the command line answers at once."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


class InputError(ValueError):
    """Options, data, an address or a folder must be changed; nothing was written. The message is one line."""


class StudyFailed(RuntimeError):
    """A study could not go on; the message is the last line of what happened, the rest is in driver.log.

    `folder` is the study's folder if `--resume` can continue it.
    """

    def __init__(self, message: str, folder: Path | None = None) -> None:
        super().__init__(message)
        self.folder = folder


class Interrupted(KeyboardInterrupt):
    """Ctrl-C ended a study in good order; the message holds the command that resumes it."""


@contextlib.contextmanager
def reading_input() -> Iterator[None]:
    """Inside, a ValueError or OSError means that the input is wrong, and becomes an InputError."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise InputError(" ".join(str(error).split("\n"))) from error


def last_line(error: BaseException) -> str:
    """The kind of an exception and the last line of its text."""
    if isinstance(error, FileNotFoundError) and error.filename is None:  # of os.getcwd
        return "FileNotFoundError: the working directory of the study was deleted"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[-1].strip()}" if lines else type(error).__name__
