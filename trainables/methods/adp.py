"""ADP (Pang et al., 2019): three networks trained together that are kept apart from each other, one norm set each.

The loss adds up their cross-entropies and rewards the entropy of their mean prediction and the volume that their
predictions of the wrong classes span. The mean of their probabilities is the prediction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables import functional, models
from trainables.methods.base import NetworkParts, StepOutput, Task
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


MEMBERS = 3


@dataclass(frozen=True)
class ADP:
    """Three networks, trained to agree on the class and to differ on the wrong classes."""

    entropy_weight: float = option(2.0, "weight of the entropy of the mean prediction", low=0)
    diversity_weight: float = option(0.5, "weight of the diversity of the wrong classes' predictions", low=0)

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = float(MEMBERS)

    def __post_init__(self) -> None:
        check_options(self)

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        return NetworkParts(models.Ensemble([make(task.classes) for _ in range(MEMBERS)]), models.LogMeanSoftmax())

    def accumulate(self, net: models.PixelNet, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        logits = net.features(x)  # (images, members, classes)
        mean = net.head(logits)
        log_p = logits.log_softmax(dim=2)
        errors = -log_p.gather(2, y[:, None, None].expand(-1, MEMBERS, 1)).sum(dim=(1, 2))
        unsure, diverse = functional.entropy(mean, y), functional.log_volume(log_p.exp(), y)
        loss = (errors - (self.entropy_weight * unsure + self.diversity_weight * diverse)).mean()
        loss.backward()
        return StepOutput(loss.detach(), mean.detach(), y)
