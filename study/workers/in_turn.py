"""The phases of a study in one run of the workers, so that none is idle while the last runs of a phase end."""

from collections.abc import Sequence

from study.workers.jobs import Job, Row
from study.workers.watched import Watched


class InTurn:
    """A source of phases that follow one another: each begins when all before it have ended.

    A phase may know runs that need no result of an earlier one, such as the baselines'. A worker that finds nothing
    else to do trains those.
    """

    def __init__(self, phases: Sequence[Watched]) -> None:
        self.phases = phases
        self.owner: dict[str, Watched] = {}

    @property
    def finished(self) -> bool:
        return all(phase.begun and phase.finished for phase in self.phases)

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do; after an interruption there is."""
        return all(phase.begun and phase.complete for phase in self.phases)

    def next(self) -> Job | None:
        self.begin()
        for phase in self.phases:
            if (job := phase.next()) is not None:
                self.owner[job.name] = phase
                return job
        return None

    def begin(self) -> None:
        """Begin every phase before which all have ended."""
        for before, phase in zip([None, *self.phases], self.phases, strict=False):
            if not phase.begun and (before is None or (before.begun and before.complete)):
                phase.begin()

    def on_result(self, job: Job, row: Row) -> None:
        self.owner[job.name].on_result(job, row)

    def on_end(self, job: Job, row: Row | None, error: str) -> None:
        self.owner[job.name].on_end(job, row, error)
