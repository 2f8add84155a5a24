"""Projected gradient steps in the L∞ or the L2 ball around images in [0, 1], as an `Attack` of spec.py describes them.

The attacks that training methods run on their own batches are in in_training.py.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from trainables.attacks.in_training import PIXEL, linf_noise
from trainables.attacks.objectives import (
    Objective,
    attack_objective,
    attack_succeeded,
    gradient_and_logits,
    input_gradient,
)
from trainables.attacks.spec import Attack, attack_name
from trainables.functional.batch import take


def l2_noise(x: Tensor, radius: float, rng: Generator) -> Tensor:
    """A perturbation drawn uniformly from the L2 ball; in d dimensions its length is radius · u^(1/d)."""
    direction = l2_normalize(torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype))
    length = torch.rand((len(x), 1, 1, 1), generator=rng, device=x.device, dtype=x.dtype) ** (1 / x[0].numel())
    return direction * (length * radius)


def l2_normalize(v: Tensor) -> Tensor:
    """Each sample divided by its L2 norm; zeros stay zeros.

    Each is first divided by its largest entry: the squares of a confident network's gradients underflow to zero.
    """
    v = v / v.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
    return v / _length(v).clamp_min(1e-12)


def project_linf(moved: Tensor, x: Tensor, radius: float) -> Tensor:
    """The nearest point of the L∞ ball around x."""
    return torch.clamp(moved, x - radius, x + radius)


def project_l2(moved: Tensor, x: Tensor, radius: float) -> Tensor:
    """The nearest point of the L2 ball around x."""
    delta = moved - x
    return torch.addcmul(x, delta, (radius / _length(delta).clamp_min(1e-12)).clamp(max=1))


def _length(v: Tensor) -> Tensor:
    return torch.linalg.vector_norm(v, dim=(1, 2, 3), keepdim=True)


class Ball(NamedTuple):
    """The operations on the ball of one norm."""

    direction: Callable[[Tensor], Tensor]  # of steepest ascent along a gradient
    project: Callable[[Tensor, Tensor, float], Tensor]  # (moved, x, radius) -> nearest point of the ball around x
    uniform: Callable[[Tensor, float, Generator], Tensor]  # (x, radius, rng) -> a perturbation


BALLS = {"linf": Ball(torch.sign, project_linf, linf_noise), "l2": Ball(l2_normalize, project_l2, l2_noise)}


def random_start(x: Tensor, attack: Attack, rng: Generator) -> Tensor:
    """The images that one run starts from, in the ball around x and in [0, 1]."""
    ball, radius = BALLS[attack.norm], attack.epsilon * PIXEL
    if attack.start == "none":
        return x
    if attack.start == "uniform":
        return (x + ball.uniform(x, radius, rng)).clamp(0, 1)
    noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
    return ball.project(torch.add(x, noise, alpha=attack.sigma), x, radius).clamp_(0, 1)


def pgd_step(perturbed: Tensor, gradient: Tensor, x: Tensor, attack: Attack) -> Tensor:
    """One step up the gradient, back into the ball around x, and into [0, 1]: standard projected gradient ascent."""
    ball = BALLS[attack.norm]
    moved = torch.add(perturbed, ball.direction(gradient), alpha=attack.alpha * PIXEL)
    return ball.project(moved, x, attack.epsilon * PIXEL).clamp_(0, 1)


def perturb(net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator) -> Tensor:
    """The images at the end of one run; none stops early, so that they can be shown to another network (transfer)."""
    check_gradient_attack(attack)
    with torch.no_grad():
        clean_logits = net(x) if attack.kind == "trades" else None
    return run_pgd(net, x, random_start(x, attack, rng), attack_objective(attack, y, clean_logits), attack)


def run_pgd(net: nn.Module, x: Tensor, perturbed: Tensor, objective: Objective, attack: Attack) -> Tensor:
    """The images after all steps of one run that starts at `perturbed`."""
    for _ in range(attack.steps or 0):
        perturbed = pgd_step(perturbed, input_gradient(net, perturbed, objective), x, attack)
    return perturbed


def robust_indices(
    net: nn.Module, x: Tensor, y: Tensor, attack: Attack, perturbed: Tensor, clean_logits: Tensor
) -> Tensor:
    """The indices of the samples that no image of one run fools, the start included.

    A fooled sample leaves the batch, so that later passes are smaller.
    """
    left = torch.arange(len(y), device=y.device)
    for _ in range(attack.steps or 0):
        objective = attack_objective(attack, y, clean_logits)
        gradient, logits = gradient_and_logits(net, perturbed, objective)
        stays = (~attack_succeeded(logits, y, attack)).nonzero().squeeze(1)
        if len(stays) < len(left):
            x, perturbed, gradient = (take(images, stays) for images in (x, perturbed, gradient))
            left, y, clean_logits = left[stays], y[stays], clean_logits[stays]
        if not len(left):
            return left
        perturbed = pgd_step(perturbed, gradient, x, attack)
    with torch.no_grad():
        return left[~attack_succeeded(net(perturbed), y, attack)]


def check_gradient_attack(attack: Attack) -> None:
    """ValueError for an attack that is not one run, or several, of gradient steps."""
    if not attack.uses_gradients:
        raise ValueError(f"the attack must take gradient steps, got {attack_name(attack)}")
    if attack.adaptive:
        raise ValueError(
            f"an adaptive attack is the worst of several over a data set, got {attack_name(attack)} for a batch"
        )
