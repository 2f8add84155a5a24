"""Gauges for Prometheus: those of a trial in its worker, those of the study in the driver.

Every node serves them as `ray_entprop_…` on Ray's metrics port; `study/grafana/study.json` is a dashboard of them. The
port asks for no password: keep it behind a firewall.
"""

import functools
import math

from ray.util.metrics import Gauge

from study.workers.jobs import Job, Row
from study.workers.listener import Listener, Phase
from study.workers.tally import Tally

TRIAL = {  # column of a row: (metric, description)
    "loss": ("entprop_loss", "training loss of the last epoch"),
    "val_sa": ("entprop_accuracy", "accuracy on validation images, percent"),
    "val_h": ("entprop_h", "H on validation images"),
    "h": ("entprop_test_h", "H on test images, of a confirmation"),
    "spent": ("entprop_spent", "cost spent, in N-epochs"),
    "images_per_s": ("entprop_images_per_second", "training images per second"),
    "epoch": ("entprop_epoch", "epochs done"),
}
STUDY = {
    "best_h": ("entprop_study_best_h", "best H on validation images so far"),
    "spent": ("entprop_study_spent", "cost spent by all trials, in N-epochs"),
    "done": ("entprop_study_finished", "jobs that have ended"),
    "failed": ("entprop_study_failed", "jobs that failed"),
    "running": ("entprop_study_running", "jobs that are running"),
}


class Gauges:
    """Gauges whose values are labelled with the study and one thing more."""

    def __init__(self, metrics: dict[str, tuple[str, str]], label: str, study: str) -> None:
        self.study, self.label = study, label
        self.gauges = {key: Gauge(name, text, ("study", label)) for key, (name, text) in metrics.items()}

    def show(self, labelled: str, values: Row) -> None:
        """Set the gauges that have a finite value, under this value of the label."""
        for key, gauge in self.gauges.items():
            value = values.get(key)
            if value is not None and math.isfinite(value):
                gauge.set(value, {"study": self.study, self.label: labelled})


TrialGauges = functools.partial(Gauges, TRIAL, "trial")  # of a worker: the trial that it works on


class StudyGauges(Listener):
    """The gauges of the driver: the counts of each phase."""

    def __init__(self, study: str, tally: Tally) -> None:
        self.gauges, self.tally = Gauges(STUDY, "phase", study), tally

    def on_phase(self, phase: Phase) -> None:
        self._show(phase.name)

    def on_start(self, phase: str, job: Job) -> None:
        self._show(phase)

    def on_result(self, phase: str, job: Job, row: Row) -> None:
        self._show(phase)

    def on_end(self, phase: str, job: Job, row: Row) -> None:
        self._show(phase)

    def _show(self, phase: str) -> None:
        self.gauges.show(phase, vars(self.tally.phases[phase]))
