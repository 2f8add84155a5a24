"""AdvProp (Xie et al., 2020): each image clean through the main norms and attacked through the auxiliary ones.

The attack is PGD against the auxiliary network, untargeted and without a random start, as for the rest of the family,
so that the attack does not blur the comparison (A7, A8). The mixture paper adds ALS to both losses and SAT to every
backward pass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from trainables import attacks, functional, models
from trainables.choices import AttackStatistics, Start
from trainables.methods.base import NetworkParts, StepOutput, Task
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class AdvProp:
    """Clean images to the main norms, PGD copies of all of them to the auxiliary norms."""

    n: int = option(5, "attack iterations", low=1)
    epsilon: float = option(4.0, "radius of the attack in 1/255", above=0, high=255)
    alpha: float = option(1.0, "step size of the attack in 1/255", above=0, high=255)
    start: Start = option(
        "none",
        "start of the attack: the image (none), a random point in the ball (uniform), or, "
        "in 42 % of the batches, a random point (occasional) (A7)",
    )
    attack_bn: AttackStatistics = option(
        "batch", "batch norm statistics in attack passes: of the batch, or running ones (A6)"
    )
    loss: Literal["ce", "als"] = option("ce", "ce: cross-entropy; als: with adversarially smoothed labels")
    als_share: float = option(0.05, "label share of the least likely class (A48)", low=0, high=1)
    sat: bool = option(False, "train with the derivative of the parametric softplus in every ReLU (SAT)")

    dual: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def cost(self) -> float:
        return 2.0 + self.n

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        body = make(task.classes)
        return NetworkParts(models.SmoothReLUs(body) if self.sat else body)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        from torch.nn.functional import cross_entropy

        logits = net(x)
        loss = self._loss(logits, y)
        (0.5 * loss).backward()

        def objective(logits: Tensor) -> Tensor:
            return cross_entropy(logits, y, reduction="none")

        start = attacks.STARTS[self.start](x, self.epsilon, rng)
        with models.aux_norm(net):
            aux = net(attacks.attacked_in_training(net, x, objective, self, start))
        (0.5 * self._loss(aux, y)).backward()
        return StepOutput(loss.detach(), logits.detach(), y, aux.detach(), main_weight=0.5, aux_weight=0.5)

    def _loss(self, logits: Tensor, y: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        if self.loss == "als":
            return functional.adversarially_smoothed(logits, y, self.als_share).mean()
        return cross_entropy(logits, y)
