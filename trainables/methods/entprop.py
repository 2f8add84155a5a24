"""EntProp (UAI 2024): the most uncertain samples of each batch go on to the auxiliary norms, mixed and attacked.

The main pass trains on mixed images. Its logits rank the samples, and its gradient with respect to the images is the
first attack step of the k·|B| most uncertain ones, so that a step costs 1 + kn passes. Every row of the paper's
ablations is a value of this dataclass.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple

from trainables import attacks, functional, models
from trainables.choices import AttackStatistics, Metric, Mixing, Selection
from trainables.methods.base import StepOutput
from trainables.options import check_options, option

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Loss(NamedTuple):
    """How a step of EntProp gets from images to the losses of its two passes."""

    outputs: Callable[[Tensor], Tensor]  # images -> what the losses read: logits, or features
    logits: Callable[[Tensor], Tensor]  # those outputs -> logits, which rank the samples
    main: Callable[[functional.Mix, Tensor], Tensor]  # batch and outputs -> one loss a sample, in the main pass
    aux: Callable[[functional.Mix, Tensor], Tensor]  # the same for the auxiliary pass and its attack


@dataclass(frozen=True)
class EntProp:
    """Mixed images to the main norms; attacked copies of the most uncertain ones to the auxiliary norms."""

    k: float = option(0.2, "share of each batch that goes to the auxiliary norms, in [0, 1]", low=0, high=1)
    n: int = option(1, "attack iterations", low=1)
    epsilon: float | None = option(None, "radius of the attack in 1/255; unset: by `eps_rule`", above=0, high=255)
    alpha: float = option(1.0, "step size of the attack in 1/255", above=0, high=255)
    metric: Metric = option("entropy", "uncertainty measure that ranks the samples")
    mixing: Mixing = option("mixup", "mixing of the images for the main norms")
    beta: float = option(1.0, "the mixing share λ is drawn from Beta(beta, beta)", above=0)
    attack: Literal["pgd", "cw", "trades", "none"] = option(
        "pgd",
        "the attack maximises the loss (pgd), the margin (cw), or the loss plus TRADES' divergence (trades); "
        "none: no attack",
    )
    selection: Selection = option("top", "select the most uncertain samples, or random ones")
    free_first_step: bool = option(True, "reuse the main pass's gradient for the first attack step")
    weights: Literal["instance", "pass_mean", "sum"] = option(
        "pass_mean",
        "weights of the two losses; pass_mean: one mean over the images of both passes; instance: an image in both "
        "passes counts half in each; sum: the two means added, as in Algorithm 1 (A9)",
    )
    aux_target: Literal["mixed", "original"] = option(
        "mixed", "labels of the auxiliary pass: the mixture's, or the first image's (A3)"
    )
    eps_rule: Literal["n_plus_1", "n_minus_1"] = option(
        "n_plus_1", "epsilon if unset: n+1, as printed, or n−1; always 1 for n = 1 (A2)"
    )
    attack_rule: Literal["pgd", "cumulative"] = option("pgd", "PGD, or Algorithm 1 as printed (A1)")
    attack_bn: AttackStatistics = option(
        "batch", "batch norm statistics in attack passes: of the batch, or running ones (A6)"
    )

    dual: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_options(self)

    @property
    def cost(self) -> float:
        if self.attack == "none":
            return 1 + self.k
        return 1 + self.k * (self.n if self.free_first_step else self.n + 1)

    @property
    def radius(self) -> float:
        """The attack's epsilon in 1/255."""
        if self.epsilon is not None:
            return self.epsilon
        return 1.0 if self.n == 1 else self.n + (1.0 if self.eps_rule == "n_plus_1" else -1.0)

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        mix = functional.MIXING[self.mixing](x, y, self.beta, rng)
        return self.step(net, mix, rng, Loss(net, lambda logits: logits, functional.Mix.losses, self._aux_losses))

    def step(self, net: nn.Module, mix: functional.Mix, rng: Generator, loss: Loss) -> StepOutput:
        """Add the gradients of both passes of a mixed batch to the parameters' `.grad`."""

        y = mix.y_a
        processes = mix.whole // len(y)
        count = functional.selected_count(self.k, mix.whole, processes)
        images = mix.x.detach().requires_grad_(self.free_first_step and self.attack != "none" and count > 0)

        outputs = loss.outputs(images)
        logits = loss.logits(outputs).detach()
        losses = loss.main(mix, outputs)
        chosen = self._choose(logits, y, count, rng)
        main_weights, aux_weight = self._sample_weights(logits, chosen, mix.whole)
        with models.gradient_only_for(net, chosen if processes == 1 else None):
            (main_weights * losses).sum().backward()
        step = StepOutput(losses.detach().mean(), logits, y)
        if count == 0:
            return step

        batch = mix.take(chosen)
        gradient = None if images.grad is None else functional.rows_at(images.grad, functional.share(chosen))
        attacked = batch.x if self.attack == "none" else self._attack(net, batch, gradient, loss)
        with models.aux_norm(net):
            outputs = loss.outputs(attacked)
        (aux_weight * loss.aux(batch, outputs).sum()).backward()
        return step._replace(
            aux=loss.logits(outputs).detach(),
            selected=chosen,
            main_weight=self._main_share(mix.whole, count),
            aux_weight=aux_weight * count / processes,
        )

    def _choose(self, logits: Tensor, y: Tensor, count: int, rng: Generator) -> Tensor:
        """The positions of the chosen samples in the whole batch."""
        if self.selection == "random":
            return functional.random_subset(functional.whole(len(y)), count, rng, y.device)
        return functional.top(functional.in_order(functional.SCORES[self.metric](logits, y)), count)

    def _sample_weights(self, logits: Tensor, chosen: Tensor, batch: int) -> tuple[Tensor, float]:
        """The weight of each sample in the main pass, and that of a chosen one in the auxiliary pass (A9).

        They are those of a mean over this process's samples: times the number of processes, for a `batch` they share.
        """
        own, count = len(logits), len(chosen)
        weights = logits.new_full((own,), 1 / own)
        if self.weights == "instance":
            weights = logits.new_full((batch,), 1 / own)
            weights[chosen] = 0.5 / own  # a sample that is used twice counts half each time
            return functional.share(weights), 0.5 / own
        if self.weights == "pass_mean":
            return weights * (batch / (batch + count)), batch // own / (batch + count)
        return weights, batch // own / max(count, 1)

    def _main_share(self, batch: int, count: int) -> float:
        """The sum of the main pass's sample weights."""
        return {"instance": 1 - 0.5 * count / batch, "pass_mean": batch / (batch + count), "sum": 1.0}[self.weights]

    def _aux_losses(self, batch: functional.Mix, logits: Tensor) -> Tensor:
        return batch.losses(logits) if self.aux_target == "mixed" else batch.first_losses(logits)

    def _attack(self, net: nn.Module, batch: functional.Mix, gradient: Tensor | None, loss: Loss) -> Tensor:
        """The chosen images after n attack steps against the auxiliary network."""

        with models.aux_norm(net), models.attack_statistics(net, self.attack_bn):
            objective = self._objective(batch, loss)
            return attacks.ascend(
                batch.x,
                lambda images: attacks.input_gradient(loss.outputs, images, objective),
                n=self.n,
                alpha=self.alpha,
                epsilon=self.radius,
                first=gradient,
                rule=self.attack_rule,
            )

    def _objective(self, batch: functional.Mix, loss: Loss) -> attacks.Objective:
        """What the attack raises: the training loss, the margin, or the training loss and TRADES' divergence (A25)."""
        import torch

        if self.attack == "cw":
            return attacks.margin_objective(batch.y_a)
        if self.attack == "trades":
            with torch.no_grad():
                divergence = attacks.divergence_objective(loss.outputs(batch.x))
            return lambda outputs: loss.aux(batch, outputs) + divergence(outputs)
        return lambda outputs: loss.aux(batch, outputs)
