"""Intervals and tests against scipy, statsmodels' numbers, cases counted by hand, and simulated coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis.comparisons.intervals import (
    bootstrap_interval,
    holm,
    improvement_interval,
    interquartile_mean,
    least_pairs_of_sign_flip,
    paired_t,
    probability_of_improvement,
    sign_flip,
    t_interval,
)
from study.confirm.comparisons import interval as interval_of_the_study

OURS = [94.06, 93.64, 94.23, 94.15, 93.90, 94.41]
THEIRS = [90.27, 90.37, 91.09, 91.18, 90.60, 89.95]
NUMBERS = st.lists(st.floats(0, 100), min_size=3, max_size=12)


# ------------------------------------------------------------------------------------------------------- intervals


def test_t_interval_of_three_numbers_is_the_one_worked_out_by_hand():
    # mean 2, sd 1, standard error 1/sqrt(3), t(2) = 4.302653 (any table)
    found = t_interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)
    assert (found.low, found.high) == (found.mean - found.half, found.mean + found.half)


@pytest.mark.parametrize("count", [2, 3, 6, 40])
def test_t_interval_agrees_with_scipy_and_with_what_the_study_prints(count):
    values = np.random.default_rng(count).normal(93, 1, count)
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    found = t_interval(values)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)
    assert found.half == pytest.approx(interval_of_the_study(list(values)).half, abs=1e-6)


def test_one_value_has_a_mean_and_no_interval():
    assert t_interval([93.0]) == (93.0, None, 1)
    assert t_interval([93.0]).low is None
    assert bootstrap_interval([93.0]) is None


def test_no_value_has_no_mean():
    with pytest.raises(ValueError, match="at least 1 value, got none"):
        t_interval([])


def test_t_interval_of_six_seeds_covers_the_mean_in_95_of_100_studies():
    draws = np.random.default_rng(1).normal(93.0, 0.5, (4000, 6))
    intervals = [t_interval(row) for row in draws]
    assert 0.93 <= np.mean([each.low <= 93.0 <= each.high for each in intervals]) <= 0.97


def test_bootstrap_interval_agrees_with_scipy_on_the_same_draws():
    expected = stats.bootstrap(
        (OURS,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert bootstrap_interval(OURS) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_bootstrap_interval_of_an_interquartile_mean_agrees_with_scipy():
    expected = stats.bootstrap(
        (OURS,), lambda x, axis: stats.trim_mean(x, 0.25, axis=axis), n_resamples=10_000, method="percentile",
        vectorized=True, rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert bootstrap_interval(OURS, interquartile_mean) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_bootstrap_interval_of_a_hundred_values_covers_the_mean_in_95_of_100_studies():
    draws = np.random.default_rng(2).normal(93.0, 0.5, (1500, 100))
    found = [bootstrap_interval(row, resamples=1000, seed=i) for i, row in enumerate(draws)]
    assert 0.93 <= np.mean([low <= 93.0 <= high for low, high in found]) <= 0.97


def test_bootstrap_interval_is_the_same_each_time():
    assert bootstrap_interval(OURS) == bootstrap_interval(OURS)


# ----------------------------------------------------------------------------------------------------------- tests


def test_paired_t_agrees_with_scipy():
    found, expected = paired_t(OURS, THEIRS), stats.ttest_rel(OURS, THEIRS)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12, rel=1e-6)
    interval = expected.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_intervals_and_paired_t_give_the_numbers_of_statsmodels():
    # DescrStatsW(OURS).tconfint_mean(), and of the differences .tconfint_mean() and .ttest_mean(0); statsmodels 0.15
    mean, found = t_interval(OURS), paired_t(OURS, THEIRS)
    assert (mean.low, mean.high) == pytest.approx((93.7828793754823, 94.3471206245177), abs=1e-6)
    assert (found.difference.low, found.difference.high) == pytest.approx((2.9119488602565, 4.0647178064101), abs=1e-6)
    assert found.p == pytest.approx(1.9933454236577e-05, abs=1e-12)


@given(NUMBERS, st.integers(0, 2**16))
def test_paired_t_agrees_with_scipy_for_any_numbers(values, seed):
    others = list(np.asarray(values) + np.random.default_rng(seed).normal(0, 1, len(values)))
    assert paired_t(values, others).p == pytest.approx(stats.ttest_rel(values, others).pvalue, abs=1e-6)


def test_paired_t_of_differences_1_2_3_is_the_one_worked_out_by_hand():
    # mean 2, standard error 1/sqrt(3): t = 2·sqrt(3); with 2 degrees p = 1 − t/sqrt(t² + 2)
    t = 2 * math.sqrt(3)
    assert paired_t([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).p == pytest.approx(1 - t / math.sqrt(t * t + 2), abs=1e-9)


@pytest.mark.parametrize("count", [1, 2])
def test_paired_t_has_no_p_with_fewer_than_three_pairs(count):
    found = paired_t(OURS[:count], THEIRS[:count])
    assert found.p is None
    assert found.difference.seeds == count


def test_paired_t_has_no_p_where_all_differences_are_the_same():
    assert paired_t([1.0, 2.0, 3.0], [0.5, 1.5, 2.5]).p is None
    assert paired_t(OURS, OURS).p is None


def test_pairs_must_be_pairs():
    with pytest.raises(ValueError, match="of one length, got 2 and 1"):
        paired_t([1.0, 2.0], [1.0])


def test_paired_t_says_5_of_100_where_nothing_differs():
    rng = np.random.default_rng(3)
    ps = [paired_t(rng.normal(size=6), rng.normal(size=6)).p for _ in range(4000)]
    assert 0.03 <= np.mean(np.array(ps) < 0.05) <= 0.07


def test_sign_flip_of_six_pairs_with_one_sign_is_2_of_64():
    assert sign_flip(OURS, THEIRS).p == 2 / 64


def test_sign_flip_agrees_with_scipys_permutation_test():
    ours, theirs = [*OURS, 92.0, 93.5], [*THEIRS, 93.1, 93.9]
    expected = stats.permutation_test(
        (ours, theirs), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", vectorized=True
    ).pvalue
    assert sign_flip(ours, theirs).p == pytest.approx(expected, abs=1e-6)


def test_sign_flip_needs_six_pairs_to_speak():
    assert least_pairs_of_sign_flip() == 6
    assert sign_flip(OURS[:5], THEIRS[:5]).p is None


def test_holm_gives_the_numbers_of_statsmodels():
    # multipletests([0.01, 0.04, 0.03, 0.005, 0.5], method="holm")[1], statsmodels 0.15
    assert holm([0.01, 0.04, 0.03, 0.005, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.5], abs=1e-6)


def test_holm_leaves_out_what_was_not_tested():
    assert holm([0.02, None, 0.03]) == [0.04, None, 0.04]
    assert holm([None]) == [None]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_never_lowers_a_p_and_keeps_the_order(ps):
    adjusted = holm(ps)
    assert all(p <= a <= 1 for p, a in zip(ps, adjusted, strict=True))
    by_p = [a for _, a in sorted(zip(ps, adjusted, strict=True))]
    assert by_p == sorted(by_p)


# ------------------------------------------------------------------------------------------------------ aggregates


def test_interquartile_mean_leaves_the_outer_quarters_away():
    assert interquartile_mean([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 100.0]) == 3.5
    assert interquartile_mean(OURS) == pytest.approx(stats.trim_mean(OURS, 0.25), abs=1e-12)


def test_probability_of_improvement_counts_pairs_and_half_of_ties():
    assert probability_of_improvement([1.0, 3.0], [2.0, 3.0]) == (0 + 0 + 1 + 0.5) / 4


def test_probability_of_improvement_agrees_with_mann_and_whitney():
    ours, theirs = [*OURS, 90.1, 90.4], THEIRS
    u = stats.mannwhitneyu(ours, theirs).statistic
    assert probability_of_improvement(ours, theirs) == pytest.approx(u / (len(ours) * len(theirs)), abs=1e-9)


def test_interval_of_the_improvement_holds_it_and_stays_within_0_and_1():
    ours, theirs = [1.0, 2.0, 5.0, 4.0], [1.5, 2.5, 3.0, 0.5]
    low, high = improvement_interval(ours, theirs)
    assert 0 <= low <= probability_of_improvement(ours, theirs) <= high <= 1
    assert improvement_interval([1.0], theirs) is None
