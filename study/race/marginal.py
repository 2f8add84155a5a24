"""How H depends on one hyper-parameter, on average over what the budget leaves of all others."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from search_spaces import spaces
from study.config.space import trial_config
from study.config.study_config import Study
from study.files.configs import method_row
from study.race.posterior import Array
from study.race.standings import Standings

DRAWS = 60  # proposals over which a mean is taken
STEPS = 9  # of a number's range
Z = 1.96


class Curve(NamedTuple):
    """Mean H at each value of a hyper-parameter, and how far it may lie from there (95 %)."""

    values: tuple[Any, ...]
    mean: Array
    half: Array


def marginals(study: Study, known: Standings, method: str) -> dict[str, Curve]:
    """For each searched name of a method: the mean over proposals that the budget allows.

    The bands are those of the differences to the mean of the curve, as the common level is not what is asked.
    """
    found = {}
    for name in study.searched[method]:
        if len({row[name] for row in known.rows if row["method"] == method}) > 1:
            found[name] = _curve(study, known, method, name)
    return {name: curve for name, curve in found.items() if curve is not None}


def _curve(study: Study, known: Standings, method: str, name: str) -> Curve | None:
    groups = {value: _settings(study, method, name, value) for value in _values(study, method, name)}
    groups = {value: rows for value, rows in groups.items() if rows}
    if len(groups) < 2:
        return None
    rows = [row for several in groups.values() for row in several]
    mean, covariance = known.posterior.at(known.axes.points(rows))
    weights = np.zeros((len(groups), len(rows)))
    start = 0
    for place, several in enumerate(groups.values()):
        weights[place, start : start + len(several)] = 1 / len(several)
        start += len(several)
    centred = weights - weights.mean(axis=0)
    variances = np.einsum("ij,jk,ik->i", centred, covariance, centred)
    return Curve(tuple(groups), weights @ mean, Z * np.sqrt(np.maximum(0.0, variances)))


def _values(study: Study, method: str, name: str) -> Sequence[Any]:
    allowed = spaces.space_for(method).searchable[name]
    if isinstance(allowed, spaces.Share):
        return [float(value) for value in np.round(np.linspace(0, allowed.largest, STEPS), 6)]
    if isinstance(allowed, spaces.Iterations):
        most = spaces.largest_n(method, study.per_epoch, study.searched[method], study.fixed[method])
        return range(1, most + 1)
    if isinstance(allowed, spaces.Range):
        scale = np.geomspace if allowed.log else np.linspace
        return [float(value) for value in scale(allowed.low, allowed.high, STEPS)]
    return allowed


def _settings(study: Study, method: str, name: str, value: Any) -> list[dict[str, Any]]:
    """Proposals with this value that the budget allows, as rows."""
    rng = np.random.default_rng(0)
    found = []
    searched, fixed = study.searched[method], study.fixed[method]
    for _ in range(DRAWS):
        values = {**spaces.values_of(method, _Drawn(rng, name, value), study.per_epoch, searched, fixed), name: value}
        lr = values.get("lr", 1.0) * study.trial.lr
        config = trial_config(study, {**values, "method": method}, 0)
        if study.budget and study.budget.allows(config.method.cost):
            found.append({**method_row(config.method), "lr": lr})
    return found


class _Drawn:
    """A trial that draws evenly, but for one name whose value is given."""

    def __init__(self, rng: np.random.Generator, name: str, value: Any) -> None:
        self.rng, self.name, self.value = rng, name, value

    def _given(self, name: str) -> bool:
        return name.rpartition("/")[2] == self.name

    def suggest_int(self, name: str, low: int, high: int) -> int:
        return self.value if self._given(name) else int(self.rng.integers(low, high + 1))

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        if self._given(name):
            return float(self.value)
        part = self.rng.random()
        return float(low * (high / low) ** part if log else low + part * (high - low))

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return self.value if self._given(name) else choices[int(self.rng.integers(len(choices)))]
