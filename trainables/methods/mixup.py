"""Mixup (Zhang et al., 2018): images and labels of a batch mixed in pairs, one norm set.

The MixProp paper's baseline mixes only half of each batch; that form is the option `half`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables import functional
from trainables.methods.base import StepOutput
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class Mixup:
    """Mixtures of two images with mixed labels, one norm set."""

    beta: float = option(1.0, "the mixing share λ is drawn from Beta(beta, beta), once per batch", above=0)
    half: bool = option(False, "mix only the first half of each batch, as the MixProp paper's baseline does (A37)")

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_options(self)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        import torch

        mixed = len(y) // 2 if self.half else len(y)
        if self.half and functional.whole(len(y)) // 2 != functional.whole(mixed):
            raise ValueError(f"every process must have an even number of images to mix half of them, got {len(y)}")
        mix = functional.mixup(x[:mixed], y[:mixed], self.beta, rng)
        logits = net(torch.cat([mix.x, x[mixed:]]))
        clean = torch.nn.functional.cross_entropy(logits[mixed:], y[mixed:], reduction="sum")
        loss = (mix.losses(logits[:mixed]).sum() + clean) / len(y)
        loss.backward()
        return StepOutput(loss.detach(), logits.detach(), y)
