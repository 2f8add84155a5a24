"""PAT, training on clean and on attacked images with one norm set (Madry et al., 2018; uncertainty paper, 2021).

`loss` makes it PAT-EntM or PAT-LS, whose attack raises the loss of the training (A52). The plain adversarial training
of the mixture paper is n = 2, epsilon 25.5, alpha 2 and no random start, with SAT and ALS as it combines them: there
the attack raises the cross-entropy.
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
class PAT:
    """Adversarial training on clean images and PGD copies, with one norm set."""

    n: int = option(7, "attack iterations", low=1)
    epsilon: float = option(8.0, "radius of the attack in 1/255", above=0, high=255)
    alpha: float = option(2.0, "step size of the attack in 1/255", above=0, high=255)
    start: Start = option(
        "uniform",
        "start of the attack: the image (none), a random point in the ball (uniform), or, "
        "in 42 % of the batches, a random point (occasional) (A64)",
    )
    clean_weight: float = option(0.5, "loss weight of the clean images; the attacked ones get the rest", low=0, high=1)
    loss: Literal["ce", "entm", "ls", "als"] = option(
        "ce",
        "ce: cross-entropy; entm: minus λ times the entropy (PAT-EntM); ls: with smoothed labels (PAT-LS); als: with "
        "adversarially smoothed labels",
    )
    attack_loss: Literal["same", "ce"] = option(
        "same", "loss that the attack maximises: the training loss, or cross-entropy (A52)"
    )
    entropy_weight: float = option(2.0, "λ of loss `entm`; for loss `ls`, λ of the EntM that an unset γ matches", low=0)
    smoothing: float | None = option(None, "γ of loss `ls`; unset: the γ that matches `entropy_weight`", low=0, high=1)
    als_share: float = option(0.05, "label share of the least likely class (A48)", low=0, high=1)
    sat: bool = option(False, "train with the derivative of the parametric softplus in every ReLU (SAT)")
    attack_bn: AttackStatistics = option(
        "batch", "batch norm statistics in attack passes: of the batch, or running ones (A6)"
    )

    dual: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def cost(self) -> float:
        return 2.0 + self.n

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        body = make(task.classes)
        return NetworkParts(models.SmoothReLUs(body) if self.sat else body)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        logits = net(x)
        loss = self._losses(logits, y).mean()
        (self.clean_weight * loss).backward()

        attacked = self._attack(net, x, y, rng)
        ((1 - self.clean_weight) * self._losses(net(attacked), y).mean()).backward()
        return StepOutput(loss.detach(), logits.detach(), y)

    def _attack(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> Tensor:
        from torch.nn.functional import cross_entropy

        def objective(logits: Tensor) -> Tensor:
            return self._losses(logits, y) if self.attack_loss == "same" else cross_entropy(logits, y, reduction="none")

        start = attacks.STARTS[self.start](x, self.epsilon, rng)
        return attacks.attacked_in_training(net, x, objective, self, start)

    def _losses(self, logits: Tensor, y: Tensor) -> Tensor:
        from torch.nn.functional import cross_entropy

        if self.loss == "entm":
            return functional.entropy_maximised(logits, y, self.entropy_weight)
        if self.loss == "ls":
            matching = functional.matching_smoothing(self.entropy_weight, logits.shape[1])
            return functional.smoothed(logits, y, matching if self.smoothing is None else self.smoothing)
        if self.loss == "als":
            return functional.adversarially_smoothed(logits, y, self.als_share)
        return cross_entropy(logits, y, reduction="none")
