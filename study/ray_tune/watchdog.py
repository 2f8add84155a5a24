"""Ends workers from which no row has come for too long; Tune then hands the job out again, as after any lost worker."""

import time
from collections.abc import Callable
from typing import Any

import ray
from ray import tune

from study.ray_tune.trainable import job_of
from study.workers.jobs import Row
from study.workers.patience import Patience


class Watchdog(tune.Callback):
    """Looks at each turn of Tune's loop whether a job is overdue, says so, and kills its worker."""

    def __init__(self, seconds: float | None, max_failures: int, say: Callable[[str], None]) -> None:
        self.patience, self.max_failures, self.say = Patience(seconds), max_failures, say
        self.trials: dict[str, Any] = {}  # Tune's trials at work, by the names of their jobs
        self.reasons: dict[str, str] = {}  # why a worker was ended, until its job goes on

    def __getstate__(self) -> Row:
        """Nothing: Tune pickles its callbacks, and this one holds a stream."""
        return {}

    def on_step_begin(self, iteration: int, trials: Any, **info: Any) -> None:
        self.patience.tick(time.monotonic())
        for name, limit in self.patience.overdue().items():
            trial = self.trials[name]
            reason = f"no finished epoch for {round(limit, 1):g} s (--trial-timeout)"
            self.reasons[name] = reason
            self.patience.forget(job_of(trial.config))
            again = trial.run_metadata.num_failures < trial.max_failures
            self.say(f"{name}  {reason}: worker killed, " + ("retrying" if again else "no retries left"))
            ray.kill(trial.temporary_state.ray_actor)

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        job = job_of(trial.config)
        self.trials[job.name] = trial
        self.patience.begin(job)

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Row, **info: Any) -> None:
        job = job_of(trial.config)
        if not result.get("error"):
            self.reasons.pop(job.name, None)
            self.patience.heard(job, result)

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self.patience.forget(job_of(trial.config))

    def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._gone(trial)

    def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._gone(trial)

    def _gone(self, trial: Any) -> None:
        job = job_of(trial.config)
        self.patience.forget(job)
        self.trials.pop(job.name, None)
