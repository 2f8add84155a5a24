"""The lock of a study's folder: two processes that write the same tables would spoil them."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Inside, no other process can run the study in this folder, which is made if it is missing.

    The lock ends with its process, however that ends. ValueError if another process holds it. A mount without locks
    (ENOLCK, ENOSYS) is used with a warning: a cluster's shared file system may be the only place that all machines see.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ValueError(f"another process is running the study in {folder}; stop it first") from None
            except OSError as error:
                print(f"warning: {folder} cannot be locked ({error}); run this study only once", file=sys.stderr)
        yield
