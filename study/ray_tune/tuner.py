"""How jobs are run: Ray Tune's actors around `Worker`, fed from a `Source`. Only this folder imports Ray.

An actor serves one job after the other (`reuse_actors`), so that a trial costs some hundredths of a second beyond its
training instead of a second. Ray's own record of an experiment is not used: the folder of a study and the folders of
its jobs are complete after any kill, and a resumed study is a new experiment that starts from them.
"""

import contextlib
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import RayError
from ray.tune.error import TuneError
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from study.errors import last_line
from study.ray_tune.loggers import adapted
from study.ray_tune.pulse import Pulse, RayLost
from study.ray_tune.settings import configure
from study.ray_tune.trainable import job_of
from study.ray_tune.watchdog import Watchdog
from study.workers.jobs import ClusterError, Job, Row, Source, out_of_memory

NEVER_BEGAN = 10  # workers in a row that ended before they began


class FirstFailure:
    """The first exception in the study's own code. Tune would report it as one of its own, without its frames."""

    def __init__(self) -> None:
        self.error: Exception | None = None

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Inside, an exception is remembered; after the first one nothing is written any more."""
        if self.error:
            raise self.error
        try:
            yield
        except Exception as error:
            self.error = error
            raise


class JobSearcher(Searcher):
    """Hands a source's jobs to Tune, never one more than can run now: a proposal should know all results so far.

    How many can run is asked at every hand-out. A job that Tune gave up can be handed out again.
    """

    def __init__(self, source: Source, first: FirstFailure, slots: Callable[[], int], identity: str) -> None:
        super().__init__()
        self.source, self.first, self.slots, self.identity = source, first, slots, identity
        self.live: set[str] = set()  # Tune's trials that have not ended
        self.paused: set[str] = set()  # those of them that hold no worker
        self.again: list[Job] = []

    def suggest(self, trial_id: str) -> Any:
        if len(self.live - self.paused) >= self.slots():
            return None
        with self.first.noted():
            job = self.again.pop(0) if self.again else self.source.next()
            if job is None:
                return Searcher.FINISHED if self.source.finished and not self.live else None
        self.live.add(id_of(job, self.identity))
        return {"phase": job.phase, **job.parameters, "job": job}

    def on_trial_complete(self, trial_id: str, result: Row | None = None, error: bool = False) -> None:
        self.live.discard(trial_id)
        self.paused.discard(trial_id)

    def __getstate__(self) -> Row:
        """Nothing: Tune pickles the searcher, and a source holds streams and locks."""
        return {}

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the study's own files are the record."""


class ResultForwarder(tune.Callback):
    """Passes rows and endings on to the source.

    A job may lose its worker `max_failures` times without a new epoch in between. Tune counts by itself, but not a
    worker that dies between two trials, which takes the next one with it. A worker that ended before it began is no
    failure of its job, and nothing is one once Ray itself is gone.
    """

    def __init__(
        self, source: Source, first: FirstFailure, searcher: JobSearcher, watchdog: Watchdog, pulse: Pulse
    ) -> None:
        self.source, self.first, self.searcher, self.watchdog = source, first, searcher, watchdog
        self.pulse, self.max_failures = pulse, watchdog.max_failures
        self.began: set[str] = set()  # Tune's trials whose worker has begun
        self.never_began = 0  # workers in a row
        self.last: dict[str, Row] = {}  # of each job
        self.failures: dict[str, int] = {}  # of each job since its last new epoch

    def __getstate__(self) -> Row:
        """Nothing, as for `JobSearcher`."""
        return {}

    def on_step_begin(self, iteration: int, trials: Any, **info: Any) -> None:
        self.pulse.check()

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Row, **info: Any) -> None:
        job, self.never_began = job_of(trial.config), 0
        if result.get("error"):
            return
        row = dict(result)
        for name in [name for name, value in result.items() if isinstance(value, (list, dict))]:
            del result[name]  # loggers come next, and take numbers and words
        if row["epoch"] > self.last.get(job.name, {}).get("epoch", 0):
            self.failures.pop(job.name, None)
            self._allow_failures(trial)
        self.last[job.name] = row
        with self.first.noted():
            self.source.on_result(job, row)

    def on_trial_save(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self.searcher.paused.add(trial.trial_id)  # nothing else is a reason to save

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self.searcher.paused.discard(trial.trial_id)
        self.began.add(trial.trial_id)
        self._allow_failures(trial)

    def _allow_failures(self, trial: Any) -> None:
        left = self.max_failures - self.failures.get(job_of(trial.config).name, 0)
        trial.max_failures = trial.run_metadata.num_failures + left

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._count_failure(trial)
        self._allow_failures(trial)

    def _count_failure(self, trial: Any) -> int:
        """How often the job has failed by now; raises if it was Ray that failed and no job."""
        name = job_of(trial.config).name
        if trial.trial_id not in self.began:
            self._count_worker(trial)
            return self.failures.get(name, 0)
        self.began.discard(trial.trial_id)
        self.failures[name] = self.failures.get(name, 0) + 1
        if self.failures[name] > self.max_failures:
            self.pulse.settle()
        return self.failures[name]

    def _count_worker(self, trial: Any) -> None:
        self.never_began += 1
        self.pulse.check()
        if self.never_began >= NEVER_BEGAN:
            with self.first.noted():
                reason = error_text(trial).splitlines()[0]
                raise ClusterError(f"{NEVER_BEGAN} workers in a row ended before they began: {reason}")

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        result = trial.last_result
        self.began.discard(trial.trial_id)
        with self.first.noted():
            if result.get("full"):  # the disk failed, not the job: it is repeated when there is room
                raise OSError(result["error"].splitlines()[0])
            self._end(job_of(trial.config), result.get("error", ""))
        # Tune keeps some 50 kB of statistics a trial that nothing reads.
        trial.run_metadata.metric_analysis.clear()
        trial.run_metadata.metric_n_steps.clear()

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        job = job_of(trial.config)
        if self._count_failure(trial) <= self.max_failures:
            self.searcher.again.append(job)
            return
        with self.first.noted():
            self._end(job, self.watchdog.reasons.pop(job.name, "") or error_text(trial))

    def _end(self, job: Job, error: str) -> None:
        self.failures.pop(job.name, None)
        self.source.on_end(job, self.last.pop(job.name, None), error)


def error_text(trial: Any) -> str:
    """Why a trial failed: what happened in a line, then the traceback."""
    path = Path(trial.local_path or "") / "error.txt"
    text = path.read_text().strip() if path.is_file() else ""
    first = text.splitlines()[-1].strip() if text else "the worker exited without a message"
    return f"{out_of_memory(first) if 'OutOfMemoryError' in text else first}\n{text}".strip()


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def run_jobs(
    source: Source,
    worker: Any,
    *,
    name: str,
    folder: Path,
    slots: Callable[[], int] = lambda: 1,
    max_failures: int = 2,
    trial_timeout: float | None = None,
    say: Callable[[str], None] = _to_stderr,
    scheduler: Any = None,
    callbacks: Sequence[Any] = (),
    identity: str = "",
    reuse: bool = True,
) -> None:
    """Run a source's jobs to their end, or until Ctrl-C; the source knows which.

    A job without a row for `trial_timeout` seconds loses its worker, which is said (see `Patience` for None).
    `callbacks` are Tune's; with `identity`, which is the same after a resume, loggers go on with the runs they have.
    An exception of the source is raised as it is; ClusterError if Ray itself fails.
    """
    configure()
    first = FirstFailure()
    searcher = JobSearcher(source, first, slots, identity)
    watchdog = Watchdog(trial_timeout, max_failures, say)
    pulse = Pulse()
    ours = [watchdog, ResultForwarder(source, first, searcher, watchdog, pulse)]
    tuner = tune.Tuner(
        worker,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler or FIFOScheduler(),
            num_samples=-1,
            reuse_actors=reuse,
            trial_name_creator=functools.partial(trial_name, identity=identity),
            trial_dirname_creator=trial_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(folder.absolute()),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=max_failures),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # a job's folder holds its state
            callbacks=[*ours, *adapted(callbacks, name, identity)],
        ),
    )
    try:
        # Tune's own lines (its banner, boxes and hints) stay out of the terminal.
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            tuner.fit()
    except RayLost as lost:
        raise ClusterError(f"Ray was lost: {lost}") from None
    except Exception as error:
        if first.error:
            raise first.error from None
        if isinstance(error, (TuneError, RayError)):
            raise ClusterError(f"Ray gave up: {last_line(error)}") from error
        raise
    finally:
        pulse.close()


def trial_name(trial: Any, identity: str | None = None) -> str:
    """Tune's name for a trial: that of its job. With an identity its id too follows from the job: loggers know it."""
    job = job_of(trial.config)
    if identity is not None:
        trial.trial_id = id_of(job, identity)
    return job.name


def id_of(job: Job, identity: str) -> str:
    """Tune's id for the trial of a job, the same in each call of a study."""
    return hashlib.sha256(f"{identity} {job.name}".encode()).hexdigest()[:16]
