"""What stands above a block of a table, and below the table: how its numbers came about, and what is doubtful."""

from collections.abc import Iterable, Sequence

from analysis.inputs.published import NAMES, pages
from analysis.tables.columns import Line
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import TABLES
from analysis.tables.rows import FLAG, MARKS
from study.confirm.comparisons import ALPHA, LEAST_PAIRS
from study.papers.listing import PAPERS


def heading_of(name: str, line: Line) -> str:
    """The data set and the network of a row, which head its block; nothing in tables of costs."""
    if name in ("entprop/1", "mixprop/4"):
        return ""
    if name == "cost":
        return f"{line['dataset']}, {line['model']}"
    return ", ".join(str(NAMES.get(line[key], line[key])) for key in ("published_dataset", "published_model"))


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
    flags = [f"{FLAG} {line['label']} ({heading_of('', line)}): {line['flag']}." for line in lines if line.get("flag")]
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
