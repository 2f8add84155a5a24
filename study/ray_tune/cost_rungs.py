"""Stopping early by spent cost: trials are compared when they have spent the same, not after the same epochs.

`rungs.csv` in a study's folder holds a line for each comparison.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from study.workers.jobs import Job, Row


class CostRungs(AsyncHyperBandScheduler):
    """Asynchronous halving by spent cost: at each rung, a trial goes on if it is in the better part of those before it.

    A rung lies at least one epoch's budget above the one before, so that every trial is measured at every rung. Trials
    are known by their names, so that rungs can be filled again from the rows of an interrupted study.
    """

    def __init__(self, budget: float, epochs: int, earlier: list[tuple[str, float, float]], log: Path) -> None:
        settings: Any = {"max_t": budget * epochs, "grace_period": budget, "reduction_factor": 2}
        super().__init__("spent", "val_h", "max", stop_last_trials=False, **settings)
        self.log = log
        for name, spent, h in earlier:
            self.compare(SimpleNamespace(trial_id=name), spent, h)

    def compare(self, trial: Any, spent: float, h: float) -> str:
        return self._brackets[0].on_result(trial, spent, h)  # type: ignore[arg-type]

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Nothing: trials are known by their names, and there is one bracket."""

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Row) -> str:
        if result.get("val_h") is None:
            return TrialScheduler.CONTINUE
        name, spent, h = Job.from_values(trial.config["job"]).name, result["spent"], result["val_h"]
        decision = self.compare(SimpleNamespace(trial_id=name), spent, h)
        self.write_down(name, spent, h, decision)
        return decision

    def write_down(self, name: str, spent: float, h: float, decision: str) -> None:
        """A line for each comparison, for people: which rung, who, and whether it went on."""
        rung = max((cost for cost, _ in self._brackets[0]._rungs if cost <= spent), default=0.0)
        new = not self.log.exists()
        with open(self.log, "a", encoding="utf-8") as file:
            file.write("rung,trial,spent,val_h,decision\n" if new else "")
            file.write(f"{rung:g},{name},{spent!r},{h!r},{'stop' if decision == self.STOP else 'continue'}\n")

    def on_trial_complete(self, tune_controller: Any, trial: Any, result: Row) -> None:
        """Nothing: the last rung lies before the end."""

    def on_trial_remove(self, tune_controller: Any, trial: Any) -> None:
        """Nothing, as for `on_trial_add`."""
