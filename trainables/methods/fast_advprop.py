"""Fast AdvProp (Mei et al., 2022): a share of each batch is attacked and goes to the auxiliary norms.

The rest stays clean. The attack passes run in training mode and their parameter gradients are kept, so that with one
iteration a step costs 1 + p_adv passes. Each image counts once: an attacked one shares its weight among its attack
passes and the last pass. The EntProp paper also gives it MixUp (its table 13) and EntProp's choice (its table 14).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables import attacks, functional, models
from trainables.choices import Metric, Mixing, Selection, Start
from trainables.methods.base import FORWARD_ONLY, StepOutput
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


@dataclass(frozen=True)
class FastAdvProp:
    """An attacked share of each batch, with reused gradients, to the auxiliary norms; the clean rest to the main."""

    p_adv: float = option(0.2, "share of each batch that is attacked, in [0, 0.9]", low=0, high=0.9)
    n: int = option(1, "attack iterations", low=1)
    epsilon: float = option(1.0, "radius of the attack in 1/255", above=0, high=255)
    alpha: float = option(1.0, "step size of the attack in 1/255", above=0, high=255)
    start: Start = option(
        "none",
        "start of the attack: the image (none), a random point in the ball (uniform), or, "
        "in 42 % of the batches, a random point (occasional) (A7)",
    )
    mixing: Mixing = option("none", "mixing of the whole batch before it is split (A26)")
    beta: float = option(1.0, "the mixing share λ is drawn from Beta(beta, beta)", above=0)
    selection: Selection = option("random", "attack random samples, or the most uncertain ones (A26)")
    metric: Metric = option("entropy", "uncertainty measure that ranks the samples for selection `top`")

    dual: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def cost(self) -> float:
        return 1.0 + self.n * self.p_adv

    @property
    def uncounted(self) -> float:
        """Work beyond the cost, in N: a forward pass that ranks the samples (A17)."""
        return FORWARD_ONLY if self.selection == "top" else 0.0

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        mix = functional.MIXING[self.mixing](x, y, self.beta, rng)
        processes = mix.whole // len(y)  # each needs an image for either pass
        count = min(functional.selected_count(self.p_adv, mix.whole, processes), mix.whole - processes)
        chosen, rest = self._divide(net, mix, count, rng)

        share = count / mix.whole
        clean = mix.take(rest)
        logits = net(clean.x)
        losses = clean.losses(logits)
        (losses.sum() / len(y)).backward()
        step = StepOutput(losses.mean().detach(), logits.detach(), clean.y_a, main_weight=1 - share, aux_weight=share)
        if count == 0:
            return step
        aux = self._attack_and_train(net, mix.take(chosen), len(y), rng)
        return step._replace(aux=aux, selected=chosen)

    def _divide(self, net: nn.Module, mix: functional.Mix, count: int, rng: Generator) -> tuple[Tensor, Tensor]:
        """The positions of the images that are attacked, and of all others."""
        import torch

        batch = mix.whole
        if self.selection == "random":
            chosen = functional.random_subset(batch, count, rng, mix.x.device)
        else:
            with torch.no_grad(), models.attack_statistics(net, "batch"):
                scores = functional.SCORES[self.metric](net(mix.x), mix.y_a)
            chosen = functional.top(functional.in_order(scores), count)
        is_chosen = torch.zeros(batch, dtype=torch.bool, device=chosen.device)
        is_chosen[chosen] = True
        order = is_chosen.int().argsort(stable=True)  # a fixed split point, so that a GPU is not asked for a count
        return chosen, order[: batch - count]

    def _attack_and_train(self, net: nn.Module, mix: functional.Mix, batch: int, rng: Generator) -> Tensor:
        """Attack in training mode with every pass's parameter gradients kept, then train on the result."""

        weight = 1 / (batch * (self.n + 1))

        def train_and_give_input_gradient(images: Tensor) -> Tensor:
            images = images.detach().requires_grad_()
            (weight * mix.losses(net(images)).sum()).backward()
            assert images.grad is not None
            return images.grad

        with models.aux_norm(net):
            attacked = attacks.ascend(
                mix.x,
                train_and_give_input_gradient,
                n=self.n,
                alpha=self.alpha,
                epsilon=self.epsilon,
                start=attacks.STARTS[self.start](mix.x, self.epsilon, rng, mix.whole),
            )
            logits = net(attacked)
        (weight * mix.losses(logits).sum()).backward()
        return logits.detach()
