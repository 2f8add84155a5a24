"""The answer in plain words: the best setting within the budget against vanilla and mixup alone, and how sure it is."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from analysis.comparisons.settings import records, settings
from analysis.inputs.studies import StudyFrames
from study.config.budget import format_cost
from study.confirm.comparisons import (
    Interval,
    Setting,
    baseline,
    by_place,
    compare,
    compare_with_baselines,
)
from study.display.advice import cheapest_equivalent, near_best_text, recommended, to_settle
from study.display.rows import setting
from study.display.summary import sentence
from study.files.ranking import best, finished, spent
from study.files.results import Row
from study.papers.baselines import BASELINES
from study.race.standings import standings


class Answer(NamedTuple):
    """A headline, what stands behind it, and the settings that it speaks of."""

    headline: str
    details: tuple[str, ...]
    settings: tuple[tuple[str, Setting], ...] = ()  # role (best, vanilla, mixup alone) and setting


def answer(folder: StudyFrames) -> Answer:
    """What a study says; where nothing was measured on test images, that it says nothing yet."""
    found = settings(folder.done)
    top = recommended(found)
    if top is not None:
        return _of_search(folder, found, top)
    if found:
        return _of_table(found)
    return _of_trials(records(folder.trials))


def _of_search(folder: StudyFrames, found: Sequence[Setting], top: Setting) -> Answer:
    place = by_place(found)[top.place]
    roles = _roles("best", top, place)
    budget = folder.options.budget if folder.options else None
    within = f"Within {format_cost(budget.per_epoch)} an epoch" if budget else "Within its budget"
    details = [f"{mean_text(each, role.capitalize())}." for role, each in roles[1:]]
    details += _verdicts(place, top)
    details += cheapest_equivalent(place, top) + to_settle(place, top) + _higher(place, top)
    if folder.options and (known := standings(folder.options, records(folder.trials), records(folder.race))):
        details.append(near_best_text(known))
    missing = [name for method, name in BASELINES.items() if baseline(place, method) is None]
    details += [f"{name.capitalize()} was not confirmed beside it." for name in missing]
    return Answer(f"{within}, the search chose {mean_text(top)}.", tuple(details), tuple(roles))


def _of_table(found: Sequence[Setting]) -> Answer:
    place = max(by_place(found).values(), key=len, default=list(found))
    top = max(place, key=lambda each: fmean(each.h.values()))
    roles = _roles("highest", top, place)
    details = [
        "It was picked by the test images themselves, out of " + f"{len(place)} settings: its own number is too good."
    ]
    details += [f"{mean_text(each, role.capitalize())}." for role, each in roles[1:]]
    details += _verdicts(place, top)
    return Answer(f"No search was made. The highest mean H is that of {mean_text(top)}.", tuple(details), tuple(roles))


def _of_trials(trials: Sequence[Row]) -> Answer:
    ranked = best(trials)
    if not ranked:
        return Answer("There is no result yet: no trial came to its end, and nothing was measured on test images.", ())
    top = ranked[0]
    return Answer(
        "There is no result to quote yet: nothing was measured on test images.",
        (
            f"The best of {len(finished(trials))} finished trials on validation images is {setting(top)}, "
            f"{format_cost(round(top['cost'], 3))} an epoch: validation H {top['val_h']:.2f}, one seed.",
            "The best of many trials is better on the images that chose it than on any others.",
        ),
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


def mean_text(found: Setting, name: str = "") -> str:
    """A setting, or what it is called here, with its cost and its H."""
    cost = format_cost(round(found.row["cost"], 3))
    mean = found.interval()
    assert mean is not None, "a setting has a result"
    return f"{name or setting(found.row)}, {cost} an epoch: H {interval_text(mean)} on test images"


def interval_text(found: Interval) -> str:
    """A mean with its 95 % interval, or the word that one seed has none."""
    if found.half is None:
        return f"{found.mean:.2f} (one seed, no interval)"
    return f"{found.mean:.2f} ± {found.half:.2f} (95 % CI, {found.seeds} seeds)"


def _higher(place: Sequence[Setting], top: Setting) -> list[str]:
    """Confirmed settings with a higher mean than the one that validation chose."""
    mean = fmean(top.h.values())
    above = [each for each in place if fmean(each.h.values()) > mean]
    if not above:
        return []
    names = "; ".join(f"{setting(each.row)} ({fmean(each.h.values()):.2f})" for each in above)
    return [f"A higher mean on test images, which nobody may choose by: {names}."]


def between(folders: Sequence[StudyFrames]) -> list[str]:
    """The best settings of several studies against each other, over the seeds that they share."""
    tops = [(each.name, recommended(settings(each.done))) for each in folders]
    named = [(name, top) for name, top in tops if top is not None]
    names = {id(top): name for name, top in named}
    pairs = [(ours, theirs) for i, (_, ours) in enumerate(named) for _, theirs in named[i + 1 :]]
    return [
        sentence(each.judged, f"The best of {names[id(each.setting)]}", f"the best of {names[id(each.baseline)]}")
        for each in compare(pairs, "pairs of studies")
    ]


def totals(folder: StudyFrames) -> str:
    """What a study has cost."""
    trials = records(folder.trials)
    runs = [row for row in records(folder.done) if row["epochs"]]
    seconds = sum(row["seconds"] or 0 for row in [*trials, *runs])
    confirmed = sum(row["cost"] * row["epochs"] for row in runs)
    return (
        f"{format_cost(round(spent(trials), 1))}-epochs in {len(trials)} trials and "
        f"{format_cost(round(confirmed, 1))}-epochs in {len(runs)} confirmed runs; {seconds / 3600:.2f} hours "
        "of training and measuring, one run after the other"
    )
