"""What is known of each setting from all its runs on validation images: those of the search and those of the race."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from study.config.study_config import Study
from study.files.ranking import finished
from study.files.results import Row

if TYPE_CHECKING:
    from study.race.points import Axes
    from study.race.posterior import Array, Posterior

MOST_TRIALS = 200  # of a long search: the time of a fit grows with the third power of the runs


@dataclass(frozen=True)
class Standings:
    """Settings with the mean and the covariance of their validation H, after all runs together."""

    rows: list[Row]  # one run of each setting
    runs: list[int]  # how many each setting has
    mean: Array
    covariance: Array
    posterior: Posterior
    axes: Axes

    def spread(self) -> Array:
        """The standard deviation of each setting's difference to the mean of all settings."""
        from study.race.posterior import around_mean

        return around_mean(self.covariance)

    def order(self, among: Iterable[int] | None = None) -> list[int]:
        """Places in `rows`, the highest mean first; of equals the cheaper."""
        places = range(len(self.rows)) if among is None else among
        return sorted(places, key=lambda i: (-self.mean[i], self.rows[i]["cost"], self.rows[i]["config"] or ""))

    def front(self, among: Iterable[int] | None = None) -> list[int]:
        """The places that no other beats in both mean and cost, the cheapest first."""
        chosen: list[int] = []
        for i in sorted(self.order(among), key=lambda i: self.rows[i]["cost"]):
            if not chosen or self.mean[i] > self.mean[chosen[-1]]:
                chosen.append(i)
        return chosen

    def near_best(self) -> list[int]:
        """The places of settings whose difference to the best is within its standard deviation."""
        from study.race.posterior import spread

        best = self.order()[0]
        return [i for i in range(len(self.rows)) if self.mean[best] - self.mean[i] <= spread(self.covariance, best, i)]


def standings(study: Study, trials: Iterable[Row], race: Iterable[Row] = ()) -> Standings | None:
    """After these trials and runs of the race; None before any has finished."""
    done = _bounded(finished(trials)) + [row for row in race if row["val_h"] is not None]
    if not done:
        return None
    from study.race.points import Axes
    from study.race.posterior import Posterior

    by_config: dict[str, list[Row]] = {}
    for row in done:
        by_config.setdefault(row["config"], []).append(row)
    places = {config: place for place, config in enumerate(by_config)}
    rows = [several[0] for several in by_config.values()]
    axes = Axes(searched_names(study), rows)
    points = axes.points(rows)
    posterior = Posterior(
        points, [places[row["config"]] for row in done], [row["seed"] for row in done], [row["val_h"] for row in done]
    )
    mean, covariance = posterior.at(points)
    return Standings(rows, [len(several) for several in by_config.values()], mean, covariance, posterior, axes)


def searched_names(study: Study) -> list[str]:
    """Every name that is searched for some method."""
    return list(dict.fromkeys(name for names in study.searched.values() for name in names))


def _bounded(trials: Sequence[Row]) -> list[Row]:
    """All trials; of very many the best and the latest."""
    if len(trials) <= MOST_TRIALS:
        return list(trials)
    best = sorted(trials, key=lambda row: -row["val_h"])[: MOST_TRIALS // 2]
    kept = {row["trial"] for row in [*best, *trials[-MOST_TRIALS // 2 :]]}
    return [row for row in trials if row["trial"] in kept]
