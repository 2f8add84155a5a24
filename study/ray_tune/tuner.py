"""How jobs are run: Ray Tune's actors around `Worker`, fed from a `Source`. Nothing else of a study knows Ray.

An actor serves one job after the other (`reuse_actors`), so that a trial costs some hundredths of a second beyond its
training instead of a second. Ray's own record of an experiment is not used: the folder of a study and the folders of
its jobs are complete after any kill, and a study that goes on is a new experiment that starts from them.
"""

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune
from ray.exceptions import RayError
from ray.tune.error import TuneError
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from study.ray_tune.session import SETTINGS
from study.ray_tune.trainable import job_of
from study.workers.jobs import ClusterError, Job, Row, Source

for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)


logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what fails is said in our own lines, once


# ------------------------------------------------------------------------------------- between Tune and the source


class JobSearcher(Searcher):
    """Hands a source's jobs to Tune, never one more than can run now: a proposal should know all results so far.

    A job whose worker died is handed out again, up to `max_failures` times. Tune does so itself only for a worker that
    dies at work: one that dies between two trials takes the next with it.
    """

    def __init__(self, source: Source, slots: int, max_failures: int) -> None:
        super().__init__()
        self.source, self.slots, self.max_failures = source, slots, max_failures
        self.live: set[str] = set()
        self.again: list[Job] = []
        self.failures: dict[str, int] = {}

    def suggest(self, trial_id: str) -> Any:
        if len(self.live) >= self.slots:
            return None
        job = self.again.pop(0) if self.again else self.source.next()
        if job is None:
            return Searcher.FINISHED if self.source.finished and not self.live else None
        self.live.add(trial_id)
        return {"job": job.as_values()}

    def takes_back(self, job: Job, failures: int) -> bool:
        """Whether a job is handed out again that has failed so many more times."""
        self.failures[job.name] = self.failures.get(job.name, 0) + failures
        if self.failures[job.name] > self.max_failures:
            return False
        self.again.append(job)
        return True

    def on_trial_complete(self, trial_id: str, result: Row | None = None, error: bool = False) -> None:
        self.live.discard(trial_id)

    def __getstate__(self) -> Row:
        """Nothing: Tune writes down what it is given, and a source holds streams and locks."""
        return {}

    def save_to_dir(self, checkpoint_dir: str, session_str: str = "default") -> None:
        """Nothing: the study's own files hold it all."""


class StopsOnFullDisk:
    """A source that remembers why it could not write; Tune tells of what is raised in a callback as of its own."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.failure: OSError | None = None

    @property
    def finished(self) -> bool:
        return self.source.finished

    def next(self) -> Job | None:
        with self.noted():
            return self.source.next()

    def on_result(self, job: Job, row: Row) -> None:
        with self.noted():
            self.source.on_result(job, row)

    def on_end(self, job: Job, row: Row | None, error: str) -> None:
        with self.noted():
            self.source.on_end(job, row, error)

    def full(self, reason: str) -> None:
        """A worker could not write: its job has not failed, but can go on only when there is room again."""
        with self.noted():
            raise OSError(reason)

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """After the first failure nothing is written any more."""
        if self.failure:
            raise self.failure
        try:
            yield
        except OSError as error:
            self.failure = error
            raise


class ResultForwarder(tune.Callback):
    """Passes rows and endings on to the source."""

    def __init__(self, source: StopsOnFullDisk, feed: JobSearcher) -> None:
        self.source, self.feed = source, feed
        self.last: dict[str, Row] = {}

    def __getstate__(self) -> Row:
        """Nothing, as for `Feed`."""
        return {}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Row, **info: Any) -> None:
        job = job_of(trial.config)
        if not result.get("error"):
            self.last[job.name] = result
            self.source.on_result(job, result)

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        job, last = job_of(trial.config), trial.last_result
        if last.get("full"):
            self.source.full(last["error"].splitlines()[0])
        self.source.on_end(job, self.last.pop(job.name, None), last.get("error", ""))
        forget_statistics(trial)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        job = job_of(trial.config)
        if self.feed.takes_back(job, trial.run_metadata.num_failures):
            return
        self.source.on_end(job, self.last.pop(job.name, None), error_text(trial))


def forget_statistics(trial: Any) -> None:
    """Let go of what Tune keeps of each metric of each trial, some 50 kB a trial that nobody asks for."""
    trial.run_metadata.metric_analysis.clear()
    trial.run_metadata.metric_n_steps.clear()


def error_text(trial: Any) -> str:
    """Why a trial was given up: what happened in a line, then the traceback."""
    path = Path(trial.local_path or "") / "error.txt"
    text = path.read_text().strip() if path.is_file() else ""
    first = text.splitlines()[-1].strip() if text else "the worker ended without a word"
    if "OutOfMemoryError" in text:
        first = f"out of memory: {first}; take a smaller batch or fewer trials at once"
    return f"{first}\n{text}".strip()


# --------------------------------------------------------------------------------------------------------- running


def run_jobs(
    source: Source,
    worker: Any,
    *,
    name: str,
    folder: Path,
    slots: int = 1,
    max_failures: int = 2,
    scheduler: Any = None,
    tensorboard: bool = False,
    reuse: bool = True,
) -> None:
    """Run a source's jobs to their end, or until Ctrl-C; the source knows which. OSError if it cannot write."""
    guarded = StopsOnFullDisk(source)
    feed = JobSearcher(guarded, slots, max_failures)
    callbacks: list[Any] = [ResultForwarder(guarded, feed)]
    if tensorboard:
        callbacks.append(tune.logger.TBXLoggerCallback())
    tuner = tune.Tuner(
        worker,
        tune_config=tune.TuneConfig(
            search_alg=feed,
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
        with silenced():
            tuner.fit()
    except (TuneError, RayError) as error:
        if guarded.failure:
            raise guarded.failure from error
        raise ClusterError(f"Ray gave up: {str(error).strip().splitlines()[0]}") from error


def trial_name(trial: Any) -> str:
    """How Tune calls a trial: as its job is called."""
    return job_of(trial.config).name


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Inside, Tune's own lines (its banner, boxes and hints) stay out of the terminal."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield
