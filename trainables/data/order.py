"""What both kinds of batches share: the order of an epoch, and the checks of batch size and augmentation."""

import torch
from torch import Generator, Tensor

from trainables.data.images import AUGMENTS, Augment


def order_of(count: int, rng: Generator) -> Tensor:
    """The images of an epoch in random order: the first draw, before those of crops and flips."""
    return torch.randperm(count, generator=rng)


def augment_of(name: str, *, files: bool) -> Augment:
    """The augmentation of that name; ValueError if it is not one for image files, or not one for images in memory."""
    known = [each for each, how in AUGMENTS.items() if not (how.pad if files else how.resized_crop)]
    if name not in known:
        raise ValueError(f"augment must be one of {', '.join(known)} for this data set, got {name!r}")
    return AUGMENTS[name]


def check_batch_size(batch_size: int, images: int) -> None:
    """Raise ValueError unless a batch holds at least one image and at most all of them."""
    if not 1 <= batch_size <= images:
        raise ValueError(f"batch_size must be in [1, {images}], the number of training images, got {batch_size}")
