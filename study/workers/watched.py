"""A source of jobs whose figures are shown as they change."""

import math
from collections.abc import Callable
from typing import Any

from study.workers.jobs import Job, Row


class Watched:
    """A source whose figures are shown to Prometheus as they change; `complete` once all its jobs have ended."""

    def __init__(self, source: Any, phase: str, show: Callable[[str, dict[str, float]], None], spent: float) -> None:
        self.source, self.phase, self.show = source, phase, show
        self.before, self.spent = spent, dict[str, float]()
        self.running: set[str] = set()
        self.ended = self.failed = 0
        self.best = -math.inf

    @property
    def finished(self) -> bool:
        return self.source.finished

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do; after an interruption there is."""
        return self.source.finished and not self.running

    def next(self) -> Job | None:
        job = self.source.next()
        if job is not None:
            self.running.add(job.name)
        return job

    def on_result(self, job: Job, row: Row) -> None:
        self.spent.setdefault(job.name, 0.0)
        self.spent[job.name] = row["spent"]
        self.source.on_result(job, row)
        self.publish()

    def on_end(self, job: Job, row: Row | None, error: str) -> None:
        self.running.discard(job.name)
        self.ended += 1
        self.failed += bool(error)
        self.best = max(self.best, (row or {}).get("val_h") or -math.inf)
        self.source.on_end(job, row, error)
        self.publish()

    def publish(self) -> None:
        values = {
            "spent": self.before + sum(self.spent.values()),
            "finished": self.ended,
            "failed": self.failed,
            "running": len(self.running),
        }
        self.show(self.phase, values | ({"best_h": self.best} if math.isfinite(self.best) else {}))
