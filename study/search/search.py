"""The search: a source of proposed trials, which writes down what becomes of them.

`trials.csv` and `epochs.csv` are the record. A proposal stands in `trials.csv` before any worker knows of it, and its
ending before the sampler learns of it; whatever was killed in between, going on from these two files repeats nothing
and loses nothing. Optuna's file on disk is a copy, mended from them.
"""

from pathlib import Path
from typing import Any

from study.config.space import first_proposals, space_of, trial_config
from study.config.study_config import Study
from study.files.configs import config_row, method_of
from study.files.ranking import finished
from study.files.results import Results
from study.search.sampling import Direction, Mirror, Proposals, grid_points
from study.workers.jobs import Job, Row
from study.workers.work_folder import base_of
from trainables.config import TrialConfig, method_options

DIRECTIONS: dict[str, tuple[Direction, ...]] = {"h": ("maximize",), "pareto": ("maximize", "minimize")}


class Search:
    """Hands out trials until the study has as many as it asked for, or can pay for no further one."""

    def __init__(self, study: Study, results: Results, progress: Any, rungs: tuple[float, ...] = ()) -> None:
        assert study.sampler is not None
        assert study.out is not None
        assert study.trials is not None
        self.study, self.results, self.progress, self.rungs = study, results, progress, rungs
        self.base = base_of(study.out, study.storage)
        self.total = study.trials
        directions = DIRECTIONS[study.objective]
        self.space = space_of(study)
        self.proposals = Proposals(self.space, study.sampler, study.seed, directions)
        self.mirror = Mirror(Path(study.out) / "optuna.log", Path(study.out).name, directions)
        self.first = grid_points([study.grid], study.seed) if study.sampler == "grid" else first_proposals(study)
        self.known: set[int] = set()  # all trials that have a row
        self.following = 0  # no number below it is free
        # Of the trials that have not ended:
        self.configs: dict[int, TrialConfig] = {}
        self.seconds: dict[int, dict[int, Row]] = {}
        self.spent: dict[int, float] = {}
        self.spent_by_ended = 0.0
        self.live: set[int] = set()
        self.waiting: list[int] = []  # cut off by a kill
        self.held: tuple[int, TrialConfig] | None = None  # proposed, but not yet affordable
        self.paid_up = False
        self._learn_from_others()
        self._go_on()

    # ------------------------------------------------------------------------------------------- what was before

    def _learn_from_others(self) -> None:
        """Results of other studies, for the sampler alone."""
        number = 0
        for folder in self.study.warm_start:
            for row in finished(Results(folder).trials):
                parameters = self.parameters(row)
                if parameters is not None:
                    number -= 1
                    self.proposals.replay(number, parameters, "finished", self.objectives(row), {})

    def _go_on(self) -> None:
        """Take in this study's own trials; those that were running are waiting for a worker."""
        trials = self.results.trials
        cut_off = {row["trial"] for row in trials if row["status"] == "running"}
        reports: dict[int, dict[int, float]] = {}
        for row in self.results.epochs:
            if row["trial"] in cut_off:
                self.seconds.setdefault(row["trial"], {})[row["epoch"]] = row
            if row["val_h"] is not None:
                reports.setdefault(row["trial"], {})[row["epoch"]] = row["val_h"]
        for row in trials:
            number, parameters = row["trial"], self.parameters(row) or {}
            self.known.add(number)
            if number in cut_off:
                values, _ = self.proposals.ask_again(number, parameters)
                self.configs[number] = self.config_of(values)  # a radius given by a rule stands as a number in the row
                self.spent[number] = row["spent"] or 0.0
                self.waiting.append(number)
                continue
            self.spent_by_ended += row["spent"] or 0.0
            report_errors = self.objectives(row) if row["val_h"] is not None else None
            trial = self.proposals.replay(number, parameters, row["status"], report_errors, reports.get(number, {}))
            if trial is not None:
                self.mirror.add(trial)

    def parameters(self, row: Row) -> dict[str, Any] | None:
        """What the sampler would have drawn for the method of a row; None if it is not in this study's space."""
        values = {name: value for name, value in method_options(method_of(row)).items() if value is not None}
        return self.space.parameters({"method": row["method"], **values})

    # --------------------------------------------------------------------------------------------- handing out

    @property
    def finished(self) -> bool:
        """Whether no further trial will be proposed."""
        return not self.waiting and (self.paid_up or len(self.known) >= self.total)

    def next(self) -> Job | None:
        if self.waiting:
            return self._start(self.waiting.pop(0))
        if self.finished:
            return None
        if self.held is None:
            number = self._free_number()
            values, _ = self.proposals.ask(number, self.first[number] if number < len(self.first) else None)
            self.held = number, self.config_of(values)
        number, config = self.held
        if not self.affordable(config):
            # Trials that are stopped early give back what was put aside for them.
            self.paid_up = not (self.live and self.study.scheduler == "asha")
            return None
        self.held = None
        self.known.add(number)
        self.configs[number] = config
        self.results.put_trial(self.row(number, None, "running"))
        return self._start(number)

    def _free_number(self) -> int:
        """The lowest number that no trial has."""
        while self.following in self.known:
            self.following += 1
        return self.following

    def _start(self, number: int) -> Job:
        self.live.add(number)
        self.progress.started(self.label(number))
        config = self.configs[number]
        return Job(self.label(number), self.folder(number), config.as_dict(), "validation", self.rungs)

    def affordable(self, config: TrialConfig) -> bool:
        """Whether the total budget pays for this trial at full length beside those that run."""
        if self.study.total_budget is None:
            return True
        running = sum(self.full_cost(self.configs[number]) for number in self.live)
        return running + self.spent_by_ended + self.full_cost(config) <= self.study.total_budget + 1e-6

    @staticmethod
    def full_cost(config: TrialConfig) -> float:
        return config.epochs * config.method.cost

    # ------------------------------------------------------------------------------------------ writing down

    def on_result(self, job: Job, row: Row) -> None:
        number = number_of(job)
        self.seconds.setdefault(number, {})[row["epoch"]] = row
        self.spent[number] = row["spent"]
        self.results.add_epoch({**row, "trial": number})
        self.results.put_trial(self.row(number, row, "running"))
        if row.get("val_h") is not None:
            self.proposals.report(number, row["epoch"], row["val_h"])
        self.progress.epoch(job.name, row)

    def on_end(self, job: Job, row: Row | None, error: str) -> None:
        number = number_of(job)
        full = row is not None and row["epoch"] == self.configs[number].epochs
        status = "failed" if error else "finished" if full else "stopped"
        written = {**self.row(number, row, status), "error": error or None}
        self.results.put_trial(written)
        self.live.discard(number)
        report_errors = self.objectives(written) if written["val_h"] is not None else None
        self.mirror.add(self.proposals.tell(number, status, report_errors))
        self.spent_by_ended += self.spent.pop(number, 0.0)
        self.seconds.pop(number, None)
        del self.configs[number]
        self.progress.ended(written)

    def row(self, number: int, row: Row | None, status: str) -> Row:
        """A row of trials.csv: the configuration with what its epochs so far add up to."""
        config, done = self.configs[number], list(self.seconds.get(number, {}).values())
        seconds = sum(each["seconds"] for each in done)
        images = [each["images_per_s"] for each in done if each.get("images_per_s")]
        last = row or {}
        return {
            **config_row(config),
            "trial": number,
            "status": status,
            "epochs": last.get("epoch", len(done)),
            "measured_cost": last.get("measured_cost"),
            "spent": self.spent.get(number, 0.0),
            "seconds": seconds,
            "images_per_s": sum(images) / len(images) if images else None,
            **{name: last.get(name) for name in ("val_sa", "val_ra", "val_h")},
        }

    def objectives(self, row: Row) -> list[float]:
        return [row["val_h"]] if self.study.objective == "h" else [row["val_h"], row["cost"]]

    # ------------------------------------------------------------------------------------------------- names

    def config_of(self, values: Row) -> TrialConfig:
        # One seed for all trials: what differs between two of them is the setting alone.
        return trial_config(self.study, values, self.study.seed)

    def label(self, number: int) -> str:
        return f"trial-{number:04d}"

    def folder(self, number: int) -> str:
        return f"{self.base}/{self.label(number)}"


def number_of(job: Job) -> int:
    """The trial's number, which stands in the job's name."""
    return int(job.name.rpartition("-")[2])


def rungs_so_far(results: Results, rungs: tuple[float, ...]) -> list[tuple[str, float, float]]:
    """(trial, spent, H) at every rung that an interrupted study had reached, in the order of proposal."""
    found = []
    for row in results.epochs:
        if row["val_h"] is not None and row["spent"] >= min(rungs, default=0.0):
            found.append((f"trial-{row['trial']:04d}", row["spent"], row["val_h"]))
    return found
