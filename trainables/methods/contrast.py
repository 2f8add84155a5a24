"""What GPaCo adds to a network: a classifier, a projection, and a queue of projections by a momentum copy.

The loss is one cross-entropy over the classes and over single images. The logit of a class is the classifier's, that of
an image is the similarity of its projection over the temperature. The target is the sample's class and, with a small
weight, every image of that class.
"""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.functional.shares import beside_others, in_order
from trainables.models.ensembles import WithMomentumCopy
from trainables.models.pixel_net import PixelNet

PROJECTED = 128  # dimensions in which images are compared
MOMENTUM = 0.999  # share of its weights that the copy keeps at each step
EMPTY = -1  # the label of a place in the queue that is still free
NEVER = -1e9  # the score of images that are left out of the comparison


class Keys(NamedTuple):
    """Projections of images by the copy, and the images' labels."""

    projected: Tensor
    labels: Tensor


class Contrast(nn.Module):
    """The head: a classifier of the features, their projection, and the queue of keys that the loss compares with."""

    queue: Tensor
    labels: Tensor
    place: Tensor

    def __init__(self, dim: int, classes: int, length: int) -> None:
        super().__init__()
        self.classifier = nn.Linear(dim, classes)
        self.projection = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, PROJECTED))
        self.slow_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.register_buffer("queue", torch.zeros(length, PROJECTED))
        self.register_buffer("labels", torch.full((length,), EMPTY))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    def forward(self, features: Tensor) -> Tensor:
        return self.classifier(features)

    def losses(self, features: Tensor, y: Tensor, count: int, keys: Keys, weight: float, temperature: float) -> Tensor:
        """GPaCo's loss of each sample against the others of its pass, the keys and the queue."""
        own = F.normalize(self.projection(features), dim=1)
        others, others_labels, first = beside_others(own, y, count, EMPTY)
        labels = torch.cat([others_labels, keys.labels, self.labels])
        near = own @ torch.cat([others, keys.projected, self.queue]).T / temperature
        itself = torch.zeros(len(y), len(labels), dtype=torch.bool, device=y.device)
        itself.diagonal(first).fill_(True)
        near = near.masked_fill(itself | (labels == EMPTY), NEVER)
        same = ((y[:, None] == labels) & ~itself).to(near.dtype)
        own_class = y[:, None] == torch.arange(self.classifier.out_features, device=y.device)
        target = torch.cat([own_class.to(near.dtype), weight * same], dim=1)
        log_p = torch.cat([self.classifier(features), near], dim=1).log_softmax(dim=1)
        return -(target * log_p).sum(dim=1) / target.sum(dim=1)

    @torch.no_grad()
    def enqueue(self, keys: Keys) -> None:
        """Put the keys into the queue in place of the oldest."""
        count = min(len(keys.labels), len(self.labels))
        places = (self.place + torch.arange(count, device=self.place.device)) % len(self.labels)
        self.queue[places], self.labels[places] = keys.projected[:count], keys.labels[:count]
        self.place.copy_((self.place + count) % len(self.labels))


def head_of(net: PixelNet) -> Contrast:
    """The head of a network that was built for GPaCo."""
    if not isinstance(net.head, Contrast):
        raise TypeError(f"the head must be a Contrast, got {type(net.head).__name__}")
    return net.head


@torch.no_grad()
def keys_of(net: PixelNet, x: Tensor, y: Tensor) -> Keys:
    """Update the momentum copy by one step, and return its projections of the whole batch's images."""
    body, head = net.body, head_of(net)
    assert isinstance(body, WithMomentumCopy)
    for slow, fast in ((body.slow, body.fast), (head.slow_projection, head.projection)):
        torch._foreach_lerp_(list(slow.parameters()), list(fast.parameters()), 1 - MOMENTUM)
    return Keys(in_order(F.normalize(head.slow_projection(net.run(body.slow, x)), dim=1)), in_order(y))
