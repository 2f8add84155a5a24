"""Text for screens of any width: rows of cells in columns, and sentences in lines.

In a terminal everything fits its width, in a file tables are as wide as they are. COLUMNS sets the width of both.
"""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 118  # of a line of text in a file, in characters
LEAST = 40


def screen_width() -> int | None:
    """The width of the terminal, or what COLUMNS says; None where the output goes into a file."""
    if not os.environ.get("COLUMNS", "").isdecimal() and not (sys.stdout and sys.stdout.isatty()):
        return None
    return max(LEAST, shutil.get_terminal_size().columns)


def text_width() -> int:
    """The width of a line of text."""
    return min(screen_width() or WIDTH, WIDTH)


def in_lines(sentence: str) -> str:
    """A sentence in lines of the terminal's width, in one line in a file."""
    width = screen_width()
    return sentence if width is None else textwrap.fill(sentence, width, break_long_words=False, break_on_hyphens=False)


def shortened(text: str, width: int | None) -> str:
    """The text, its end cut off where it is longer."""
    return text if width is None or len(text) <= width else text[: width - 1] + "…"


def aligned(rows: Sequence[Sequence[str]], numbers: bool = False) -> str:
    """One line per row, columns two blanks apart and flush left; with `numbers`, all but the first are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    others = str.rjust if numbers else str.ljust
    pads = [str.ljust, *[others] * (len(widths) - 1)]
    lines = [[pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join(cells).rstrip() for cells in lines)


def fitted(
    rows: Sequence[Sequence[str]], dispensable: Iterable[str] = (), numbers: bool = False, width: int | None = None
) -> str:
    """`aligned` within a width, by default the terminal's: if need be, the first cell of a row gets a line of its own
    above the others, and the columns with a dispensable heading are left out, one after the other."""
    width, text = width or screen_width(), aligned(rows, numbers)
    if width is None or _widest(text) <= width:
        return text
    left, stacked = [list(row) for row in rows], _stacked(rows, numbers, width)
    for heading in dispensable:
        if _widest(stacked) <= width:
            break
        if heading in left[0]:
            place = left[0].index(heading)
            left = [[*row[:place], *row[place + 1 :]] for row in left]
        stacked = _stacked(left, numbers, width)
    return "\n".join(shortened(line, width) for line in stacked.splitlines())


def _stacked(rows: Sequence[Sequence[str]], numbers: bool, width: int) -> str:
    """The first cell of each row above the others, which are indented."""
    others = aligned([["", *row[1:]] for row in rows], numbers).splitlines()
    lines = [rows[0][0], others[0]]
    for row, cells in zip(rows[1:], others[1:], strict=True):
        lines += [row[0], cells]
    return "\n".join(line for line in lines if line.strip())


def _widest(text: str) -> int:
    return max(map(len, text.splitlines()), default=0)
