"""A scheduler of Ray Tune's that a program hands over: it decides about the search, and about nothing else."""

from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from study.ray_tune.trainable import job_of
from study.workers.jobs import Row

REFUSED = {
    "PopulationBasedTraining": "it changes k and n during training, so a trial has no single cost",
    "PopulationBasedTrainingReplay": "it changes a trial during training",
    "ResourceChangingScheduler": "it needs a new worker for each trial; set --cpus-per-trial and --gpus-per-trial",
    "HyperBandForBOHB": "it works only with the searcher TuneBOHB; use HyperBandScheduler",
}


def check_scheduler(scheduler: Any) -> None:
    """ValueError unless it is a scheduler of Tune's that only stops or pauses trials."""
    kinds = [kind.__name__ for kind in type(scheduler).__mro__]
    if "TrialScheduler" not in kinds:
        raise ValueError(f"scheduler must be none, asha or a scheduler of Ray Tune, got {kinds[0]}")
    for kind in kinds:
        if kind in REFUSED:
            raise ValueError(f"scheduler must only stop or pause trials, got {kinds[0]}: {REFUSED[kind]}")


class OfSearch(FIFOScheduler):
    """Hands the trials of the search to a scheduler; runs of race and confirmation come to their ends."""

    def __init__(self, scheduler: Any) -> None:
        super().__init__()
        self.scheduler = scheduler
        if scheduler.metric is None:
            scheduler.set_search_properties("val_h", "max")

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        if of_search(trial):
            self.scheduler.on_trial_add(tune_controller, trial)

    def on_trial_error(self, tune_controller: Any, trial: Any) -> None:
        if of_search(trial):
            self.scheduler.on_trial_error(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Row) -> str:
        if not of_search(trial) or result.get("error"):
            return TrialScheduler.CONTINUE
        decision: str = self.scheduler.on_trial_result(tune_controller, trial, result)
        return decision

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Row) -> None:
        if not of_search(trial):
            return
        if result.get("error"):  # for Tune it has come to its end, but there is nothing to compare
            self.scheduler.on_trial_error(tune_controller, trial)
        else:
            self.scheduler.on_trial_complete(tune_controller, trial, result)

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        if of_search(trial):
            self.scheduler.on_trial_remove(tune_controller, trial)

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        chosen = self.scheduler.choose_trial_to_run(tune_controller)
        if chosen is not None:
            return chosen
        others = (each for each in tune_controller.get_trials() if not of_search(each))
        return next((each for each in others if each.status == each.PENDING), None)

    def debug_string(self) -> str:
        text: str = self.scheduler.debug_string()
        return text


def of_search(trial: Any) -> bool:
    """Whether it is a trial of the search."""
    return job_of(trial.config).phase == "search"
