"""Networks made of networks: ensembles, and a network beside its momentum copy."""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """A body of several networks: (images, members, features of each)."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([member(x) for member in self.members], dim=1)


class WithMomentumCopy(nn.Module):
    """A body, and a copy that takes no gradient and follows it slowly."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.fast, self.slow = body, copy.deepcopy(body).requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.fast(x)


class LogMeanSoftmax(nn.Module):
    """The logarithm of the mean of several predictions' probabilities: logits whose softmax is that mean."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits.log_softmax(dim=2).logsumexp(dim=1) - math.log(logits.shape[1])
