"""The search: a source of proposed trials, which writes down their results.

`trials.csv` and `epochs.csv` are the record. A proposal is written to `trials.csv` before any worker knows of it, and
its result before the sampler learns of it: after a kill at any moment, resuming from these two files repeats nothing
and loses nothing. Optuna's file on disk is a copy, mended from them.
"""

import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from search_spaces.cheapest import Given
from study.config.seeds import LARGEST, REPEATS
from study.config.space import first_proposals, space_of, trial_config, values_of
from study.config.study_config import Study
from study.files.configs import config_id, config_row
from study.files.ranking import finished
from study.files.results import Results
from study.files.store import below, is_url
from study.search.halving import Measured
from study.search.mirror import Mirror, note
from study.search.sampling import Direction, Proposals, grid_points
from study.workers.jobs import Job, Row
from study.workers.work_folder import base_of, keeping
from trainables.config import TrialConfig

MOST_DRAWS = 100  # of a proposal, until it is a setting that has no trial
DIRECTIONS: dict[str, tuple[Direction, ...]] = {"h": ("maximize",), "pareto": ("maximize", "minimize")}


class Search:
    """Hands out trials until the study has as many as it asked for, or its total budget pays for no further one."""

    name = "search"

    def __init__(self, study: Study, results: Results, rungs: tuple[float, ...] = (), sampler: Any = None) -> None:
        assert study.sampler is not None
        assert study.out is not None
        assert study.trials is not None
        self.study, self.results, self.rungs = study, results, rungs
        self.base = base_of(study.out, study.storage)
        self.total = study.trials
        self.space = space_of(study)
        self.proposals = Proposals(self.space, sampler or study.sampler, study.seed, DIRECTIONS[study.objective])
        self.first = grid_points([study.grid], study.seed) if study.sampler == "grid" else first_proposals(study)
        self.numbered: set[int] = set()  # the trials that have a row
        self.seeds: dict[str, set[int]] = {}  # of each configuration's trials
        self.next_number = 0  # no number below it is free
        self.open: dict[int, TrialConfig] = {}  # trials that have not ended
        self.epochs: dict[int, dict[int, Row]] = {}  # of each of them, the rows by epoch
        self.waiting: list[int] = []  # those that a kill cut off
        self.running: dict[int, float] = {}  # those at a worker, with their cost at full length
        self.spent = 0.0  # by the trials that have ended
        self.unaffordable: tuple[int, TrialConfig] | None = None  # a proposal that the budget does not yet pay for
        self.budget_spent = False
        self.earlier: list[Row] = []
        self._learn_from_others()
        self._resume()

    # ------------------------------------------------------------------------------------------- earlier results

    def _learn_from_others(self) -> None:
        """Tell the sampler the results of `warm_start`."""
        number = 0
        for folder in self.study.warm_start:
            for row in finished(Results(folder).trials):
                parameters = self.parameters(row)
                if parameters is not None:
                    number -= 1
                    self.proposals.replay(number, parameters, "finished", self.objectives(row), {})

    def _resume(self) -> None:
        """Take in this study's own trials; those that were running wait for a worker."""
        reports: dict[int, dict[int, float]] = {}
        for row in self.results.epochs:
            self.epochs.setdefault(row["trial"], {})[row["epoch"]] = row
            if row["val_h"] is not None:
                reports.setdefault(row["trial"], {})[row["epoch"]] = row["val_h"]
        for row in self.results.trials:
            number, parameters = row["trial"], self.parameters(row) or {}
            self._register(number, row["config"], row["seed"])
            if row["status"] == "running":
                values = self.proposals.ask_again(number, parameters)
                self.open[number] = self.config_of(values, row["seed"])  # a radius given by a rule is a number there
                self.waiting.append(number)
                continue
            self.spent += row["spent"] or 0.0
            ended = self.objectives(row) if row["val_h"] is not None else None
            self.proposals.replay(number, parameters, row["status"], ended, reports.get(number, {}))
            self.earlier.append(row)
        self.epochs = {number: self.epochs.get(number, {}) for number in self.waiting}

    def parameters(self, row: Row) -> dict[str, Any] | None:
        """What the sampler would have drawn for the method of a row; None if it is not in this study's space."""
        return self.space.parameters(values_of(self.study, row))

    # --------------------------------------------------------------------------------------------- handing out

    @property
    def size(self) -> tuple[int, float | None]:
        """How many trials there will be, and what they may cost in N-epochs, if that was asked for."""
        return self.total, self.study.total_budget

    def begin(self) -> None:
        """Nothing: no phase is before the search."""

    @property
    def finished(self) -> bool:
        """Whether no further trial will be proposed."""
        return not self.waiting and (self.budget_spent or len(self.numbered) >= self.total)

    def next(self) -> Job | None:
        """The next trial for a worker; None while there is none, or at the end."""
        if self.waiting:
            return self._start(self.waiting.pop(0))
        if self.finished:
            return None
        number, config = self.unaffordable or self._propose()
        if not self.affordable(config):
            self.unaffordable = number, config
            # Trials that are stopped early give back what was reserved for them.
            self.budget_spent = not (self.running and self.study.scheduler != "none")
            return None
        self.unaffordable = None
        self._register(number, config_id(config), config.seed)
        self.open[number], self.epochs[number] = config, {}
        self.results.put_trial(self.row(number, None, "running"))
        return self._start(number)

    def _propose(self) -> tuple[int, TrialConfig]:
        """A proposal, under the lowest number that no trial has."""
        while self.next_number in self.numbered:
            self.next_number += 1
        drawn, config = self._new_setting(self.next_number)
        self.proposals.begin(self.next_number, drawn)
        return self.next_number, config

    def _new_setting(self, number: int) -> tuple[dict[str, Any], TrialConfig]:
        """A setting that has no trial yet; in a space that holds none, the first one drawn with a seed of its own."""
        first = drawn = self.proposals.draw(number, self._given(number))
        for again in range(1, MOST_DRAWS):
            config = self._drawn_config(drawn)
            if config_id(config) not in self.seeds:
                return drawn, config
            drawn = self.proposals.draw(number, self._method_given(number), again)
        config = self._drawn_config(first)
        others = itertools.count((self.study.seed + REPEATS) % LARGEST)
        seed = next(seed for seed in others if seed not in self.seeds.get(config_id(config), ()))
        return first, dataclasses.replace(config, seed=seed)

    def _drawn_config(self, parameters: dict[str, Any]) -> TrialConfig:
        return self.config_of(self.space(Given(parameters)))

    def _given(self, number: int) -> dict[str, Any] | None:
        """The parameters of a proposal that the sampler does not choose."""
        return self.first[number] if number < len(self.first) else self._method_given(number)

    def _method_given(self, number: int) -> dict[str, Any] | None:
        return {"method": self.study.methods[number % len(self.study.methods)]} if self.study.dealt else None

    def _register(self, number: int, config: str, seed: int) -> None:
        """Note that a number and a setting have a trial."""
        self.numbered.add(number)
        self.seeds.setdefault(config, set()).add(seed)

    def _start(self, number: int) -> Job:
        config, name = self.open[number], name_of(number)
        self.running[number] = full_cost(config)
        rungs = every_epoch(config) if self.study.scheduler == "own" else self.rungs
        # A copy of the tables in an object store is as old as the last run's end, while states are sent by epoch.
        known = max(self.epochs[number], default=0) if is_url(self.base) else None
        measure, kept = self.study.validation_corruptions, keeping(self.study)
        return Job(name, below(self.base, name), config.as_dict(), measure, rungs, known=known, **kept)

    def affordable(self, config: TrialConfig) -> bool:
        """Whether the total budget pays for this trial at full length beside those that run."""
        if self.study.total_budget is None:
            return True
        return sum(self.running.values()) + self.spent + full_cost(config) <= self.study.total_budget + 1e-6

    # ------------------------------------------------------------------------------------------ writing down

    def on_result(self, job: Job, row: Row) -> None:
        number = number_of(job)
        self.epochs[number][row["epoch"]] = row
        self.results.add_epoch({**row, "trial": number})
        self.results.put_trial(self.row(number, row, "running"))
        if row.get("val_h") is not None:
            self.proposals.report(number, row["epoch"], row["val_h"])

    def on_end(self, job: Job, row: Row | None, error: str) -> Row:
        number = number_of(job)
        full = row is not None and row["epoch"] == self.open[number].epochs
        status = "failed" if error else "finished" if full else "stopped"
        written = {**self.row(number, row, status), "error": error or None}
        self.results.put_trial(written)
        ended = self.objectives(written) if written["val_h"] is not None else None
        self.proposals.tell(number, status, ended)
        self.spent += written["spent"]
        del self.running[number], self.epochs[number], self.open[number]
        return written

    def row(self, number: int, row: Row | None, status: str) -> Row:
        """A row of trials.csv: the configuration, and the sum of its epochs so far."""
        config, epochs, last = self.open[number], list(self.epochs[number].values()), row or {}
        speeds = [each["images_per_s"] for each in epochs if each.get("images_per_s")]
        return {
            **config_row(config),
            "trial": number,
            "status": status,
            "epochs": last.get("epoch", len(epochs)),
            "measured_cost": last.get("measured_cost"),
            "spent": last.get("spent", max((each["spent"] or 0.0 for each in epochs), default=0.0)),
            "seconds": sum(each["seconds"] for each in epochs),
            "images_per_s": sum(speeds) / len(speeds) if speeds else None,
            **{name: last.get(name) for name in ("val_sa", "val_ra", "val_h")},
        }

    def objectives(self, row: Row) -> list[float]:
        """What the sampler raises, and for a Pareto front what it lowers."""
        return [row["val_h"]] if self.study.objective == "h" else [row["val_h"], row["cost"]]

    def config_of(self, values: Row, seed: int | None = None) -> TrialConfig:
        # One seed for all trials, unless a setting is repeated: two of them differ in the setting alone.
        return trial_config(self.study, values, self.study.seed if seed is None else seed)


def mirror_of(study: Study, search: Search) -> Mirror:
    """The copy of a search on disk, as a listener."""
    path = Path(study.out or "")
    return Mirror(path / "optuna.log", path.name, DIRECTIONS[study.objective], search.proposals)


def annotate(study: Study, ranked: Iterable[Row]) -> None:
    """Note the order of the race in Optuna's copy: optuna-dashboard shows it beside the trials."""
    assert study.out is not None
    path = Path(study.out) / "optuna.log"
    names = ("config", "method", "why", "cost", "mean", "spread", "runs")
    if path.exists():
        note(
            path,
            path.parent.name,
            DIRECTIONS[study.objective],
            [{name: row.get(name) for name in names} for row in ranked],
        )


def full_cost(config: TrialConfig) -> float:
    """The cost of all epochs of a trial, in N-epochs."""
    return config.epochs * config.method.cost


def every_epoch(config: TrialConfig) -> tuple[float, ...]:
    """Spent costs between the epochs of a trial, so that it is measured after each: a scheduler may ask at any."""
    return tuple((epoch - 0.5) * config.method.cost for epoch in range(1, config.epochs))


def name_of(number: int) -> str:
    """The name of a trial's job, folder and label."""
    return f"trial-{number:04d}"


def number_of(job: Job) -> int:
    """The number of a job's trial."""
    return int(job.name.rpartition("-")[2])


def rungs_so_far(results: Results, rungs: tuple[float, ...]) -> list[Measured]:
    """Every measured epoch at or above the first rung of an interrupted study, by trial and epoch."""
    least = min(rungs, default=0.0)
    return [
        (name_of(row["trial"]), row["spent"], row["val_h"])
        for row in results.epochs
        if row["val_h"] is not None and row["spent"] >= least
    ]
