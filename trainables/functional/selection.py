"""Which samples of a batch go to the auxiliary norms: scores of uncertainty and the selection by them.

Every score is larger for a more uncertain sample.
"""

import math

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from trainables.functional.losses import cross_entropy, entropy, logit_margin


def confidence(logits: Tensor, y: Tensor) -> Tensor:
    """The largest probability of each sample, negated: it is low where the network is uncertain."""
    return -F.softmax(logits, dim=1).amax(dim=1)


def margin(logits: Tensor, y: Tensor) -> Tensor:
    """max_{c≠y} p_c − p_y of the probabilities, as the paper defines its logit margin (A24)."""
    return logit_margin(F.softmax(logits, dim=1), y)


SCORES = {"entropy": entropy, "cross_entropy": cross_entropy, "confidence": confidence, "margin": margin}


def selected_count(share: float, batch: int, least: int = 1) -> int:
    """How many of `batch` samples a share selects: the nearest whole number, at least `least` unless the share is 0.

    A half is rounded up. Decimal shares have no exact float (.7 · 45 is 31.499…96), so float noise is rounded away
    first (A12 in docs/decisions.md).
    """
    return 0 if share == 0 else max(least, math.floor(round(share * batch, 9) + 0.5))


def top(scores: Tensor, count: int) -> Tensor:
    """The indices of the `count` largest scores."""
    return scores.topk(count, sorted=False).indices


def random_subset(batch: int, count: int, rng: Generator, device: torch.device | str) -> Tensor:
    """`count` different indices below `batch` on a device, each set equally likely; drawn on the CPU."""
    return torch.randperm(batch, generator=rng)[:count].to(device, non_blocking=True)
