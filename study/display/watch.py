"""`show DIR --watch`: the text of a study, again and again until the study ends.

In a terminal it is drawn in place, on the screen that editors use, so that nothing scrolls away. Into a file or a pipe
go plain texts, one whenever the study has written something.
"""

import contextlib
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from study.display.show import show_study
from study.ending import terminable
from study.errors import reading_input
from study.files.results import Results

EVERY_S = 3.0
ENTER = "\033[?1049h\033[?25l\033[?7l"  # another screen, no cursor, lines cut off at the right
LEAVE = "\033[?7h\033[?25h\033[?1049l"
HOME, REST_OF_LINE, REST_OF_SCREEN = "\033[H", "\033[K", "\033[J"


def wait_for_next(seconds: float) -> None:
    """Sleep; BrokenPipeError as soon as the reader of the output has gone."""
    if not hasattr(select, "poll"):  # Windows
        time.sleep(seconds)
        return
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if output.poll(1000 * seconds):
        raise BrokenPipeError


def watch(folder: Path | str, wait: Callable[[float], None] = wait_for_next) -> None:
    """Show a study until it has ended; Ctrl-C and SIGTERM leave the last text on the screen."""
    with contextlib.suppress(KeyboardInterrupt), terminable():
        if sys.stdout.isatty():
            _in_place(Path(folder), wait)
        else:
            _one_below_the_other(Path(folder), wait)


def _in_place(folder: Path, wait: Callable[[float], None]) -> None:
    text = ""
    try:
        with _own_screen(sys.stdout):
            running = True
            while running:
                running, text = _read(folder)
                print(_frame(text, shutil.get_terminal_size().lines), end="", flush=True)
                if running:
                    wait(EVERY_S)
    finally:
        if text:
            print(text)


def _one_below_the_other(folder: Path, wait: Callable[[float], None]) -> None:
    shown: dict[str, int] = {}
    while True:
        written = _written(folder)
        running, text = _read(folder)
        if written != shown:
            print("\n" * bool(shown) + text, flush=True)
            shown = written
        if not running:
            return
        wait(EVERY_S)


@contextlib.contextmanager
def _own_screen(stream: TextIO) -> Iterator[None]:
    print(ENTER, end="", file=stream, flush=True)
    try:
        yield
    finally:
        print(LEAVE, end="", file=stream, flush=True)


def _frame(text: str, height: int) -> str:
    """What draws a text over the one before: as many lines as the terminal has, the last of them says what to press."""
    lines, room = text.splitlines(), height - 1
    below = len(lines) - room
    last = f"{below} more lines below, enlarge the window; " if below > 0 else ""
    drawn = [f"{line}{REST_OF_LINE}" for line in [*lines[:room], f"{last}every {EVERY_S:g} s, Ctrl-C ends"]]
    return HOME + "\n".join(drawn) + REST_OF_SCREEN


def _read(folder: Path) -> tuple[bool, str]:
    """Whether the study runs, and its text; what it wrote before its end is in the last one."""
    with reading_input():
        running = Results(folder).read_study().get("state") == "running"
        return running, show_study(folder)


def _written(folder: Path) -> dict[str, int]:
    """When each table, and study.json, was last written."""
    return {path.name: os.stat(path).st_mtime_ns for path in [*sorted(folder.glob("*.csv")), folder / "study.json"]}
