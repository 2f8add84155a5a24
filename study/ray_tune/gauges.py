"""Gauges for Prometheus: those of a trial in its worker, those of the study in the driver.

Every node serves them as `ray_entprop_…` on Ray's metrics port; `study/grafana/study.json` is a dashboard of them. The
port asks for no password: keep it behind a firewall.
"""

import functools
import math
import threading

from ray.util.metrics import Gauge

from study.workers.jobs import Job, Row
from study.workers.listener import Listener, Phase
from study.workers.tally import Tally

AGAIN_S = 1.0  # the shortest time between Ray's reports
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
    """Gauges whose values are labelled with the study and one thing more.

    Ray drops a gauge that was not set for two of its reports, 20 s in all, and epochs take longer. So what is shown is
    set again every second, until it is forgotten.
    """

    def __init__(self, metrics: dict[str, tuple[str, str]], label: str, study: str) -> None:
        self.study, self.label = study, label
        self.gauges = {key: Gauge(name, text, ("study", label)) for key, (name, text) in metrics.items()}
        self.shown: dict[str, Row] = {}
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._again, daemon=True)
        self.thread.start()

    def show(self, labelled: str, values: Row) -> None:
        """Set the gauges that have a finite value, under this value of the label."""
        known = {key: value for key in self.gauges if (value := values.get(key)) is not None and math.isfinite(value)}
        with self.lock:
            self.shown[labelled] = known
            self._set(labelled)

    def forget(self) -> None:
        """Let Ray drop what is shown."""
        with self.lock:
            self.shown.clear()

    def end(self) -> None:
        """Forget, and set nothing any more; to be called before Ray is shut down."""
        self.forget()
        self.ended.set()
        self.thread.join()

    def _again(self) -> None:
        while not self.ended.wait(AGAIN_S):
            with self.lock:
                for labelled in self.shown:
                    self._set(labelled)

    def _set(self, labelled: str) -> None:
        for key, value in self.shown[labelled].items():
            self.gauges[key].set(value, {"study": self.study, self.label: labelled})


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

    def end(self) -> None:
        """The study has ended."""
        self.gauges.end()

    def _show(self, phase: str) -> None:
        self.gauges.show(phase, vars(self.tally.phases[phase]))
