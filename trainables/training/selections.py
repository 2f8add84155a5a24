"""Which training images a method sends to its auxiliary norms, epoch by epoch: figure 6 of the EntProp paper.

The recorder stands between the loop and the method: it hands a step on as it is and keeps what the step says it
selected, on the device, so that no step waits for it. Which images a batch holds follows from the seed alone, so the
loop need not say.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from torch import Generator, Tensor

from trainables.config import TrialConfig
from trainables.data.batches import epoch_order
from trainables.disk import replacing
from trainables.methods import Method, StepOutput, method_name
from trainables.models.pixel_net import PixelNet
from trainables.training.loop import Row
from trainables.training.run_folder import Damaged
from trainables.training.state import derive_seed

FILE = "selected.npy"
MUST = "method must send chosen samples to auxiliary norms to have its selections kept"


class Recorder:
    """Keeps one bit per epoch and training image: whether the auxiliary norms saw it.

    `config` is the configuration to train: equal to the one that was given, but its method tells the recorder.
    """

    def __init__(self, config: TrialConfig, images: int) -> None:
        if not config.method.dual:
            raise ValueError(f"{MUST}, got {method_name(config.method)}")
        self.images, self.batch_size, self.seed = images, config.batch_size, config.seed
        self.steps: list[Tensor | None] = []  # of the epoch that runs
        self.epochs = np.zeros((0, images), dtype=bool)
        self.config = dataclasses.replace(config, method=_told(config.method, self.steps))

    def watch(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows of a training, each handed on when its epoch has been recorded."""
        for row in rows:
            order = epoch_order(self.images, derive_seed(self.seed, "order", row["epoch"] - 1))
            selected = np.zeros((1, self.images), dtype=bool)
            for place, chosen in enumerate(self.steps):
                if chosen is not None:
                    selected[0, order[place * self.batch_size + chosen.cpu()].numpy()] = True
            self.steps.clear()
            self.epochs = np.concatenate([self.epochs, selected])
            yield row

    def save(self, folder: Path) -> None:
        """Write the record in one piece."""
        with replacing(folder / FILE) as file:
            np.save(file, np.packbits(self.epochs, axis=1))

    def load(self, folder: Path, epoch: int) -> None:
        """Go on with the record of a folder whose checkpoint stands after that epoch."""
        if epoch:
            self.epochs = read_selected(folder, self.images)[:epoch]
        if len(self.epochs) < epoch:
            raise Damaged(
                f"selections must be kept from the first epoch on, got {folder / FILE} with {len(self.epochs)} of "
                f"{epoch} epochs; choose another folder"
            )


def _told(method: Method, steps: list[Tensor | None]) -> Method:
    """A copy of a method that is equal to it and notes which samples each of its steps selected."""
    copy = dataclasses.replace(method)  # type: ignore[type-var]

    def accumulate(net: PixelNet, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        step = method.accumulate(net, x, y, rng)
        if step.selected is None and step.aux is not None:
            raise ValueError(f"{MUST}, got {method_name(method)}, which sends all")
        steps.append(step.selected)
        return step

    object.__setattr__(copy, "accumulate", accumulate)  # it is frozen, and must stay of its own class
    return copy


def read_selected(folder: Path, images: int) -> np.ndarray:
    """(epochs, images): whether an image was selected in an epoch."""
    path = folder / FILE
    if not path.is_file():
        raise Damaged(f"{path} must be there; it is written by python -m trainables --selections --out {folder}")
    try:
        return np.unpackbits(np.load(path), axis=1, count=images).astype(bool)
    except (ValueError, EOFError, TypeError) as error:
        raise Damaged(f"{path} is damaged ({error}); delete the run and train it anew") from error


def selection_histogram(selected: np.ndarray) -> list[tuple[int, int]]:
    """(times, images): how many images were selected that often, from never to in every epoch."""
    return list(enumerate(np.bincount(selected.sum(axis=0), minlength=len(selected) + 1).tolist()))
