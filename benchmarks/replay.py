"""Runs looked up instead of trained: the table of `benchmarks.search_table`, and the run nearest to a setting."""

import csv
import math
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.report import RESULTS
from search_spaces.spaces import METRICS, largest_share

BUDGET = 4.0  # of the study that made the table


class Run(NamedTuple):
    """One recorded run: its cost per epoch in N, and H after the epochs that were measured."""

    cost: float
    curve: dict[int, float]


class Table:
    """The runs of one recorded grid."""

    def __init__(self, path: Path) -> None:
        self.runs: dict[tuple, Run] = {}
        self.settings: list[dict[str, Any]] = []  # of the runs, as parameters of a proposal
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                if point(row) not in self.runs:
                    self.settings.append(parameters(row))
                run = self.runs.setdefault(point(row), Run(float(row["cost"]), {}))
                run.curve[int(row["epoch"])] = float(row["val_h"])
        self.epochs = max(epoch for run in self.runs.values() for epoch in run.curve)
        self.found: dict[tuple, Run] = {}

    def nearest(self, method: dict[str, Any]) -> Run:
        """The run of the same metric that lies nearest: n and the share as they are, the radius by its logarithm."""
        wanted = point(method)
        if wanted not in self.found:
            same = [each for each in self.runs if each[0] == wanted[0]]
            self.found[wanted] = self.runs[min(same, key=lambda each: math.dist(each[1:], wanted[1:]))]
        return self.found[wanted]

    def final(self, run: Run) -> float:
        return run.curve[self.epochs]


def point(values: dict[str, Any]) -> tuple:
    """A setting as metric and three numbers from 0 to 1: n, the share of the largest k, the radius."""
    n, k, epsilon = int(values["n"]), float(values["k"]), float(values["epsilon"])
    assert values["metric"] in METRICS
    return values["metric"], (n - 1) / 4, k / largest_share(BUDGET, n), math.log(epsilon) / math.log(8)


def parameters(row: dict[str, str]) -> dict[str, Any]:
    """The parameters under which a study proposes a recorded setting."""
    n, k = int(row["n"]), float(row["k"])
    return {
        "entprop/n": n,
        "entprop/k_frac": min(1.0, k / largest_share(BUDGET, n)),
        "entprop/epsilon": float(row["epsilon"]),
        "entprop/metric": row["metric"],
    }


def path_of(name: str) -> Path:
    """The file of a stored table."""
    return RESULTS / f"{name}.csv"


def recorded(name: str) -> Table:
    """The table of that name in `results/`."""
    return Table(path_of(name))
