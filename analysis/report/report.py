"""A study's report: tables in three formats, figures, and one page with the answer first."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from analysis.comparisons.answer import answer, between
from analysis.comparisons.settings import data_name, records
from analysis.figures.costs import shown_place
from analysis.figures.registry import FIGURES, draw_all, save_all
from analysis.figures.style import Missing
from analysis.inputs.missing import missing
from analysis.inputs.studies import StudyFrames
from analysis.report import html
from analysis.report.attacks import attack_table
from analysis.report.html import PIECES
from analysis.report.leaderboard import each_answer, leaderboard_section
from analysis.report.method import method_section, methods_section
from analysis.report.sections import (
    CONFIRMED,
    TERMS,
    Plots,
    answer_section,
    confirmed_table,
    failed,
    figures,
    folded_figures,
    published_section,
    undrawn_figures,
)
from analysis.tables.layout import layout
from analysis.tables.long_tables import BESIDE
from analysis.tables.ours_first import has_printed, measured_enough, ours_first
from analysis.tables.registry import TABLES
from analysis.tables.writers import write_table
from study.config.budget import format_cost
from study.display.summary import confirmed_table as confirmed_text
from study.display.summary import ra_sources
from trainables.disk import write_atomically

SEARCH = ("space", "race", "marginal")
SENSITIVITY = ("k", "n", "epsilon", "metric", "selection")
MORE = ("pareto", "parallel", "importance", "anytime", "rungs", "entropy", "histogram")
ROBUSTNESS = ("deciding", "corruptions")
ATTACKS = ("pgd", "attacks")
RELOAD_S = 30  # after which a browser loads the page of a running study again
FIRST = ("entprop/16", "entprop/17", "entprop/epsilon", "entprop/8", "entprop/figure4", "entprop/2", "entprop/4")
COMPUTED = ("cost", "entprop/1", "mixprop/4")  # no published rows beside ours


def summary(folder: StudyFrames, parts: Sequence[StudyFrames] = ()) -> str:
    """The report's first lines as text; of several studies, the answer of each."""
    lacking = missing(folder)
    blocks = []
    for each in parts if len(parts) > 1 else [folder]:
        said = answer(each)
        headline = f"{each.name}: {said.headline}" if len(parts) > 1 else said.headline
        blocks.append("\n".join([headline, *said.details, *(f"warning: {text}" for text in said.cautions)]))
    blocks += ["\n".join(between(parts))]
    if not folder.done.empty:
        blocks.append(confirmed_text(records(folder.runs)))
    blocks.append("\n".join(["missing:", *(f"  {line}" for line in lacking)]) if lacking else "nothing is missing")
    return "\n\n".join(block for block in blocks if block)


def write_report(folder: StudyFrames, out: Path, parts: Sequence[StudyFrames] = (), live: bool = False) -> Path:
    """Tables, figures and report.html below `out`; `parts` are the studies that `folder` was merged from.

    A `live` page is one that somebody writes again and again: the browser reloads it.
    """
    several = parts if len(parts) > 1 else ()
    frames = {name: table(folder.runs) for name, table in TABLES.items()}
    written = {name: frame for name, frame in frames.items() if name not in BESIDE or frame["ours"].notna().any()}
    layouts = {name: write_table(name, frame, out / "tables") for name, frame in written.items()}
    drawn, undrawn = draw_all(folder)
    svgs = save_all(drawn, out / "figures")
    plots = {name: html.plot(name, FIGURES[name].title, svgs[name], drawing) for name, drawing in drawn.items()}
    shown = _shown(folder, written)
    tables = [ours_first(name, frames[name]) for name in shown]
    rest = [found for name, found in layouts.items() if name not in shown and name != "cost"]
    confirmed = _confirmed(folder, frames["cost"], bool(several) or bool(set(shown) & set(folder.runs["table"])))
    text = html.page(
        "EntProp studies side by side" if several else f"EntProp study: {folder.name}",
        _subtitle(folder, several),
        _sections(folder, several, plots, confirmed, published_section(tables, rest, bool(several))),
        undrawn_figures(undrawn),
        RELOAD_S if live else None,
    )
    write_atomically(out / "report.html", text, to_disk=False)
    return out / "report.html"


def _shown(folder: StudyFrames, frames: dict[str, pd.DataFrame]) -> list[str]:
    """The tables with enough rows of ours; those that print no number only in a study of them."""
    names = [*(name for name in FIRST if name in frames), *(name for name in frames if name not in FIRST)]
    run = set(folder.runs["table"])
    return [
        name
        for name in names
        if name not in COMPUTED and measured_enough(frames[name]) and (name in run or has_printed(frames[name]))
    ]


def _confirmed(folder: StudyFrames, costs: pd.DataFrame, elsewhere: bool) -> Markup:
    """The table of confirmed settings, behind a click where the page shows them elsewhere."""
    if folder.done.empty:
        return Markup()
    found = html.table(confirmed_table(layout("cost", costs, CONFIRMED), ra_sources(records(folder.done))))
    return PIECES.folded("All confirmed settings", found) if elsewhere else found


def _sections(
    folder: StudyFrames,
    several: Sequence[StudyFrames],
    plots: Plots,
    confirmed: Markup,
    published: Markup,
) -> list[tuple[str, str, Markup]]:
    """(id, heading, content) of each section that has something to say, in the order of the page."""
    sections = []
    if several:
        board = leaderboard_section(several) + figures(("cost",), plots)
        sections.append(("leaderboard", "Leaderboard", board + PIECES.terms(TERMS) + confirmed))
        sections.append(("answers", "The answer of each study", each_answer(several)))
    else:
        sections.append(("answer", "Answer", answer_section(answer(folder), folder, plots, confirmed)))
    searched = figures(SEARCH, plots) + folded_figures("More figures of the search", MORE, plots)
    if not folder.trials.empty:
        sections.append(("search", "Search", searched))
    sections.append(("sensitivity", "Sensitivity", figures(SENSITIVITY, plots)))
    sections.append(("robustness", "Robustness by corruption", figures(ROBUSTNESS, plots)))
    sections.append(("attacks", "Attacks", _attacks(folder, plots)))
    sections.append(("published", "Published tables", published))
    method = methods_section(several) if several else method_section(folder)
    sections.append(("method", "How it was done", method + failed(folder)))
    return [(name, heading, content) for name, heading, content in sections if content]


def _attacks(folder: StudyFrames, plots: Plots) -> Markup:
    """Figures and table of attacks; nothing where none was run."""
    try:
        table = attack_table(shown_place(folder))
    except Missing:
        return Markup()
    return figures(ATTACKS, plots) + html.table(table) if table is not None else Markup()


def _subtitle(folder: StudyFrames, several: Sequence[StudyFrames]) -> str:
    """Data, network, length and budget in a line."""
    if several:
        return f"{len(several)} studies: {', '.join(each.name for each in several)}"
    start, options = folder.record.get("start"), folder.options
    runs = folder.runs if not folder.runs.empty else folder.trials
    told = []
    if options and not options.table:
        trial = options.trial
        told = [
            data_name(trial.dataset),
            trial.model,
            f"{trial.epochs} epochs",
            f"budget {format_cost(options.per_epoch)}",
        ]
    elif options and options.table and not runs.empty:
        told = [f"table {options.table}", *(data_name(name) for name in runs["dataset"].unique())]
    return ", ".join([*told, *([f"started {start}"] if start else [])])
