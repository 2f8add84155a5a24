"""MixProp (Kim et al., BMVC 2022): clean images through the main norms, their mixup copies through the auxiliary ones.

No attack is needed, so that a step costs two passes. The paper adds the two losses; beside other methods they are
halved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from trainables import functional, models
from trainables.methods.base import StepOutput
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class MixProp:
    """Clean images to the main norms, mixup copies to the auxiliary norms."""

    beta: float = option(1.0, "the mixing share λ is drawn from Beta(beta, beta), once per batch", above=0)
    weights: Literal["half", "sum"] = option(
        "half", "half: the mean of both losses, on the scale of other methods; sum: their sum, as published (A34)"
    )

    dual: ClassVar[bool] = True
    cost: ClassVar[float] = 2.0

    def __post_init__(self) -> None:
        check_options(self)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        from torch.nn.functional import cross_entropy

        weight = 0.5 if self.weights == "half" else 1.0
        logits = net(x)
        loss = cross_entropy(logits, y)
        (weight * loss).backward()

        mix = functional.mixup(x, y, self.beta, rng)
        with models.aux_norm(net):
            aux = net(mix.x)
        (weight * mix.losses(aux).mean()).backward()
        return StepOutput(loss.detach(), logits.detach(), y, aux.detach(), main_weight=weight, aux_weight=weight)
