"""Per-sample losses and scores of logits (B, C) and labels (B,); each returns (B,), in nats unless it says otherwise.

A-numbers: docs/decisions.md.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def entropy_maximised(logits: Tensor, y: Tensor, weight: float) -> Tensor:
    """CE − λ·H with the entropy H of the prediction: EntM, equation 4 of the uncertainty paper."""
    log_p = F.log_softmax(logits, dim=1)
    return F.nll_loss(log_p, y, reduction="none") + weight * (log_p.exp() * log_p).sum(dim=1)


def smoothed(logits: Tensor, y: Tensor, gamma: float) -> Tensor:
    """CE against the smoothed label y − γ(y − u), u uniform: label smoothing (LS), equation 6 of the same paper."""
    return F.cross_entropy(logits, y, reduction="none", label_smoothing=gamma)


def adversarially_smoothed(logits: Tensor, y: Tensor, share: float) -> Tensor:
    """CE against a label that gives a share to the least likely class: adversarial label smoothing (ALS)."""
    log_p = F.log_softmax(logits, dim=1)
    lowest = logits.detach().argmin(dim=1)
    own, other = (F.nll_loss(log_p, label, reduction="none") for label in (y, lowest))
    return (1 - share) * own + share * other


@lru_cache(maxsize=64)  # a training step asks for it, and it takes 0.3 ms
def matching_smoothing(entropy_weight: float, classes: int) -> float:
    """The γ in [0, 1] with which LS and EntM have the same optimal probabilities.

    At EntM's optimum λ·ln(p/q) = 1/p, with p for the true class and q = (1 − p)/(C − 1) for each other; γ = C·q.
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
    """log det(M Mᵀ) of probabilities p (samples, predictions, classes): the diversity term of ADP, without unit.

    A row of M is a prediction without the true class, normalised to length 1. The ridge is that of the public code.
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
    """−ln p of the label."""
    return F.cross_entropy(logits, y, reduction="none")


def logit_margin(logits: Tensor, y: Tensor) -> Tensor:
    """max_{c≠y} z_c − z_y, in the unit of the logits: positive for misclassified samples."""
    own = logits.gather(1, y[:, None])
    others = logits.scatter(1, y[:, None], -math.inf)
    return others.amax(dim=1) - own.squeeze(1)
