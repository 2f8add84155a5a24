"""The training loop: one generator that yields a row after every epoch, for every method."""

import contextlib
import math
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from trainables.config import TrialConfig
from trainables.data.batches import make_batches
from trainables.data.datasets import load_dataset
from trainables.data.images import Splits
from trainables.functional.batch import Batch
from trainables.functional.losses import entropy
from trainables.measures.accuracy import accuracy
from trainables.methods import StepOutput
from trainables.models.dual_norm import norm_groups
from trainables.models.modes import evaluating
from trainables.models.pixel_net import PixelNet
from trainables.training.passes import PassCounter
from trainables.training.state import TrainState, derive_seed

Row = dict[str, Any]

RAW_IMAGES = 128  # of the training images: enough for a mean, and no more than some percent of an epoch of 1,000


class Diverged(ArithmeticError):
    """The loss turned to NaN or infinity."""


def train(config: TrialConfig, splits: Splits, state: TrainState | None = None, device: str = "cpu") -> Iterator[Row]:
    """Train to the last epoch and yield a row after each; a caller that stops asking stops the training.

    With a `state` it goes on after that state's last epoch, and the rows are those of an unbroken run to the last bit
    (on a CPU): every random choice is drawn from the seed, its purpose and the epoch, never from what came before.
    """
    state = state or TrainState(config, splits, device)
    check_batch_size(config, splits)
    data = prepare(config, splits, state.device)
    counter = PassCounter(state.net)
    try:
        while state.epoch < config.epochs:
            with deterministic_if(config.deterministic):
                row = train_epoch(state, data, counter)
            yield row
    finally:
        counter.remove()


class Prepared(NamedTuple):
    """The images of a training on their device."""

    training: Any
    images: int  # of the training part
    validation: Any
    raw: list[Batch]  # the same few training images in every epoch, not augmented; read once


def prepare(config: TrialConfig, splits: Splits, device: torch.device) -> Prepared:
    """The parts that an epoch goes through."""
    images = len(splits.train)
    spread = np.arange(min(RAW_IMAGES, images)) * images // min(RAW_IMAGES, images)  # a folder lies class by class
    return Prepared(
        make_batches(splits.train, device, config.augment),
        images,
        make_batches(splits.validation, device),
        list(make_batches(splits.train.take(spread), device).sequential(RAW_IMAGES)),
    )


def train_epoch(state: TrainState, data: Prepared, counter: PassCounter) -> Row:
    """One pass through the training images, then validation."""
    config, started = state.config, time.perf_counter()
    rng = torch.Generator().manual_seed(derive_seed(config.seed, "method", state.epoch))
    steps = data.images // config.batch_size
    parameters = list(state.net.parameters())
    groups = norm_groups(state.net) if config.norm_grad == "group_mean" else None
    metrics = EpochMetrics()
    counter.reset()
    state.net.train()

    for i, (x, y, _) in enumerate(
        data.training.shuffled(config.batch_size, derive_seed(config.seed, "order", state.epoch))
    ):
        rate = learning_rate(config, state.epoch * steps + i, config.epochs * steps)
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        step = config.method.accumulate(state.net, x, y, rng)
        if groups is not None:
            scale_norm_gradients(*groups, step)
        state.optimizer.step()
        for parameter in parameters:
            parameter.grad = None
        metrics.add(step)

    drawn = steps * config.batch_size
    passes = {
        "measured_cost": counter.work / drawn,
        "images": drawn,
        "forward_passes": counter.forward,
        "full_passes": counter.full,
        "input_passes": counter.input_only,
    }
    check_finite(state, metrics.losses)
    state.epoch += 1
    state.spent += config.method.cost
    trained = time.perf_counter() - started
    validated = {
        "val_sa": accuracy(state.net, data.validation.sequential(max(config.batch_size, 256))),
        **raw_entropy(state.net, data.raw),
    }
    return {
        "epoch": state.epoch,
        "spent": state.spent,
        "lr": rate,
        **metrics.means(),
        **validated,
        "cost": config.method.cost,
        **passes,
        "images_per_s": drawn / trained,
        "seconds": time.perf_counter() - started,
    }


class EpochMetrics:
    """Sums over an epoch's steps, kept on the device so that no step waits for the host."""

    def __init__(self) -> None:
        self.losses: list[Tensor] = []
        self.right: list[Tensor] = []
        self.entropies: dict[str, list[Tensor]] = {"main": [], "aux": []}
        self.seen = 0

    def add(self, step: StepOutput) -> None:
        self.losses.append(step.loss)
        self.right.append((step.main.argmax(dim=1) == step.targets).sum())
        self.seen += len(step.targets)
        for norm, logits in (("main", step.main), ("aux", step.aux)):
            if logits is not None:
                self.entropies[norm].append(entropy(logits, step.targets))

    def means(self) -> Row:
        row: Row = {
            "loss": float(torch.stack(self.losses).mean()),
            "train_accuracy": 100 * int(torch.stack(self.right).sum()) / self.seen,
        }
        for norm, values in self.entropies.items():
            joined = torch.cat(values) if values else None
            row[f"entropy_{norm}"] = None if joined is None else float(joined.mean())
            row[f"entropy_{norm}_sd"] = None if joined is None else float(joined.std())
        return row


def raw_entropy(net: PixelNet, batches: Iterable[Batch]) -> Row:
    """Entropy of predictions of images as they are, neither shifted nor mixed, through the main norms (A29)."""
    with evaluating(net):
        values = torch.cat([entropy(net(x), y) for x, y, _ in batches])
    return {"entropy_raw": float(values.mean()), "entropy_raw_sd": float(values.std())}


def check_finite(state: TrainState, losses: list[Tensor]) -> None:
    """Raise if a loss of the epoch, or a weight after it, is not a number, with where it was and at which rate."""
    config, steps = state.config, len(losses)
    weights = torch.stack(torch._foreach_norm(list(state.net.parameters()))).sum()
    finite = torch.isfinite(torch.stack([*losses, weights])).tolist()
    if all(finite):
        return
    step = min(finite.index(False), steps - 1)
    rate = learning_rate(config, state.epoch * steps + step, config.epochs * steps)
    raise Diverged(
        f"the loss is no longer finite at step {step + 1} of epoch {state.epoch + 1} "
        f"with a learning rate of {rate:.4g}; try a lower one"
    )


def scale_norm_gradients(main: list[nn.Parameter], aux: list[nn.Parameter], step: StepOutput) -> None:
    """Turn the gradient of each set of norms into a mean over the samples that reached it (A10).

    The other parameters saw every sample; without this, a norm set that saw a fifth of them would learn at a fifth
    of the rate.
    """
    for parameters, weight in ((main, step.main_weight), (aux, step.aux_weight)):
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if gradients and weight not in (0.0, 1.0):
            torch._foreach_div_(gradients, weight)


def learning_rate(config: TrialConfig, step: int, steps: int) -> float:
    """The rate of one step: linear warm-up, then the schedule over what is left."""
    warm = config.warmup * steps
    if step < warm:
        return config.lr * (step + 1) / math.ceil(warm)
    if config.schedule == "cosine":
        return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / (steps - warm)))
    if config.schedule == "milestones":
        epoch = step * config.epochs / steps
        return config.lr * config.decay ** sum(epoch >= milestone for milestone in config.milestones)
    return config.lr


def check_batch_size(config: TrialConfig, splits: Splits) -> None:
    """A step needs a whole batch."""
    if config.batch_size > len(splits.train):
        images = f"{len(splits.train)} training images of {config.dataset}"
        raise ValueError(f"batch_size must be at most the {images}, got {config.batch_size}")


@contextlib.contextmanager
def deterministic_if(wanted: bool) -> Iterator[None]:
    """Inside, torch refuses operations whose result may differ from run to run."""
    before = torch.are_deterministic_algorithms_enabled()
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def load_splits(config: TrialConfig, root: Path | None = None) -> Splits:
    """The data that a configuration names."""
    return load_dataset(config.dataset, root, limit=config.train_images)
