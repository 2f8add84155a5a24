"""The sections of a study's page, each from frames, tables and figures to HTML."""

import dataclasses
from collections.abc import Sequence

from markupsafe import Markup

from analysis.comparisons.answer import Answer
from analysis.comparisons.settings import records, settings
from analysis.figures.registry import FIGURES
from analysis.inputs.missing import missing
from analysis.inputs.studies import StudyFrames
from analysis.report import html
from analysis.report.html import PIECES, Plot
from analysis.tables.layout import Block, Cell, Layout
from study.config.budget import format_cost
from study.display.rows import first_line, setting
from study.display.summary import with_interval

Plots = dict[str, Plot]
CONFIRMED = ("setting", "why", "cost / N", "work / N", "seeds", "SA", "RA", "H", "− Vanilla", "− Mixup")
TERMS = {
    "SA": "accuracy on clean test images.",
    "RA": "mean accuracy on the 15 ImageNet-C corruptions at five severities.",
    "H": "harmonic mean of SA and RA of each run, averaged over seeds.",
    "N": "cost of one epoch of vanilla training. “Cost” counts passes as the papers do, “work” those computed.",
    "k, n, ε": "share of each batch selected for the auxiliary norms, attack iterations, perturbation radius in 1/255.",
}  # fmt: skip
NO_TABLE = "No published table has three of its rows, or half of them, measured in this study."
COMMON = (
    "Mean over seeds ± half width of the 95 % confidence interval. * differs from Vanilla, † from Mixup alone: paired "
    "t test over common seeds, p < 0.05 after Holm's correction within the table. Bold: the best of our rows and all "
    "that are not shown to be worse; among printed numbers, which have no spread, the largest, with the second "
    "underlined. A difference to a printed number needs the same data set; in brackets, the protocols differ."
)


def answer_section(said: Answer, folder: StudyFrames, plots: Plots, confirmed: Markup) -> Markup:
    """The answer in one sentence, its figure, what supports it, and what to know before quoting it."""
    lacking = missing(folder)
    text = PIECES.lead(said.headline, said.details, plots.get("cost"))
    if said.cautions:
        text += PIECES.box("warn", "Before you quote these numbers", said.cautions)
    if lacking:
        text += PIECES.box("warn", "What is missing", lacking)
    text += PIECES.terms(TERMS)
    if said.budgets:
        text += html.table(budget_table(said, folder))
    return text + confirmed


def budget_table(said: Answer, folder: StudyFrames) -> Layout:
    """The best that the search found within each budget, with its test result where it was confirmed."""
    confirmed = {each.row["config"]: each for each in settings(folder.done)}
    rows = []
    for line in said.budgets:
        found = confirmed.get(line.row["config"])
        mean = found.interval() if found else None
        texts = (
            f"within {format_cost(line.budget)}", setting(line.row), format_cost(round(line.row["cost"], 3)),
            f"{line.mean:.2f} ± {line.spread:.2f}", f"{line.runs}", with_interval(mean) if mean else "–",
        )  # fmt: skip
        rows.append(tuple(Cell(text) for text in texts))
    header = ("budget per epoch", "best setting found", "cost", "validation H", "runs", "test H")
    caption = (
        "Validation H: posterior mean ± standard error from all runs of search and race. Test H: mean ± half "
        "width of the 95 % confidence interval; a dash marks a setting that was not confirmed."
    )
    return Layout("budgets", "Best setting for each budget", header, (Block("", tuple(rows)),), caption)


def confirmed_table(found: Layout, sources: Sequence[str]) -> Layout:
    """The confirmed settings, with what their numbers and marks mean."""
    caption = (
        "Evaluated on held-out test images. Mean over seeds ± half width of the 95 % confidence interval. * differs "
        "from Vanilla, † from Mixup alone (paired t test over common seeds, p < 0.05 after Holm's correction). Bold: "
        "the best, and all that are not shown to be worse."
    )
    header = tuple("role" if name == "why" else name for name in found.header)
    return dataclasses.replace(found, title="Confirmed settings", header=header, caption=caption, notes=tuple(sources))


def figures(names: Sequence[str], plots: Plots) -> Markup:
    """The figures of these names that could be drawn."""
    return PIECES.plots([plots[name] for name in names if name in plots])


def folded_figures(summary: str, names: Sequence[str], plots: Plots) -> Markup:
    """The same, behind a click."""
    return PIECES.folded(summary, figures(names, plots)) if any(name in plots for name in names) else Markup()


def undrawn_figures(undrawn: dict[str, str]) -> Markup:
    """The figures that could not be drawn, and what each would need."""
    lines = [f"{FIGURES[name].title}: {reason}." for name, reason in undrawn.items()]
    count = f"{len(lines)} {'figure' if len(lines) == 1 else 'figures'} for which this study has no data"
    return PIECES.folded(count, PIECES.items(lines)) if lines else Markup()


def published_section(shown: Sequence[Layout], rest: Sequence[Layout], several: bool) -> Markup:
    """The published tables of which enough is measured, then all others behind a click; of several studies, all."""
    text = PIECES.paragraph(COMMON if shown else NO_TABLE, "caption") + Markup().join(
        html.table(each) for each in shown
    )
    if several and shown:
        text = PIECES.folded(f"{len(shown)} tables with rows of these studies", text)
    folded = Markup().join(html.table(each) for each in rest)
    return text + (PIECES.folded(f"{len(rest)} other published tables", folded) if rest else Markup())


def failed(folder: StudyFrames) -> Markup:
    """The trials and runs that failed, with the first line of their error."""
    trials = [row for row in records(folder.trials) if row["status"] == "failed"]
    runs = [row for row in records(folder.runs) if row["h"] is None]
    lines = [f"trial {row['trial']} of {row['study']}, {setting(row)}: {first_line(row['error'])}" for row in trials]
    lines += [f"{row['why']}, {setting(row)}, seed {row['seed']}: {first_line(row['error'])}" for row in runs]
    stopped = int((folder.trials["status"] == "stopped").sum())
    if stopped:
        lines.append(f"{stopped} trials were stopped early and are not ranked")
    if not lines:
        return PIECES.paragraph("No trial and no run failed.")
    return PIECES.box("warn", "Failed or stopped early", lines)
