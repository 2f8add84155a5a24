"""The other processes of a trial that several train: actors beside the one that Tune started, in its placement group.

Tune reserves one bundle of the group for each process before the trial starts, so that no trial waits for half of its
processes while another holds the rest, and takes the group back as a whole. Ray Train would start a controller and new
workers for every trial, seconds each, and keep checkpoints and retries of its own beside those of the study.
"""

import os
import threading
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from study.workers.worker import prepare_device
from trainables.data.images import Splits
from trainables.training.crew import Answer, Call, Crew, LostProcess, Member

ALONE_S = 60.0  # that a leader may wait for a process that is gone; on a GPU it would wait for hours


class TrialMember(Member):
    """A process of a trial beside its leader, as an actor; named so on the dashboard."""

    def __init__(self, data: Splits, gpus: float, label: str) -> None:
        super().__init__(data, prepare_device(gpus))
        self.label = label

    def __repr__(self) -> str:
        return self.label


class RayCrew(Crew):
    """A crew of the calling actor and of as many more as its placement group has bundles left for."""

    def __init__(self, data: Splits, processes: int, cpus: float, gpus: float, label: str) -> None:
        kind, images = ray.remote(num_cpus=cpus, num_gpus=gpus)(TrialMember), ray.put(data)
        self.actors: list[Any] = [kind.remote(images, gpus, f"{label}, process {rank}") for rank in range(1, processes)]
        super().__init__(
            [_caller(actor) for actor in self.actors], prepare_device(gpus), ray.util.get_node_ip_address()
        )

    def end(self) -> None:
        """End the other processes."""
        for actor in self.actors:
            ray.kill(actor)


def _caller(actor: Any) -> Call:
    def call(name: str, *arguments: Any) -> Answer:
        reference, waits = getattr(actor, name).remote(*arguments), threading.Event()
        threading.Thread(target=_leave_if_alone, args=(reference, waits), daemon=True).start()

        def answer(seconds: float | None) -> Any:
            waits.set()
            try:
                return ray.get(reference, timeout=seconds)
            except RayTaskError as error:
                raise error.cause from error
            except (RayActorError, GetTimeoutError) as error:
                raise LostProcess(f"a process of the trial died ({type(error).__name__})") from error

        return answer

    return call


def _leave_if_alone(reference: Any, waits: threading.Event) -> None:
    """End this process if the other one failed and this one has not noticed within a minute."""
    try:
        ray.get(reference)
    except Exception:
        if not waits.wait(ALONE_S):
            os._exit(1)
