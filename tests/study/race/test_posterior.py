"""The Gaussian process over settings: against scikit-learn's, and what it makes of luck and of seeds."""

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from study.race.points import Axes
from study.race.posterior import LEAST, LEVEL, Points, Posterior, around_mean, spread

RNG = np.random.default_rng(0)
PLACES = Points(RNG.random((12, 3)), (0, 1, 1))


def surface(values):
    return 70 + 3 * values[:, 0] - 2 * (values[:, 1] - 0.5) ** 2


def test_mean_and_covariance_are_those_of_another_implementation():
    values = surface(PLACES.values) + RNG.normal(0, 0.3, 12)
    found = Posterior(PLACES, range(12), range(12), values)  # a seed for each run: the shift is noise
    kernel = (
        ConstantKernel(found.signal) * Matern(found.scales[[0, 1, 1]], nu=2.5)
        + ConstantKernel(LEVEL)
        + WhiteKernel(found.noise + found.shift + LEAST)
    )
    other = GaussianProcessRegressor(kernel, optimizer=None, alpha=0.0).fit(
        PLACES.values, (values - found.center) / found.unit
    )
    wanted = Points(RNG.random((5, 3)), (0, 1, 1))
    mean, covariance = found.at(wanted)
    theirs, spreads = other.predict(wanted.values, return_cov=True)
    assert mean == pytest.approx(found.center + found.unit * theirs, abs=1e-6)
    noise = np.eye(5) * (found.noise + found.shift + LEAST)  # theirs is of a further run
    assert covariance == pytest.approx(found.unit**2 * (spreads - noise), abs=1e-6)


def test_the_shift_of_a_seed_is_not_taken_for_merit():
    values = surface(PLACES.values)
    settings, seeds = [*range(12), *range(6)], [0] * 12 + [1] * 6
    runs = np.concatenate([values, values[:6] + 5]) + RNG.normal(0, 0.05, 18)
    mean, _ = Posterior(PLACES, settings, seeds, runs).at(PLACES)
    assert mean.argmax() == values.argmax()
    assert np.corrcoef(mean, values)[0, 1] > 0.99


def test_a_single_lucky_run_counts_less_than_several_good_ones():
    places = Points(np.array([[0.1], [0.9]]), (0,))
    rng = np.random.default_rng(1)
    settings = [0, *[1] * 6]
    values = [72.0, *(71.5 + rng.normal(0, 1.0, 6))]
    mean, covariance = Posterior(places, settings, range(7), values).at(places)
    assert mean[0] < 72.0
    spreads = around_mean(covariance)
    assert spread(covariance, 0, 1) == pytest.approx(2 * spreads[0])
    assert spread(covariance, 0, 0) == 0


def test_one_run_is_enough_and_says_that_nothing_is_known():
    mean, covariance = Posterior(Points(np.zeros((1, 0)), ()), [0], [0], [70.0]).at(Points(np.zeros((1, 0)), ()))
    assert mean == pytest.approx([70.0])
    assert around_mean(covariance) == pytest.approx([0.0])


def test_settings_lie_on_the_axes_on_which_they_differ():
    rows = [
        {"method": "entprop", "k": 0.0, "n": 1, "epsilon": 1.0, "metric": "entropy"},
        {"method": "entprop", "k": 1.0, "n": 1, "epsilon": 8.0, "metric": "margin"},
        {"method": "vanilla", "k": None, "n": None, "epsilon": None, "metric": None},
    ]
    points = Axes(("k", "n", "epsilon", "metric"), rows).points(rows)
    assert points.axes == (0, 0, 1, 2, 3, 4, 4)  # method, k, n, epsilon, metric
    of = {axis: points.values[:, [each == axis for each in points.axes]] for axis in set(points.axes)}
    assert of[1][:, 0].tolist() == [0.0, 1.0, 0.5]
    assert of[3][:, 0] == pytest.approx([0.0, 1.0, 0.5])  # by its logarithm
    assert ((of[0][0] - of[0][2]) ** 2).sum() == pytest.approx(1.0)  # two methods lie 1 apart
    assert ((of[4][0] - of[4][1]) ** 2).sum() == pytest.approx(1.0)
    alike = Axes(("k", "n"), rows[:2]).points(rows[:2])
    assert alike.axes == (0,)  # one method, one n


def test_the_last_digits_of_a_processor_change_nothing():
    rng = np.random.default_rng(2)
    values = surface(PLACES.values) + rng.normal(0, 0.3, 12)
    found = Posterior(PLACES, range(12), range(12), values)
    shaken = Posterior(PLACES, range(12), range(12), values * (1 + 1e-12 * rng.standard_normal(12)))
    assert (shaken.signal, shaken.noise, shaken.shift) == (found.signal, found.noise, found.shift)
    assert shaken.scales.tolist() == found.scales.tolist()
