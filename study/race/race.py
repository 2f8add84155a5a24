"""The race: the best settings of the search are trained again on validation images, with seeds of their own.

The best trial of a search is the luckiest of many. In the first round all contenders are trained with one common seed,
in the second the better half with two more. Each run is a row of `race.csv`, written when it ends; the order of the
contenders follows from all runs of search and race (`ranking`).
"""

import dataclasses

from study.config.study_config import Study
from study.files.configs import config_id, config_row
from study.files.ranking import best, standing
from study.files.results import Results, Row
from study.files.store import below
from study.race.contenders import Contender, contenders, finalists, known_contenders, rounds
from study.workers.jobs import Job
from study.workers.work_folder import base_of, keeping
from trainables.config import TrialConfig


class Race:
    """A source of the race's runs. Before `begin` it has those that need no result of the search."""

    name = "race"

    def __init__(self, study: Study, results: Results) -> None:
        assert study.out is not None
        self.study, self.results = study, results
        self.base = base_of(study.out, study.storage)
        self.first, self.further = rounds(study)
        self.entered: dict[tuple[str, int], Contender] = {}
        self.earlier: list[Row] = []
        self.waiting: list[TrialConfig] = []
        self.running: set[str] = set()
        self.seconds: dict[str, dict[int, float]] = {}
        self.round = 0
        if not study.dealt:  # else the rates of the baselines come out of the search
            self.enter(known_contenders(study), self.first)

    def begin(self) -> None:
        """The search has ended: its best join the first round."""
        if not best(self.results.trials):
            self.waiting.clear()  # there is nothing to compare the baselines with
            self.round = 2
            return
        self.round = 1
        self.enter(contenders(self.study, self.results.trials), self.first)
        self._go_on()

    def enter(self, several: list[Contender], seeds: tuple[int, ...]) -> None:
        """Wait for a run of each with each seed that it has no row for."""
        done = standing(self.results.race, self.study.retry_failed)
        for each in several:
            for seed in seeds:
                key = config_id(each.config), seed
                if key not in self.entered and key in done:
                    self.earlier.append(done[key])
                elif key not in self.entered:
                    self.waiting.append(dataclasses.replace(each.config, seed=seed))
                self.entered.setdefault(key, each)
        self.waiting.sort(key=lambda config: -config.method.cost)

    @property
    def size(self) -> tuple[int, float | None]:
        """How many runs there are so far, and what they cost in N-epochs."""
        costs = [each.config.method.cost * each.config.epochs for each in self.entered.values()]
        return len(costs), sum(costs)

    @property
    def finished(self) -> bool:
        return self.round == 2 and not self.waiting

    def next(self) -> Job | None:
        if not self.waiting:
            return None
        config = self.waiting.pop(0)
        name = f"race-{config_id(config)}-{config.seed}"
        self.running.add(name)
        measure, kept = self.study.validation_corruptions, keeping(self.study)
        return Job(name, below(self.base, name), config.as_dict(), measure, **kept)

    def on_result(self, job: Job, row: Row) -> None:
        self.seconds.setdefault(job.name, {})[row["epoch"]] = row["seconds"]

    def on_end(self, job: Job, row: Row | None, error: str) -> Row:
        config, last = TrialConfig.from_dict(job.config), row or {}
        key = config_id(config), config.seed
        self.running.discard(job.name)
        written = {
            **config_row(config),
            "why": self.entered[key].why,
            "round": 1 if config.seed in self.first else 2,
            "epochs": last.get("epoch"),
            **{name: last.get(name) for name in ("measured_cost", "spent", "train_accuracy")},
            "seconds": sum(self.seconds.pop(job.name, {}).values()),
            **{name: None if error else last.get(name) for name in ("val_sa", "val_ra", "val_h")},
            "error": error or None,
        }
        self.results.put_race(written)
        self._go_on()
        return written

    def _go_on(self) -> None:
        """Begin the second round once the first has ended."""
        if self.round == 1 and not self.waiting and not self.running:
            self.round = 2
            self.enter(finalists(self.study, self.results.trials, self.results.race), self.further)
