"""The aggregates of the cost table against cases counted by hand and scipy."""

import pytest
from scipy import stats

from analysis.tables.costs import interquartile_mean, probability_of_improvement

OURS = [94.06, 93.64, 94.23, 94.15, 93.90, 94.41]
THEIRS = [90.27, 90.37, 91.09, 91.18, 90.60, 89.95]


def test_interquartile_mean_leaves_the_outer_quarters_away():
    assert interquartile_mean([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 100.0]) == 3.5
    assert interquartile_mean(OURS) == pytest.approx(stats.trim_mean(OURS, 0.25), abs=1e-12)


def test_probability_of_improvement_counts_pairs_and_half_of_ties():
    assert probability_of_improvement([1.0, 3.0], [2.0, 3.0]) == (0 + 0 + 1 + 0.5) / 4


def test_probability_of_improvement_agrees_with_mann_and_whitney():
    ours, theirs = [*OURS, 90.1, 90.4], THEIRS
    u = stats.mannwhitneyu(ours, theirs).statistic
    assert probability_of_improvement(ours, theirs) == pytest.approx(u / (len(ours) * len(theirs)), abs=1e-9)
