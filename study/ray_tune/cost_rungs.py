"""Halving by spent cost as a scheduler of Ray Tune.

`rungs.csv` in the study's folder has a line for each comparison.
"""

import csv
from pathlib import Path
from typing import Any

from ray.tune.schedulers import FIFOScheduler

from study.ray_tune.trainable import job_of
from study.search.halving import Halving
from study.workers.jobs import Row


class CostRungs(FIFOScheduler):
    """Stops a trial where `Halving` says so."""

    def __init__(self, halving: Halving, log: Path) -> None:
        super().__init__()
        self.halving, self.log = halving, log

    def on_trial_result(self, tune_controller: Any, trial: Any, result: Row) -> str:
        if result.get("val_h") is None:
            return self.CONTINUE
        name, spent, h = job_of(trial.config).name, result["spent"], result["val_h"]
        goes_on = self.halving.compare(name, spent, h)
        new = not self.log.exists()
        with open(self.log, "a", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow(("rung", "trial", "spent", "val_h", "decision"))
            writer.writerow((f"{self.halving.rung(spent):g}", name, spent, h, "continue" if goes_on else "stop"))
        return self.CONTINUE if goes_on else self.STOP
