"""A source of jobs that publishes its counts as they change."""

import math
from collections.abc import Callable
from typing import Any

from study.workers.jobs import Job, Row


class Watched:
    """Wraps a source and publishes its counts through `show` (phase, values); `complete` once all jobs have ended.

    `at_begin` is called when the phases before it have ended.
    """

    def __init__(
        self,
        source: Any,
        phase: str,
        show: Callable[[str, dict[str, float]], None],
        spent: float = 0.0,
        at_begin: Callable[[], None] = lambda: None,
    ) -> None:
        self.source, self.phase, self.show, self.at_begin = source, phase, show, at_begin
        self.begun = False
        self.spent = spent  # N-epochs, of earlier calls too
        self.running: dict[str, float] = {}  # what each running job has spent
        self.ended = self.failed = 0
        self.best = -math.inf

    def begin(self) -> None:
        self.begun = True
        self.at_begin()

    @property
    def finished(self) -> bool:
        return self.source.finished

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do; after an interruption there is."""
        return self.source.finished and not self.running

    def next(self) -> Job | None:
        job = self.source.next()
        if job is not None:
            self.running[job.name] = 0.0
        return job

    def on_result(self, job: Job, row: Row) -> None:
        self.spent += row["spent"] - self.running.get(job.name, 0.0)
        self.running[job.name] = row["spent"]
        self.source.on_result(job, row)
        self.publish()

    def on_end(self, job: Job, row: Row | None, error: str) -> None:
        self.running.pop(job.name, None)
        self.ended += 1
        self.failed += bool(error)
        self.best = max(self.best, (row or {}).get("val_h") or -math.inf)
        self.source.on_end(job, row, error)
        self.publish()

    def publish(self) -> None:
        values = {"spent": self.spent, "finished": self.ended, "failed": self.failed, "running": len(self.running)}
        self.show(self.phase, values | ({"best_h": self.best} if math.isfinite(self.best) else {}))
