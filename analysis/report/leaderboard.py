"""Several studies on one page: a leaderboard for each protocol, and what differs between the studies."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from markupsafe import Markup

from analysis.comparisons.answer import answer, between
from analysis.comparisons.settings import data_name, settings
from analysis.inputs.several import circumstances, protocol_differences
from analysis.inputs.studies import StudyFrames
from analysis.report import html
from analysis.report.html import PIECES
from analysis.tables.layout import Block, Cell, Layout
from study.config.budget import format_cost
from study.confirm.comparisons import Protocol, Setting, baseline, by_place, paired_test
from study.display.advice import recommended
from study.display.rows import setting
from study.display.summary import with_interval
from study.papers.baselines import BASELINES

HEADER = ("study", "setting", "chosen on", "cost", "seeds", "SA", "RA", "H", "− vanilla", "− mixup")


class Entry(NamedTuple):
    """The setting by which a study stands on the leaderboard."""

    study: str
    top: Setting
    beside: list[Setting]
    searched: bool


def leaderboard_section(parts: Sequence[StudyFrames]) -> Markup:
    """Ranked studies, then what differs between them."""
    text = html.table(leaderboard(parts))
    waiting = [each.name for each in parts if not settings(each.done)]
    if waiting:
        text += PIECES.paragraph(f"Nothing was measured on test images yet: {', '.join(waiting)}.")
    text += PIECES.items(between(parts))
    protocols = protocol_differences(parts)
    if protocols:
        text += PIECES.folded(
            f"These studies follow different protocols and are not comparable: {len(protocols)} differences",
            PIECES.items(protocols),
        )
    differing = circumstances(parts)
    return text + (
        PIECES.folded("Code, machine and budget by study", PIECES.items(differing)) if differing else Markup()
    )


def leaderboard(parts: Sequence[StudyFrames]) -> Layout:
    """The best setting of each study by mean H, ranked among studies of one data set, network and length."""
    places: dict[Protocol, list[Entry]] = {}
    for each in parts:
        if (found := _entry(each)) is not None:
            places.setdefault(found.top.place, []).append(found)
    blocks = []
    for place, entries in places.items():
        ranked = sorted(entries, key=lambda one: -fmean(one.top.h.values()))
        rows = tuple(tuple(map(Cell, _row(entry))) for entry in ranked)
        changes = f", {place[4]}" if place[4] else ""
        blocks.append(Block(f"{data_name(place[0])}, {place[1]}, {place[3]} epochs{changes}", rows))
    caption = (
        "Ranked by mean H among studies with the same data set, network, learning rate and epochs. Differences are "
        "paired by seed within a study; intervals are 95 % and not corrected. A setting chosen on test images is the "
        "best row of a table, so its H is optimistically biased."
    )
    return Layout("leaderboard", "Best setting of each study", HEADER, tuple(blocks), caption)


def _entry(folder: StudyFrames) -> Entry | None:
    found = settings(folder.done)
    if not found:
        return None
    top = recommended(found)
    place = by_place(found).get(top.place, []) if top else max(by_place(found).values(), key=len, default=found)
    searched = top is not None
    return Entry(folder.name, top or max(place, key=lambda each: fmean(each.h.values())), place, searched)


def _row(entry: Entry) -> tuple[str, ...]:
    top = entry.top
    means = [with_interval(mean) if (mean := top.interval(name)) else "–" for name in ("sa", "ra", "h")]
    differences = [_difference(top, baseline(entry.beside, method)) for method in BASELINES]
    chosen = "validation" if entry.searched else "test images"
    cost = format_cost(round(top.row["cost"], 3))
    return entry.study, setting(top.row), chosen, cost, f"{len(top.h)}", *means, *differences


def _difference(top: Setting, other: Setting | None) -> str:
    if other is None or other is top:
        return "–"
    test = paired_test(top.h, other.h)
    return with_interval(test.difference, signed=True).replace("-", "−") if test else "–"


def each_answer(parts: Sequence[StudyFrames]) -> Markup:
    """The answer of each study, and behind a click what supports it."""
    said = {each.name: answer(each) for each in parts}
    more = Markup().join(
        Markup("<h3>{}</h3>\n").format(name) + PIECES.items([*found.details, *found.cautions])
        for name, found in said.items()
    )
    headlines = PIECES.definitions({name: found.headline for name, found in said.items()})
    return headlines + PIECES.folded("Verdicts and warnings of each study", more)
