"""The attacks that training methods run on their own batches."""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Generator, Tensor, nn

from trainables.attacks.objectives import Objective, input_gradient
from trainables.functional.batch import generator_on
from trainables.functional.shares import drawn
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
    """The images after n signed gradient steps away from x, inside [0, 1].

    `first` is the gradient of the first step where the caller has it already; `start` is the first perturbation.
    PGD takes steps of alpha and projects the image on the ball and on [0, 1] after each. The rule "cumulative" is the
    letter of EntProp's Algorithm 1, in which the sum of the steps is clipped only when it is added to the image, which
    may drift up to n·epsilon away (A1 in docs/decisions.md).
    """
    ball, step = epsilon * PIXEL, alpha * PIXEL
    low, high = (x - ball).clamp_(min=0), (x + ball).clamp_(max=1)
    perturbed = x if start is None else (x + start).clamp(0, 1)
    steps = torch.zeros_like(x)
    for i in range(n):
        ascent = (first if i == 0 and first is not None else gradient_at(perturbed)).sign()
        if rule == "pgd":
            perturbed = (perturbed + step * ascent).clamp(low, high)
        else:
            steps = steps + ball * ascent
            perturbed = (perturbed + steps.clamp(-ball, ball)).clamp(0, 1)
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


def no_start(x: Tensor, epsilon: float, rng: Generator, count: int | None = None) -> Tensor | None:
    """Begin at the image itself (A7)."""
    return None


def uniform_start(x: Tensor, epsilon: float, rng: Generator, count: int | None = None) -> Tensor:
    """Begin anywhere in the ball; `count` images are in the shares of all processes together (see `drawn`)."""
    return linf_noise(x, epsilon * PIXEL, rng, count)


def occasional_start(x: Tensor, epsilon: float, rng: Generator, count: int | None = None) -> Tensor:
    """Begin anywhere in the ball in about 42 % of the batches, as the public AdvProp code does."""
    wanted = torch.randn((), generator=rng, device=rng.device).to(x.device, non_blocking=True) > 0.2
    return torch.where(wanted, uniform_start(x, epsilon, rng, count), torch.zeros_like(x))


STARTS = {"none": no_start, "uniform": uniform_start, "occasional": occasional_start}


def linf_noise(x: Tensor, radius: float, rng: Generator, count: int | None = None) -> Tensor:
    """A perturbation drawn uniformly from the L∞ ball."""
    noise = drawn(torch.rand, x, count, generator=generator_on(x.device, rng), device=x.device, dtype=x.dtype)
    return (2 * noise - 1) * radius
