"""Batches on the device: x float32 in [0, 1], NCHW with channels_last strides; y and index int64.

`index` holds the positions of the images in their split. Both kinds of batches have the same two methods:
`shuffled(batch_size, seed)` shuffles, augments and drops the last incomplete batch (A12 in docs/decisions.md), and of
each batch yields every `of`-th image from number `part` on, for processes that share it;
`sequential(batch_size)` yields all images in order, without augmentation.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from trainables.data.file_batches import FileBatches
from trainables.data.images import Augment, Files, Images
from trainables.data.order import augment_of, check_batch_size, order_of
from trainables.functional.batch import Batch

BLOCK_VALUES = 2**25  # pixels times channels of images in memory that are corrupted together
FILES_AT_ONCE = 64  # image files that are corrupted or classified together


def make_batches(
    part: Images | Files, device: torch.device | str, augment: str = "none", workers: int | None = None
) -> "ImageBatches | FileBatches":
    """The batches of a split; `workers` processes read image files (0: this process reads them).

    The default is one worker fewer than this process has threads, at most 16.
    """
    if isinstance(part, Images):
        return ImageBatches(part, device, augment)
    return FileBatches(part, device, augment, min(16, torch.get_num_threads() - 1) if workers is None else workers)


def pixel_blocks(part: Images | Files, device: torch.device | str = "cpu") -> Iterator[tuple[Tensor, Tensor]]:
    """All images of a split as uint8 (n, S, S, 3), files cut to 224 pixels, and their labels; some at a time."""
    if isinstance(part, Images):
        size = max(1, BLOCK_VALUES // max(1, part.pixels[:1].size))
        for start in range(0, len(part), size):
            rows = slice(start, start + size)
            yield torch.from_numpy(np.array(part.pixels[rows])), torch.from_numpy(part.labels[rows])
        return
    batches = make_batches(part, device)
    assert isinstance(batches, FileBatches)
    yield from batches.pixels(FILES_AT_ONCE)


def at_once(part: Images | Files, images: int) -> int:
    """How many images are classified at once: so many, but of files, which take 10 MB each inside a network, fewer."""
    return images if isinstance(part, Images) else min(images, FILES_AT_ONCE)


class ImageBatches:
    """Batches of small images, whose bytes stay on the device.

    Each image is stored with `pad` black pixels before each row and one black row at the end, and for flips with a
    mirrored copy. A crop is then a choice of row starts, and a batch is one gather of whole rows: three times as fast
    as a gather of pixels, for about twice the memory.
    """

    def __init__(self, images: Images, device: torch.device | str, augment: str) -> None:
        how = augment_of(augment, files=False)
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
        check_batch_size(batch_size, count)
        rng = torch.Generator().manual_seed(seed)  # on the CPU: the same batches on every device, and no waiting for it
        order = order_of(count, rng).to(self.labels.device)
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
