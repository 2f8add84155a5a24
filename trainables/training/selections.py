"""Which training images a method sends to its auxiliary norms, epoch by epoch: figure 6 of the EntProp paper."""

from pathlib import Path

import numpy as np
from torch import Tensor

from trainables.config import TrialConfig
from trainables.disk import replacing
from trainables.methods import method_name
from trainables.training.loop import MUST_SELECT
from trainables.training.run_folder import Damaged

FILE = "selected.npy"


class Recorder:
    """Keeps one bit per epoch and training image: whether the method selected it."""

    def __init__(self, config: TrialConfig, images: int) -> None:
        if not config.method.dual:
            raise ValueError(f"{MUST_SELECT}, got {method_name(config.method)}")
        self.images = images
        self.epochs = np.zeros((0, images), dtype=bool)

    def add(self, selected: Tensor) -> None:
        """Record an epoch by the numbers of its selected images."""
        epoch = np.zeros((1, self.images), dtype=bool)
        epoch[0, selected.numpy()] = True
        self.epochs = np.concatenate([self.epochs, epoch])

    def save(self, folder: Path) -> None:
        """Write the record in one piece."""
        with replacing(folder / FILE) as file:
            np.save(file, np.packbits(self.epochs, axis=1))

    def load(self, folder: Path, epoch: int) -> None:
        """Continue the record of a folder whose checkpoint was written after that epoch."""
        if epoch:
            self.epochs = read_selected(folder, self.images)[:epoch]
        if len(self.epochs) < epoch:
            raise Damaged(
                f"selections must be kept from the first epoch on, got {folder / FILE} with {len(self.epochs)} of "
                f"{epoch} epochs; choose another folder"
            )


def read_selected(folder: Path, images: int) -> np.ndarray:
    """(epochs, images): whether an image was selected in an epoch."""
    path = folder / FILE
    if not path.is_file():
        raise Damaged(f"{path} must be there; it is written by python -m trainables --selections --out {folder}")
    try:
        return np.unpackbits(np.load(path), axis=1, count=images).astype(bool)
    except (ValueError, EOFError, TypeError) as error:
        raise Damaged(f"{path} is damaged ({error}); delete the run and train it again") from error


def selection_histogram(selected: np.ndarray) -> list[tuple[int, int]]:
    """(times, images): how many images were selected that often, from never to in every epoch."""
    return list(enumerate(np.bincount(selected.sum(axis=0), minlength=len(selected) + 1).tolist()))
