"""How long a job may go without a row before its worker counts as stuck."""

from study.workers.jobs import Job, Row

LEAST_S = 600.0  # of the limit that is found here
FACTOR = 20  # the limit is so many times the slowest step so far: the dearest epoch costs some ten times the cheapest
LONGEST_TICK_S = 10.0  # a driver that was stopped, or a clock that jumped, takes no time away from the workers


class Patience:
    """Says which jobs are overdue.

    Without a limit in `seconds`, it is `FACTOR` times the slowest step of the same kind so far, at least `LEAST_S`, and
    there is none before such a step has ended. Steps that only train and steps that also measure are two kinds; the
    first step of a worker may be either, as it may go on with a job whose last epoch is done.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.clock: float | None = None
        self.slowest: dict[str, float] = {}
        self.waiting: dict[str, tuple[float, set[str]]] = {}  # of each job, since when, and what its step may be

    def tick(self, clock: float) -> None:
        """Let the time go on to that of a clock."""
        if self.clock is not None:
            self.now += min(max(0.0, clock - self.clock), LONGEST_TICK_S)
        self.clock = clock

    def begin(self, job: Job) -> None:
        """A worker has taken the job."""
        self.waiting[job.name] = self.now, {self._kind(job, 1), self._kind(job, job.config["epochs"])}

    def heard(self, job: Job, row: Row) -> None:
        """A row has come."""
        if job.name in self.waiting:
            since, _ = self.waiting[job.name]
            kind = self._kind(job, row["epoch"])
            self.slowest[kind] = max(self.slowest.get(kind, 0.0), self.now - since)
        self.waiting[job.name] = self.now, {self._kind(job, row["epoch"] + 1)}

    def forget(self, job: Job) -> None:
        """The job has ended, or its worker."""
        self.waiting.pop(job.name, None)

    def overdue(self) -> dict[str, float]:
        """The jobs whose next row has not come within their limit, with it."""
        limits = {name: self._limit(kinds) for name, (_, kinds) in self.waiting.items()}
        return {
            name: limit
            for name, limit in limits.items()
            if limit is not None and self.now - self.waiting[name][0] > limit
        }

    def _limit(self, kinds: set[str]) -> float | None:
        if self.seconds is not None:
            return self.seconds
        known = [self.slowest[kind] for kind in kinds if kind in self.slowest]
        return max(LEAST_S, FACTOR * max(known)) if len(known) == len(kinds) else None

    def _kind(self, job: Job, epoch: int) -> str:
        """Of an epoch's step: whether the job is measured after it, and by what."""
        measured = job.rungs or epoch >= job.config["epochs"]
        return f"{job.measure} {job.measures}" if measured else "training"
