"""Label smoothing (Szegedy et al., 2016), as the uncertainty paper sets it: one norm set.

The paper takes the γ that leaves the other classes the probability that EntM leaves them: 0.74 for 10 classes and 0.84
for 100 with λ = 2. That γ is worked out from λ and the number of classes unless one is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables import functional
from trainables.methods.base import StepOutput, loss_step
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class LabelSmoothing:
    """Vanilla training on labels mixed with the uniform distribution."""

    smoothing: float | None = option(
        None,
        "share γ of the uniform distribution in the labels; unset: the γ that matches `entropy_weight`",
        low=0,
        high=1,
    )
    entropy_weight: float = option(2.0, "λ of the EntM that an unset γ matches", low=0)

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_options(self)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        def loss_of(logits: Tensor) -> Tensor:
            matching = functional.matching_smoothing(self.entropy_weight, logits.shape[1])
            return functional.smoothed(logits, y, matching if self.smoothing is None else self.smoothing).mean()

        return loss_step(net, x, y, loss_of)
