"""A job: one training run with what is to be measured of it; and where jobs come from."""

from dataclasses import dataclass
from typing import Any, Protocol

Row = dict[str, Any]


class ClusterError(RuntimeError):
    """Ray did not start, or was lost on the way."""


def out_of_memory(reason: str) -> str:
    """The line that says that memory ran out, and what to do."""
    return f"out of memory: {reason}; use a smaller batch or fewer trials at once"


@dataclass(frozen=True)
class Job:
    """One training run, as plain values, so that it can be sent to another machine."""

    name: str  # also of its folder, and its label in logs and metrics
    folder: str  # holds config.json, epochs.csv and checkpoint.pt
    config: dict[str, Any]  # TrialConfig.as_dict()
    measure: str  # which corruptions: "veils" or "imagenet-c" of validation images, or "all" that are reported
    rungs: tuple[float, ...] = ()  # spent costs at which it is measured before its end
    send_every: int = 1  # epochs, to an object store
    keep: str = "both"  # checkpoints, after its end: both, last, best or none
    known: int | None = None  # epochs whose rows are written; of one that goes on, unset: all but the last
    measures: tuple[Row, ...] = ()  # further evaluations on test images: flags of `python -m trainables.evaluate`

    @property
    def parameters(self) -> dict[str, Any]:
        """What is trained, by name and flat: the hyper-parameters of the method and of training."""
        others = {name: value for name, value in self.config.items() if name != "method"}
        method = dict(self.config.get("method", {}))
        return {"method": method.pop("name", None), **method, **others}

    @property
    def phase(self) -> str:
        """What the run is for: search, race or confirm."""
        kind = self.name.partition("-")[0]
        return "search" if kind == "trial" else kind

    def __str__(self) -> str:
        return self.name


class Source(Protocol):
    """Where jobs come from and where their rows go."""

    @property
    def finished(self) -> bool:
        """Whether no further job will come."""

    def next(self) -> Job | None:
        """The next job, or None while there is none."""

    def on_result(self, job: Job, row: Row) -> None:
        """A row arrived: an epoch is done, and measured where it was to be. The same epoch may arrive twice."""

    def on_end(self, job: Job, row: Row | None, error: str) -> Row:
        """The job ended with this last row; `error` is a text if it failed. Returns the row that was written of it."""


class PhaseSource(Source, Protocol):
    """The jobs of a phase. Those that it has before `begin` need no result of the phases before it."""

    name: str
    earlier: list[Row]  # of its runs, the rows of those that ended before this call, until they are told

    @property
    def size(self) -> tuple[int, float | None]:
        """How many runs there are so far, and what they cost in N-epochs, where that is known."""

    def begin(self) -> None:
        """All phases before it have ended."""
