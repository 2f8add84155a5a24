"""CEB, the conditional entropy bottleneck (Fischer and Alemi, 2020), one norm set.

The network's outputs are the mean of a Gaussian encoding, a linear classifier reads a draw of it, and e^−ρ weighs what
the encoding holds beyond the class. ρ falls from 100 to its value in the first epochs. A marginal learns beside it,
from encodings without a gradient, so that the rate can be told; it does not touch the network (A39).
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
class CEB:
    """A noisy encoding, trained to keep little beyond the class."""

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
        head, gap = encoded.head, encoded.mean - encoded.head.centres.weight.T[y]
        # ln p(z|x) − ln q(z|y); its expectation is ½‖gap‖²
        beyond = 0.5 * (gap * (gap + 2 * encoded.noise)).sum(dim=1)
        loss = cross_entropy(encoded.logits, y) + torch.exp(-head.descent.rho()) * beyond.mean()
        loss.backward()
        (-head.marginal(encoded.z.detach()).mean()).backward()
        return encoded.step(loss, y)
