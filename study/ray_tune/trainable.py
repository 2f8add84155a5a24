"""The Ray Tune trainable: a thin adapter around a worker."""

import os
import socket
from typing import Any

from ray import tune

from study.ray_tune.gauges import TrialGauges
from study.ray_tune.members import RayCrew
from study.workers.jobs import Job, Row
from study.workers.worker import Worker, prepare_device
from trainables.data.images import Splits
from trainables.training.loop import train


def worker_for(splits: Splits, study: str, cpus: float = 1, gpus: float = 0, processes: int = 1) -> Any:
    """A `StudyTrial` with its share of the machine, for Tune to start; the share is that of each of its processes.

    The images lie once in the memory that all processes of a node share, so one of these serves all phases of a study.
    """
    trainable = tune.with_parameters(StudyTrial, splits=splits, study=study, gpus=gpus, cpus=cpus, processes=processes)
    bundles = [{"CPU": cpus, "GPU": gpus}] * processes
    share = {"cpu": cpus, "gpu": gpus} if processes == 1 else tune.PlacementGroupFactory(bundles, strategy="PACK")
    worker = tune.with_resources(trainable, share)
    worker.__qualname__ = StudyTrial.__name__  # shown by the dashboard and `ps`
    return worker


class StudyTrial(tune.Trainable):
    """A worker as an actor of Ray Tune. The dashboard's list of actors shows its class name and `repr`.

    A job's folder is opened by its first step: Tune may start an actor for a job and then give that job to another
    actor that has become free, and two must not write the same folder.
    """

    def setup(  # type: ignore[override]
        self, config: Row, splits: Splits, study: str, gpus: float, cpus: float = 1, processes: int = 1
    ) -> None:
        self.label = f"{study}: worker {os.getpid()} on {socket.gethostname()}"
        self.crew = RayCrew(splits, processes, cpus, gpus, self.label) if processes > 1 else None
        self.worker = Worker(splits, prepare_device(gpus), self.crew.train if self.crew else train)
        self.gauges = TrialGauges(study)
        self.reset_config(config)

    def reset_config(self, new_config: Row) -> bool:
        self.job, self.begun, self.known = job_of(new_config), False, 0
        self.gauges.forget()  # of the job before
        return True

    def step(self) -> Row:
        if not self.begun:
            self.worker.begin(self.job, self.known)
            self.begun = True
        row = self.worker.step()
        self.gauges.show(self.job.name, row)
        self.known = row.get("epoch", self.known)
        return {**row, "training_iteration": self.known}  # also after the job has moved to another worker

    def save_checkpoint(self, checkpoint_dir: str) -> Row:
        """What Tune keeps of a job that it pauses: the state itself is in the job's folder."""
        self.worker.place.send()
        return {"folder": self.job.folder, "epoch": self.known}

    def load_checkpoint(self, checkpoint: Any) -> None:
        self.known = checkpoint["epoch"]

    def cleanup(self) -> None:
        self.gauges.end()
        self.worker.leave()
        if self.crew:
            self.crew.end()

    def __repr__(self) -> str:
        return getattr(self, "label", "StudyTrial")


def job_of(config: Row) -> Job:
    """The job in a trial's configuration."""
    job: Job = config["job"]
    return job
