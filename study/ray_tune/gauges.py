"""Gauges for Prometheus: those of a trial in its worker, those of the study in the driver.

Every node serves them as `ray_entprop_…` on Ray's metrics port; `study/grafana/study.json` is a dashboard of them. The
port asks for no password: keep it behind a firewall.
"""

import math

from ray.util.metrics import Gauge

from study.workers.jobs import Row

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
    "finished": ("entprop_study_finished", "jobs that have ended"),
    "failed": ("entprop_study_failed", "jobs that failed"),
    "running": ("entprop_study_running", "jobs that are running"),
}


class TrialGauges:
    """The gauges of a worker; each value is labelled with the study and the current trial."""

    def __init__(self, study: str) -> None:
        self.study = study
        self.gauges = {column: Gauge(name, text, ("study", "trial")) for column, (name, text) in TRIAL.items()}

    def show(self, trial: str, row: Row) -> None:
        for column, gauge in self.gauges.items():
            value = row.get(column)
            if value is not None and math.isfinite(value):
                gauge.set(value, {"study": self.study, "trial": trial})


class StudyGauges:
    """The gauges of the whole study."""

    def __init__(self, study: str) -> None:
        self.study = study
        self.gauges = {key: Gauge(name, text, ("study", "phase")) for key, (name, text) in STUDY.items()}

    def show(self, phase: str, values: dict[str, float]) -> None:
        for key, value in values.items():
            self.gauges[key].set(value, {"study": self.study, "phase": phase})
