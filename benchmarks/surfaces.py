"""Simulated studies: surfaces drawn from a Gaussian process over the recorded runs of `benchmarks.search_table`.

The process is the product's own (`study/race/posterior.py`), fitted to all recorded runs, with the variances of noise
and of seeds that it finds. A surface is one draw of the true H of many settings, given these runs; a simulated
run is the H of the nearest of them, the shift of its seed and noise. All of this is simulation: nothing is trained.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import RESULTS
from study.config.make_study import make_study
from study.config.space import published_values, space_of, trial_config
from study.config.study_config import Study
from study.files.configs import config_row
from study.race.points import Axes
from study.race.posterior import Posterior
from study.search.sampling import Proposals

SETTINGS = 600  # of a surface, drawn evenly from the space
NUMBERS = {"n": int, "k": float, "epsilon": float}


def path_of(name: str) -> Path:
    """The file of a recorded table."""
    return RESULTS / f"{name}.csv"


def replayed_study(folder: Path, **options: Any) -> Study:
    """The study whose search is simulated."""
    return make_study(budget="4N", out=str(folder), **{"trials": 1, **options})


class Recorded:
    """The runs of one table."""

    def __init__(self, path: Path) -> None:
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))
        self.rows = [{**row, **{name: kind(row[name]) for name, kind in NUMBERS.items()}, "method": "entprop"}
                     for row in rows]  # fmt: skip
        self.h = [float(row["val_h"]) for row in rows]
        self.seeds = [int(row["seed"]) for row in rows]
        keys = [tuple(row[name] for name in (*NUMBERS, "metric")) for row in self.rows]
        self.settings = [self.rows[keys.index(key)] for key in dict.fromkeys(keys)]
        places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        self.axes = Axes((*NUMBERS, "metric"), self.settings)
        self.points = self.axes.points(self.settings)
        self.posterior = Posterior(self.points, [places[key] for key in keys], self.seeds, self.h)
        self.mean = np.array(
            [np.mean([h for h, key in zip(self.h, keys, strict=True) if key == each]) for each in places]
        )

    def nearest(self, row: dict[str, Any], points: Any = None) -> int:
        """The place of the setting that lies nearest in the process's own distance."""
        points = points or self.points
        wanted = self.axes.points([row]).scaled(self.posterior.scales)
        return int(((points.scaled(self.posterior.scales) - wanted) ** 2).sum(axis=1).argmin())


class Surface:
    """One draw of the true H of many settings of a study's space; `run` measures one with one seed."""

    def __init__(self, recorded: Recorded, study: Study, number: int) -> None:
        self.recorded, self.rng = recorded, np.random.default_rng(number)
        drawn = Proposals(space_of(study), "random", 10_000 + number)
        several = [*published_values(study), *(drawn.ask(each) for each in range(SETTINGS))]
        self.rows = [config_row(trial_config(study, values, 0)) for values in several]
        self.points = recorded.axes.points(self.rows)
        mean, covariance = recorded.posterior.at(self.points)
        scale, vectors = np.linalg.eigh(covariance)
        self.true = mean + vectors @ (np.sqrt(np.maximum(scale, 0)) * self.rng.standard_normal(len(mean)))
        unit = recorded.posterior.unit
        self.noise, self.shift = (unit * np.sqrt(each) for each in (recorded.posterior.noise, recorded.posterior.shift))
        self.shifts: dict[int, float] = {}

    def value(self, row: dict[str, Any]) -> float:
        """The true H of a setting."""
        return float(self.true[self.recorded.nearest(row, self.points)])

    def run(self, row: dict[str, Any], seed: int) -> float:
        """H of one run."""
        shift = self.shifts.setdefault(seed, self.shift * self.rng.standard_normal())
        return float(self.value(row) + shift + self.noise * self.rng.standard_normal())
