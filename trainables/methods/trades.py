"""TRADES (Zhang et al., 2019): clean cross-entropy, and how far an attack can turn the prediction, one norm set.

As in its public code the attack runs on running statistics from a start noise of 0.001, and the divergence is taken
from the clean prediction to the attacked one, both of which learn (A53, A64). With loss `entm` it is the uncertainty
paper's TRADES-EntM: the entropy counts in the clean term alone (A54).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from trainables import attacks, functional, models
from trainables.choices import AttackStatistics
from trainables.methods.base import StepOutput
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

NOISE = 0.001  # scale of the normal noise from which the attack starts, of the pixel range


@dataclass(frozen=True)
class TRADES:
    """Loss on clean images plus the KL divergence from clean to attacked predictions."""

    beta: float = option(3.0, "weight of the KL divergence", low=0)
    n: int = option(7, "attack iterations", low=1)
    epsilon: float = option(8.0, "radius of the attack in 1/255", above=0, high=255)
    alpha: float = option(2.0, "step size of the attack in 1/255", above=0, high=255)
    loss: Literal["ce", "entm"] = option(
        "ce", "clean loss; ce: cross-entropy; entm: minus λ times the entropy (TRADES-EntM)"
    )
    entropy_weight: float = option(2.0, "λ of loss `entm`", low=0)
    attack_bn: AttackStatistics = option(
        "running", "batch norm statistics in attack passes: of the batch, or running ones (A53)"
    )

    dual: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def cost(self) -> float:
        return 2.0 + self.n

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        from torch.nn.functional import cross_entropy

        attacked = self._attack(net, x, rng)
        logits, other = net(x), net(attacked)
        if self.loss == "entm":
            clean = functional.entropy_maximised(logits, y, self.entropy_weight).mean()
        else:
            clean = cross_entropy(logits, y)
        (clean + self.beta * attacks.divergence_objective(logits)(other).mean()).backward()
        return StepOutput(clean.detach(), logits.detach(), y)

    def _attack(self, net: nn.Module, x: Tensor, rng: Generator) -> Tensor:
        import torch

        with models.attack_statistics(net, self.attack_bn), torch.no_grad():
            objective = attacks.divergence_objective(net(x))
        rng = functional.generator_on(x.device, rng)
        noise = NOISE * functional.drawn(torch.randn, x, generator=rng, device=x.device, dtype=x.dtype)
        return attacks.attacked_in_training(net, x, objective, self, noise)
