"""VIB, the variational information bottleneck (Alemi et al., 2017), as the CEB paper sets it beside CEB; one norm set.

As CEB, but the encoding is held against one marginal of all classes, which learns with the network (A39), with the
weight σ(−ρ).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables import models
from trainables.choices import Marginal
from trainables.methods.base import NetworkParts, StepOutput, Task
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class VIB:
    """A noisy encoding, trained to keep little of the image."""

    rho: float = option(2.0, "ρ: the bottleneck's weight is e^−ρ (VIB: σ(−ρ)); small networks fail below 1", low=-10)
    dim: int = option(128, "dimensions of the encoding (A40)", low=1)
    marginal: Marginal = option(
        "mixture", "marginal of the encodings: one Gaussian per class, or a single Gaussian (A39)"
    )
    jump_start: bool = option(True, "start at ρ = 100 and lower it to `rho` over at least three epochs (A43)")

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_options(self)

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        from trainables.methods import bottleneck

        return bottleneck.build(make, task, self)

    def accumulate(self, net: models.PixelNet, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        import torch
        from torch.nn.functional import cross_entropy

        from trainables.methods import bottleneck

        encoded = bottleneck.encode(net, x, rng)
        head, ratio = encoded.head, encoded.head.log_ratio(encoded.z, encoded.noise)
        loss = cross_entropy(encoded.logits, y) + torch.sigmoid(-head.descent.rho()) * ratio.mean()
        loss.backward()
        return encoded.step(loss, y)
