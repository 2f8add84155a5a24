"""The columns of tables: their headers, and how a row's values are written in them."""

from collections.abc import Callable
from typing import Any, NamedTuple

NONE = "–"
MARKED = ("published_h", "published")  # the columns at whose numbers a doubt is marked
Line = dict[str, Any]


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


MEASURED = (
    Column("seeds", _seeds),
    Column("SA", lambda line: spread(line, "sa"), "sa"),
    Column("RA", lambda line: spread(line, "ra"), "ra"),
    Column("H", lambda line: spread(line, "h"), "h"),
)
COMPARED = (
    Column("row", _label),
    Column("cost / N", _cost("cost")),
    Column("work / N", _cost("measured_cost")),
    Column("epochs", _text("epochs")),
    *MEASURED,
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
    *MEASURED,
    Column("H, interquartile", _plain("h_iqm")),
    Column("ECE", _plain("ece")),
    Column("− Vanilla", _over("vanilla")),
    Column("− Mixup", _over("mixup")),
    Column("P(better than Vanilla)", _plain("beats_vanilla")),
    Column("on front", lambda line: "yes" if line["on_front"] else "no"),
)
