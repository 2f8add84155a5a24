"""A study in numbers, kept up to date event by event."""

from collections import defaultdict
from dataclasses import dataclass

from study.files.ranking import best, spent_of
from study.workers.jobs import Job, Row
from study.workers.listener import Listener, Phase


@dataclass
class Counts:
    """The runs of a phase; costs in N-epochs."""

    total: int = 0
    planned: float | None = None  # cost of the whole phase
    running: int = 0
    done: int = 0
    finished: int = 0
    stopped: int = 0
    failed: int = 0
    spent: float = 0.0
    spent_here: float = 0.0  # by this call
    cost_of_finished: float = 0.0
    best: Row | None = None  # of the finished trials
    best_h: float | None = None  # on validation images, of all finished runs

    def add(self, row: Row) -> None:
        """Count a run that has ended."""
        value = row.get("val_h", row.get("h"))
        status = row.get("status") or ("failed" if value is None else "finished")
        self.done += 1
        setattr(self, status, getattr(self, status) + 1)
        if status != "finished":
            return
        self.cost_of_finished += spent_of(row)
        if "val_h" in row:
            self.best_h = max(row["val_h"], self.best_h or row["val_h"])
        if "status" in row:
            self.best = best([each for each in (self.best, row) if each])[0]


class Tally(Listener):
    """The counts of each phase, for listeners that show them: they come after this one."""

    def __init__(self) -> None:
        self.phases: dict[str, Counts] = defaultdict(Counts)
        self.spent: dict[str, float] = {}  # by each run that is at work

    def on_phase(self, phase: Phase) -> None:
        counts = self.phases[phase.name]
        counts.total, counts.planned = phase.total, phase.planned
        for row in phase.earlier:
            counts.add(row)
            counts.spent += spent_of(row)

    def on_start(self, phase: str, job: Job) -> None:
        self.phases[phase].running += 1

    def on_result(self, phase: str, job: Job, row: Row) -> None:
        counts, known = self.phases[phase], self.spent.get(job.name)
        counts.spent += row["spent"] - (known or 0.0)
        counts.spent_here += row["spent"] - known if known is not None else row["cost"]
        self.spent[job.name] = row["spent"]

    def on_end(self, phase: str, job: Job, row: Row) -> None:
        self.spent.pop(job.name, None)
        self.phases[phase].running -= 1
        self.phases[phase].add(row)
