"""How a table is read: columns, texts, the best in bold and the second underlined, and a caption that says how.

A layout is the same for every writer. Ranks are among the rows of one block; a number of one's own is never ranked
with a printed one.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, NamedTuple

import pandas as pd

from analysis.comparisons.settings import records
from analysis.inputs.published import NAMES, pages
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import TABLES, title
from analysis.tables.rows import FLAG, MARKS
from study.confirm.comparisons import ALPHA, LEAST_PAIRS
from study.papers.listing import PAPERS

NONE = "–"
MARKED = ("published_h", "published")  # the columns at whose numbers a doubt is marked
Line = dict[str, Any]


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


class Column(NamedTuple):
    """A column: its name, its text, and the value it is ranked by, if it is."""

    header: str
    text: Callable[[Line], str]
    ranked: str = ""


def number(value: float | None, digits: int = 2, signed: bool = False) -> str:
    """A number, a dash where there is none."""
    return NONE if value is None else f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def spread(line: Line, name: str, signed: bool = False) -> str:
    """A mean with the half width of its interval, where one seed alone does not leave it without."""
    half = line.get(f"{name}_half")
    return number(line.get(name), signed=signed) + ("" if half is None else f" ± {half:.2f}")


def _plain(name: str, digits: int = 2, signed: bool = False) -> Callable[[Line], str]:
    return lambda line: number(line.get(name), digits, signed)


def _cost(name: str) -> Callable[[Line], str]:
    return lambda line: NONE if line.get(name) is None else f"{line[name]:.4g}"


def _text(name: str) -> Callable[[Line], str]:
    return lambda line: str(line[name]) if line.get(name) not in (None, "") else NONE


def _seeds(line: Line) -> str:
    if line.get("seeds") is None:
        return NONE
    return f"{line['seeds']}" + (f" ({line['failed']} failed)" if line.get("failed") else "")


def _over(name: str) -> Callable[[Line], str]:
    return lambda line: spread(line, f"over_{name}", signed=True) + (line.get(f"over_{name}_mark") or "")


def _printed(name: str) -> Callable[[Line], str]:
    """A printed number with its mark; of a table whose numbers are lost, that."""

    def text(line: Line) -> str:
        if line["lost"]:
            return "lost"
        digits = 2 if name.startswith("published_") else _digits(line)
        return number(line[name], digits) + (line["mark"] or "" if name in MARKED else "")

    return text


def _difference(line: Line, digits: int = 2) -> str:
    """Ours minus the printed number; nothing across data sets, in brackets across other protocols."""
    if line["dataset"] != line["published_dataset"]:
        return NONE
    text = number(line["difference"], digits, signed=True)
    return text if text == NONE or line["same_protocol"] == "yes" else f"({text})"


def _digits(line: Line) -> int:
    """Margins and the like are printed with four decimals, counts of images with none, percent with two."""
    return {"geometry": 4, "left": 0, "fallen": 0}.get(line["quantity"].partition(" ")[0], 2)


def _half(line: Line) -> str:
    return "" if line["ours_half"] is None else f" ± {line['ours_half']:.{max(2, _digits(line))}f}"


def _same(line: Line) -> str:
    if line["same_protocol"] is None:
        return NONE
    return line["same_protocol"] + (f" ({line['letter']})" if line["why_not"] else "")


def _label(line: Line) -> str:
    return line["label"] + (" (added)" if line["added"] else "")


COMPARED = (
    Column("row", _label),
    Column("cost / N", _cost("cost")),
    Column("work / N", _cost("measured_cost")),
    Column("epochs", _text("epochs")),
    Column("seeds", _seeds),
    Column("SA", lambda line: spread(line, "sa"), "sa"),
    Column("RA", lambda line: spread(line, "ra"), "ra"),
    Column("H", lambda line: spread(line, "h"), "h"),
    Column("PGD-20", lambda line: spread(line, "pgd20"), "pgd20"),
    Column("− Vanilla", _over("vanilla")),
    Column("− Mixup", _over("mixup")),
    Column("printed cost", _cost("published_cost")),
    Column("printed SA", _printed("published_sa"), "published_sa"),
    Column("printed RA", _printed("published_ra"), "published_ra"),
    Column("printed H", _printed("published_h"), "published_h"),
    Column("H of printed SA, RA", _plain("published_h_recomputed")),
    Column("printed PGD-20", _plain("published_pgd20"), "published_pgd20"),
    Column("printed − Vanilla", _plain("published_over_vanilla", signed=True)),
    Column("difference", _difference),
    Column("same protocol", _same),
)
LONG = (
    Column("row", _label),
    Column("quantity", _text("quantity")),
    Column("cost / N", _cost("cost")),
    Column("work / N", _cost("measured_cost")),
    Column("epochs", _text("epochs")),
    Column("seeds", _seeds),
    Column("images", _text("images")),
    Column("ours", lambda line: number(line["ours"], _digits(line)) + _half(line)),
    Column("printed", _printed("published")),
    Column("difference", lambda line: _difference(line, _digits(line))),
    Column("same protocol", _same),
)
COSTS = (
    Column("row", _text("label")),
    Column("setting", _text("setting")),
    Column("printed formula", _text("formula")),
    Column("printed cost / N", _cost("published_cost")),
    Column("cost / N", _cost("cost")),
    Column("difference", _plain("difference", signed=True)),
    Column("work / N", _cost("measured_cost")),
    Column("seconds a run", _plain("seconds", 1)),
    Column("runs", _text("seeds")),
)
ALL = (
    Column("setting", _text("setting")),
    Column("why", _text("why")),
    Column("cost / N", _cost("cost")),
    Column("work / N", _cost("measured_cost")),
    Column("epochs", _text("epochs")),
    Column("spent / N", _cost("spent")),
    Column("seconds a run", _plain("seconds", 1)),
    Column("seeds", _seeds),
    Column("SA", lambda line: spread(line, "sa"), "sa"),
    Column("RA", lambda line: spread(line, "ra"), "ra"),
    Column("H", lambda line: spread(line, "h"), "h"),
    Column("H, interquartile", _plain("h_iqm")),
    Column("ECE", _plain("ece")),
    Column("− Vanilla", _over("vanilla")),
    Column("− Mixup", _over("mixup")),
    Column("P(better than Vanilla)", _plain("beats_vanilla")),
    Column("on front", lambda line: "yes" if line["on_front"] else "no"),
)


# ---------------------------------------------------------------------------------------------------------- the layout


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
        groups.setdefault(_heading(name, line), []).append(line)
    ours = {key: [line for line in group if line.get("dataset")] for key, group in groups.items()}
    return {_with_ours(name, key, ours[key]): group for key, group in groups.items()}


def _heading(name: str, line: Line) -> str:
    if name in ("entprop/1", "mixprop/4"):
        return ""
    if name == "cost":
        return f"{line['dataset']}, {line['model']}"
    return ", ".join(str(NAMES.get(line[key], line[key])) for key in ("published_dataset", "published_model"))


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


# ------------------------------------------------------------------------------------------------- caption and notes


def caption(name: str, lines: Sequence[Line]) -> str:
    """How the numbers came about: intervals, tests, correction, seeds."""
    if name in ("entprop/1", "mixprop/4"):
        return f"{_source(name)}Cost: by our code, in passes per training image. Work: counted during training."
    parts = ["On the front: no setting of at most its cost has a higher mean H. " if name == "cost" else _source(name)]
    if name in BESIDE and any(line["ours"] is not None for line in lines):
        parts.append("Ours: mean over seeds ± half width of its 95 % t interval; a single seed has none. ")
        parts.append("No test was made: the seeds of printed numbers are unknown. ")
    elif any(line.get("h") is not None or line.get("pgd20") is not None for line in lines):
        parts.append("Ours: mean over seeds ± half width of its 95 % t interval; a single seed has none. ")
        parts.append(tests_text(lines))
    elif name != "cost":
        parts.append(f"No runs of ours yet; python study/run.py --table {name} --scale demo trains them. ")
    if name not in BESIDE:
        parts.append("Bold: the best of a block and all that are not shown to be worse (paired t test, Holm); ")
        parts.append("among printed numbers, the largest, with the second underlined. ")
    if name != "cost":
        parts.append("A difference in brackets compares two protocols, so it says nothing about the method; ")
        parts.append("numbers of different data sets are not compared. ")
    return "".join(parts).strip()


def _source(name: str) -> str:
    paper, _, number_ = name.partition("/")
    if name not in TABLES or not number_.isdigit():
        return "No published numbers exist. "
    page = f", page {found[0]}" if (found := pages(name)) else ""
    return f"Printed: {PAPERS[paper]}, table {number_}{page}. "


def tests_text(lines: Iterable[Line]) -> str:
    """Which test stands behind the marks, with how many seeds and which correction."""
    tested = [(line, name) for line in lines for name in MARKS if line.get(f"over_{name}_p") is not None]
    if not tested:
        return f"No test was made: it needs {LEAST_PAIRS} common seeds of two settings. "
    seeds = " to ".join(map(str, sorted({f(line[f"over_{name}_seeds"] for line, name in tested) for f in (min, max)})))
    families = "; ".join(dict.fromkeys(line["family"] for line, _ in tested))
    return (
        f"* differs from Vanilla, † differs from Mixup alone: two-sided paired t test over the {seeds} common "
        f"seeds, p below {ALPHA} after correction ({families}). "
    )


def notes_of(lines: Sequence[Line]) -> tuple[str, ...]:
    """What is doubtful about a printed number, and what was inferred or lost."""
    flags = [f"{FLAG} {line['label']} ({_heading('', line)}): {line['flag']}." for line in lines if line.get("flag")]
    flagged = dict.fromkeys(flags)
    noted: dict[str, list[str]] = {}
    for line in lines:
        if line.get("note"):
            noted.setdefault(line["note"], []).append(line["label"])
    attacks = {line["pgd20_attack"] for line in lines if line.get("pgd20_attack")}
    calibrated = [
        f"PGD-20 is {attack}. The paper prints no radius; of the radii that were run, this one brings Vanilla's "
        "accuracy closest to the printed one."
        for attack in sorted(attacks)
    ]
    return (*flagged, *(f"{'; '.join(dict.fromkeys(labels))}: {note}." for note, labels in noted.items()), *calibrated)
