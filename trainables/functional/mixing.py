"""Mixtures of two images of a batch, and the loss on their two labels.

The generator `rng` is on the CPU, so that a seed gives the same mixtures on every device (A14 in docs/decisions.md).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from trainables.functional.shares import rows_at, share, whole


class Mix(NamedTuple):
    """Mixed images with the labels of both originals; `weight` is the share λ of the first."""

    x: Tensor
    y_a: Tensor
    y_b: Tensor
    weight: Tensor
    whole: int  # number of its samples, with those of all processes that share the batch

    def losses(self, logits: Tensor) -> Tensor:
        """λ·CE(y_a) + (1−λ)·CE(y_b) of each sample (EntProp, equation 2)."""
        log_p = F.log_softmax(logits, dim=1)
        return torch.lerp(_nll(log_p, self.y_b), _nll(log_p, self.y_a), self.weight)

    def first_losses(self, logits: Tensor) -> Tensor:
        """The cross-entropy of each sample against its first label alone."""
        return F.cross_entropy(logits, self.y_a, reduction="none")

    def take(self, positions: Tensor) -> "Mix":
        """The mixture restricted to some samples of the whole batch, of which this process gets its share."""
        mine = share(positions)
        return Mix(rows_at(self.x, mine), rows_at(self.y_a, mine), rows_at(self.y_b, mine), self.weight, len(positions))


def _nll(log_p: Tensor, y: Tensor) -> Tensor:
    return -log_p.gather(1, y[:, None]).squeeze(1)


def unmixed(x: Tensor, y: Tensor, beta: float, rng: Generator) -> Mix:
    """No mixing: the loss is the cross-entropy of each image against its label."""
    return Mix(x, y, y, torch.ones((), device=x.device, dtype=x.dtype), whole(len(y)))


def mixup(x: Tensor, y: Tensor, beta: float, rng: Generator) -> Mix:
    """x^m = λx + (1−λ)x_π with one λ ~ Beta(beta, beta) and one permutation π for the batch (A14)."""
    weight = _beta_sample(x, beta, rng)
    partner = _partners(x, rng)
    return Mix(torch.lerp(rows_at(x, partner), x, weight), y, rows_at(y, partner), weight, whole(len(y)))


def cutmix(x: Tensor, y: Tensor, beta: float, rng: Generator) -> Mix:
    """Paste a rectangle of the partner image, √(1−λ) as long and wide; λ becomes the share of the area that is kept."""
    height, width = x.shape[2:]
    side = torch.sqrt(1 - _beta_sample(x, beta, rng))
    partner = _partners(x, rng)
    centre = _drawn(torch.rand(2, generator=rng, dtype=x.dtype), x)
    rows = _inside(height, centre[0], side)
    columns = _inside(width, centre[1], side)
    pasted = rows[:, None] & columns[None, :]
    weight = 1 - pasted.to(x.dtype).mean()
    return Mix(torch.where(pasted, rows_at(x, partner), x), y, rows_at(y, partner), weight, whole(len(y)))


def _inside(length: int, centre: Tensor, side: Tensor) -> Tensor:
    """A mask (length,): the pixels in an interval of `side`·length around `centre`·length, clipped to the image."""
    half = (length * side / 2).floor()
    middle = (centre * length).floor()
    pixels = torch.arange(length, device=centre.device)
    return (pixels >= middle - half) & (pixels < middle + half)


def _beta_sample(x: Tensor, beta: float, rng: Generator) -> Tensor:
    """One draw of Beta(beta, beta), a scalar tensor on x's device, from two gamma draws."""
    gamma = torch._standard_gamma(torch.full((2,), beta, dtype=x.dtype), generator=rng)
    return _drawn(gamma[0] / gamma.sum(), x)


def _partners(x: Tensor, rng: Generator) -> Tensor:
    """The position in the whole batch of each image's partner."""
    return share(_drawn(torch.randperm(whole(len(x)), generator=rng), x))


def _drawn(values: Tensor, x: Tensor) -> Tensor:
    """Numbers drawn on the CPU, moved to x's device without waiting for it."""
    return values.to(x.device, non_blocking=True)


MIXING = {"mixup": mixup, "cutmix": cutmix, "none": unmixed}
