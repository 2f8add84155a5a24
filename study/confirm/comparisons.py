"""Means, confidence intervals and paired differences of confirmed configurations."""

import math
from collections.abc import Iterable
from statistics import fmean, stdev
from typing import NamedTuple

from study.files.results import Row

CONTROLS = ("lr ×", "equal cost")  # plain training that is not like the others in rate or length


# ------------------------------------------------------------------------------------------- means and differences


class Interval(NamedTuple):
    """A mean over seeds with its 95 % confidence interval, which needs two seeds."""

    mean: float
    half: float | None
    seeds: int

    @property
    def low(self) -> float:
        return self.mean - (self.half or 0.0)

    @property
    def high(self) -> float:
        return self.mean + (self.half or 0.0)

    @property
    def excludes_zero(self) -> bool:
        return self.half is not None and (self.low > 0 or self.high < 0)


def interval(values: list[float]) -> Interval:
    """Student's interval of the mean."""
    count = len(values)
    half = t_quantile(count - 1) * stdev(values) / math.sqrt(count) if count > 1 else None
    return Interval(fmean(values), half, count)


def t_quantile(freedom: int, level: float = 0.95) -> float:
    """The t between whose negative and itself Student's distribution holds that much, by bisection.

    For whole degrees of freedom the distribution is a finite sum, so that no library is needed for a quick look.
    """
    low, high = 0.0, 1e6
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if _student(middle, freedom) < level else (low, middle)
    return (low + high) / 2


def _student(t: float, freedom: int) -> float:
    """The probability that |T| is below t."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    term, total = (cosine, 0.0) if freedom % 2 else (1.0, 0.0)
    for i in range(1 if freedom % 2 else 0, freedom - 1, 2):
        total += term
        term *= cosine**2 * (i + 1) / (i + 2)
    if freedom % 2:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total


class Confirmed(NamedTuple):
    """A configuration over its seeds."""

    row: Row  # of one seed: method, why, data set, network
    h: dict[int, float]  # by seed
    sa: Interval
    ra: Interval
    failed: int

    @property
    def interval(self) -> Interval:
        return interval(list(self.h.values()))


def confirmed(rows: Iterable[Row]) -> list[Confirmed]:
    """The confirmed configurations in the order of their first rows; a failed seed is counted, not averaged."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["config"], []).append(row)
    found = []
    for group in groups.values():
        done = [row for row in group if row["h"] is not None]
        if done:
            sa, ra = (interval([row[name] for row in done]) for name in ("sa", "ra"))
            h = {row["seed"]: row["h"] for row in done}
            found.append(Confirmed(done[0], h, sa, ra, len(group) - len(done)))
    return found


def difference(one: Confirmed, other: Confirmed) -> Interval | None:
    """The paired difference in H over the seeds that both have."""
    seeds = [seed for seed in one.h if seed in other.h]
    return interval([one.h[seed] - other.h[seed] for seed in seeds]) if seeds else None


def reference(groups: list[Confirmed], method: str, beside: Confirmed) -> Confirmed | None:
    """Plain `method` on the same data, with the same network, rate and epochs."""
    same = ("dataset", "model", "lr", "epochs")
    return next(
        (
            group
            for group in groups
            if group.row["method"] == method and all(group.row[name] == beside.row[name] for name in same)
        ),
        None,
    )
