"""Plain training: cross-entropy on the mini-batch through the main norms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables.methods.base import StepOutput, loss_step

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class Vanilla:
    """Training on clean images with one norm set, the baseline."""

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = 1.0

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        from torch.nn.functional import cross_entropy

        return loss_step(net, x, y, lambda logits: cross_entropy(logits, y))
