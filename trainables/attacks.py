"""Adversarial perturbations of images in [0, 1]; every epsilon and alpha is in units of 1/255.

`ascend` is the attack inside the training methods. `perturb` and `survivors` are the attacks that evaluation names
(`trainables.attack_names`): projected gradient steps in the L∞ or the L2 ball, on the same objectives and gradients.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from trainables.attack_names import GRADIENT_KINDS, Attack, attack_name
from trainables.dual_norm import AttackStatistics, attack_statistics
from trainables.mixing import take
from trainables.selection import logit_margin

PIXEL = 1 / 255

Network = Callable[[Tensor], Tensor]  # images -> logits, or whatever the objective is made of
Objective = Callable[[Tensor], Tensor]  # logits -> what the attack makes larger, one value a sample


def input_gradient(net: Network, x: Tensor, objective: Objective) -> Tensor:
    """The gradient of the objective with respect to the images alone; no parameter's gradient is computed (A11)."""
    return gradient_and_logits(net, x, objective)[0]


def gradient_and_logits(net: Network, x: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """The input gradient, and the logits that it came with."""
    with torch.enable_grad(), _weights_fixed(net):
        x = x.detach().requires_grad_()
        logits = net(x)
        return torch.autograd.grad(objective(logits).sum(), x)[0], logits.detach()


@contextlib.contextmanager
def _weights_fixed(net: Network) -> Iterator[None]:
    """Inside, nothing is kept for gradients of weights: less memory, and compiled passes would compute them."""
    weights = [each for each in net.parameters() if each.requires_grad] if isinstance(net, nn.Module) else []
    for each in weights:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in weights:
            each.requires_grad_(True)


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
    return uniform_in_box(x, epsilon * PIXEL, rng)


def occasional_start(x: Tensor, epsilon: float, rng: Generator) -> Tensor:
    """Begin anywhere in the ball in about 42 % of the batches, as the public AdvProp code does."""
    wanted = torch.randn((), generator=rng, device=x.device) > 0.2
    return torch.where(wanted, uniform_start(x, epsilon, rng), torch.zeros_like(x))


STARTS = {"none": no_start, "uniform": uniform_start, "occasional": occasional_start}


def margin_objective(y: Tensor) -> Objective:
    """The margin max_{c≠y} z_c − z_y on logits, which Carlini and Wagner's attack raises (A25)."""
    return lambda logits: logit_margin(logits, y)


def divergence_objective(clean_logits: Tensor) -> Objective:
    """KL(p(clean) ‖ p(perturbed)) of each sample, which TRADES' attack raises."""
    log_clean = F.log_softmax(clean_logits, dim=1)

    def divergence(logits: Tensor) -> Tensor:
        log_p = F.log_softmax(logits, dim=1)
        return (log_clean.exp() * (log_clean - log_p)).sum(dim=1)

    return divergence


def uniform_in_box(x: Tensor, radius: float, rng: Generator) -> Tensor:
    """A perturbation drawn uniformly from the L∞ ball."""
    return (2 * torch.rand(x.shape, generator=rng, device=x.device, dtype=x.dtype) - 1) * radius


def uniform_in_ball(x: Tensor, radius: float, rng: Generator) -> Tensor:
    """A perturbation drawn uniformly from the L2 ball: of d dimensions, so that its length goes with u^(1/d)."""
    direction = unit(torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype))
    length = torch.rand((len(x), 1, 1, 1), generator=rng, device=x.device, dtype=x.dtype) ** (1 / x[0].numel())
    return direction * (length * radius)


def unit(v: Tensor) -> Tensor:
    """Each sample divided by its L2 norm; zeros stay zeros.

    It is first divided by its largest entry: the squares of a sure network's gradients would all be zero.
    """
    v = v / v.abs().amax(dim=(1, 2, 3), keepdim=True).clamp_min(torch.finfo(v.dtype).tiny)
    return v / _length(v).clamp_min(1e-12)


def into_box(moved: Tensor, x: Tensor, radius: float) -> Tensor:
    """The nearest point of the L∞ ball around x."""
    return torch.clamp(moved, x - radius, x + radius)


def into_ball(moved: Tensor, x: Tensor, radius: float) -> Tensor:
    """The nearest point of the L2 ball around x."""
    delta = moved - x
    return torch.addcmul(x, delta, (radius / _length(delta).clamp_min(1e-12)).clamp(max=1))


def _length(v: Tensor) -> Tensor:
    return torch.linalg.vector_norm(v, dim=(1, 2, 3), keepdim=True)


class Ball(NamedTuple):
    """What an attack needs to know of a norm."""

    direction: Callable[[Tensor], Tensor]  # of steepest ascent along a gradient
    project: Callable[[Tensor, Tensor, float], Tensor]  # (moved, x, radius) -> nearest point of the ball around x
    uniform: Callable[[Tensor, float, Generator], Tensor]  # (x, radius, rng) -> a perturbation


BALLS = {"linf": Ball(torch.sign, into_box, uniform_in_box), "l2": Ball(unit, into_ball, uniform_in_ball)}


def first_images(x: Tensor, attack: Attack, rng: Generator) -> Tensor:
    """Where one run begins, in the ball and in [0, 1]."""
    ball, radius = BALLS[attack.norm], attack.epsilon * PIXEL
    if attack.start == "none":
        return x
    if attack.start == "uniform":
        return (x + ball.uniform(x, radius, rng)).clamp(0, 1)
    noise = torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
    return ball.project(torch.add(x, noise, alpha=attack.sigma), x, radius).clamp_(0, 1)


def next_images(perturbed: Tensor, gradient: Tensor, x: Tensor, attack: Attack) -> Tensor:
    """One step up the gradient, back into the ball around x, and into [0, 1]: standard projected gradient ascent."""
    ball = BALLS[attack.norm]
    moved = torch.add(perturbed, ball.direction(gradient), alpha=attack.alpha * PIXEL)
    return ball.project(moved, x, attack.epsilon * PIXEL).clamp_(0, 1)


MARGIN_LIMIT = 50.0  # beyond it the uncertainty paper's code raises the margin no further (A57)


def attack_objective(attack: Attack, y: Tensor, clean_logits: Tensor | None) -> Objective:
    """What an attack raises: how far the network is from the label or, with a target, how near it is to that.

    TRADES' attack alone needs the logits of the clean images.
    """
    if attack.kind == "trades":
        assert clean_logits is not None
        return divergence_objective(clean_logits)
    sign, label = (1, y) if attack.target is None else (-1, torch.full_like(y, attack.target))
    if attack.kind == "cw":
        return lambda logits: (sign * logit_margin(logits, label)).clamp(max=MARGIN_LIMIT)
    # a smoothed label keeps 1 − γ + γ/C of its own class and gives γ/C to every other
    return lambda logits: sign * F.cross_entropy(logits, label, reduction="none", label_smoothing=attack.smoothing)


def fooled(logits: Tensor, y: Tensor, attack: Attack) -> Tensor:
    """Which samples are where the attack wants them: wrong or, with a target, taken for that."""
    predicted = logits.argmax(dim=1)
    return predicted != y if attack.target is None else predicted == attack.target


def perturb(net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator) -> Tensor:
    """The images at the end of one run; none stops early, so that they also serve against another network."""
    check_gradient_attack(attack)
    with torch.no_grad():
        clean_logits = net(x) if attack.kind == "trades" else None
    return climb(net, x, first_images(x, attack, rng), attack_objective(attack, y, clean_logits), attack)


def climb(net: nn.Module, x: Tensor, perturbed: Tensor, objective: Objective, attack: Attack) -> Tensor:
    """All steps of one run from where it begins."""
    for _ in range(attack.steps or 0):
        perturbed = next_images(perturbed, input_gradient(net, perturbed, objective), x, attack)
    return perturbed


def survivors(net: nn.Module, x: Tensor, y: Tensor, attack: Attack, perturbed: Tensor, clean_logits: Tensor) -> Tensor:
    """The indices of the samples that no image of one run fools, from the first image on.

    A sample that is fooled drops out, so that the passes that follow are smaller.
    """
    left = torch.arange(len(y), device=y.device)
    for _ in range(attack.steps or 0):
        objective = attack_objective(attack, y, clean_logits)
        gradient, logits = gradient_and_logits(net, perturbed, objective)
        stays = (~fooled(logits, y, attack)).nonzero().squeeze(1)
        if len(stays) < len(left):
            x, perturbed, gradient = (take(images, stays) for images in (x, perturbed, gradient))
            left, y, clean_logits = left[stays], y[stays], clean_logits[stays]
        if not len(left):
            return left
        perturbed = next_images(perturbed, gradient, x, attack)
    with torch.no_grad():
        return left[~fooled(net(perturbed), y, attack)]


def check_gradient_attack(attack: Attack) -> None:
    """ValueError for an attack that is not one run, or several, of gradient steps."""
    if attack.kind not in GRADIENT_KINDS:
        raise ValueError(f"the attack must take gradient steps, got {attack_name(attack)}")
    if attack.adaptive:
        raise ValueError(
            f"an adaptive attack is the worst of several over a data set, got {attack_name(attack)} for a batch"
        )
