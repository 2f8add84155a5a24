"""How a program ends quietly: a reader of its output that went away, and SIGTERM."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator


def forget_output() -> None:
    """Let what is still to be written vanish: `| head` has closed the pipe, and Python would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Inside, SIGTERM does what Ctrl-C does. Ray installs a handler of its own, so this is entered after it started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: os.kill(os.getpid(), signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
