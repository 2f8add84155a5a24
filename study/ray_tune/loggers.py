"""Ray Tune's own callbacks beside the study's: loggers by name, and those that a program hands over.

A logger sees each run of search, race and confirmation as a trial whose configuration is flat, and one number a metric
and epoch. Resumed, it goes on with the runs that it has.
"""

import importlib.util
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.logger import TBXLoggerCallback

from study.files.mlflow_runs import mlflow_place, run_ids

PACKAGES = {"mlflow": "mlflow", "wandb": "wandb", "tensorboard": "tensorboardX"}


def check_callbacks(names: Iterable[str], callbacks: Iterable[Any]) -> None:
    """ValueError unless the packages of these loggers are installed and the callbacks are Tune's."""
    for name in names:
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise ValueError(f"logger {name} needs the package {PACKAGES[name]}: pip install {PACKAGES[name]}")
    for each in callbacks:
        if not isinstance(each, tune.Callback):
            raise ValueError(f"callbacks must be Ray Tune's, got {type(each).__name__}; others can be listeners")


def make_loggers(names: Iterable[str], folder: Path) -> list[Any]:
    """The loggers of these names for a study in this folder; where they log to is theirs to be told by environment."""
    study = folder.resolve().name
    found: list[Any] = []
    for name in names:
        if name == "mlflow":
            from ray.air.integrations.mlflow import MLflowLoggerCallback

            found.append(MLflowLoggerCallback(mlflow_place(folder), experiment_name=study))
        elif name == "wandb":
            from ray.air.integrations.wandb import WandbLoggerCallback

            project = os.environ.get("WANDB_PROJECT") or "entprop"
            found.append(WandbLoggerCallback(project, group=study, resume="allow", dir=str(folder.absolute())))
        else:
            found.append(TensorBoard(folder / "tensorboard"))
    return found


class TensorBoard(TBXLoggerCallback):
    """Writes where the study lies, at once, so that a kill loses nothing and a resumed run continues its curve."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder.absolute()

    def log_trial_start(self, trial: Any) -> None:
        if trial not in self._trial_writer:
            self._trial_writer[trial] = self._summary_writer_cls(str(self.folder / str(trial)), flush_secs=30)
            self._trial_result[trial] = {}


def adapted(callbacks: Sequence[Any], study: str, identity: str) -> list[Any]:
    """The callbacks, told of failures, and MLflow's with what lets it go on with its runs."""
    found: list[Any] = []
    for each in callbacks:
        if hasattr(each, "mlflow_util"):
            found.append(SameRuns(each, study, identity))
        found.append(told_of_failures(each))
    return found


def told_of_failures(callback: Any) -> Any:
    """The same callback. A trial that failed has come to its end for Tune, with its error in the last row."""
    complete = type(callback).on_trial_complete.__get__(callback)

    def on_trial_complete(iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        end = callback.on_trial_error if trial.last_result.get("error") else complete
        end(iteration=iteration, trials=trials, trial=trial, **info)

    callback.on_trial_complete = on_trial_complete
    return callback


class SameRuns(tune.Callback):
    """Lets MLflow's callback, which comes after it, go on with the run of a trial that was interrupted.

    By itself it begins a run for each of Tune's trials, also for one of an earlier call.
    """

    def __init__(self, mlflow: Any, study: str, identity: str) -> None:
        self.mlflow, self.identity = mlflow, identity
        self.mlflow.tags = {**(mlflow.tags or {}), "study": study, "study_id": identity}
        self.runs: dict[str, str] | None = None  # by the names of trials

    def on_trial_start(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        client = self.mlflow.mlflow_util._get_client()
        if self.runs is None:
            self.runs = run_ids(client, self.mlflow.mlflow_util.experiment_id, self.identity)
        run = self.runs.get(str(trial))
        if run and trial not in self.mlflow._trial_runs:
            self.mlflow._trial_runs[trial] = run
            client.update_run(run, status="RUNNING")

    def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
        assert self.runs is not None
        self.runs[str(trial)] = self.mlflow._trial_runs[trial]  # for when the trial is handed out again
