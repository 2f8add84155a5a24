"""Times vanilla training and measuring on this machine in some ten seconds, for the estimate of a plan."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from study.config.study_config import Study
from study.files.timings import Timing
from study.workers.gpu_sharing import cut
from trainables.data.images import Splits
from trainables.evaluate.measure import measure
from trainables.evaluate.options import Evaluation
from trainables.training.loop import train
from trainables.training.run_folder import Trained
from trainables.training.state import TrainState, resolve_device

TRAINING_S = 4.0  # after a first epoch of some steps, which warms up
MEASURED_IMAGES = 50
RUNS_OF_A_WORKER = 10  # which share the corrupted images that it makes


def probe(study: Study, splits: Splits) -> tuple[Timing, str]:
    """What a vanilla run of the study takes on this machine, and the device that was timed."""
    device = resolve_device(study.device)
    config = dataclasses.replace(study.trial, epochs=10**6, pretrained=False, schedule="constant", milestones=())
    with _threads(study.cpus_per_trial):
        state = TrainState(config, splits, device)
        step = config.batch_size / _images_per_s(state, cut(splits, config))
        trained = Trained(config, splits, state.net, state.epoch)
        validation = _seconds(trained, Evaluation(Path(), corruptions=study.validation_corruptions))
        test = _seconds(trained, Evaluation(Path()))
    return Timing(step, len(splits.train), validation, test), device


def _images_per_s(state: TrainState, few: Splits) -> float:
    epochs = train(state, few)
    first = next(epochs)
    began = time.perf_counter()
    speeds: list[float] = []
    while not speeds or time.perf_counter() - began < TRAINING_S:
        if first["seconds"] > TRAINING_S:  # large networks on a CPU: the first epoch has to do
            return float(first["images_per_s"])
        speeds.append(next(epochs)["images_per_s"])
    return median(speeds)


def _seconds(trained: Trained, asked: Evaluation) -> float:
    """What an evaluation of all its images takes, of which a worker makes the corrupted ones once."""
    part = trained.splits.validation if asked.corruptions != "all" else trained.splits.test
    few = dataclasses.replace(asked, corrupted_images=min(MEASURED_IMAGES, len(part)))
    making, again = (_timed(trained, few) for _ in range(2))
    return (again + (making - again) / RUNS_OF_A_WORKER) * len(part) / (few.corrupted_images or 1)


def _timed(trained: Trained, asked: Evaluation) -> float:
    began = time.perf_counter()
    measure(asked, trained, lambda done, total, what: None)
    return time.perf_counter() - began


@contextmanager
def _threads(cpus: float) -> Iterator[None]:
    """Inside, torch computes with as many threads as a trial has cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(1, int(cpus)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
