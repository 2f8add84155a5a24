"""CutMix (Yun et al., 2019): a rectangle of each image comes from another image of the batch, one norm set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables import functional
from trainables.methods.base import StepOutput
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class CutMix:
    """Images with a rectangle of another image and mixed labels, one norm set."""

    beta: float = option(1.0, "the kept share is drawn from Beta(beta, beta), once per batch", above=0)

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_options(self)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        mix = functional.cutmix(x, y, self.beta, rng)
        logits = net(mix.x)
        loss = mix.losses(logits).mean()
        loss.backward()
        return StepOutput(loss.detach(), logits.detach(), y)
