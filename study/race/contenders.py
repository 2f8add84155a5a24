"""Which settings are in the race, and in which order they come out of it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from study.config.seeds import race_seeds
from study.config.space import published_values, trial_config, values_of
from study.config.study_config import Study
from study.files.configs import config_id, method_of
from study.files.ranking import best
from study.files.results import Row
from study.papers.baselines import BASELINES
from study.race.standings import Standings, standings
from trainables.config import TrialConfig, make_method

FINALS = 2  # further seeds for the better half


@dataclass(frozen=True)
class Contender:
    """A setting in the race, and why it is there."""

    why: str
    config: TrialConfig


def known_contenders(study: Study, trials: Iterable[Row] = ()) -> list[Contender]:
    """Those that need no result of the search: the baselines, and the cheapest and the dearest published setting.

    Where learning rates are searched, each baseline stands at the rate that is best on validation images.
    """
    rows = list(trials)
    values = [(name, baseline_values(study, rows, name)) for name in BASELINES]
    published = searched_published(study)
    values += [("published", each) for each in (*published[:1], *published[1:][-1:])]
    return _distinct(Contender(why, trial_config(study, each, 0)) for why, each in values)


def contenders(study: Study, trials: Iterable[Row]) -> list[Contender]:
    """All that start in the race after a search: the best by posterior mean of H, or of a front, and the known ones."""
    rows = list(trials)
    found, count = standings(study, rows), study.race or 0
    if found is None:
        return []
    places = found.order() if study.objective == "h" else _evenly(found.front(), count)
    chosen = [Contender("search", _config(study, found.rows[place])) for place in places[:count]]
    return _distinct([*known_contenders(study, rows), *chosen])


def finalists(study: Study, trials: Iterable[Row], race: Iterable[Row]) -> list[Contender]:
    """The better half after the first round; runs of the second change nothing of it, so that a resumed race agrees."""
    ranked = ranking(study, trials, [row for row in race if row["round"] == 1])
    return [Contender(row["why"], _config(study, row)) for row in ranked[: math.ceil((study.race or 0) / 2)]]


def rounds(study: Study) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The seeds of the first round and those of the second."""
    first, *others = race_seeds(study, 1 + FINALS)
    return (first,), tuple(others)


def ranking(study: Study, trials: Iterable[Row], race: Iterable[Row]) -> list[Row]:
    """The settings of the race, the best first, as one of their rows with `mean` and `spread` of H and `runs`.

    Without a race: the trials by their one run.
    """
    trials, race = list(trials), list(race)
    found = standings(study, trials, race) if any(row["val_h"] is not None for row in race) else None
    if found is None:
        return [{**row, "mean": row["val_h"], "spread": None, "runs": 1} for row in best(trials, len(trials))]
    why = {row["config"]: row["why"] for row in race if row["val_h"] is not None}
    raced = [i for i, row in enumerate(found.rows) if row["config"] in why]
    spreads = found.spread()
    return [
        {
            **found.rows[i], "why": why[found.rows[i]["config"]],
            "mean": float(found.mean[i]), "spread": float(spreads[i]), "runs": found.runs[i],
        }
        for i in _order(study, found, raced)
    ]  # fmt: skip


def _order(study: Study, found: Standings, raced: list[int]) -> list[int]:
    """By mean; where H is traded against cost, the front comes first."""
    ordered = found.order(raced)
    if study.objective == "h":
        return ordered
    front = set(found.front(raced))
    return sorted(ordered, key=lambda place: place not in front)


def baseline_values(study: Study, trials: list[Row], name: str) -> dict[str, Any]:
    """A baseline with its defaults, at the learning rate that is best on validation images if rates were searched."""
    tried = [row for row in trials if row["method"] == name and method_of(row) == make_method(name, {})]
    return next((values_of(study, row) for row in best(tried)), {"method": name})


def searched_published(study: Study) -> list[dict[str, Any]]:
    """The published settings of the searched methods within the budget, the cheapest first."""
    found = published_values(study, [name for name in study.methods if name not in BASELINES])
    return sorted(found, key=lambda values: trial_config(study, values, 0).method.cost)


def _config(study: Study, row: Row) -> TrialConfig:
    return trial_config(study, values_of(study, row), 0)


def _distinct(several: Iterable[Contender]) -> list[Contender]:
    """Each configuration once, for its first reason."""
    found: dict[str, Contender] = {}
    for each in several:
        found.setdefault(config_id(each.config), each)
    return list(found.values())


def _evenly(places: list[int], count: int) -> list[int]:
    """So many of these, spread evenly from the first to the last."""
    if len(places) <= count or count < 2:
        return places[:count] if count < 2 else places
    return [places[round(i * (len(places) - 1) / (count - 1))] for i in range(count)]
