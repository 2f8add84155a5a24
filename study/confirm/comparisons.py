"""Confirmed settings, their confidence intervals, and the one verdict on a difference between two of them.

The terminal summary, the report, the marks of the tables and docs/results.md all ask here, so that they agree. A
difference is tested by a two-sided paired t test over the common seeds; p is corrected by Holm's method over a family
of tests, which is named wherever the verdict is stated.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from statistics import fmean, stdev
from typing import Any, NamedTuple

from study.files.columns import COLUMNS
from study.files.configs import method_row
from study.files.results import Row
from study.papers.baselines import BASELINES
from trainables.config import make_method
from trainables.methods import METHODS, Method

LEVEL = 0.95  # of the confidence intervals
ALPHA = 0.05  # of the tests, after Holm's correction
LEAST_PAIRS = 3  # of the paired t test: two pairs leave one degree of freedom, a critical t of 12.7
CONTROLS = ("lr ×", "equal cost")  # a baseline at another learning rate or length than the other settings
HIGHER, LOWER, NOT_SHOWN, NOT_TESTED = "higher", "lower", "not shown to differ", "not tested"

BySeed = Mapping[int, float]
Protocol = tuple[Any, ...]  # dataset, model, lr, epochs, changes: what settings must share to be compared


# ------------------------------------------------------------------------------------------------ intervals and tests


class Interval(NamedTuple):
    """A mean over seeds and the half width of its confidence interval, which one seed alone does not have."""

    mean: float
    half: float | None
    seeds: int

    @property
    def low(self) -> float:
        return self.mean - (self.half or 0.0)

    @property
    def high(self) -> float:
        return self.mean + (self.half or 0.0)


def interval(values: Iterable[float]) -> Interval:
    """Student's 95 % confidence interval of the mean."""
    found = [float(value) for value in values]
    if not found:
        raise ValueError("an interval needs at least 1 value, got none")
    if len(found) == 1:
        return Interval(found[0], None, 1)
    from scipy.special import stdtrit  # not at the top: a command's help needs no scipy

    quantile = float(stdtrit(len(found) - 1, (1 + LEVEL) / 2))
    return Interval(fmean(found), quantile * stdev(found) / math.sqrt(len(found)), len(found))


class PairedTest(NamedTuple):
    """The mean difference with its interval, and p where there are pairs enough; not corrected."""

    difference: Interval
    p: float | None


def paired_test(ours: BySeed, theirs: BySeed) -> PairedTest | None:
    """The two-sided paired t test over common seeds; None without any.

    There is no p below three pairs, nor where all differences are the same.
    """
    differences = [ours[seed] - theirs[seed] for seed in ours if seed in theirs]
    if not differences:
        return None
    found = interval(differences)
    spread = stdev(differences) if len(differences) >= LEAST_PAIRS else 0.0
    if spread <= 1e-12 * max(map(abs, differences)):
        return PairedTest(found, None)
    from scipy.special import stdtr

    t = found.mean / (spread / math.sqrt(found.seeds))
    return PairedTest(found, float(2 * stdtr(found.seeds - 1, -abs(t))))


POWER = 0.8  # of a test for which seeds are planned


def seeds_to_settle(spread: float, difference: float) -> int:
    """How many pairs a test needs to find a difference with a power of 80 %; `spread` is that of single pairs."""
    from scipy.special import stdtrit

    count = LEAST_PAIRS
    while count < 10_000:
        reach = float(stdtrit(count - 1, (1 + LEVEL) / 2) + stdtrit(count - 1, POWER))
        if count >= (reach * spread / difference) ** 2:
            break
        count += 1
    return count


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values, in the order given; what was not tested stays None and is not counted."""
    tested = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, index) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = largest
    return adjusted


class Judged(NamedTuple):
    """A difference with its p after Holm's correction, and the family over which that was made."""

    difference: Interval
    p: float | None
    family: str

    @property
    def verdict(self) -> str:
        if self.p is None:
            return NOT_TESTED
        if self.p >= ALPHA:
            return NOT_SHOWN
        return HIGHER if self.difference.mean > 0 else LOWER


def judge(tests: Sequence[PairedTest], family: str) -> list[Judged]:
    """The verdicts of one family of tests; `family` says in the plural what they compare."""
    adjusted = holm([test.p for test in tests])
    count = sum(p is not None for p in adjusted)
    text = f"Holm over {count} {family}" if count != 1 else "the only test, so that no correction is needed"
    return [Judged(test.difference, p, text) for test, p in zip(tests, adjusted, strict=True)]


# ------------------------------------------------------------------------------------------------- confirmed settings


@dataclass(frozen=True)
class Setting:
    """A configuration with its results by seed; a failed seed is counted and enters no mean."""

    row: Row  # of one run: method, why, data set, network, cost
    values: Mapping[str, BySeed]  # sa, ra, h, ece and all else that was measured, by seed
    failed: int = 0

    @property
    def h(self) -> BySeed:
        return self.values["h"]

    @property
    def why(self) -> str:
        return self.row.get("why") or ""

    @property
    def control(self) -> bool:
        """Whether this is a baseline at another rate or length than the others."""
        return self.why.startswith(CONTROLS)

    @property
    def place(self) -> Protocol:
        lr = None if self.row.get("lr_searched") in (True,) else self.row.get("lr")
        dataset, model, epochs, changes = (self.row.get(name) for name in ("dataset", "model", "epochs", "changes"))
        return dataset, model, lr, epochs, changes

    def interval(self, measure: str = "h") -> Interval | None:
        """The mean over seeds; None where nothing was measured."""
        found = self.values.get(measure, {}).values()
        return interval(found) if found else None


MEASURED = ("sa", "ra", "h", "ece", "epoch_seconds")  # columns of confirm.csv; all others that hold numbers are added
KNOWN = frozenset(column.name for column in COLUMNS["confirm"])


def settings_of(rows: Iterable[Row]) -> list[Setting]:
    """The configurations of confirmed runs that have a result, in the order of their first rows."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["config"], []).append(row)
    return [found for group in groups.values() if (found := _setting(group))]


def _setting(rows: Sequence[Row]) -> Setting | None:
    done = [row for row in rows if row.get("h") is not None]
    if not done:
        return None
    names = dict.fromkeys([*MEASURED, *(name for row in done for name in row if name not in KNOWN)])
    values = {
        name: {row["seed"]: row[name] for row in done if isinstance(row.get(name), int | float)} for name in names
    }
    return Setting({**done[0], **_means(done)}, values, len(rows) - len(done))


def _means(rows: Sequence[Row]) -> Row:
    """Mean seconds and measured cost of a configuration's runs."""
    return {
        name: fmean(given) if (given := [row[name] for row in rows if row.get(name) is not None]) else None
        for name in ("seconds", "measured_cost")
    }


def method_key(method: Method) -> tuple[tuple[str, Any], ...]:
    """What makes two methods the same: name and hyper-parameters, with the radius that a rule gives."""
    values = method_row(method)
    return tuple((name, round(value, 6) if isinstance(value, float) else value) for name, value in values.items())


def method_of_setting(found: Setting) -> Method:
    """The method of a setting; options that its row does not have are the method's defaults."""
    name = found.row["method"]
    kind: Any = METHODS[name]
    options = [field.name for field in fields(kind) if found.row.get(field.name) is not None]
    return make_method(name, {option: found.row[option] for option in options})


def by_place(found: Iterable[Setting]) -> dict[Protocol, list[Setting]]:
    """Settings that share data set, network, rate, epochs and options; controls are left out."""
    places: dict[Protocol, list[Setting]] = {}
    for each in found:
        if not each.control:
            places.setdefault(each.place, []).append(each)
    return places


def baseline(found: Iterable[Setting], method: str) -> Setting | None:
    """The first setting of a method with its defaults: vanilla, or mixup alone."""
    wanted = method_key(make_method(method, {}))
    same = (each for each in found if each.row["method"] == method and not each.control)
    return next((each for each in same if method_key(method_of_setting(each)) == wanted), None)


# -------------------------------------------------------------------------------------------------------- comparisons


class Comparison(NamedTuple):
    """A setting against a baseline over the seeds that both have."""

    setting: Setting
    baseline: Setting
    judged: Judged


def compare(pairs: Iterable[tuple[Setting, Setting]], family: str, measure: str = "h") -> list[Comparison]:
    """The pairs as one family of tests; those without a common seed are left out."""
    tested = [
        (ours, theirs, test)
        for ours, theirs in pairs
        if ours is not theirs and (test := paired_test(ours.values.get(measure, {}), theirs.values.get(measure, {})))
    ]
    judged = judge([test for *_, test in tested], family)
    return [Comparison(ours, theirs, each) for (ours, theirs, _), each in zip(tested, judged, strict=True)]


def compare_with_baselines(group: Sequence[Setting], measure: str = "h") -> list[Comparison]:
    """All settings of one place against vanilla and mixup alone, as one family; mixup against vanilla counts once."""
    vanilla, mixup = (baseline(group, name) for name in BASELINES)
    pairs = [(each, vanilla) for each in group if vanilla]
    pairs += [(each, mixup) for each in group if mixup and each is not vanilla]
    return compare([(ours, theirs) for ours, theirs in pairs if theirs], "comparisons with the baselines", measure)


def compare_with_controls(top: Setting, found: Iterable[Setting]) -> list[Comparison]:
    """The best setting against baselines at other learning rates and at equal cost, as one family."""
    return compare([(top, each) for each in found if each.control], "comparisons with controls")
