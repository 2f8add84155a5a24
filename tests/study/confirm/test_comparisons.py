"""Intervals and tests against scipy, statsmodels' numbers, cases counted by hand, and simulated coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from study.confirm.comparisons import (
    HIGHER,
    LOWER,
    NOT_SHOWN,
    NOT_TESTED,
    PairedTest,
    baseline,
    compare_with_baselines,
    holm,
    interval,
    judge,
    paired_test,
    settings_of,
)
from tests.support.study_rows import BEST, CONFIRMED, VANILLA, runs

OURS = [94.06, 93.64, 94.23, 94.15, 93.90, 94.41]
THEIRS = [90.27, 90.37, 91.09, 91.18, 90.60, 89.95]


def paired(ours, theirs):
    """The test of values in the order of their seeds."""
    return paired_test(dict(enumerate(ours)), dict(enumerate(theirs)))


NUMBERS = st.lists(st.floats(0, 100), min_size=3, max_size=12)


# ------------------------------------------------------------------------------------------------------- intervals


def test_t_interval_of_three_numbers_is_the_one_worked_out_by_hand():
    # mean 2, sd 1, standard error 1/sqrt(3), t(2) = 4.302653 (any table)
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.half == pytest.approx(4.302653 / math.sqrt(3), abs=1e-6)
    assert (found.low, found.high) == (found.mean - found.half, found.mean + found.half)


@pytest.mark.parametrize("count", [2, 3, 6, 40])
def test_t_interval_agrees_with_scipy(count):
    values = np.random.default_rng(count).normal(93, 1, count)
    low, high = stats.t.interval(0.95, count - 1, values.mean(), stats.sem(values))
    found = interval(values)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def test_one_value_has_a_mean_and_no_interval():
    assert interval([93.0]) == (93.0, None, 1)


def test_no_value_has_no_mean():
    with pytest.raises(ValueError, match="at least 1 value, got none"):
        interval([])


def test_t_interval_of_six_seeds_covers_the_mean_in_95_of_100_studies():
    draws = np.random.default_rng(1).normal(93.0, 0.5, (4000, 6))
    intervals = [interval(row) for row in draws]
    assert 0.93 <= np.mean([each.low <= 93.0 <= each.high for each in intervals]) <= 0.97


# ----------------------------------------------------------------------------------------------------------- tests


def test_paired_t_agrees_with_scipy():
    found, expected = paired(OURS, THEIRS), stats.ttest_rel(OURS, THEIRS)
    assert found.p == pytest.approx(expected.pvalue, abs=1e-12, rel=1e-6)
    interval = expected.confidence_interval()
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), abs=1e-6)


def test_intervals_and_paired_t_give_the_numbers_of_statsmodels():
    # DescrStatsW(OURS).tconfint_mean(), and of the differences .tconfint_mean() and .ttest_mean(0); statsmodels 0.15
    mean, found = interval(OURS), paired(OURS, THEIRS)
    assert (mean.low, mean.high) == pytest.approx((93.7828793754823, 94.3471206245177), abs=1e-6)
    assert (found.difference.low, found.difference.high) == pytest.approx((2.9119488602565, 4.0647178064101), abs=1e-6)
    assert found.p == pytest.approx(1.9933454236577e-05, abs=1e-12)


@given(NUMBERS, st.integers(0, 2**16))
def test_paired_t_agrees_with_scipy_for_any_numbers(values, seed):
    others = list(np.asarray(values) + np.random.default_rng(seed).normal(0, 1, len(values)))
    assert paired(values, others).p == pytest.approx(stats.ttest_rel(values, others).pvalue, abs=1e-6)


def test_paired_t_of_differences_1_2_3_is_the_one_worked_out_by_hand():
    # mean 2, standard error 1/sqrt(3): t = 2·sqrt(3); with 2 degrees p = 1 − t/sqrt(t² + 2)
    t = 2 * math.sqrt(3)
    assert paired([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]).p == pytest.approx(1 - t / math.sqrt(t * t + 2), abs=1e-9)


@pytest.mark.parametrize("count", [1, 2])
def test_paired_t_has_no_p_with_fewer_than_three_pairs(count):
    found = paired(OURS[:count], THEIRS[:count])
    assert found.p is None
    assert found.difference.seeds == count


def test_paired_t_has_no_p_where_all_differences_are_the_same():
    assert paired([1.0, 2.0, 3.0], [0.5, 1.5, 2.5]).p is None
    assert paired(OURS, OURS).p is None


def test_paired_t_says_5_of_100_where_nothing_differs():
    rng = np.random.default_rng(3)
    ps = [paired(rng.normal(size=6), rng.normal(size=6)).p for _ in range(4000)]
    assert 0.03 <= np.mean(np.array(ps) < 0.05) <= 0.07


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


# -------------------------------------------------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("mean", "ps", "verdict", "family"),
    [
        (1.0, [0.02, 0.9], HIGHER, "Holm over 2 pairs"),
        (-1.0, [0.02, 0.9], LOWER, "Holm over 2 pairs"),
        (1.0, [0.03, 0.9], NOT_SHOWN, "Holm over 2 pairs"),
        (1.0, [0.03, None], HIGHER, "the only test, so that no correction is needed"),
        (1.0, [None, 0.01], NOT_TESTED, "the only test, so that no correction is needed"),
    ],
)
def test_a_verdict_is_of_the_corrected_p_and_names_its_family(mean, ps, verdict, family):
    first, *_ = judge([PairedTest(interval([mean]), p) for p in ps], "pairs")
    assert (first.verdict, first.family) == (verdict, family)


def test_a_difference_is_paired_by_seed_and_leaves_out_what_has_no_partner():
    found = paired_test({1: 94.0, 2: 95.0, 3: 99.0}, {1: 91.0, 2: 92.5}).difference
    assert (found.mean, found.seeds) == (pytest.approx(2.75), 2)
    assert paired_test({1: 94.0}, {2: 91.0}) is None


def test_all_settings_are_compared_with_both_baselines_and_mixup_with_vanilla_once():
    found = compare_with_baselines(settings_of(CONFIRMED))
    named = [(each.setting.why, each.baseline.why) for each in found]
    assert named == [("mixup", "vanilla"), ("best-1", "vanilla"), ("best-1", "mixup")]
    assert {each.judged.family for each in found} == {"Holm over 3 comparisons with the baselines"}


def test_a_baseline_has_the_defaults_and_is_no_control():
    slow, half = runs("lr × 1/3", VANILLA, [93.0]), runs("x", {"method": "mixup", "half": True}, [93.0])
    assert baseline(settings_of([*slow, *half]), "vanilla") is None
    assert baseline(settings_of(runs("best-1", BEST, [94.0])), "mixup") is None
    slow[0]["config"] = "slow"
    assert baseline(settings_of([*slow, *CONFIRMED]), "vanilla").why == "vanilla"
