"""How sure a number is: intervals of means, paired tests over seeds, and what several tests at once must be held to.

Every test says how many seeds it needs. Fewer give no p-value at all, so that no mark can stand on them.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

LEVEL = 0.95
RESAMPLES = 10_000
LEAST_PAIRS = 3  # of the paired t test: two pairs leave one degree of freedom, a critical t of 12.7
EXACT_PAIRS = 20  # up to here all 2^n sign patterns are counted, a million of them


Values = Sequence[float] | np.ndarray


class Interval(NamedTuple):
    """A mean with the half width of its confidence interval, which one value alone does not have."""

    mean: float
    half: float | None
    seeds: int

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half


class Paired(NamedTuple):
    """A paired comparison: the mean difference with its interval, and p where there are pairs enough."""

    difference: Interval
    p: float | None


def t_interval(values: Values, level: float = LEVEL) -> Interval:
    """Student's interval of a mean."""
    found = np.asarray(values, dtype=float)
    if not len(found):
        raise ValueError("an interval needs at least 1 value, got none")
    if len(found) == 1:
        return Interval(float(found[0]), None, 1)
    error = found.std(ddof=1) / math.sqrt(len(found))
    return Interval(float(found.mean()), float(special.stdtrit(len(found) - 1, (1 + level) / 2) * error), len(found))


def bootstrap_interval(
    values: Values,
    statistic: Callable[..., np.ndarray] = np.mean,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float] | None:
    """The percentile interval of `statistic(values, axis=-1)`; None for one value.

    With ten values or fewer it is narrower than it says, as percentiles of so small a sample are; quote `t_interval`
    for a mean over seeds, and this one where no formula exists.
    """
    found = np.asarray(values, dtype=float)
    if len(found) < 2:
        return None
    drawn = np.random.default_rng(seed).integers(0, len(found), (resamples, len(found)))
    low, high = np.quantile(statistic(found[drawn], axis=-1), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_t(ours: Values, theirs: Values) -> Paired:
    """The two-sided paired t test; no p below three pairs, nor where all differences are the same."""
    differences = _differences(ours, theirs)
    found = t_interval(differences)
    spread = differences.std(ddof=1) if len(differences) > 1 else 0.0
    if len(differences) < LEAST_PAIRS or spread <= 1e-12 * np.abs(differences).max(initial=0.0):
        return Paired(found, None)
    t = found.mean / (spread / math.sqrt(found.seeds))
    return Paired(found, float(2 * special.stdtr(found.seeds - 1, -abs(t))))


def sign_flip(ours: Values, theirs: Values) -> Paired:
    """The exact two-sided sign-flip test of the mean difference, which assumes no normal distribution.

    With n pairs its p is at least 2/2^n, so that it can speak at the 5 % level from six pairs on.
    """
    differences = _differences(ours, theirs)
    found = t_interval(differences)
    count = len(differences)
    if not least_pairs_of_sign_flip() <= count <= EXACT_PAIRS:
        return Paired(found, None)
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=count)))
    sums = np.abs(signs @ differences)
    # a pattern as extreme as the one that was seen, up to rounding, counts
    return Paired(found, float(np.mean(sums >= abs(differences.sum()) * (1 - 1e-12))))


def least_pairs_of_sign_flip(level: float = LEVEL) -> int:
    """The fewest pairs whose smallest p is below 1 − level."""
    return next(count for count in range(1, EXACT_PAIRS) if 2 / 2**count < 1 - level)


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Holm's adjusted p-values, in the order given; what was not tested stays None and is not counted."""
    tested = sorted((p, index) for index, p in enumerate(ps) if p is not None)
    adjusted: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, index) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        adjusted[index] = largest
    return adjusted


def interquartile_mean(values: Values, axis: int = -1) -> np.ndarray:
    """The mean of the middle half: a quarter of the values, rounded down, is left away at each end."""
    ordered = np.sort(np.asarray(values, dtype=float), axis=axis)
    cut = ordered.shape[axis] // 4
    return np.take(ordered, range(cut, ordered.shape[axis] - cut), axis=axis).mean(axis=axis)


def probability_of_improvement(ours: Values, theirs: Values) -> float:
    """The share of all pairs of runs in which ours is better; a tie counts half."""
    a, b = np.asarray(ours, dtype=float)[:, None], np.asarray(theirs, dtype=float)[None, :]
    if not a.size or not b.size:
        raise ValueError(f"a comparison needs runs on both sides, got {a.size} and {b.size}")
    return float(np.mean((a > b) + 0.5 * (a == b)))


def improvement_interval(
    ours: Values, theirs: Values, level: float = LEVEL, resamples: int = 2000, seed: int = 0
) -> tuple[float, float] | None:
    """The percentile interval of the probability of improvement, both sides drawn anew; None with one run a side."""
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    if min(len(a), len(b)) < 2:
        return None
    rng = np.random.default_rng(seed)
    first, second = (side[rng.integers(0, len(side), (resamples, len(side)))] for side in (a, b))
    above = (first[:, :, None] > second[:, None, :]) + 0.5 * (first[:, :, None] == second[:, None, :])
    low, high = np.quantile(above.mean(axis=(1, 2)), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _differences(ours: Values, theirs: Values) -> np.ndarray:
    if len(ours) != len(theirs):
        raise ValueError(f"paired values must be of one length, got {len(ours)} and {len(theirs)}")
    return np.asarray(ours, dtype=float) - np.asarray(theirs, dtype=float)


ALPHA = 0.05  # of the tests, after Holm's correction
