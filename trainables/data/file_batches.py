"""Batches of image files that are read while they are needed, however many there are.

The process that trains holds the index, paths and labels, as arrays. A worker of the DataLoader is told batch by batch
which files to read and with which seeds, and returns bytes. So workers hold no index, forked or spawned, and all memory
beside the index is that of some batches.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import ImageOps
from torch import Tensor
from torch.utils.data import DataLoader

from trainables.data.folders import read_image
from trainables.data.images import Augment, Files
from trainables.data.order import augment_of, check_batch_size, order_of
from trainables.functional.batch import Batch

SIDE = 224  # of what the network sees


class Draw(NamedTuple):
    """An image of a batch, as a worker is told; without a seed it is not augmented."""

    path: str
    label: int
    row: int
    seed: int | None


class Read(NamedTuple):
    """A batch as a worker returns it."""

    pixels: Tensor  # uint8 (B, 224, 224, 3)
    labels: Tensor
    rows: Tensor
    mirrored: Tensor  # bool: images that the device is to mirror


class FileBatches:
    """Batches of image files, read and cut to 224 pixels by workers; flips and floats are made on the device.

    The augmentation of each image has a seed of its own, so the batches do not depend on the number of workers. The
    workers live as long as this object; it yields one epoch at a time.
    """

    def __init__(self, files: Files, device: torch.device | str, augment: str, workers: int) -> None:
        how = augment_of(augment, files=True)
        self.files, self.device = files, torch.device(device)
        self.draws, reader = _Draws(files), _Reader(how)
        self.mirrors = reader.mirrors_later
        self.loader: DataLoader[Any] = DataLoader(
            reader,  # type: ignore[arg-type]
            batch_sampler=self.draws,
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # the loader seeds its workers from it; the global one stays as it was
        )

    def shuffled(self, batch_size: int, seed: int, part: int = 0, of: int = 1) -> Iterator[Batch]:
        count = len(self.files)
        check_batch_size(batch_size, count)
        rng = torch.Generator().manual_seed(seed)
        order = order_of(count, rng).numpy()
        seeds = torch.randint(2**62, (count,), generator=rng).numpy()
        mine = slice(part, count // batch_size * batch_size, of)
        yield from self._floats(order[mine], seeds[mine], batch_size // of)

    def sequential(self, batch_size: int) -> Iterator[Batch]:
        yield from self._floats(np.arange(len(self.files)), None, batch_size)

    def pixels(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The images in order and without augmentation as uint8 (B, 224, 224, 3), and their labels."""
        for x, y, _ in self._bytes(np.arange(len(self.files)), None, batch_size):
            yield x.permute(0, 2, 3, 1), y

    def _floats(self, order: np.ndarray, seeds: np.ndarray | None, batch_size: int) -> Iterator[Batch]:
        for x, y, index in self._bytes(order, seeds, batch_size):
            yield x.to(torch.float32, memory_format=torch.channels_last).div_(255), y, index

    def _bytes(self, order: np.ndarray, seeds: np.ndarray | None, batch_size: int) -> Iterator[Batch]:
        """Batches on the device as uint8 (B, 3, 224, 224): a quarter of the transfer of floats."""
        from torchvision.transforms.v2 import functional  # slow to import, and small images need none of it

        self.draws.begin(order, seeds, batch_size)
        try:
            for read in self.loader:
                pixels, y, index, mirrored = (part.to(self.device, non_blocking=True) for part in read)
                x = pixels.permute(0, 3, 1, 2)
                if self.mirrors and seeds is not None:
                    x = torch.where(mirrored.view(-1, 1, 1, 1), functional.horizontal_flip(x), x)
                yield x, y, index
        except ValueError as error:  # a worker's error comes with its traceback; its last line says what is wrong
            raise ValueError(str(error).strip().splitlines()[-1].removeprefix("ValueError: ")) from error


class _Draws:
    """The batches of the epoch that was begun last, made one by one from arrays."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.begin(np.empty(0, dtype=np.int64), None, 1)

    def begin(self, order: np.ndarray, seeds: np.ndarray | None, batch_size: int) -> None:
        self.order, self.seeds, self.batch_size = order, seeds, batch_size

    def __len__(self) -> int:
        return -(-len(self.order) // self.batch_size)

    def __iter__(self) -> Iterator[list[Draw]]:
        order, seeds, size = self.order, self.seeds, self.batch_size
        for start in range(0, len(order), size):
            rows = order[start : start + size].tolist()
            drawn = [None] * len(rows) if seeds is None else seeds[start : start + size].tolist()
            yield [
                Draw(self.files.path(row), int(self.files.labels[row]), row, seed)
                for row, seed in zip(rows, drawn, strict=True)
            ]


class _Reader:
    """A map-style data set whose key is a `Draw`; the DataLoader hands it those of a whole batch."""

    def __init__(self, how: Augment) -> None:
        from torchvision.transforms import v2

        self.center = v2.Compose([v2.Resize(256, antialias=True), v2.CenterCrop(SIDE)])
        self.cut = v2.RandomResizedCrop(SIDE, antialias=True) if how.resized_crop else self.center
        self.policy = v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET) if how.auto else None
        self.flip = how.flip
        self.mirrors_later = how.flip and not how.auto  # a policy's shear or shift has a direction

    def __getitems__(self, draws: list[Draw]) -> Read:
        pixels = np.empty((len(draws), SIDE, SIDE, 3), dtype=np.uint8)
        mirrored = torch.zeros(len(draws), dtype=torch.bool)
        with torch.random.fork_rng(devices=[]):
            for place, draw in enumerate(draws):
                pixels[place], mirrored[place] = self.read(draw)
        _, labels, rows, _ = zip(*draws, strict=True)
        return Read(torch.from_numpy(pixels), torch.tensor(labels), torch.tensor(rows), mirrored)

    def read(self, draw: Draw) -> tuple[np.ndarray, bool]:
        """The bytes of an image, and whether it is still to be mirrored."""
        image = read_image(draw.path)
        if draw.seed is None:
            return np.asarray(self.center(image)), False
        torch.default_generator.manual_seed(draw.seed)  # torch.manual_seed would reach for the GPUs as well
        image = self.cut(image)
        mirrored = self.flip and bool(torch.rand(1) < 0.5)
        if self.policy is None:
            return np.asarray(image), mirrored
        return np.asarray(self.policy(ImageOps.mirror(image) if mirrored else image)), False


def _as_it_is(read: Read) -> Read:
    return read
