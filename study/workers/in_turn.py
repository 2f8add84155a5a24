"""The phases of a study in one run of the workers, so that none is idle while the last runs of a phase end."""

from collections.abc import Sequence
from typing import Any

from study.workers.jobs import Job, PhaseSource, Row
from study.workers.listener import Listener, Phase


class InTurn:
    """A source of phases that follow one another: each begins when all before it have ended. Listeners hear of it all.

    A phase may know runs that need no result of an earlier one, such as the baselines'. A worker that finds nothing
    else to do trains those.
    """

    def __init__(self, phases: Sequence[PhaseSource], listeners: Sequence[Listener] = ()) -> None:
        self.phases, self.listeners = phases, listeners
        self.begun = 0  # phases
        self.running: dict[str, PhaseSource] = {}  # which phase a job at a worker is of
        self.told: dict[int, tuple[int, float | None]] = {}  # the size of each phase as listeners know it

    @property
    def finished(self) -> bool:
        return self.begun == len(self.phases) and all(phase.finished for phase in self.phases)

    @property
    def complete(self) -> bool:
        """Whether there is nothing left to do; after an interruption there is."""
        return self.finished and not self.running

    def begin(self) -> None:
        """Begin every phase before which all have ended."""
        while self.begun < len(self.phases) and all(map(self._ended, self.phases[: self.begun])):
            phase = self.phases[self.begun]
            self.begun += 1
            phase.begin()
            self._tell_size(phase)

    def _ended(self, phase: PhaseSource) -> bool:
        return phase.finished and all(other is not phase for other in self.running.values())

    def next(self) -> Job | None:
        self.begin()
        for phase in self.phases:
            if (job := phase.next()) is not None:
                self.running[job.name] = phase
                self._tell("on_start", phase.name, job)
                return job
        return None

    def on_result(self, job: Job, row: Row) -> None:
        phase = self.running[job.name]
        phase.on_result(job, row)
        self._tell("on_result", phase.name, job, row)

    def on_end(self, job: Job, row: Row | None, error: str) -> Row:
        phase = self.running.pop(job.name)
        written = phase.on_end(job, row, error)
        self._tell("on_end", phase.name, job, written)
        if id(phase) in self.told and self.told[id(phase)] != phase.size:
            self._tell_size(phase)
        return written

    def _tell_size(self, phase: PhaseSource) -> None:
        self.told[id(phase)] = phase.size
        earlier, phase.earlier = phase.earlier, []
        self._tell("on_phase", Phase(phase.name, *phase.size, earlier))

    def _tell(self, event: str, *values: Any) -> None:
        for listener in self.listeners:
            getattr(listener, event)(*values)
