"""The deterministic baseline of the CEB paper: the network of CEB and VIB without noise and without a bottleneck."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables.methods.base import NetworkParts, StepOutput, Task, loss_step
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class Deterministic:
    """Vanilla training with CEB's encoding layer, without its noise."""

    dim: int = option(128, "dimensions of the encoding (A40)", low=1)

    dual: ClassVar[bool] = False
    cost: ClassVar[float] = 1.0

    def __post_init__(self) -> None:
        check_options(self)

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        from torch import nn

        return NetworkParts(make(self.dim), nn.Linear(self.dim, task.classes))

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        from torch.nn.functional import cross_entropy

        return loss_step(net, x, y, lambda logits: cross_entropy(logits, y))
