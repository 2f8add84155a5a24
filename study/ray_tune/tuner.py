"""How jobs are run: Ray Tune's actors around `Worker`, fed from a `Source`. Only this folder imports Ray.

An actor serves one job after the other (`reuse_actors`), so that a trial costs some hundredths of a second beyond its
training instead of a second. Ray's own record of an experiment is not used: the folder of a study and the folders of
its jobs are complete after any kill, and a resumed study is a new experiment that starts from them.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import RayError
from ray.tune.error import TuneError
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from study.errors import last_line
from study.ray_tune.settings import configure
from study.ray_tune.trainable import job_of
from study.ray_tune.watchdog import Watchdog
from study.workers.jobs import ClusterError, Job, Row, Source, out_of_memory


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

    A job whose worker died is handed out again, up to `max_failures` times. Tune does so itself only for a worker that
    dies at work: one that dies between two trials takes the next with it.
    """

    def __init__(self, source: Source, first: FirstFailure, slots: int, max_failures: int) -> None:
        super().__init__()
        self.source, self.first, self.slots, self.max_failures = source, first, slots, max_failures
        self.running: set[str] = set()
        self.again: list[Job] = []
        self.failures: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        if len(self.running) >= self.slots:
            return None
        with self.first.noted():
            job = self.again.pop(0) if self.again else self.source.next()
            if job is None:
                return Searcher.FINISHED if self.source.finished and not self.running else None
        self.running.add(trial_id)
        return {"job": job}

    def takes_back(self, job: Job, failures: int) -> bool:
        """Whether a job that failed so many more times is handed out again."""
        self.failures[job.name] = self.failures.get(job.name, 0) + failures
        if self.failures[job.name] > self.max_failures:
            return False
        self.again.append(job)
        return True

    def on_trial_complete(self, trial_id: str, result: Row | None = None, error: bool = False) -> None:
        self.running.discard(trial_id)

    def __getstate__(self) -> Row:
        """Nothing: Tune pickles the searcher, and a source holds streams and locks."""
        return {}

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the study's own files are the record."""


class ResultForwarder(tune.Callback):
    """Passes rows and endings on to the source."""

    def __init__(self, source: Source, first: FirstFailure, searcher: JobSearcher, watchdog: Watchdog) -> None:
        self.source, self.first, self.searcher, self.watchdog = source, first, searcher, watchdog
        self.last: dict[str, Row] = {}

    def __getstate__(self) -> Row:
        """Nothing, as for `JobSearcher`."""
        return {}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Row, **info: Any) -> None:
        job = job_of(trial.config)
        if not result.get("error"):
            self.last[job.name] = result
            with self.first.noted():
                self.source.on_result(job, result)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        result = trial.last_result
        with self.first.noted():
            if result.get("full"):  # the disk failed, not the job: it is repeated when there is room
                raise OSError(result["error"].splitlines()[0])
            self._end(job_of(trial.config), result.get("error", ""))
        # Tune keeps some 50 kB of statistics a trial that nothing reads.
        trial.run_metadata.metric_analysis.clear()
        trial.run_metadata.metric_n_steps.clear()

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        job = job_of(trial.config)
        if not self.searcher.takes_back(job, trial.run_metadata.num_failures):
            with self.first.noted():
                self._end(job, self.watchdog.reasons.pop(job.name, "") or error_text(trial))

    def _end(self, job: Job, error: str) -> None:
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
    slots: int = 1,
    max_failures: int = 2,
    trial_timeout: float | None = None,
    say: Callable[[str], None] = _to_stderr,
    scheduler: Any = None,
    tensorboard: bool = False,
    reuse: bool = True,
) -> None:
    """Run a source's jobs to their end, or until Ctrl-C; the source knows which.

    A job without a row for `trial_timeout` seconds loses its worker, which is said (see `Patience` for None).
    An exception of the source is raised as it is; ClusterError if Ray itself fails.
    """
    configure()
    first = FirstFailure()
    searcher = JobSearcher(source, first, slots, max_failures)
    watchdog = Watchdog(trial_timeout, max_failures, say)
    callbacks: list[Any] = [watchdog, ResultForwarder(source, first, searcher, watchdog)]
    if tensorboard:
        callbacks.append(tune.logger.TBXLoggerCallback())
    tuner = tune.Tuner(
        worker,
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            scheduler=scheduler or FIFOScheduler(),
            num_samples=-1,
            reuse_actors=reuse,
            trial_name_creator=trial_name,
            trial_dirname_creator=trial_name,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(folder.absolute()),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=max_failures),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # a job's folder holds its state
            callbacks=callbacks,
        ),
    )
    try:
        # Tune's own lines (its banner, boxes and hints) stay out of the terminal.
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            tuner.fit()
    except Exception as error:
        if first.error:
            raise first.error from None
        if isinstance(error, (TuneError, RayError)):
            raise ClusterError(f"Ray gave up: {last_line(error)}") from error
        raise


def trial_name(trial: Any) -> str:
    """Tune's name for a trial: that of its job."""
    return job_of(trial.config).name
