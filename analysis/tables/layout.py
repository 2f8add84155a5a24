"""How a table is read: columns, texts, the best in bold and the second underlined, and a caption that says how.

A layout is the same for every writer. Ranks are among the rows of one block; a number of one's own is never ranked
with a printed one.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import NamedTuple

import pandas as pd

from analysis.comparisons.settings import records
from analysis.tables.captions import caption, heading_of, notes_of
from analysis.tables.columns import ALL, COMPARED, COSTS, LONG, NONE, Column, Line
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import title


class Cell(NamedTuple):
    """A text, and whether it is the best (1) or second (2) of its column."""

    text: str
    rank: int = 0


@dataclass(frozen=True)
class Block:
    """Rows that are compared with each other."""

    heading: str
    rows: tuple[tuple[Cell, ...], ...]
    ours: bool = True  # whether more of ours stands in it than vanilla and mixup alone


@dataclass(frozen=True)
class Layout:
    """A table as it is shown."""

    name: str
    title: str
    header: tuple[str, ...]
    blocks: tuple[Block, ...]
    caption: str
    notes: tuple[str, ...] = ()


def layout(name: str, frame: pd.DataFrame, wanted: Collection[str] = ()) -> Layout:
    """A table of `TABLES` with its columns, or the wanted ones; those in which nothing stands are left away."""
    lines, reasons = _lettered(records(frame))
    columns = {"cost": ALL, "entprop/1": COSTS, "mixprop/4": COSTS}.get(name, LONG if name in BESIDE else COMPARED)
    columns = tuple(c for c in columns if not wanted or c.header in wanted)
    shown = [c for c in columns if any(c.text(line) != NONE for line in lines)] or list(columns[:1])
    blocks = [_block(heading, group, shown) for heading, group in _groups(name, lines).items()]
    notes = (*reasons, *notes_of(lines))
    return Layout(name, title(name), tuple(c.header for c in shown), tuple(blocks), caption(name, lines), notes)


def _lettered(lines: list[Line]) -> tuple[list[Line], list[str]]:
    """The rows with a letter for why the protocol is not the same, and what the letters mean.

    Most rows of a table share one reason, which in each of them would take more room than all numbers.
    """
    found = dict.fromkeys(line["why_not"] for line in lines if line.get("why_not"))
    letters = {reason: _letter(number) for number, reason in enumerate(found)}
    lettered = [{**line, "letter": letters.get(line.get("why_not"), "")} for line in lines]
    return lettered, [f"({letter}) {reason}." for reason, letter in letters.items()]


def _letter(number: int) -> str:
    """a to z, then aa and so on."""
    higher, here = divmod(number, len(ascii_lowercase))
    return (_letter(higher - 1) if higher else "") + ascii_lowercase[here]


def _groups(name: str, lines: Sequence[Line]) -> dict[str, list[Line]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(heading_of(name, line), []).append(line)
    ours = {key: [line for line in group if line.get("dataset")] for key, group in groups.items()}
    return {_with_ours(name, key, ours[key]): group for key, group in groups.items()}


def _with_ours(name: str, heading: str, ours: Sequence[Line]) -> str:
    if not ours or name == "cost":
        return heading
    return f"{heading}; ours: " + ", ".join(dict.fromkeys(f"{line['dataset']} with {line['model']}" for line in ours))


def _block(heading: str, lines: Sequence[Line], columns: Sequence[Column]) -> Block:
    ranks = {c.ranked: ranks_of(c.ranked, lines) for c in columns if c.ranked}
    rows = [
        tuple(Cell(c.text(line), ranks[c.ranked][index] if c.ranked else 0) for c in columns)
        for index, line in enumerate(lines)
    ]
    return Block(heading, tuple(rows), any(is_ours(line) for line in lines))


def is_ours(line: Line) -> bool:
    """Whether a row holds something of ours that is no baseline."""
    label = line.get("label") or ""
    if line.get("seeds") in (None, 0):
        return False
    return "Vanilla" not in label and label not in ("Mixup", "Mixup alone")


def ranks_of(name: str, lines: Sequence[Line]) -> list[int]:
    """1 for what is bold, 2 for what is underlined, 0 for all else.

    Of our numbers the best is bold, and with it what is not shown to be worse; nothing is, where that is all of them.
    Of printed numbers, whose spread is not known, the largest is bold and the second underlined.
    """
    if not name.startswith("published_"):
        return [int(bool(line.get(f"{name}_best"))) for line in lines]
    values = [line.get(name) for line in lines]
    shown = [None if value is None else round(value, 2) for value in values]
    order = sorted({value for value in shown if value is not None}, reverse=True)[:2]
    if len(order) < 2:
        return [0] * len(values)
    return [order.index(value) + 1 if value in order else 0 for value in shown]
