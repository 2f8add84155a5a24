"""What noisy runs say about settings: a Gaussian process over settings, in numpy.

A run is the value of its setting, a shift that all runs of its seed share, and noise. Settings that lie near each other
have similar values, so that every run says something about its neighbours too, and the luck of a single run is not
taken for merit. Length scales and variances are those that the runs make most likely, under wide priors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

# Medians of the log-normal priors and their spread, of values with a variance of 1 over axes of length 1.
SIGNAL, NOISE, SEEDS, SCALE = 1.0, 0.3, 0.3, 0.7
SPREAD = 1.0
LEVEL = 100.0  # variance of the common level, which is not known beforehand
LEAST = 1e-6  # of a variance, so that equations can be solved
MOST_RUNS = 300  # of very many, as time grows with their third power


@dataclass(frozen=True)
class Points:
    """Settings as numbers from 0 to 1; columns of one axis share a length scale."""

    values: Array  # (settings, columns)
    axes: tuple[int, ...]  # the axis of each column

    def scaled(self, scales: Array) -> Array:
        return self.values / scales[list(self.axes)] if self.axes else self.values


class Posterior:
    """The values of settings after these runs; `at` asks for any others."""

    def __init__(self, points: Points, settings: Sequence[int], seeds: Sequence[int], values: Sequence[float]) -> None:
        """Of each run: its setting as a row of `points`, its seed, its value."""
        self.points = points
        self.settings = np.asarray(settings)
        runs = np.asarray(values, dtype=float)
        self.center, self.unit = float(runs.mean()), float(runs.std()) or 1.0
        self.runs = (runs - self.center) / self.unit
        self.same_seed = np.equal.outer(np.asarray(seeds), np.asarray(seeds)).astype(float)
        axes = max(points.axes, default=-1) + 1
        medians = np.array([SIGNAL, NOISE, SEEDS, *([SCALE] * axes)])
        self.signal, self.noise, self.shift, *scales = _most_likely(self._misfit, np.log(medians))
        self.scales = np.array(scales)
        self.root = np.linalg.cholesky(self._covariance(self.signal, self.noise, self.shift, self.scales))
        self.solved = _solve(self.root, self.runs)

    def at(self, points: Points) -> tuple[Array, Array]:
        """Mean and covariance of the values of settings, without the shift of a seed."""
        there, here = points.scaled(self.scales), self.points.scaled(self.scales)
        cross = self.signal * _matern(there, here)[:, self.settings] + LEVEL
        reached = _half_solve(self.root, cross.T)
        covariance = self.signal * _matern(there, there) + LEVEL - reached.T @ reached
        return self.center + self.unit * (cross @ self.solved), self.unit**2 * covariance

    def _covariance(self, signal: float, noise: float, shift: float, scales: Array) -> Array:
        """Of the runs."""
        scaled = self.points.scaled(scales)
        settings = signal * _matern(scaled, scaled) + LEVEL
        return (
            settings[np.ix_(self.settings, self.settings)]
            + shift * self.same_seed
            + (noise + LEAST) * np.eye(len(self.runs))
        )

    def _misfit(self, logs: Array, medians: Array) -> float:
        """The negative logarithm of how likely these variances and scales are after the runs."""
        signal, noise, shift, *scales = np.exp(logs)
        root = np.linalg.cholesky(self._covariance(signal, noise, shift, np.array(scales)))
        half = _half_solve(root, self.runs)
        prior = ((logs - medians) ** 2).sum() / (2 * SPREAD**2)
        return float(half @ half / 2 + np.log(np.diag(root)).sum() + prior)


def spread(covariance: Array, one: int, other: int) -> float:
    """The standard deviation of the difference between two settings."""
    variance = covariance[one, one] + covariance[other, other] - 2 * covariance[one, other]
    return float(np.sqrt(max(0.0, variance)))


def around_mean(covariance: Array) -> Array:
    """The standard deviation of each setting's difference to the mean of all, which no seed shifts."""
    count = len(covariance)
    centred = np.eye(count) - 1 / count
    return np.sqrt(np.maximum(0.0, np.diag(centred @ covariance @ centred)))


def _matern(a: Array, b: Array) -> Array:
    """Matérn's correlation 5/2."""
    squares = ((a[:, None, :] - b[None, :, :]) ** 2).sum(axis=2)
    r = np.sqrt(5 * squares)
    return (1 + r + r**2 / 3) * np.exp(-r)


def _most_likely(misfit, medians: Array) -> list[float]:  # type: ignore[no-untyped-def]
    from scipy.optimize import minimize  # not at the top: a command's help needs no scipy

    bounds = [(median - 4, median + 4) for median in medians]
    found = minimize(misfit, medians, args=(medians,), method="L-BFGS-B", bounds=bounds)
    # Rounded to a percent: further digits are those of the processor, and would show in figures and in ties.
    return [float(value) for value in np.exp(np.round(found.x, 2))]


def _half_solve(root: Array, right: Array) -> Array:
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(root, right, lower=True))


def _solve(root: Array, right: Array) -> Array:
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(root.T, _half_solve(root, right)))
