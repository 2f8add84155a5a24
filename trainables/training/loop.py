"""The training loop: one generator that yields a row after every epoch, for every method.

A-numbers: docs/decisions.md
"""

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables.config import TrialConfig
from trainables.data.batches import at_once, make_batches
from trainables.data.datasets import load_dataset
from trainables.data.images import Split, Splits
from trainables.data.splits import redrawn
from trainables.functional.batch import Batch
from trainables.functional.losses import entropy
from trainables.functional.shares import Group, mean, rows_at, share, share_of_batch, sharing, together, total
from trainables.measures.accuracy import accuracy
from trainables.methods import StepOutput, method_name
from trainables.models.dual_norm import norm_groups
from trainables.models.modes import evaluating
from trainables.models.pixel_net import PixelNet
from trainables.training import Row
from trainables.training.arithmetic import arithmetic
from trainables.training.passes import PassCounter
from trainables.training.processes import average_gradients, average_statistics
from trainables.training.state import TrainState, derive_seed

RAW_IMAGES = 128  # training images of `entropy_raw`: enough for a mean, at a few percent of an epoch of 1,000
CHECK_EVERY = 200  # steps between checks for NaN, each of which makes the host wait for the device
MUST_SELECT = "selections need a method that sends selected samples to the auxiliary norms"


class Diverged(ArithmeticError):
    """The loss turned to NaN or infinity."""


def train(state: TrainState, splits: Splits, *, selections: bool = False, group: Group | None = None) -> Iterator[Row]:
    """Train to the last epoch and yield a row after each; to stop early, stop iterating.

    Training continues after the epochs that `state` has behind it, and on a CPU the rows equal those of an unbroken
    run bit for bit: every random choice is drawn from the seed, its purpose and the epoch, never from what came before.
    With `selections`, `state.selected` holds after each epoch the training images that the method selected in it.
    A `group` of processes shares every batch; all of them take the same steps, and the first one alone validates.
    """
    config, processes = state.config, 1 if group is None else group.size
    if config.processes_per_trial != processes:
        raise ValueError(
            f"processes_per_trial must be {processes}, the number of processes that train together here, "
            f"got {config.processes_per_trial}; python -m trainables and a study start the others"
        )
    check_batch_size(config, splits)
    training = make_batches(splits.train, state.device, config.augment)
    validation = make_batches(splits.validation, state.device)
    validated_at_once = at_once(splits.validation, max(config.batch_size, 256))
    raw = list(make_batches(evenly_spaced(splits.train, RAW_IMAGES), state.device).sequential(RAW_IMAGES))
    images = len(splits.train) // config.batch_size * config.batch_size
    counter = PassCounter(state.net)
    try:
        while state.epoch < config.epochs:
            started = time.perf_counter()
            with arithmetic(config.precision, config.deterministic):
                counter.reset()
                with sharing(group):
                    metrics = train_epoch(state, training, images // config.batch_size, selections)
                    counter.add_up(state.device)
                passes = {
                    "measured_cost": counter.work / images,
                    "images": images,
                    "forward_passes": counter.forward,
                    "full_passes": counter.full,
                    "input_passes": counter.input_only,
                }
                trained = time.perf_counter() - started
                leads = group is None or group.rank == 0
                validated = validate(state, validation.sequential(validated_at_once), raw) if leads else {}
            yield {
                "epoch": state.epoch,
                "spent": state.spent,
                "lr": state.optimizer.param_groups[0]["lr"],
                **metrics,
                **validated,
                "cost": config.method.cost,
                **passes,
                "images_per_s": images / trained,
                "seconds": time.perf_counter() - started,
            }
    finally:
        counter.remove()


def validate(state: TrainState, validation: Iterable[Batch], raw: Iterable[Batch]) -> Row:
    """Accuracy on validation images, and the entropy of predictions on training images as they are."""
    return {"val_sa": accuracy(state.net, validation), **raw_entropy(state.net, raw)}


def train_epoch(state: TrainState, training: Any, steps: int, selections: bool) -> Row:
    """Take the steps of one epoch; the means over them."""
    config, net, optimizer = state.config, state.net, state.optimizer
    rng = torch.Generator().manual_seed(derive_seed(config.seed, "method", state.epoch))
    batches = training.shuffled(config.batch_size, derive_seed(config.seed, "order", state.epoch), *share_of_batch())
    groups = norm_groups(net) if config.norm_grad == "group_mean" else None
    metrics = EpochMetrics(selections)
    net.train()
    for i, (x, y, index) in enumerate(batches, start=1):
        rate = learning_rate(config, state.epoch * steps + i - 1, config.epochs * steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        step = config.method.accumulate(net, x, y, rng)
        if selections and step.selected is None and step.aux is not None:
            raise ValueError(f"{MUST_SELECT}, got {method_name(config.method)}, which sends all")
        average_gradients(net)
        if groups is not None:
            scale_norm_gradients(*groups, step)
        optimizer.step()
        optimizer.zero_grad()
        metrics.add(step, index)
        if i % CHECK_EVERY == 0 or i == steps:
            check_finite(state, metrics.losses, steps)
    average_statistics(net)
    state.epoch += 1
    state.spent += config.method.cost
    state.selected = metrics.selected_images()
    return metrics.means()


def evenly_spaced(part: Split, count: int) -> Split:
    """That many images of a part, or all if it has fewer; evenly spaced, since a folder is sorted by class."""
    count = min(count, len(part))
    return part.take(np.arange(count) * len(part) // count)


class EpochMetrics:
    """Values of an epoch's steps, kept on the device so that no step waits for the host."""

    def __init__(self, selections: bool) -> None:
        self.selected: list[Tensor] | None = [] if selections else None
        self.losses: list[Tensor] = []
        self.right: list[Tensor] = []
        self.entropies: dict[str, list[Tensor]] = {"main": [], "aux": []}
        self.seen = 0

    def add(self, step: StepOutput, index: Tensor) -> None:
        """Keep one step, whose batch holds the training images `index`."""
        self.losses.append(step.loss)
        self.right.append((step.main.argmax(dim=1) == step.targets).sum())
        self.seen += len(step.targets)
        for norm, logits in (("main", step.main), ("aux", step.aux)):
            if logits is not None:
                self.entropies[norm].append(entropy(logits, step.targets))
        if self.selected is not None and step.selected is not None:
            self.selected.append(rows_at(index, share(step.selected)))

    def selected_images(self) -> Tensor | None:
        """The numbers of the selected training images, on the CPU; None unless they were asked for."""
        return None if self.selected is None else together(torch.cat(self.selected or [torch.empty(0).long()])).cpu()

    def means(self) -> Row:
        """Mean loss, training accuracy in percent, and mean and deviation of the entropies in nats."""
        right = torch.stack(self.right).sum()
        right, seen = total(torch.stack([right, torch.full_like(right, self.seen)])).tolist()
        row: Row = {
            "loss": float(mean(torch.stack(self.losses).mean())),
            "train_accuracy": 100 * right / seen,
        }
        for norm, values in self.entropies.items():
            joined = together(torch.cat(values)) if values else None
            row[f"entropy_{norm}"] = None if joined is None else float(joined.mean())
            row[f"entropy_{norm}_sd"] = None if joined is None else float(joined.std())
        return row


def raw_entropy(net: PixelNet, batches: Iterable[Batch]) -> Row:
    """Mean and deviation of the predictions' entropy on unaugmented images through the main norms, in nats (A29)."""
    with evaluating(net):
        values = torch.cat([entropy(net(x), y) for x, y, _ in batches])
    return {"entropy_raw": float(values.mean()), "entropy_raw_sd": float(values.std())}


@torch.no_grad()
def check_finite(state: TrainState, losses: list[Tensor], steps: int) -> None:
    """Raise Diverged if a loss of this epoch of `steps` steps, or a weight after the latest, is NaN or infinite."""
    weights = nn.utils.get_total_norm(list(state.net.parameters()))
    finite = torch.isfinite(mean(torch.stack([*losses, weights]))).tolist()
    if all(finite):
        return
    config, step = state.config, min(finite.index(False), len(losses) - 1)
    rate = learning_rate(config, state.epoch * steps + step, config.epochs * steps)
    raise Diverged(
        f"the loss is no longer finite at step {step + 1} of epoch {state.epoch + 1} "
        f"with a learning rate of {rate:.4g}; try a lower one"
    )


def scale_norm_gradients(main: list[nn.Parameter], aux: list[nn.Parameter], step: StepOutput) -> None:
    """Make the gradient of each norm set a mean over the samples that reached it (A10).

    All other parameters see every sample; without this, a norm set that sees a fifth of them learns at a fifth of the
    rate.
    """
    for parameters, weight in ((main, step.main_weight), (aux, step.aux_weight)):
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if gradients and weight not in (0.0, 1.0):
            torch._foreach_div_(gradients, weight)


def learning_rate(config: TrialConfig, step: int, steps: int) -> float:
    """The learning rate of one of `steps` steps: linear warm-up, then the schedule over the remaining ones."""
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
    """Raise ValueError if the training images do not fill one batch."""
    if config.batch_size > len(splits.train):
        images = f"{len(splits.train)} training images of {config.dataset}"
        raise ValueError(f"batch_size must be at most the {images}, got {config.batch_size}")


def load_splits(config: TrialConfig, root: Path | None = None) -> Splits:
    """The data that a configuration names."""
    splits = load_dataset(config.dataset, root, limit=config.train_images, resize=config.resize)
    return splits_of(config, splits)


def splits_of(config: TrialConfig, splits: Splits) -> Splits:
    """The images of one run: those of the data set, or with its own cut into training and validation images."""
    return redrawn(splits, config.seed) if config.resplit else splits
