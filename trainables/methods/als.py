"""ALS, adversarial label smoothing (Goibert and Dohmatob, 2019), alone as in the mixture paper: one norm set.

A share of each label goes to the class that the network thinks least likely at that moment. The mixture paper does not
say how large a share (A48). Its combinations with attacked images are values of `pat` and `advprop`.
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
class ALS:
    """Vanilla training on labels that give a share to the least likely class."""

    als_share: float = option(0.05, "label share of the least likely class (A48)", low=0, high=1)

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_options(self)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        return loss_step(net, x, y, lambda logits: functional.adversarially_smoothed(logits, y, self.als_share).mean())
