"""A published table as the report shows it: our rows first, then the printed ones in a block of the same columns."""

from collections.abc import Callable, Sequence

import pandas as pd

from analysis.comparisons.settings import data_name, records
from analysis.inputs.published import NAMES
from analysis.tables.captions import notes_of
from analysis.tables.columns import COMPARED, LONG, NONE, Line
from analysis.tables.layout import Block, Cell, Layout, is_ours, ranks_of
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import title
from study.config.budget import format_cost

LEAST_ROWS = 3  # of ours that are no baselines, or half of all such rows: fewer are no table
TEXT = {column.header: column.text for column in COMPARED}
LONG_TEXT = {column.header: column.text for column in LONG}
Texts = tuple[str, Callable[[Line], str], str, Callable[[Line], str], str]


def _none(_: Line) -> str:
    return NONE


# Header; text and rank of ours; text and rank of a printed row.
COLUMNS: tuple[Texts, ...] = (
    ("row", TEXT["row"], "", TEXT["row"], ""),
    ("cost / N", TEXT["cost / N"], "", TEXT["printed cost"], ""),
    ("seeds", TEXT["seeds"], "", _none, ""),
    ("SA", TEXT["SA"], "sa", TEXT["printed SA"], "published_sa"),
    ("RA", TEXT["RA"], "ra", TEXT["printed RA"], "published_ra"),
    ("H", TEXT["H"], "h", TEXT["printed H"], "published_h"),
    ("PGD-20", TEXT["PGD-20"], "pgd20", TEXT["printed PGD-20"], "published_pgd20"),
    ("− Vanilla", TEXT["− Vanilla"], "", TEXT["printed − Vanilla"], ""),
    ("− Mixup", TEXT["− Mixup"], "", _none, ""),
    ("− printed", TEXT["difference"], "", _none, ""),
)
LONG_COLUMNS: tuple[Texts, ...] = (
    ("row", LONG_TEXT["row"], "", LONG_TEXT["row"], ""),
    ("quantity", LONG_TEXT["quantity"], "", LONG_TEXT["quantity"], ""),
    ("cost / N", LONG_TEXT["cost / N"], "", _none, ""),
    ("seeds", LONG_TEXT["seeds"], "", _none, ""),
    ("images", LONG_TEXT["images"], "", _none, ""),
    ("value", LONG_TEXT["ours"], "", LONG_TEXT["printed"], ""),
    ("− printed", LONG_TEXT["difference"], "", _none, ""),
)


def measured_enough(frame: pd.DataFrame) -> bool:
    """Whether at least three of our rows or half of them are measured, baselines aside."""
    lines = records(frame)
    ours = {line["label"] for line in lines if is_ours(line)}
    wanted = {line["label"] for line in lines if is_ours({**line, "seeds": 1})}
    return len(ours) >= min(LEAST_ROWS, max(2, len(wanted) / 2))


def has_printed(frame: pd.DataFrame) -> bool:
    """Whether a number is printed in some row of a table."""
    return any(_is_printed(line) for line in records(frame))


def ours_first(name: str, frame: pd.DataFrame) -> Layout:
    """The table of our rows and, below, of what is printed beside them; all that is printed where we have no rows."""
    lines = records(frame)
    columns = LONG_COLUMNS if name in BESIDE else COLUMNS
    blocks: list[tuple[str, list[Line], bool]] = []
    for place in dict.fromkeys(map(_place, list(filter(_is_measured, lines)) or lines)):
        here = [line for line in lines if _place(line) == place]
        ours = [line for line in here if _is_measured(line)]
        blocks += [(_ours_heading(where, ours), _of(where, ours), True) for where in dict.fromkeys(map(_where, ours))]
        printed = [line for line in here if _is_printed(line)]
        distinct = {(line["label"], line.get("quantity")): line for line in printed}
        if distinct:
            blocks.append(
                (f"Printed: {', '.join(NAMES.get(part, part) for part in place)}", list(distinct.values()), False)
            )
    cells = [[_cells(column, several, ours) for column in columns] for _, several, ours in blocks]
    kept = [i for i in range(len(columns)) if any(cell.text != NONE for block in cells for cell in block[i])]
    found = [
        Block(heading, tuple(zip(*(block[i] for i in kept), strict=True)), ours)
        for (heading, _, ours), block in zip(blocks, cells, strict=True)
    ]
    shown = list({id(line): line for _, several, _ in blocks for line in several}.values())
    return Layout(
        name, title(name), tuple(columns[i][0] for i in kept), tuple(found), "", (*_protocols(shown), *notes_of(shown))
    )


def _cells(column: Texts, lines: Sequence[Line], ours: bool) -> list[Cell]:
    _, mine, my_rank, theirs, their_rank = column
    text, rank = (mine, my_rank) if ours else (theirs, their_rank)
    ranks = ranks_of(rank, lines) if rank else [0] * len(lines)
    return [Cell(text(line), each) for line, each in zip(lines, ranks, strict=True)]


def _place(line: Line) -> tuple[str, str]:
    return line["published_dataset"], line["published_model"]


def _where(line: Line) -> tuple[object, ...]:
    return line["dataset"], line["model"], line["epochs"], line["lr"]


def _of(where: tuple[object, ...], lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if _where(line) == where]


def _ours_heading(where: tuple[object, ...], lines: Sequence[Line]) -> str:
    costs = sorted({line["cost"] * line["epochs"] for line in _of(where, lines)})
    spent = format_cost(round(costs[0])) + (f" to {format_cost(round(costs[-1]))}" if len(costs) > 1 else "")
    return f"Ours: {data_name(str(where[0]))}, {where[1]}, {where[2]} epochs ({spent} per run)"


def _is_measured(line: Line) -> bool:
    return bool(line.get("seeds")) and line.get("dataset") is not None


def _is_printed(line: Line) -> bool:
    return any(line.get(name) is not None for name in ("published_sa", "published_h", "published_pgd20", "published"))


def _protocols(lines: Sequence[Line]) -> list[str]:
    """In what our training differs from the published one, once for all rows that share it."""
    reasons: dict[str, dict[str, list[str]]] = {}  # by data set
    for line in lines:
        if line.get("why_not"):
            reasons.setdefault(line["dataset"], {}).setdefault(line["why_not"], []).append(line["label"])
    said = []
    for found in reasons.values():
        for reason, labels in found.items():
            rows = f", {'; '.join(dict.fromkeys(labels))}" if len(found) > 1 else ""
            said.append(f"Ours{rows}: {reason}.")
    return said
