"""GPaCo (Cui et al., 2023): alone with k = 0, else under EntProp's step, as in table 12 of the EntProp paper.

A step is EntProp's without mixup: the paper does not say what becomes of a mixed image among the images of a class. The
keys are those of the same images, as in the public code's form with a single view; their pass is a forward pass alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from trainables.choices import AttackStatistics, Metric
from trainables.methods.base import NetworkParts, StepOutput, Task
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from trainables.methods.contrast import Keys
    from trainables.models.pixel_net import PixelNet


@dataclass(frozen=True)
class GPaCo:
    """Images beside images of their class; the most uncertain, attacked, to the auxiliary norms."""

    k: float = option(0.2, "share of each batch that goes to the auxiliary norms, in [0, 1]", low=0, high=1)
    n: int = option(1, "attack iterations", low=1)
    epsilon: float | None = option(
        None, "radius of the attack in 1/255; unset: n + 1, or 1 for n = 1", above=0, high=255
    )
    alpha: float = option(1.0, "step of the attack in 1/255", above=0, high=255)
    metric: Metric = option("entropy", "uncertainty that ranks the samples")
    contrast_weight: float = option(0.05, "weight of each image of the own class in the target", low=0, high=1)
    temperature: float = option(0.2, "what the nearness of images is divided by", above=0)
    queue: int = option(8192, "images to compare with, beside those of the batch", low=1)
    dim: int = option(128, "features that are classified and projected", low=1)
    attack_bn: AttackStatistics = option("batch", "statistics in attack passes: of the batch, or running ones (A6)")

    dual: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def cost(self) -> float:
        return 1 + self.k * self.n

    @property
    def radius(self) -> float:
        """The attack's epsilon in 1/255."""
        if self.epsilon is not None:
            return self.epsilon
        return 1.0 if self.n == 1 else self.n + 1.0

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        from trainables.methods.contrast import Contrast
        from trainables.models.ensembles import WithMomentumCopy

        return NetworkParts(WithMomentumCopy(make(self.dim)), Contrast(self.dim, task.classes, self.queue))

    def accumulate(self, net: PixelNet, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        from trainables.functional.batch import take
        from trainables.functional.selection import SCORES, selected_count, top
        from trainables.methods.contrast import head_of, keys_of
        from trainables.models.dual_norm import aux_norm
        from trainables.models.first_layer import gradient_only_for

        batch, count, head = len(y), selected_count(self.k, len(y)), head_of(net)
        keys = keys_of(net, x, y)
        images = x.detach().requires_grad_(count > 0)
        features = net.features(images)
        logits = head(features).detach()
        losses = self._losses(net, features, y, keys)
        chosen = top(SCORES[self.metric](logits, y), count)
        weights = logits.new_full((batch,), 1 / batch)
        weights[chosen] = 0.5 / batch  # a sample that is used twice counts half each time (A9)
        with gradient_only_for(net, chosen):
            (weights * losses).sum().backward()
        step = StepOutput(losses.detach().mean(), logits, y)

        if images.grad is not None:
            labels = y[chosen]
            attacked = self._attack(net, take(x, chosen), labels, keys, take(images.grad, chosen))
            with aux_norm(net):
                aux = net.features(attacked)
            (self._losses(net, aux, labels, keys).sum() * (0.5 / batch)).backward()
            share = 0.5 * count / batch
            step = step._replace(aux=head(aux).detach(), selected=chosen, main_weight=1 - share, aux_weight=share)
        head.remember(keys)
        return step

    def _losses(self, net: PixelNet, features: Tensor, y: Tensor, keys: Keys) -> Tensor:
        from trainables.methods.contrast import head_of

        return head_of(net).losses(features, y, keys, self.contrast_weight, self.temperature)

    def _attack(self, net: PixelNet, x: Tensor, y: Tensor, keys: Keys, gradient: Tensor) -> Tensor:
        """The chosen images after n steps up the loss, the first of them along the main pass's gradient."""
        from trainables.attacks import in_training, objectives
        from trainables.models.dual_norm import attack_statistics, aux_norm

        with aux_norm(net), attack_statistics(net, self.attack_bn):
            return in_training.ascend(
                x,
                lambda images: objectives.input_gradient(
                    net.features, images, lambda features: self._losses(net, features, y, keys)
                ),
                n=self.n,
                alpha=self.alpha,
                epsilon=self.radius,
                first=gradient,
            )
