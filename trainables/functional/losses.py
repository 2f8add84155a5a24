"""Losses of each sample against one label: with maximal entropy, smoothed labels or adversarially smoothed ones."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def entropy_maximised(logits: Tensor, y: Tensor, weight: float) -> Tensor:
    """CE − λ·H: unsure predictions are rewarded (EntM, equation 4 of the uncertainty paper)."""
    log_p = F.log_softmax(logits, dim=1)
    return F.nll_loss(log_p, y, reduction="none") + weight * (log_p.exp() * log_p).sum(dim=1)


def smoothed(logits: Tensor, y: Tensor, gamma: float) -> Tensor:
    """CE against y − γ(y − u) with the uniform u: every other class gets γ/C (LS, equation 6)."""
    return F.cross_entropy(logits, y, reduction="none", label_smoothing=gamma)


def adversarially_smoothed(logits: Tensor, y: Tensor, share: float) -> Tensor:
    """CE against a label that gives a share to the class that is now the least likely one (ALS)."""
    log_p = F.log_softmax(logits, dim=1)
    lowest = logits.detach().argmin(dim=1)
    own, other = (F.nll_loss(log_p, label, reduction="none") for label in (y, lowest))
    return (1 - share) * own + share * other


def matching_smoothing(entropy_weight: float, classes: int) -> float:
    """The γ at which LS gives the other classes the probability that EntM's optimum gives them.

    That optimum is where λ·ln(p/q) = 1/p, with p for the own class and q = (1 − p)/(C − 1) for each other; γ = C·q.
    """
    low, high = 1 / classes, 1.0
    while (p := (low + high) / 2) not in (low, high):
        q = (1 - p) / (classes - 1)
        if entropy_weight * math.log(p / q) < 1 / p:
            low = p
        else:
            high = p
    return classes * (1 - high) / (classes - 1)


def log_volume(p: Tensor, y: Tensor) -> Tensor:
    """log det(M Mᵀ): the spread of several predictions of a sample; p is (samples, predictions, classes) (ADP).

    A row of M is a prediction without the own class, of length 1. The ridge is that of the public code.
    """
    others = torch.arange(p.shape[2] - 1, device=y.device).expand(len(y), -1)
    others = others + (others >= y[:, None]).long()  # the class numbers but y
    rows = F.normalize(p.gather(2, others[:, None].expand(-1, p.shape[1], -1)), dim=2)
    ridge = 1e-6 * torch.eye(p.shape[1], device=p.device, dtype=p.dtype)
    return torch.linalg.slogdet(rows @ rows.mT + ridge).logabsdet


def entropy(logits: Tensor, y: Tensor) -> Tensor:
    """−Σ p ln p of the softmax output, in nats (A13)."""
    log_p = F.log_softmax(logits, dim=1)
    return -(log_p.exp() * log_p).sum(dim=1)


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """−ln p of the sample's own label."""
    return F.cross_entropy(logits, y, reduction="none")


def logit_margin(logits: Tensor, y: Tensor) -> Tensor:
    """max_{c≠y} z_c − z_y: positive where another class wins."""
    own = logits.gather(1, y[:, None])
    others = logits.scatter(1, y[:, None], -math.inf)
    return others.amax(dim=1) - own.squeeze(1)
