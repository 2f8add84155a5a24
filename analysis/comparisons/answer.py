"""The answer in plain words: what to use within the budget, how sure that is, and what to know before quoting it."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from analysis.comparisons.settings import records, settings
from analysis.inputs.studies import StudyFrames
from study.config.budget import format_cost
from study.confirm.comparisons import (
    HIGHER,
    LOWER,
    NOT_SHOWN,
    NOT_TESTED,
    Interval,
    Setting,
    baseline,
    by_place,
    compare,
    compare_with_baselines,
)
from study.display.advice import (
    MARGIN,
    BudgetLine,
    best_by_budget,
    cautions,
    cheapest,
    cheapest_equivalent,
    near_best_text,
    other_images,
    recommended,
    to_settle,
)
from study.display.rows import setting
from study.display.summary import sentence, with_interval
from study.files.ranking import best, finished, spent
from study.files.results import Results, Row
from study.papers.baselines import BASELINES
from study.race.standings import Standings, standings

VERDICTS = {
    HIGHER: "significantly above",
    LOWER: "significantly below",
    NOT_SHOWN: "statistically indistinguishable from",
    NOT_TESTED: "not tested against",
}


class Answer(NamedTuple):
    """One sentence, what supports it, and what a reader should know before quoting it."""

    headline: str
    details: tuple[str, ...]
    settings: tuple[tuple[str, Setting], ...] = ()  # role (recommended, vanilla, mixup alone) and setting
    cautions: tuple[str, ...] = ()
    budgets: tuple[BudgetLine, ...] = ()  # the best that the search found within each budget


class Measured(NamedTuple):
    """The rows that cautions are about."""

    race: list[Row]
    confirm: list[Row]
    corruptions: list[Row]


def answer(folder: StudyFrames) -> Answer:
    """What a study says; where nothing was measured on test images, that it says nothing yet."""
    found = settings(folder.done)
    top = recommended(found)
    if top is not None:
        return _of_search(folder, found, top)
    if found:
        return _of_table(folder, found)
    return _of_trials(folder)


def _standings(folder: StudyFrames) -> Standings | None:
    """What the search knows of its settings; None for a table, or where no trial has finished."""
    if folder.options is None or folder.options.table:
        return None
    return standings(folder.options, records(folder.trials), records(folder.race))


def _budgets(folder: StudyFrames, known: Standings | None) -> tuple[BudgetLine, ...]:
    return tuple(best_by_budget(folder.options, known)) if folder.options and known else ()


def _cautions(folder: StudyFrames, place: Sequence[Setting], top: Setting, known: Standings | None) -> tuple[str, ...]:
    rows = Measured(records(folder.race), records(folder.done), records(folder.corruptions))
    return tuple(text[0].upper() + text[1:] + "." for text in cautions(rows, place, top, known))


def _of_search(folder: StudyFrames, found: Sequence[Setting], top: Setting) -> Answer:
    place, known = by_place(found)[top.place], _standings(folder)
    roles = _roles("recommended", top, place)
    budget = folder.options.budget if folder.options else None
    within = f"within {format_cost(budget.per_epoch)} per epoch" if budget else "within its budget"
    mean = top.interval()
    assert mean is not None, "a setting has a result"
    cost = format_cost(round(top.row["cost"], 3))
    headline = f"Recommended {within}: {setting(top.row)} ({cost}), H {interval_text(mean)} on held-out test images"
    headline += _beside(place, top)
    if instead := cheapest(place, top):
        name = BASELINES.get(instead[0].row["method"], setting(instead[0].row))
        costs = format_cost(round(instead[0].row["cost"], 3))
        headline = (
            f"Use {name} ({costs} per epoch): it loses less than {MARGIN} H against the best setting found {within}, "
            f"{setting(top.row)} ({cost}, H {interval_text(mean)})"
        )
    details = _verdicts(place, top) + cheapest_equivalent(place, top) + to_settle(place, top)
    details += other_images(Results(folder.paths[0]).images, place, top) if len(folder.paths) == 1 else []
    details += [near_best_text(known)] if known else []
    missing = [name for method, name in BASELINES.items() if baseline(place, method) is None]
    details += [f"{name.capitalize()} was not confirmed, so there is no comparison with it." for name in missing]
    warned = _cautions(folder, place, top, known)
    return Answer(f"{headline}.", tuple(details), tuple(roles), warned, _budgets(folder, known))


def _of_table(folder: StudyFrames, found: Sequence[Setting]) -> Answer:
    place = max(by_place(found).values(), key=len, default=list(found))
    top = max(place, key=lambda each: fmean(each.h.values()))
    roles = _roles("highest", top, place)
    mean = top.interval()
    assert mean is not None, "a setting has a result"
    name = f"{setting(top.row)} ({format_cost(round(top.row['cost'], 3))} per epoch)"
    headline = f"Highest mean H of {len(place)} settings: {name}, {interval_text(mean)}{_beside(place, top)}."
    details = [
        "No search was made: the setting with the highest mean was chosen on the test images, so its H is "
        "optimistically biased.",
        *_verdicts(place, top),
    ]
    return Answer(headline, tuple(details), tuple(roles), _cautions(folder, place, top, None))


def _of_trials(folder: StudyFrames) -> Answer:
    trials = records(folder.trials)
    ranked = best(trials)
    if not ranked:
        return Answer("There is no result yet: no trial has finished, and nothing was measured on test images.", ())
    top = ranked[0]
    return Answer(
        "There is no result to quote yet: nothing was measured on test images.",
        (
            f"The best of {len(finished(trials))} finished trials on validation images is {setting(top)}, "
            f"{format_cost(round(top['cost'], 3))} per epoch: validation H {top['val_h']:.2f}, one seed.",
            "The best of many trials is optimistically biased: on other images its H is lower.",
        ),
        budgets=_budgets(folder, _standings(folder)),
    )


def _roles(name: str, top: Setting, place: Sequence[Setting]) -> list[tuple[str, Setting]]:
    """The setting that the answer is about, vanilla and mixup alone, each with its role."""
    baselines = [(role, each) for method, role in BASELINES.items() if (each := baseline(place, method))]
    return [(name, top), *((role, each) for role, each in baselines if each is not top)]


def _verdicts(place: Sequence[Setting], top: Setting) -> list[str]:
    """The verdicts on a setting against vanilla and mixup alone."""
    return [
        sentence(each.judged, "It", BASELINES[each.baseline.row["method"]])
        for each in compare_with_baselines(place)
        if each.setting is top
    ]


def _beside(place: Sequence[Setting], top: Setting) -> str:
    """How a setting stands to the baselines, as the end of a sentence."""
    said: dict[str, list[str]] = {}
    for each in compare_with_baselines(place):
        if each.setting is top:
            difference = f"{each.judged.difference.mean:+.2f}".replace("-", "−")
            name = f"{BASELINES[each.baseline.row['method']]} ({difference})"
            said.setdefault(VERDICTS[each.judged.verdict], []).append(name)
    clauses = [f"{verdict} {' and '.join(names)}" for verdict, names in said.items()]
    return f", {' and '.join(clauses)}" if clauses else ""


def interval_text(found: Interval) -> str:
    """A mean with its 95 % interval, or the word that one seed has none."""
    if found.half is None:
        return f"{found.mean:.2f} (one seed, no interval)"
    return f"{with_interval(found)} (95 % CI, {found.seeds} seeds)"


def between(folders: Sequence[StudyFrames]) -> list[str]:
    """The best settings of several studies against each other, over the seeds that they share."""
    tops = [(each.name, recommended(settings(each.done))) for each in folders]
    named = [(name, top) for name, top in tops if top is not None]
    names = {id(top): name for name, top in named}
    pairs = [(a, b) for i, (_, a) in enumerate(named) for _, b in named[i + 1 :] if a.place == b.place]
    return [
        sentence(each.judged, f"The best of {names[id(each.setting)]}", f"the best of {names[id(each.baseline)]}")
        for each in compare(pairs, "pairs of studies")
    ]


def totals(folder: StudyFrames) -> str:
    """What a study has cost."""
    trials, race = records(folder.trials), records(folder.race)
    runs = [row for row in records(folder.done) if row["epochs"]]
    seconds = sum(row["seconds"] or 0 for row in [*trials, *race, *runs])
    phases = [(f"{len(trials)} trials", spent(trials)), (f"{len(race)} runs of the race", spent(race))]
    phases.append((f"{len(runs)} confirmed runs", sum(row["cost"] * row["epochs"] for row in runs)))
    listed = ", ".join(f"{name} ({format_cost(round(cost))})" for name, cost in phases if cost)
    return f"{listed}: {seconds / 3600:.2f} hours of training and evaluation, summed over runs"
