"""A study's report: tables in three formats, figures, and one page with the answer first."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from analysis.comparisons.answer import Answer, answer, between, interval_text, totals
from analysis.comparisons.settings import records, settings
from analysis.figures.registry import FIGURES, draw_all, save_all
from analysis.inputs.studies import StudyFrames, circumstances, missing, protocol_differences
from analysis.report import html
from analysis.report.html import PIECES
from analysis.tables.layout import Block, Cell, Layout
from analysis.tables.long_tables import BESIDE
from analysis.tables.registry import TABLES
from analysis.tables.writers import write_table
from study.config.budget import format_cost
from study.confirm.comparisons import Setting
from study.display.rows import first_line, setting
from study.display.summary import confirmed_table
from study.files.ranking import best, spent
from trainables.disk import write_atomically

SENSITIVITY = ("k", "n", "epsilon", "metric", "selection")
FRONT = ("cost", "pareto", "space", "parallel", "marginal", "importance", "anytime", "rungs")
ROBUSTNESS = ("corruptions", "entropy", "histogram")
FIRST = ("entprop/16", "entprop/17", "entprop/epsilon", "entprop/8", "entprop/figure4", "entprop/2", "entprop/4")
TERMS = {
    "SA": "accuracy on clean test images",
    "RA": "mean accuracy on 15 corruptions of them at five severities",
    "H": "harmonic mean of SA and RA, of each run, then the mean over runs",
    "N": "an epoch of vanilla training, a forward and a backward pass per image; cost is the papers' number, "
    "work what was really computed",
    "ECE": "expected calibration error on clean test images, in percent",
}  # fmt: skip


def summary(folder: StudyFrames, parts: Sequence[StudyFrames] = ()) -> str:
    """The report's first lines as text; of several studies, the answer of each."""
    lacking = missing(folder)
    blocks = []
    for each in parts if len(parts) > 1 else [folder]:
        said = answer(each)
        blocks.append("\n".join([f"{each.name}: {said.headline}" if len(parts) > 1 else said.headline, *said.details]))
    blocks += ["\n".join(between(parts))]
    if not folder.done.empty:
        blocks.append(confirmed_table(records(folder.runs)))
    blocks.append("\n".join(["missing:", *(f"  {line}" for line in lacking)]) if lacking else "nothing is missing")
    return "\n\n".join(block for block in blocks if block)


def write_report(folder: StudyFrames, out: Path, parts: Sequence[StudyFrames] = ()) -> Path:
    """Tables, figures and report.html below `out`; `parts` are the studies that `folder` was merged from."""
    frames = {name: table(folder.runs) for name, table in TABLES.items()}
    shown = {name: frame for name, frame in frames.items() if name not in BESIDE or frame["ours"].notna().any()}
    layouts = {name: write_table(name, frame, out / "tables") for name, frame in shown.items()}
    drawn, undrawn = draw_all(folder)
    svgs = save_all(drawn, out / "figures")
    plots = {name: html.Plot(FIGURES[name].title, svgs[name], drawing.caption) for name, drawing in drawn.items()}
    text = _page(folder, parts, layouts, plots, undrawn)
    write_atomically(out / "report.html", text, to_disk=False)
    return out / "report.html"


def _page(
    folder: StudyFrames,
    parts: Sequence[StudyFrames],
    layouts: dict[str, Layout],
    plots: dict[str, html.Plot],
    undrawn: dict[str, str],
) -> str:
    ours = {name: found for name, found in layouts.items() if has_ours(found)}
    sections = [("answer", "The answer", _answer(folder, parts, ours))]
    if len(parts) > 1:
        sections.append(("studies", "The studies", _studies(parts)))
    sections += [
        ("sensitivity", "Sensitivity", _figures(SENSITIVITY, plots, undrawn) + _tables(ours, layouts)),
        ("front", "H and cost", _figures(FRONT, plots, undrawn)),
        ("robustness", "Robustness", _figures(ROBUSTNESS, plots, undrawn)),
        ("method", "How it was done", Markup().join(_method(each) for each in parts or [folder])),
        ("failed", "What failed", _failed(folder)),
    ]
    start = folder.record.get("start")
    return html.page(f"EntProp study: {folder.name}", f"begun {start}" if start else "", sections)


def has_ours(found: Layout) -> bool:
    """Whether more of ours stands in a table than vanilla and mixup alone."""
    return any(block.ours for block in found.blocks)


# ------------------------------------------------------------------------------------------------------- the sections


def _answer(folder: StudyFrames, parts: Sequence[StudyFrames], ours: dict[str, Layout]) -> Markup:
    text = Markup()
    for each in parts if len(parts) > 1 else [folder]:
        said = answer(each)
        headline = f"{each.name}: {said.headline}" if len(parts) > 1 else said.headline
        text += PIECES.box("answer", headline, said.details) + _roles(said)
    text += PIECES.items(between(parts))
    lacking = missing(folder)
    if lacking:
        text += PIECES.box("warn", "What is missing", lacking)
    if "cost" in ours:
        text += html.table(ours["cost"])
    return text + PIECES.folded("What the words mean", PIECES.definitions(TERMS))


def _roles(said: Answer) -> Markup:
    """The best setting, vanilla and mixup alone as a small table."""
    if not said.settings:
        return Markup()
    rows = tuple(_role(name, each) for name, each in said.settings)
    header = ("role", "setting", "cost of an epoch", "work", "SA", "RA", "H")
    return html.table(
        Layout("answer", "In numbers", header, (Block("", rows),), "Means over seeds on test images, 95 % t intervals.")
    )


def _role(name: str, found: Setting) -> tuple[Cell, ...]:
    measured = found.row["measured_cost"]
    numbers = [interval_text(mean).split(" (")[0] for measure in ("sa", "ra", "h") if (mean := found.interval(measure))]
    work = "–" if measured is None else format_cost(round(measured, 3))
    texts = [name, setting(found.row), format_cost(round(found.row["cost"], 3)), work, *numbers]
    return tuple(Cell(text) for text in texts)


def _studies(parts: Sequence[StudyFrames]) -> Markup:
    rows = tuple(tuple(Cell(text) for text in _study_row(each)) for each in parts)
    header = ("study", "state", "trials", "spent by trials", "best validation H", "confirmed H of the best")
    found = Layout(
        "studies", "Side by side", header, (Block("", rows),), "Validation H is of one seed and the best of many."
    )
    protocols = protocol_differences(parts)
    text = html.table(found)
    if protocols:
        text += PIECES.box("warn", "These studies are of different protocols and stand side by side only", protocols)
    differing = circumstances(parts)
    if differing:
        text += PIECES.paragraph("What differs between them:") + PIECES.items(differing)
    return text


def _study_row(folder: StudyFrames) -> list[str]:
    trials = records(folder.trials)
    top = next(iter(best(trials)), None)
    chosen = next((each for each in settings(folder.done) if each.why.startswith("best-1")), None)
    mean = chosen.interval() if chosen else None
    return [
        folder.name, str(folder.record.get("state", "unknown")), str(len(trials)),
        format_cost(round(spent(trials), 1)) + "-epochs", f"{top['val_h']:.2f} {setting(top)}" if top else "–",
        interval_text(mean) if mean else "–",
    ]  # fmt: skip


def _figures(names: Sequence[str], plots: dict[str, html.Plot], undrawn: dict[str, str]) -> Markup:
    text = PIECES.plots([plots[name] for name in names if name in plots])
    lacking = [f"{FIGURES[name].title}: {undrawn[name]}." for name in names if name in undrawn]
    count = f"{len(lacking)} {'figure' if len(lacking) == 1 else 'figures'}"
    return text + (
        PIECES.folded(f"{count} cannot be drawn from this study", PIECES.items(lacking)) if lacking else Markup()
    )


def _tables(ours: dict[str, Layout], layouts: dict[str, Layout]) -> Markup:
    """The tables with something of ours, of these the blocks with something of ours; all others are folded."""
    order = [
        *(name for name in FIRST if name in ours),
        *(name for name in ours if name not in FIRST and name != "cost"),
    ]
    shown = Markup().join(html.table(_blocks(ours[name], True)) for name in order)
    rest = [_blocks(found, False) for name, found in layouts.items() if name not in ("cost", *BESIDE)]
    rest = [found for found in rest if found.blocks]
    text = Markup().join(html.table(found) for found in rest)
    return shown + (
        PIECES.folded("Published tables and blocks in which nothing of ours stands yet", text) if rest else Markup()
    )


def _blocks(found: Layout, ours: bool) -> Layout:
    title = found.title if ours else f"{found.title}: without ours"
    return dataclasses.replace(found, title=title, blocks=tuple(b for b in found.blocks if b.ours == ours))


def _method(folder: StudyFrames) -> Markup:
    """The record of a study, so that it can be done again."""
    record = folder.record
    options, git, host, data = (record.get(name) or {} for name in ("options", "git", "host", "data"))
    return Markup("<h3>{}</h3>\n").format(folder.name) + PIECES.definitions(
        {
            "Command": _command(record.get("command")),
            "Budget": str(options.get("budget") or ""),
            "Table": f"{options['table']} at {options.get('scale')} scale" if options.get("table") else "",
            "Space": _space(record.get("space")),
            "Search": f"{options.get('sampler')}, scheduler {options.get('scheduler')}"
            if options.get("sampler")
            else "",
            "Training": _pairs(options.get("trial")),
            "Seeds": _pairs(record.get("seeds")),
            "Data": f"{data.get('source', 'unknown')}, digest {str(data.get('digest'))[:16]}" if data else "",
            "Code": f"{git.get('hash')}{', files differed from it' if git.get('dirty') else ''}"
            if git
            else "no git repository",
            "Versions": _pairs(record.get("versions")),
            "Machine": _pairs(host) + (f"; {record['device']}" if record.get("device") else ""),
            "Time": _time(record),
            "Spent": totals(folder),
        }
    )


def _time(record: dict[str, Any]) -> str:
    end = record.get("end") or f"no end (state: {record.get('state', 'unknown')})"
    return f"{record.get('start', 'unknown')} to {end}"


def _command(words: Any) -> str:
    return " ".join(["python", *words]) if isinstance(words, list) else str(words or "")


def _pairs(values: Any) -> str:
    if not isinstance(values, dict):
        return "" if values is None else str(values)
    return ", ".join(f"{name} {value}" for name, value in values.items() if value not in (None, [], ""))


def _space(space: Any) -> str:
    if not isinstance(space, dict):
        return ""
    said = []
    for method, entry in space.items():
        shares = ", ".join(f"n = {n}: k up to {float(k):.3g}" for n, k in (entry.get("largest_share") or {}).items())
        fixed = _pairs(entry.get("fixed"))
        said.append(
            f"{method} over {', '.join(entry.get('searched', ()))}"
            + (f" ({shares})" if shares else "")
            + (f", with {fixed}" if fixed else "")
        )
    return "; ".join(said)


def _failed(folder: StudyFrames) -> Markup:
    trials = [row for row in records(folder.trials) if row["status"] == "failed"]
    runs = [row for row in records(folder.runs) if row["h"] is None]
    lines = [f"trial {row['trial']} of {row['study']}, {setting(row)}: {first_line(row['error'])}" for row in trials]
    lines += [f"{row['why']}, {setting(row)}, seed {row['seed']}: {first_line(row['error'])}" for row in runs]
    stopped = int((folder.trials["status"] == "stopped").sum())
    if stopped:
        lines.append(f"{stopped} trials were stopped early; their last values stand in no ranking")
    return PIECES.items(lines) if lines else PIECES.paragraph("No trial and no run failed.")
