"""Rows of cells as text in columns, for every screen of a study."""

from collections.abc import Sequence

WIDTH = 118  # of a line of text, in characters


def aligned(rows: Sequence[Sequence[str]], numbers: bool = False) -> str:
    """One line per row, columns two blanks apart and flush left; with `numbers`, all but the first are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    others = str.rjust if numbers else str.ljust
    pads = [str.ljust, *[others] * (len(widths) - 1)]
    lines = [[pad(cell, width) for pad, cell, width in zip(pads, row, widths, strict=True)] for row in rows]
    return "\n".join("  ".join(cells).rstrip() for cells in lines)
