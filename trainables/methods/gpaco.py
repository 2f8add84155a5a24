"""GPaCo (Cui et al., 2023): alone with k = 0, else under EntProp's step, as in table 12 of the EntProp paper.

A step is EntProp's without mixup: the paper does not say what becomes of a mixed image among the images of a class. The
keys are those of the same images, as in the public code's form with a single view; their pass is a forward pass alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables import functional, models
from trainables.choices import AttackStatistics, Metric
from trainables.methods.base import FORWARD_ONLY, NetworkParts, StepOutput, Task
from trainables.methods.entprop import EntProp, Loss
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class GPaCo:
    """Parametric contrastive learning; attacked copies of the most uncertain images to the auxiliary norms."""

    k: float = option(0.2, "share of each batch that goes to the auxiliary norms, in [0, 1]", low=0, high=1)
    n: int = option(1, "attack iterations", low=1)
    epsilon: float | None = option(None, "radius of the attack in 1/255; unset: n+1, or 1 for n = 1", above=0, high=255)
    alpha: float = option(1.0, "step size of the attack in 1/255", above=0, high=255)
    metric: Metric = option("entropy", "uncertainty measure that ranks the samples")
    contrast_weight: float = option(0.05, "target weight of each image of the same class", low=0, high=1)
    temperature: float = option(0.2, "temperature of the contrastive loss", above=0)
    queue: int = option(8192, "earlier images that the contrastive loss compares with", low=1)
    dim: int = option(128, "dimensions of the features", low=1)
    attack_bn: AttackStatistics = option(
        "batch", "batch norm statistics in attack passes: of the batch, or running ones (A6)"
    )

    dual: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def entprop(self) -> EntProp:
        """The EntProp whose step this takes."""
        return EntProp(
            k=self.k,
            n=self.n,
            epsilon=self.epsilon,
            alpha=self.alpha,
            metric=self.metric,
            mixing="none",
            attack_bn=self.attack_bn,
        )

    @property
    def cost(self) -> float:
        return self.entprop.cost

    @property
    def uncounted(self) -> float:
        """Work beyond the cost, in N: the forward pass that makes the keys (A17)."""
        return FORWARD_ONLY

    @property
    def radius(self) -> float:
        """The attack's epsilon in 1/255."""
        return self.entprop.radius

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        from trainables.methods.contrast import Contrast

        return NetworkParts(models.WithMomentumCopy(make(self.dim)), Contrast(self.dim, task.classes, self.queue))

    def accumulate(self, net: models.PixelNet, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        from trainables.methods.contrast import head_of, keys_of

        head, keys = head_of(net), keys_of(net, x, y)

        def losses(batch: functional.Mix, features: Tensor) -> Tensor:
            return head.losses(features, batch.y_a, batch.whole, keys, self.contrast_weight, self.temperature)

        step = self.entprop.step(net, functional.unmixed(x, y, 1.0, rng), rng, Loss(net.features, head, losses, losses))
        head.enqueue(keys)
        return step
