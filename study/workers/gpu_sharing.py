"""How many trials share a GPU, found by measuring throughput.

A network of some thousand parameters runs kernels that end before the next one is launched, so one trial keeps a small
part of a GPU busy. Here 1, 2, 4, … processes train the most expensive setting of the study for some seconds each, until
twice as many are less than a tenth faster or would not fit into memory.
"""

import contextlib
import dataclasses
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import numpy as np
import torch

from study.config.space import published_values, trial_config
from study.config.study_config import Study
from trainables.config import TrialConfig
from trainables.data.images import Splits
from trainables.training.loop import train
from trainables.training.state import TrainState

SECONDS = 5.0  # that each number of trials is tried for
STEPS = 50  # of an epoch, so that epochs begin and end about as rarely as real ones
GAIN = 1.1  # the speed-up at which twice as many trials are tried next
ROOM = 0.9  # the share of memory that may be used; the rest is for fragments and other programs
START_S = 300.0  # a process that has not trained an epoch by then is given up
SERVICE = "nvidia-cuda-mps-control"


class Tried(NamedTuple):
    """The throughput of so many trials at once."""

    trials: int
    images_per_s: float  # of all together
    gigabytes: float  # in use on the device, its own programs and others'; 0 on a CPU


def heaviest(study: Study, configs: list[TrialConfig]) -> TrialConfig:
    """The most expensive row of a table, or the most expensive published setting that the search may propose."""
    if not configs:
        configs = [study.trial, *(trial_config(study, values, 0) for values in published_values(study))]
    return max(configs, key=lambda config: config.method.cost)


def try_out(config: TrialConfig, splits: Splits, device: str, most: int, seconds: float = SECONDS) -> list[Tried]:
    """Measure 1, 2, 4, … up to `most` trials at once, while more are faster; ValueError if not even one runs."""
    few, tried, count = cut(splits, config), list[Tried](), 1
    total = torch.cuda.mem_get_info()[1] / 1e9 if device == "cuda" else 0.0
    while count <= most:
        try:
            tried.append(together(count, config, few, device, seconds))
        except RuntimeError as error:
            if count == 1:
                raise ValueError(f"a trial must run on the device {device}, but {error}") from error
            break  # the last number that fitted is in the list
        if len(tried) > 1 and tried[-1].images_per_s < GAIN * tried[-2].images_per_s:
            break
        count *= 2
        if count * tried[0].gigabytes > ROOM * total > 0:
            break
    return tried


def best_number(tried: list[Tried]) -> int:
    """The smallest number of trials within 5 % of the highest throughput."""
    most = max(each.images_per_s for each in tried)
    return min(each.trials for each in tried if each.images_per_s >= 0.95 * most)


def packing_text(tried: list[Tried]) -> str:
    """The measured throughputs and the choice, in a line."""
    alone = tried[0].images_per_s
    gains = ", ".join(f"{each.trials}: ×{each.images_per_s / alone:.2f}" for each in tried[1:])
    memory = f", {tried[0].gigabytes:.1f} GB" if tried[0].gigabytes else ""
    at_once = f"; at once {gains}" if gains else ""
    return f"one trial alone: {alone:,.0f} images/s{memory}{at_once}; {best_number(tried)} share a GPU"


def cut(splits: Splits, config: TrialConfig) -> Splits:
    """The training images of some steps, and the same share of the validation images."""
    images = min(len(splits.train), STEPS * config.batch_size)
    checked = max(1, len(splits.validation) * images // len(splits.train))
    return dataclasses.replace(
        splits, train=splits.train.take(np.arange(images)), validation=splits.validation.take(np.arange(checked))
    )


# ------------------------------------------------------------------------------------------------------- processes


def together(count: int, config: TrialConfig, splits: Splits, device: str, seconds: float) -> Tried:
    """The throughput of so many processes that train at the same time; RuntimeError if one of them failed."""
    context = multiprocessing.get_context("spawn")
    barrier, pipes, processes = context.Barrier(count), list[Connection](), list[Any]()
    for _ in range(count):
        ours, theirs = context.Pipe()
        process = context.Process(target=probe, args=(device, seconds, barrier, theirs), daemon=True)
        process.start()
        theirs.close()
        pipes.append(ours)
        processes.append(process)
    try:
        for pipe in pipes:
            with contextlib.suppress(BrokenPipeError):  # `answer` reports a process that died
                pipe.send((config, splits))  # not as an argument: starting would wait for a process that died
        found = [answer(pipe, barrier) for pipe in pipes]
    finally:
        for process in processes:
            process.kill()
            process.join()
    wrong = [each for each in found if isinstance(each, str)]
    if wrong:
        raise RuntimeError(min(wrong, key=lambda reason: "BrokenBarrier" in reason))
    return Tried(count, sum(rate for rate, _ in found), max(used for _, used in found))


def answer(pipe: Connection, barrier: Any) -> Any:
    """A process's images a second and gigabytes, or the text of its error."""
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError):
        barrier.abort()
        return "its process died"


def probe(device: str, seconds: float, barrier: Any, pipe: Connection) -> None:
    """Train until the time is over; send images a second and the gigabytes in use, or the text of an error."""
    config, splits = pipe.recv()
    try:
        torch.set_num_threads(1)
        epochs = train(TrainState(dataclasses.replace(config, epochs=10**6), splits, device), splits)
        next(epochs)
        barrier.wait(START_S)
        began, done = time.perf_counter(), 0
        while (passed := time.perf_counter() - began) < seconds or not done:
            next(epochs)
            done += len(splits.train)
        barrier.wait(START_S)  # all still hold their memory
        free, total = torch.cuda.mem_get_info() if device == "cuda" else (0, 0)
        barrier.wait(START_S)
        pipe.send((done / passed, (total - free) / 1e9))
    except Exception as error:  # of any kind: so many trials do not run
        barrier.abort()
        pipe.send(f"{type(error).__name__}: {error}".splitlines()[0])


# --------------------------------------------------------------------------------------------- sharing the device


@contextlib.contextmanager
def sharing_service(wanted: bool) -> Iterator[bool]:
    """Inside, NVIDIA's multi-process service runs if it is installed, so that kernels of several processes run side by
    side. A service that runs already is used and left running. Yields whether there is one."""
    if not wanted or "CUDA_MPS_PIPE_DIRECTORY" in os.environ or shutil.which(SERVICE) is None:
        yield wanted and "CUDA_MPS_PIPE_DIRECTORY" in os.environ
        return
    with tempfile.TemporaryDirectory(prefix="mps-") as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        os.environ.update(places)  # workers inherit it
        started = subprocess.run([SERVICE, "-d"], check=False, capture_output=True).returncode == 0
        if not started:
            _forget(places)
        try:
            yield started
        finally:
            if started:
                subprocess.run([SERVICE], input=b"quit\n", check=False, capture_output=True)
                _forget(places)


def _forget(names: Any) -> None:
    for name in names:
        os.environ.pop(name, None)
