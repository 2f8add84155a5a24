"""What happens in a study, as events. Whatever watches it is a listener: the terminal, the gauges, a user's own."""

from collections.abc import Sequence
from typing import NamedTuple

from study.workers.jobs import Job, Row


class Phase(NamedTuple):
    """A phase of a study, and how large it is."""

    name: str  # search, race, confirm or table
    total: int  # runs
    planned: float | None  # their cost in N-epochs, where it is known
    earlier: Sequence[Row]  # of its runs, those that ended before this call; each is told once


class Listener:
    """Hears what happens in a study. Subclass it and define the events you need; they come in the driver, in order.

    While the last runs of a phase end, free workers start runs of the next: `phase` names the one that a run is of.
    """

    def on_phase(self, phase: Phase) -> None:
        """A phase begins, or one that has begun grows."""

    def on_start(self, phase: str, job: Job) -> None:
        """A run was handed to a worker; `job.parameters` are its settings by name."""

    def on_result(self, phase: str, job: Job, row: Row) -> None:
        """An epoch is done, and measured where it was to be. After a fault the same epoch may come twice."""

    def on_end(self, phase: str, job: Job, row: Row) -> None:
        """A run ended; `row` is what stands in trials.csv, race.csv or confirm.csv, with its `error` if it failed."""
