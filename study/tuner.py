# ruff: noqa: E402  the settings must stand in the environment before Ray is imported
"""How jobs are run: Ray Tune's actors around `Worker`, fed from a `Source`. Nothing else of a study knows Ray.

An actor serves one job after the other (`reuse_actors`), so that a trial costs some hundredths of a second beyond its
training instead of a second. Ray's own record of an experiment is not used: the folder of a study and the folders of
its jobs are complete after any kill, and a study that goes on is a new experiment that starts from them.
"""

import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SETTINGS = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",  # under `uv run`, workers use this environment instead of building their own
    "RAY_CHDIR_TO_TRIAL_DIR": "0",  # trials stay where the study was started, so that relative paths mean the same
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # their files are not read
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # `Feed` holds jobs back; all that it hands out may start at once
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # between rungs, and of a failure, a row holds no H
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)

import ray
from ray import tune
from ray.exceptions import RayError
from ray.job_config import JobConfig
from ray.tune.error import TuneError
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from study.jobs import ClusterError, Job, Row, Source
from study.monitor import TrialGauges
from study.worker import Worker, prepare_device
from trainables.data import Splits

logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # what fails is said in our own lines, once
LONGEST_FOLDER = 40  # of Ray's temporary folder: the paths of its sockets must stay below 107 bytes
REACHABLE_S = 5.0  # a cluster that does not answer for so long is not there


def worker_for(splits: Splits, study: str, cpus: float = 1, gpus: float = 0) -> Any:
    """What Tune starts: a `StudyTrial` with its share of the machine.

    The data lie once in the memory that all processes of a node share (arrays are read there, not copied), so one of
    these serves all phases of a study.
    """
    trainable = tune.with_parameters(StudyTrial, splits=splits, study=study, gpus=gpus)
    worker = tune.with_resources(trainable, {"cpu": cpus, "gpu": gpus})
    worker.__qualname__ = StudyTrial.__name__  # the dashboard and `ps` show this one, not that of Tune's wrapping
    return worker


# ---------------------------------------------------------------------------------------------------------- workers


class StudyTrial(tune.Trainable):
    """A worker as an actor of Ray Tune. The dashboard's list of actors shows this name and `repr`.

    A job's folder is opened by its first step alone: Tune may start an actor for a job and then hand that job to
    another one that has become free, and two must not write the same folder.
    """

    def setup(self, config: Row, splits: Splits, study: str, gpus: float) -> None:  # type: ignore[override]
        self.worker = Worker(splits, prepare_device(gpus))
        self.gauges = TrialGauges(study)
        self.label = f"{study}: worker {os.getpid()} on {socket.gethostname()}"
        self.reset_config(config)

    def reset_config(self, new_config: Row) -> bool:
        self.job, self.begun = job_of(new_config), False
        return True

    def step(self) -> Row:
        if not self.begun:
            self.worker.begin(self.job)
            self.begun = True
        row = self.worker.step()
        self.gauges.show(self.job.name, row)
        return row

    def __repr__(self) -> str:
        return getattr(self, "label", "StudyTrial")


def job_of(config: Row) -> Job:
    """The job in a trial's configuration."""
    return Job.from_values(config["job"])


# ------------------------------------------------------------------------------------- between Tune and the source


class Feed(Searcher):
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


class Guarded:
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

    def on_row(self, job: Job, row: Row) -> None:
        with self.noted():
            self.source.on_row(job, row)

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


class Record(tune.Callback):
    """Passes rows and endings on to the source."""

    def __init__(self, source: Guarded, feed: Feed) -> None:
        self.source, self.feed = source, feed
        self.last: dict[str, Row] = {}

    def __getstate__(self) -> Row:
        """Nothing, as for `Feed`."""
        return {}

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Row, **info: Any) -> None:
        job = job_of(trial.config)
        if not result.get("error"):
            self.last[job.name] = result
            self.source.on_row(job, result)

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
    guarded = Guarded(source)
    feed = Feed(guarded, slots, max_failures)
    callbacks: list[Any] = [Record(guarded, feed)]
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


def slots_of(cpus: float, gpus: float) -> int:
    """How many jobs the cluster holds at once; ValueError if not even one."""
    there = ray.cluster_resources()
    counts = [there.get("CPU", 0) / cpus] + ([there.get("GPU", 0) / gpus] if gpus else [])
    slots = int(min(counts) + 1e-9)
    if slots < 1:
        has = f"{there.get('CPU', 0):g} CPUs and {there.get('GPU', 0):g} GPUs"
        raise ValueError(f"a trial must fit into the cluster of {has}, got {cpus:g} CPUs and {gpus:g} GPUs a trial")
    return slots


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Inside, Tune's own lines (its banner, boxes and hints) stay out of the terminal."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


@contextlib.contextmanager
def ray_session(
    address: str | None = None, name: str = "", *, cpus: int | None = None, gpus: int | None = None
) -> Iterator[str]:
    """A connection to the given cluster, that of RAY_ADDRESS, or a local one; yields the dashboard's URL, if any.

    A bare `ray.init()` would join whatever cluster happens to run on this machine. The job bears the study's name.
    """
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    check_reachable(address)
    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    settings |= {"job_config": JobConfig(metadata={"job_name": name}), "namespace": name} if name else {}
    if address == "local":
        settings |= {"num_cpus": cpus, "num_gpus": gpus, **short_folder()}
    elif not os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR"):  # a submitted job brings its code along
        settings |= {"runtime_env": code_of_the_project()}
    try:
        context = ray.init(address, **settings)
    except Exception as error:  # Ray raises ConnectionError, RuntimeError and plain Exception
        reason = str(error).splitlines()[0]
        if address == "local":
            raise ClusterError(f"Ray did not start on this machine, try again ({reason})") from error
        raise ValueError(unreachable(address, reason)) from error
    try:
        yield getattr(context, "dashboard_url", "") or ""
    finally:
        ray.shutdown()


def check_reachable(address: str) -> None:
    """ValueError if nothing listens at HOST:PORT: Ray itself would try for a minute."""
    if address.startswith("ray://"):
        instead = "submit the study with ray job submit, so that it lives on the cluster"
        raise ValueError(f"address must be auto or HOST:PORT, got {address!r}; {instead}")
    host, _, port = address.rpartition(":")
    if address in ("local", "auto") or not host or not port.isdecimal():
        if address not in ("local", "auto"):
            raise ValueError(f"address must be auto or HOST:PORT, got {address!r}")
        return
    try:
        socket.create_connection((host, int(port)), timeout=REACHABLE_S).close()
    except (OSError, OverflowError) as error:  # nobody there, or a port above 65535
        raise ValueError(unreachable(address, str(error))) from error


def unreachable(address: str, reason: str) -> str:
    """The complaint about an address where no cluster answers."""
    return f"address must be that of a running Ray cluster, got {address!r} ({reason})"


def short_folder() -> dict[str, str]:
    """Where Ray puts its sockets, if its own choice would be too long a path for them."""
    usual = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    if os.name != "posix" or len(usual) <= LONGEST_FOLDER:
        return {}
    return {"_temp_dir": f"/tmp/ray-{os.getuid()}"}


def code_of_the_project() -> dict[str, Any]:
    """What a cluster needs to run this code: the packages' folders, shipped with the job."""
    root = Path(__file__).resolve().parents[1]
    return {"py_modules": [str(root / package) for package in ("trainables", "search_spaces", "study", "analysis")]}
