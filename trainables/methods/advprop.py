"""AdvProp (Xie et al., 2020): each image clean through the main norms and attacked through the auxiliary ones.

The attack is PGD against the auxiliary network, untargeted and without a random start, as for the rest of the family,
so that the attack does not blur the comparison (A7, A8).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from trainables.methods.step import Step
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class AdvProp:
    """Clean images to the main norms, PGD copies of all of them to the auxiliary norms."""

    n: int = option(5, "attack iterations", low=1)
    epsilon: float = option(4.0, "radius of the attack in 1/255", above=0, high=255)
    alpha: float = option(1.0, "step of the attack in 1/255", above=0, high=255)
    start: str = option("none", "where the attack begins (A7)", one_of=("none", "uniform", "occasional"))
    attack_bn: Literal["batch", "running"] = option(
        "batch", "statistics in attack passes: of the batch, or running ones (A6)", one_of=("batch", "running")
    )

    dual: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def cost(self) -> float:
        return 2.0 + self.n

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> Step:
        from torch.nn.functional import cross_entropy

        from trainables import attacks
        from trainables.dual_norm import attack_statistics, aux_norm

        logits = net(x)
        loss = cross_entropy(logits, y)
        (0.5 * loss).backward()

        with aux_norm(net), attack_statistics(net, self.attack_bn):
            attacked = attacks.ascend(
                x,
                lambda images: attacks.input_gradient(net, images, lambda z: cross_entropy(z, y, reduction="none")),
                n=self.n,
                alpha=self.alpha,
                epsilon=self.epsilon,
                start=attacks.STARTS[self.start](x, self.epsilon, rng),
            )
        with aux_norm(net):
            aux = net(attacked)
        (0.5 * cross_entropy(aux, y)).backward()
        return Step(loss.detach(), logits.detach(), y, aux.detach(), main_weight=0.5, aux_weight=0.5)
