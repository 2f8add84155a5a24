"""The attacks that training methods run on their own batches."""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor, nn

from trainables.attacks.objectives import Objective, input_gradient
from trainables.functional.batch import generator_on
from trainables.models.dual_norm import AttackStatistics, attack_statistics

PIXEL = 1 / 255


def ascend(
    x: Tensor,
    gradient_at: Callable[[Tensor], Tensor],
    *,
    n: int,
    alpha: float,
    epsilon: float,
    first: Tensor | None = None,
    start: Tensor | None = None,
    rule: Literal["pgd", "cumulative"] = "pgd",
) -> Tensor:
    """Take n signed gradient steps away from x, at most epsilon far and inside [0, 1].

    `first` is the gradient of the first step where the caller has it already; `start` is the first perturbation.
    The rule "cumulative" is Algorithm 1 of the EntProp paper to the letter: its steps are epsilon long and the running
    perturbation is added again to the already perturbed image, which may drift up to n·epsilon away (A1).
    Either way the running perturbation keeps what [0, 1] cuts off; that of `next_images` does not.
    """
    ball, step = epsilon * PIXEL, (alpha if rule == "pgd" else epsilon) * PIXEL
    delta = torch.zeros_like(x) if start is None else start
    perturbed = x if start is None else (x + delta).clamp(0, 1)
    for i in range(n):
        gradient = first if i == 0 and first is not None else gradient_at(perturbed)
        delta = (delta + step * gradient.sign()).clamp(-ball, ball)
        perturbed = ((x if rule == "pgd" else perturbed) + delta).clamp(0, 1)
    return perturbed


class Strength(Protocol):
    """A method that attacks while it trains."""

    @property
    def n(self) -> int: ...
    @property
    def alpha(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def attack_bn(self) -> AttackStatistics: ...


def attacked_in_training(
    net: nn.Module, x: Tensor, objective: Objective, strength: Strength, start: Tensor | None
) -> Tensor:
    """The images after a method's own attack, which raises the objective; no gradient of a parameter is left."""
    with attack_statistics(net, strength.attack_bn):
        return ascend(
            x,
            lambda images: input_gradient(net, images, objective),
            n=strength.n,
            alpha=strength.alpha,
            epsilon=strength.epsilon,
            start=start,
        )


def no_start(x: Tensor, epsilon: float, rng: Generator) -> Tensor | None:
    """Begin at the image itself (A7)."""
    return None


def uniform_start(x: Tensor, epsilon: float, rng: Generator) -> Tensor:
    """Begin anywhere in the ball."""
    return linf_noise(x, epsilon * PIXEL, rng)


def occasional_start(x: Tensor, epsilon: float, rng: Generator) -> Tensor:
    """Begin anywhere in the ball in about 42 % of the batches, as the public AdvProp code does."""
    wanted = torch.randn((), generator=rng, device=rng.device).to(x.device, non_blocking=True) > 0.2
    return torch.where(wanted, uniform_start(x, epsilon, rng), torch.zeros_like(x))


STARTS = {"none": no_start, "uniform": uniform_start, "occasional": occasional_start}


def linf_noise(x: Tensor, radius: float, rng: Generator) -> Tensor:
    """A perturbation drawn uniformly from the L∞ ball."""
    noise = torch.rand(x.shape, generator=generator_on(x.device, rng), device=x.device, dtype=x.dtype)
    return (2 * noise - 1) * radius
