"""Loss and margin on a plane through an image: figures 5 and 6 of the uncertainty paper.

The plane is spanned by the sign of the image's cross-entropy gradient and by a random direction, both of max-norm 1.
Its points are shown to the network as they are: those near black or white may leave [0, 1] by 2 × 0.04.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.attacks.objectives import input_gradient
from trainables.functional.batch import Batch
from trainables.functional.losses import logit_margin
from trainables.models.modes import evaluating

REACH = 0.04  # in each direction, in pixel values of [0, 1]
POINTS = 41  # along each direction: steps of 0.002, the image itself in the middle
AT_ONCE = 256  # points that the network sees together


class SurfacePoint(NamedTuple):
    """One point x + a·d1 + b·d2."""

    image: int
    label: int
    along_gradient: float  # a
    along_random: float  # b
    loss: float  # cross-entropy, in nats
    margin: float  # f_y − max of the others


def directions(net: nn.Module, x: Tensor, y: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """The gradient's sign, and a direction drawn evenly and scaled to max-norm 1; the seed is that of the image, so
    that all networks are seen along the same one."""
    gradient = input_gradient(net, x, lambda logits: F.cross_entropy(logits, y, reduction="none"))
    rng = torch.Generator().manual_seed(seed)  # on the CPU: the same direction on every device
    drawn = 2 * torch.rand(x.shape, generator=rng) - 1
    return gradient.sign(), (drawn / drawn.abs().max()).to(x.device)


def surface(net: nn.Module, x: Tensor, y: Tensor, first: Tensor, second: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Loss and margin of one image, each (points along the first direction, points along the second)."""
    a, b = torch.meshgrid(grid, grid, indexing="ij")
    losses, margins = [], []
    for along, across in zip(a.flatten().split(AT_ONCE), b.flatten().split(AT_ONCE), strict=True):
        logits = net(x + along.view(-1, 1, 1, 1) * first + across.view(-1, 1, 1, 1) * second)
        labels = y.expand(len(logits))
        losses.append(F.cross_entropy(logits, labels, reduction="none"))
        margins.append(-logit_margin(logits, labels))
    return torch.cat(losses).view_as(a), torch.cat(margins).view_as(a)


def surface_points(net: nn.Module, batch: Batch) -> Iterator[SurfacePoint]:
    """The surfaces of every image of a batch, point by point."""
    grid = torch.linspace(-REACH, REACH, POINTS, device=batch[0].device)
    places = [round(place, 6) for place in grid.tolist()]
    with evaluating(net):
        for x, y, index in zip(*(part.split(1) for part in batch), strict=True):
            number, label = int(index), int(y)
            losses, margins = surface(net, x, y, *directions(net, x, y, number), grid)
            for i, row in enumerate(zip(losses.tolist(), margins.tolist(), strict=True)):
                for j, (loss, margin) in enumerate(zip(*row, strict=True)):
                    yield SurfacePoint(number, label, places[i], places[j], loss, margin)
