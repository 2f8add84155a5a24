"""What a study advises: what to take within the budget, what is enough for less, and how far to trust that."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple, Protocol

from study.config.budget import format_cost
from study.config.study_config import Study
from study.confirm.comparisons import (
    NOT_SHOWN,
    Interval,
    Setting,
    compare_with_baselines,
    paired_test,
    seeds_to_settle,
    settings_of,
)
from study.confirm.over_images import image_spread
from study.display.rows import setting
from study.files.aligned import fitted, in_lines
from study.files.results import Results, Row
from study.papers.baselines import BASELINES
from study.race.standings import Standings, standings

Z = 1.96  # standard deviations on either side of 95 % of a normal distribution
MARGIN = 0.5  # points of H: a smaller loss is taken for none when a cheaper setting is recommended
BUDGETS = (1.0, 1.2, 1.6, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # of the lines of `by_budget`, in N
MANY = 200  # seeds; more than these nobody trains to settle it
FITTED = 95.0  # percent of its training images that plain training should get right
MOVED, FEW = 2.0, 6  # points by which a corruption moves; fewer that move decide RA alone


class Measured(Protocol):
    """What warnings are about: the rows of race.csv, confirm.csv and corruptions.csv."""

    @property
    def race(self) -> list[Row]: ...
    @property
    def confirm(self) -> list[Row]: ...
    @property
    def corruptions(self) -> list[Row]: ...


def advice(study: Study, results: Results) -> list[str]:
    """The paragraphs after the table of confirmed settings."""
    found = settings_of(results.confirm)
    top = recommended(found)
    known = standings(study, results.trials, results.race)
    parts = []
    if top is not None:
        place = alike(found, top)
        lines = cheapest_equivalent(place, top) + to_settle(place, top) + other_images(results.images, place, top)
        parts += ["\n".join(map(in_lines, lines))]
    if known is not None:
        parts += [by_budget(study, known), in_lines(near_best_text(known))]
    if top is not None:
        parts += ["\n".join(map(in_lines, warnings(results, alike(found, top), top, known)))]
    return [part for part in parts if part]


def recommended(found: Iterable[Setting]) -> Setting | None:
    """The winner of the race, or of the search where there was none."""
    return next((each for each in found if each.why.startswith("best-1")), None)


def alike(found: Iterable[Setting], beside: Setting) -> list[Setting]:
    """The settings of one data set, network, rate and length that may be compared."""
    return [each for each in found if each.place == beside.place and not each.control]


def cheapest_equivalent(place: Sequence[Setting], top: Setting) -> list[str]:
    """The cheapest setting that is shown to lose less than the margin: the one to take if compute is dear."""
    found = cheapest(place, top)
    if found is not None:
        return [f"{_take(found[0], top)} {_loses(found[1])}"]
    if any(_cheaper(each, top) for each in place):
        return [f"No cheaper setting is shown to lose less than {MARGIN} H against it."]
    return []


def cheapest(place: Sequence[Setting], top: Setting) -> tuple[Setting, Interval] | None:
    """That setting and its loss; None where no cheaper setting is shown to be as good."""
    losses = [(each, test.difference) for each in place if _cheaper(each, top) and (test := paired_test(top.h, each.h))]
    close = [(each, loss) for each, loss in losses if loss.half is not None and loss.high < MARGIN]
    return min(close, key=lambda pair: pair[0].row["cost"], default=None)


def _cheaper(found: Setting, top: Setting) -> bool:
    return bool(found.row["cost"] < top.row["cost"] - 1e-9)


def _take(least: Setting, top: Setting) -> str:
    costs = [format_cost(round(each.row["cost"], 3)) for each in (least, top)]
    name = BASELINES.get(least.row["method"], setting(least.row))
    return f"Use {name}: it costs {costs[0]} instead of {costs[1]}"


def _loses(loss: Interval) -> str:
    return f"and loses less than {MARGIN} H (the 95 % CI of the loss ends at {loss.high:+.2f})."


def to_settle(place: Sequence[Setting], top: Setting) -> list[str]:
    """How many seeds would settle a difference of the margin, where a comparison with a baseline is open."""
    lines = []
    for each in compare_with_baselines(place):
        if each.setting is top and each.judged.verdict == NOT_SHOWN:
            differences = [top.h[seed] - each.baseline.h[seed] for seed in top.h if seed in each.baseline.h]
            count = seeds_to_settle(stdev(differences), MARGIN)
            name = BASELINES[each.baseline.row["method"]]
            seeds_text = f"About {count}" if count <= MANY else f"More than {MANY}"
            lines.append(f"{seeds_text} seeds of each would be needed to show a difference of {MARGIN} H to {name}.")
    return lines


def other_images(images: list[Row], place: Sequence[Setting], top: Setting) -> list[str]:
    """How far the differences to the baselines would move with other test images, which no seed shows."""
    compared = [each.baseline for each in compare_with_baselines(place) if each.setting is top]
    moves = [(each, image_spread(images, top.row["config"], each.row["config"])) for each in compared]
    parts = [f"± {Z * found[0]:.2f} to {BASELINES[each.row['method']]}" for each, found in moves if found]
    count = next((found[1] for _, found in moves if found), 0)
    if not parts:
        return []
    return [
        "The intervals above cover training seeds only. Other test images of this kind would also change the "
        f"differences: by {', '.join(parts)} (95 %, bootstrap over {count} images)."
    ]


class BudgetLine(NamedTuple):
    """The best setting that was found within a budget: one of its rows, and its validation H after all its runs."""

    budget: float
    row: Row
    mean: float
    spread: float
    runs: int


def best_by_budget(study: Study, known: Standings) -> list[BudgetLine]:
    """The best setting within each budget; a larger budget that buys nothing better is left out."""
    spreads, lines, before = known.spread(), [], None
    for budget in sorted({*(each for each in BUDGETS if each < study.per_epoch), study.per_epoch}):
        affordable = [i for i, row in enumerate(known.rows) if row["cost"] <= budget + 1e-9]
        place = next(iter(known.order(affordable)), None)
        if place is not None and place != before:
            value = float(known.mean[place]), float(spreads[place])
            lines.append(BudgetLine(budget, known.rows[place], *value, known.runs[place]))
            before = place
    return lines


def by_budget(study: Study, known: Standings) -> str:
    """One line a budget: the best setting that was found for it, by all runs on validation images."""
    lines = [
        (
            f"within {format_cost(each.budget)}",
            setting(each.row),
            f"{each.mean:.2f} ± {each.spread:.2f}",
            f"{each.runs}",
        )
        for each in best_by_budget(study, known)
    ]
    if not lines:
        return ""
    title = "Best setting found within each budget: mean validation H ± standard error, from search and race"
    return f"{in_lines(title)}\n{fitted([('', 'setting', 'validation H', 'runs'), *lines], ('runs',))}"


def near_best_text(known: Standings) -> str:
    """How many settings the runs do not tell from the best."""
    near, count = len(known.near_best()), len(known.rows)
    return f"{near} of {count} settings lie within one standard error of the best on validation images."


def warnings(rows: Measured, place: Sequence[Setting], top: Setting, known: Standings | None) -> list[str]:
    """What a reader should know before quoting the numbers, as the terminal says it."""
    return [f"warning: {text}" for text in cautions(rows, place, top, known)]


def cautions(rows: Measured, place: Sequence[Setting], top: Setting, known: Standings | None) -> list[str]:
    """What a reader should know before quoting the numbers."""
    found = [_underfits(rows), _higher(place, top), _disagree(place, known), _few_corruptions(rows, place, top)]
    return [text for text in found if text]


def _underfits(results: Measured) -> str:
    rows = [*results.race, *results.confirm]
    seen = [row["train_accuracy"] for row in rows if row["method"] == "vanilla" and row["train_accuracy"] is not None]
    if not seen or fmean(seen) >= FITTED:
        return ""
    return (
        f"vanilla classifies {fmean(seen):.1f} % of its training images correctly: it underfits, so other settings may "
        "gain only by training more; train for more epochs"
    )


def _higher(place: Sequence[Setting], top: Setting) -> str:
    mean = fmean(top.h.values())
    above = [each for each in place if fmean(each.h.values()) > mean + MARGIN]
    names = "; ".join(f"{setting(each.row)} ({fmean(each.h.values()):.2f})" for each in above)
    return f"higher mean H on test images, which must not be used to choose: {names}" if above else ""


def _disagree(place: Sequence[Setting], known: Standings | None) -> str:
    """Whether the order of the confirmed settings in validation says nothing of that in test."""
    if known is None:
        return ""
    means = {row["config"]: known.mean[i] for i, row in enumerate(known.rows)}
    both = [(means[each.row["config"]], fmean(each.h.values())) for each in place if each.row.get("config") in means]
    if len(both) < 4:
        return ""
    agree = sum(math.copysign(1, (a[0] - b[0]) * (a[1] - b[1])) for i, a in enumerate(both) for b in both[i + 1 :])
    return "validation and test rank the confirmed settings differently" if agree <= 0 else ""


def _few_corruptions(results: Measured, place: Sequence[Setting], top: Setting) -> str:
    """Which corruptions decide the difference to vanilla, where they are few."""
    vanilla = next((each for each in place if each.row["method"] == "vanilla"), None)
    if vanilla is None or vanilla is top:
        return ""
    ours, theirs = (_by_corruption(results.corruptions, each.row["config"]) for each in (top, vanilla))
    moved = [name for name in ours if name in theirs and abs(ours[name] - theirs[name]) >= MOVED]
    if not 0 < len(moved) < FEW:
        return ""
    names = ", ".join(name.replace("_", " ") for name in moved)
    return f"only {len(moved)} of {len(ours)} corruptions decide the difference in RA to vanilla: {names}"


def _by_corruption(rows: Iterable[Row], config: str) -> dict[str, float]:
    """Mean accuracy through the main norms, by corruption."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row["config"] == config and row["norm"] == "main" and row["accuracy"] is not None:
            found.setdefault(row["corruption"], []).append(row["accuracy"])
    return {name: fmean(values) for name, values in found.items()}
