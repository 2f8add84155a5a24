"""A study as a process of its own, to be watched, interrupted and killed."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna
import psutil
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from study.files.results import Results

ROOT = Path(__file__).parents[2]
STARTED = set()  # all processes that studies were seen to start


class StudyProcess:
    """`python study/run.py` with these flags; ended at the latest when the block is left."""

    def __init__(self, *flags, **more):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed on leaving the block
        # Ray's workers are polite to other processes; beside the rest of a test suite they would get no time at all.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_worker_niceness": "0", **more}
        self.process = subprocess.Popen(
            [sys.executable, "study/run.py", *flags],
            cwd=ROOT, env=environment, stdout=self.log, stderr=subprocess.STDOUT,
            # a shell starts what runs in its background with Ctrl-C ignored, and the tests may run there
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.kill()
        self.log.close()

    def wait_for(self, condition, seconds=300, often=0.05):
        """Until the condition holds; the study must not have ended by then."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, self.text()
            assert time.monotonic() < deadline, self.text()
            time.sleep(often)

    def wait(self, seconds=600):
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.text()
            self.look()
            time.sleep(0.2)
        self.last_text = self.text()
        return self.process.returncode

    def look(self):
        """See what it has started."""
        with contextlib.suppress(psutil.Error):  # it has just ended
            STARTED.update(psutil.Process(self.process.pid).children(recursive=True))

    def text(self):
        if self.log.closed:
            return self.last_text
        self.log.seek(0)
        return self.log.read()

    def kill(self):
        self.look()
        self.process.kill()
        self.process.wait()

    def interrupt(self):
        self.look()
        self.process.send_signal(signal.SIGINT)


def statuses(folder):
    """What trials.csv says at this moment; nothing while it is not there."""
    path = Path(folder) / "trials.csv"
    return [row["status"] for row in Results(folder).trials] if path.exists() else []


def confirmed(folder, name="confirm"):
    """How many confirmed runs, or runs of another table, are written down at this moment."""
    path = Path(folder) / f"{name}.csv"
    return max(0, len(path.read_text().splitlines()) - 1) if path.exists() else 0


def check_whole(folder, trials):
    """Every trial once and finished, every epoch and confirmed run once, nothing RUNNING in Optuna's storage."""
    results = Results(folder)
    assert [(row["trial"], row["status"]) for row in results.trials] == [(i, "finished") for i in range(trials)]
    epochs = [(row["trial"], row["epoch"]) for row in results.epochs]
    length = results.trials[0]["epochs"]
    assert epochs == [(trial, epoch) for trial in range(trials) for epoch in range(1, length + 1)]
    keys = [(row["config"], row["seed"]) for row in results.confirm]
    assert len(keys) == len(set(keys))
    assert all(row["h"] is not None for row in results.confirm)
    storage = JournalStorage(JournalFileBackend(str(Path(folder) / "optuna.log")))
    mirrored = optuna.load_study(study_name=Path(folder).name, storage=storage).trials
    assert sorted(trial.user_attrs["trial"] for trial in mirrored) == list(range(trials))
    assert all(trial.state.is_finished() for trial in mirrored)
