"""Batches on the device: x float32 in [0, 1], NCHW with channels_last strides; y and index int64.

`index` holds the positions of the images in their split. Both kinds of batches have the same two methods:
`shuffled(batch_size, seed)` shuffles, augments and drops the last incomplete batch (A12 in docs/decisions.md), and of
each batch yields every `of`-th image from number `part` on, for processes that share it;
`sequential(batch_size)` yields all images in order, without augmentation.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from trainables.data.folders import read_image
from trainables.data.images import AUGMENTS, Augment, Files, Images
from trainables.functional.batch import Batch

BLOCK_VALUES = 2**25  # pixels times channels of images in memory that are corrupted together


def make_batches(
    part: Images | Files, device: torch.device | str, augment: str = "none", workers: int | None = None
) -> "ImageBatches | FileBatches":
    """The batches of a split; `workers` processes read image files (0: this process reads them).

    The default is one worker fewer than this process has threads, at most 8.
    """
    if isinstance(part, Images):
        return ImageBatches(part, device, augment)
    return FileBatches(part, device, augment, min(8, torch.get_num_threads() - 1) if workers is None else workers)


def pixel_blocks(part: Images | Files, device: torch.device | str = "cpu") -> Iterator[tuple[Tensor, Tensor]]:
    """All images of a split as uint8 (n, S, S, 3), files cut to 224 pixels, and their labels; some at a time."""
    if isinstance(part, Images):
        size = max(1, BLOCK_VALUES // max(1, part.pixels[:1].size))
        for start in range(0, len(part), size):
            rows = slice(start, start + size)
            yield torch.from_numpy(np.array(part.pixels[rows])), torch.from_numpy(part.labels[rows])
        return
    for x, y, _ in make_batches(part, device).sequential(64):
        yield (x * 255).round().byte().permute(0, 2, 3, 1).contiguous(), y


class ImageBatches:
    """Batches of small images, whose bytes stay on the device.

    Each image is stored with `pad` black pixels before each row and one black row at the end, and for flips with a
    mirrored copy. A crop is then a choice of row starts, and a batch is one gather of whole rows: three times as fast
    as a gather of pixels, for about twice the memory.
    """

    def __init__(self, images: Images, device: torch.device | str, augment: str) -> None:
        how = _augment(augment, [name for name in AUGMENTS if not AUGMENTS[name].resized_crop])
        pixels = torch.from_numpy(images.pixels).to(device)  # (N, S, S, 3)
        count, self.side = pixels.shape[:2]
        store = pixels.new_zeros(count, 1 + how.flip, self.side + 1, how.pad + self.side, 3)
        store[:, 0, :-1, how.pad :] = pixels
        if how.flip:
            store[:, 1, :-1, how.pad :] = pixels.flip(2)
        self.pixels_per_image = store[0, ..., 0].numel() if count else 0
        starts = max(0, store.numel() // 3 - self.side + 1)
        self.rows = store.view(-1).as_strided((starts, 3 * self.side), (3, 1))  # a row may start at any pixel
        self.labels = torch.from_numpy(images.labels).to(device)
        self.views = _views(self.side, how).to(device)
        self.unshifted = how.pad * (2 * how.pad + 1) + how.pad  # the view whose top and left offset are both `pad`

    def shuffled(self, batch_size: int, seed: int, part: int = 0, of: int = 1) -> Iterator[Batch]:
        count = len(self.labels)
        _check_batch_size(batch_size, count)
        rng = torch.Generator().manual_seed(seed)  # on the CPU: the same batches on every device, and no waiting for it
        order = _order(count, rng).to(self.labels.device)
        view_of = torch.randint(len(self.views), (count,), generator=rng).to(self.labels.device)
        for start in range(0, count - batch_size + 1, batch_size):
            mine = slice(start + part, start + batch_size, of)
            index = order[mine]
            yield self._show(index, view_of[mine]), self.labels[index], index

    def sequential(self, batch_size: int) -> Iterator[Batch]:
        everything = torch.arange(len(self.labels), device=self.labels.device)
        view_of = torch.full_like(everything, self.unshifted)
        for start in range(0, len(everything), batch_size):
            rows = slice(start, start + batch_size)
            yield self._show(everything[rows], view_of[rows]), self.labels[rows], everything[rows]

    def _show(self, index: Tensor, view_of: Tensor) -> Tensor:
        """These images, each in its view: (B, 3, S, S)."""
        starts = self.views.index_select(0, view_of).add_((index * self.pixels_per_image).unsqueeze(1))  # (B, S)
        pixels = self.rows.index_select(0, starts.view(-1)).view(-1, self.side, self.side, 3)
        return pixels.permute(0, 3, 1, 2).float().div_(255)


def _order(count: int, rng: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=rng)  # the first draw, before those of crops and flips


def _views(side: int, how: Augment) -> Tensor:
    """For each view the stored pixels at which its rows start, (V, S); left varies fastest, then top, then mirrored."""
    offsets = range(-how.pad, how.pad + 1)

    def start(mirrored: int, row: int, left: int) -> int:
        if not 0 <= row < side:
            row, left = side, -how.pad  # the black row
        return (mirrored * (side + 1) + row) * (how.pad + side) + how.pad + left

    return torch.tensor(
        [
            [start(mirrored, row, left) for row in range(top, top + side)]
            for mirrored in range(1 + how.flip)
            for top in offsets
            for left in offsets
        ]
    )


class FileBatches:
    """Batches of image files, read and cut to 224 pixels by the workers of a DataLoader.

    The augmentation of each image has a seed of its own, so the batches do not depend on the number of workers. The
    workers live as long as this object; it yields one epoch at a time.
    """

    def __init__(self, files: Files, device: torch.device | str, augment: str, workers: int) -> None:
        from torchvision.transforms import v2  # slow to import, and small images need none of it

        how = _augment(augment, [name for name in AUGMENTS if not AUGMENTS[name].pad])
        self.files, self.device, self.workers = files, torch.device(device), workers
        center = [v2.Resize(256, antialias=True), v2.CenterCrop(224)]
        cut = [v2.RandomResizedCrop(224, antialias=True)] if how.resized_crop else center
        mirror = [v2.RandomHorizontalFlip()] if how.flip else []
        policy = [v2.AutoAugment(v2.AutoAugmentPolicy.IMAGENET)] if how.auto else []
        self.augmented = v2.Compose([*cut, *mirror, *policy, v2.PILToTensor()])
        self.centered = v2.Compose([*center, v2.PILToTensor()])
        self.loaders: dict[tuple[bool, int], DataLoader[Batch]] = {}  # by (augmented, batch size)

    def shuffled(self, batch_size: int, seed: int, part: int = 0, of: int = 1) -> Iterator[Batch]:
        count = len(self.files)
        _check_batch_size(batch_size, count)
        rng = torch.Generator().manual_seed(seed)
        order = _order(count, rng)
        seeds = torch.randint(2**62, (count,), generator=rng)
        order, seeds = (each[: count // batch_size * batch_size][part::of] for each in (order, seeds))
        yield from self._load(True, list(zip(order.tolist(), seeds.tolist(), strict=True)), batch_size // of)

    def sequential(self, batch_size: int) -> Iterator[Batch]:
        yield from self._load(False, [(row, 0) for row in range(len(self.files))], batch_size)

    def _load(self, augmented: bool, draws: list[tuple[int, int]], batch_size: int) -> Iterator[Batch]:
        """Batches of the images in `draws`: (row, seed of its augmentation)."""
        key = augmented, batch_size
        if key not in self.loaders:
            self.loaders[key] = self._loader(augmented, batch_size)
        loader = self.loaders[key]
        loader.sampler[:] = draws  # type: ignore[index]
        try:
            for x, y, index in loader:
                x = x.to(self.device, non_blocking=True)  # as bytes: a quarter of the transfer of floats
                x = x.to(torch.float32, memory_format=torch.channels_last).div_(255)
                yield x, y.to(self.device, non_blocking=True), index.to(self.device, non_blocking=True)
        except ValueError as error:  # a worker's error comes with its traceback; its last line says what is wrong
            raise ValueError(str(error).strip().splitlines()[-1].removeprefix("ValueError: ")) from error

    def _loader(self, augmented: bool, batch_size: int) -> "DataLoader[Batch]":
        return DataLoader(
            _ImageFiles(self.files, self.augmented if augmented else self.centered),  # type: ignore[arg-type]
            batch_size,
            sampler=[],  # filled by each epoch
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            drop_last=augmented,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),  # the loader seeds its workers from it; the global one stays as it was
        )


class _ImageFiles:
    """A map-style data set whose key is (row, seed of this image's augmentation)."""

    def __init__(self, files: Files, transform: Callable[[Any], Tensor]) -> None:
        self.files, self.transform = files, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, draw: tuple[int, int]) -> tuple[Tensor, int, int]:
        row, seed = draw
        image = read_image(self.files.path(row))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed would reach for the GPUs as well
            return self.transform(image), int(self.files.labels[row]), row


def _augment(name: str, known: list[str]) -> Augment:
    if name not in known:
        raise ValueError(f"augment must be one of {', '.join(known)} for this data set, got {name!r}")
    return AUGMENTS[name]


def _check_batch_size(batch_size: int, images: int) -> None:
    if not 1 <= batch_size <= images:
        raise ValueError(f"batch_size must be in [1, {images}], the number of training images, got {batch_size}")
