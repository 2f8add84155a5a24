"""The answer in plain words: the best setting within the budget against vanilla and mixup alone, and how sure it is."""

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from analysis.comparisons.intervals import ALPHA, LEAST_PAIRS, Interval
from analysis.comparisons.settings import Comparison, Setting, by_place, compare, plain, records, settings
from analysis.inputs.studies import StudyFrames
from study.config.budget import format_cost
from study.display.rows import setting
from study.files.ranking import best, finished, spent
from study.files.results import Row

NAMES = {"vanilla": "vanilla", "mixup": "mixup alone"}


class Answer(NamedTuple):
    """A headline, what stands behind it, and the settings that it speaks of."""

    headline: str
    details: tuple[str, ...]
    settings: tuple[tuple[str, Setting], ...] = ()  # role (best, vanilla, mixup alone) and setting


def answer(folder: StudyFrames) -> Answer:
    """What a study says; where nothing was measured on test images, that it says nothing yet."""
    found = settings(folder.done)
    top = next((each for each in found if each.why.startswith("best-1")), None)
    if top is not None:
        return _of_search(folder, found, top)
    if found:
        return _of_table(found)
    return _of_trials(records(folder.trials))


def _of_search(folder: StudyFrames, found: Sequence[Setting], top: Setting) -> Answer:
    place = by_place(found)[top.place]
    roles = [
        ("best", top),
        *((NAMES[name], each) for name in NAMES if (each := plain(place, name)) and each is not top),
    ]
    budget = folder.options.budget if folder.options else None
    within = f"Within {format_cost(budget.per_epoch)} an epoch" if budget else "Within its budget"
    details = [f"{mean_text(each, role.capitalize())}." for role, each in roles[1:]]
    details += [_verdict(each) for each in comparisons(place) if each.setting is top]
    details += _cheaper(place, top) + _higher(place, top)
    missing = [name for name in NAMES.values() if name not in dict(roles)]
    details += [
        f"{name.capitalize()} was not confirmed beside it." for name in missing if top.row["method"] not in name
    ]
    return Answer(f"{within}, the search chose {mean_text(top)}.", tuple(details), tuple(roles))


def _of_table(found: Sequence[Setting]) -> Answer:
    place = max(by_place(found).values(), key=len, default=list(found))
    top = max(place, key=lambda each: fmean(each.h.values()))
    roles = [
        ("highest", top),
        *((NAMES[name], each) for name in NAMES if (each := plain(place, name)) and each is not top),
    ]
    details = [
        "It was picked by the test images themselves, out of " + f"{len(place)} settings: its own number is too good."
    ]
    details += [f"{mean_text(each, role.capitalize())}." for role, each in roles[1:]]
    details += [_verdict(each) for each in comparisons(place) if each.setting is top]
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


def comparisons(place: Sequence[Setting]) -> list[Comparison]:
    """All settings of a place against vanilla and mixup alone, held to one Holm correction, as in the tables."""
    vanilla, mixup = (plain(place, name) for name in NAMES)
    pairs = [(each, vanilla) for each in place if vanilla and each is not vanilla]
    pairs += [(each, mixup) for each in place if mixup and each is not mixup and each is not vanilla]
    return compare([(one, other) for one, other in pairs if other is not None])


def mean_text(found: Setting, name: str = "") -> str:
    """A setting, or what it is called here, with its cost and its H."""
    cost = format_cost(round(found.row["cost"], 3))
    mean = found.interval()
    assert mean is not None, "a setting has a result"
    return f"{name or found.name}, {cost} an epoch: H {interval_text(mean)} on test images"


def interval_text(found: Interval) -> str:
    """A mean with its 95 % interval, or the word that one seed has none."""
    if found.half is None:
        return f"{found.mean:.2f} (one seed, no interval)"
    return f"{found.mean:.2f} ± {found.half:.2f} (95 % CI, {found.seeds} seeds)"


def _verdict(found: Comparison) -> str:
    difference, name = found.paired.difference, NAMES[found.baseline.row["method"]]
    numbers = f"{difference.mean:+.2f} H"
    if difference.low is not None:
        numbers += f", 95 % CI {difference.low:+.2f} to {difference.high:+.2f}"
    seeds = f"{difference.seeds} common seed{'s' if difference.seeds > 1 else ''}"
    if found.adjusted is None:
        return f"Against {name} nothing can be said: {numbers}, and a test needs {LEAST_PAIRS} seeds, got {seeds}."
    numbers += f", p = {found.adjusted:.2g} (paired t test over {seeds}, Holm)"
    if found.adjusted >= ALPHA:
        return f"It is not shown to differ from {name}: {numbers}."
    return f"It {'beats' if difference.mean > 0 else 'is worse than'} {name}: {numbers}."


def _cheaper(place: Sequence[Setting], top: Setting) -> list[str]:
    """The cheapest setting from which the best is not shown to differ: the one to take if compute is dear."""
    cheap = [each for each in place if each.row["cost"] < top.row["cost"] - 1e-9]
    tested = compare([(top, each) for each in cheap])
    equal = [each.baseline for each in tested if each.adjusted is not None and each.adjusted >= ALPHA]
    if not equal:
        return []
    least = min(equal, key=lambda each: each.row["cost"])
    return [
        f"{least.name} costs {format_cost(round(least.row['cost'], 3))} instead of "
        f"{format_cost(round(top.row['cost'], 3))}, and the dearer setting is not shown to be better."
    ]


def _higher(place: Sequence[Setting], top: Setting) -> list[str]:
    """Confirmed settings with a higher mean than the one that validation chose."""
    mean = fmean(top.h.values())
    above = [each for each in place if fmean(each.h.values()) > mean]
    if not above:
        return []
    names = "; ".join(f"{each.name} ({fmean(each.h.values()):.2f})" for each in above)
    return [f"A higher mean on test images, which nobody may choose by: {names}."]


def between(folders: Sequence[StudyFrames]) -> list[str]:
    """The best settings of several studies against each other, over the seeds that they share."""
    tops = [(each.name, next((s for s in settings(each.done) if s.why.startswith("best-1")), None)) for each in folders]
    named = [(name, top) for name, top in tops if top is not None]
    pairs = [(one, other) for i, one in enumerate(named) for other in named[i + 1 :]]
    lines = []
    for (name, ours), (other, theirs) in pairs:
        for found in compare([(ours, theirs)]):
            difference = found.paired.difference
            ci = "" if difference.low is None else f", 95 % CI {difference.low:+.2f} to {difference.high:+.2f}"
            seeds = f"over {difference.seeds} common seeds, not corrected for the number of pairs"
            lines.append(f"Best of {name} minus best of {other}: {difference.mean:+.2f} H{ci}, paired {seeds}.")
    return lines


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
