"""How many images of a data set a network still gets right under attack: worst case over runs, transfer, curves.

A network is attacked in evaluation mode, through the norms that its route names (main, unless the caller is inside
`aux_norm(net)`), and is afterwards what it was before: parameters, statistics, gradients and modes.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from trainables.attacks.in_training import PIXEL
from trainables.attacks.objectives import attack_objective, attack_succeeded
from trainables.attacks.pgd import BALLS, check_gradient_attack, random_start, robust_indices, run_pgd
from trainables.attacks.spec import (
    Attack,
    attack_name,
    check_installed,
    growing_radius,
    growing_steps,
    smoothings,
    with_radii,
)
from trainables.functional.batch import Batch, take
from trainables.models.modes import evaluating, frozen

Batches = Callable[[], Iterable[Batch]]  # gives the same batches at every call

DRAWS = 256  # perturbations of one image that the random search looks at together


class Outcome(NamedTuple):
    """Per image: whether it counts, and whether it is right and stays so."""

    counts: Tensor
    robust: Tensor

    @property
    def accuracy(self) -> float:
        """The share of the counted images that are robust, in percent."""
        counted = int(self.counts.sum())
        if counted == 0:
            raise ValueError("at least one image must count: one that is right and not of the target class, got none")
        return 100 * int(self.robust.sum()) / counted


def robust_correct(
    net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator, source: nn.Module | None = None
) -> Tensor:
    """Which images the network gets right and still gets right in every run of the attack."""
    return attack_outcome(net, x, y, attack, rng, source).robust


def attack_outcome(
    net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator, source: nn.Module | None = None
) -> Outcome:
    """What one attack does to one batch; with a `source`, that network is attacked and this one sees the result.

    Without a target every image counts, and one that is wrong from the beginning is not robust. With a target the
    images count that are right and not of the target class, and those are robust that do not turn into it (A42).
    """
    check_range(x)
    with evaluating(net), evaluating(net if source is None else source):
        logits = net(x)
        check_target(attack, logits)
        robust = logits.argmax(dim=1) == y
        counts = torch.ones_like(robust)
        if attack.target is not None:
            counts = robust = robust & (y != attack.target)
        left = robust.nonzero().squeeze(1)
        if source is not None:
            left = _transfer(net, source, x, y, attack, rng, left)
        elif attack.kind == "random_search":
            left = _search(net, x, y, attack, rng, left)
        elif attack.kind == "autoattack":
            left = _autoattack(net, x, y, attack, left, logits.shape[1])
        else:
            left = _all_runs(net, x, y, attack, rng, left, logits)
    return Outcome(counts, torch.zeros_like(robust).index_fill_(0, left, True))


def _all_runs(
    net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator, left: Tensor, logits: Tensor
) -> Tensor:
    """The samples among `left` that survive every run."""
    check_gradient_attack(attack)
    for _ in range(attack.runs):
        begin = random_start(x, attack, rng)  # of all samples: what one draws must not depend on which others are left
        if len(left):
            stays = robust_indices(net, take(x, left), y[left], attack, take(begin, left), logits[left])
            left = left[stays]
    return left


def _transfer(
    net: nn.Module, source: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator, left: Tensor
) -> Tensor:
    """The samples among `left` that survive what every run makes of them against the source network."""
    check_gradient_attack(attack)
    clean_logits = source(x)
    check_target(attack, clean_logits)
    for _ in range(attack.runs):
        begin = random_start(x, attack, rng)
        if len(left):
            objective = attack_objective(attack, y[left], clean_logits[left])
            perturbed = run_pgd(source, take(x, left), take(begin, left), objective, attack)
            left = left[~attack_succeeded(net(perturbed), y[left], attack)]
    return left


def _search(net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator, left: Tensor) -> Tensor:
    """The samples among `left` that no random perturbation fools; a fooled one stops at once."""
    seeds = torch.randint(2**62, (len(y),), generator=rng, device=x.device).tolist()
    stays = [_stands(net, x[i], y[i], attack, seeds[i]) for i in left.tolist()]
    return left[torch.tensor(stays, dtype=torch.bool, device=left.device)]


def _stands(net: nn.Module, image: Tensor, label: Tensor, attack: Attack, seed: int) -> bool:
    """Whether one image stays right under every random perturbation."""
    rng = torch.Generator(image.device).manual_seed(seed)
    for done in range(0, attack.steps or 0, DRAWS):
        many = image.expand(min(DRAWS, (attack.steps or 0) - done), -1, -1, -1)
        perturbed = (many + BALLS[attack.norm].uniform(many, attack.epsilon * PIXEL, rng)).clamp_(0, 1)
        if attack_succeeded(net(perturbed), label, attack).any():
            return False
    return True


def _autoattack(net: nn.Module, x: Tensor, y: Tensor, attack: Attack, left: Tensor, classes: int) -> Tensor:
    """The samples among `left` that survive the standard version of AutoAttack."""
    check_installed(attack)
    if classes < 4:
        raise ValueError(f"classes must be at least 4 for {attack_name(attack)}, got {classes}")
    if not len(left):
        return left
    from pyautoattack import AutoAttack

    norm, devices = {"linf": "Linf", "l2": "L2"}[attack.norm], [x.device] if x.device.type == "cuda" else []
    with frozen(net), torch.random.fork_rng(devices):  # it seeds torch's own generators
        suite = AutoAttack(net, norm=norm, eps=attack.epsilon * PIXEL, device=x.device, seed=attack.seed)
        # it aims at nine other classes, and takes for granted that there are as many
        suite.apgd_targeted.n_target_classes = suite.fab.n_target_classes = min(9, classes - 1)
        images = take(x, left).contiguous()  # it takes views that other layouts do not allow
        perturbed, _ = suite.run_standard_evaluation(images, y[left], batch_size=len(left))
    return left[net(perturbed).argmax(dim=1) == y[left]]


def check_range(x: Tensor) -> None:
    """ValueError for images that were normalised before they came here: their [0, 1] would be another range."""
    low, high = x.aminmax()
    if low < 0 or high > 1:
        raise ValueError(f"images must be in [0, 1], got values from {float(low):g} to {float(high):g}")


def check_target(attack: Attack, logits: Tensor) -> None:
    """ValueError if the target is none of the network's classes."""
    if attack.target is not None and attack.target >= logits.shape[1]:
        raise ValueError(f"target must be a class below {logits.shape[1]}, got {attack.target}")


def robust_accuracy(net: nn.Module, batches: Iterable[Batch], attack: Attack, source: nn.Module | None = None) -> float:
    """Accuracy under an attack, in percent; an adaptive attack is the most harmful of its smoothings."""
    if attack.adaptive:
        return worst_smoothing(net, batches, attack, source)[1]
    return attack_accuracies(net, batches, [attack], source)[0]


def worst_smoothing(
    net: nn.Module, batches: Iterable[Batch], attack: Attack, source: nn.Module | None = None
) -> tuple[float, float]:
    """The γ of the smoothed labels that lowers accuracy most, and that accuracy."""
    attacks = smoothings(attack)
    accuracies = attack_accuracies(net, batches, attacks, source)
    worst = min(range(len(attacks)), key=accuracies.__getitem__)
    return attacks[worst].smoothing, accuracies[worst]


def attack_accuracies(
    net: nn.Module, batches: Iterable[Batch], attacks: list[Attack], source: nn.Module | None = None
) -> list[float]:
    """Accuracy under each of several attacks, in one pass through the batches."""
    outcomes: list[list[Outcome]] = [[] for _ in attacks]
    generators: list[Generator] = []
    for x, y, _ in batches:
        generators = generators or [torch.Generator(x.device).manual_seed(attack.seed) for attack in attacks]
        for attack, rng, so_far in zip(attacks, generators, outcomes, strict=True):
            so_far.append(attack_outcome(net, x, y, attack, rng, source))
    return [Outcome(*(torch.cat(parts) for parts in zip(*each, strict=True))).accuracy for each in outcomes]


def residual_attack(net: nn.Module, batches: Iterable[Batch], attack: Attack, then: Attack) -> tuple[int, int]:
    """How many images an attack leaves right, and how many of those fall to another one."""
    first, second = None, None
    left = fallen = 0
    for x, y, _ in batches:
        first = first or torch.Generator(x.device).manual_seed(attack.seed)
        second = second or torch.Generator(x.device).manual_seed(then.seed)
        stays = robust_correct(net, x, y, attack, first).nonzero().squeeze(1)
        left += len(stays)
        if len(stays):
            fallen += int((~robust_correct(net, take(x, stays), y[stays], then, second)).sum())
    return left, fallen


def epsilon_curve(
    net: nn.Module, batches: Batches, attack: Attack, epsilons: Iterable[float], source: nn.Module | None = None
) -> Iterator[tuple[float, float]]:
    """(epsilon, accuracy) for the same attack in several balls; a step whose length is unset grows along."""
    for each in with_radii(attack, epsilons):
        yield each.epsilon, robust_accuracy(net, batches(), each, source)


def perturbation_curve(
    net: nn.Module, batches: Batches, attack: Attack, radii: Iterable[int], source: nn.Module | None = None
) -> Iterator[tuple[float, float]]:
    """(epsilon, accuracy) of the uncertainty paper: epsilon k/255 in k steps of 2/255."""
    for each in growing_radius(attack, radii):
        yield each.epsilon, robust_accuracy(net, batches(), each, source)


def steps_curve(
    net: nn.Module, batches: Batches, attack: Attack, counts: Iterable[int], source: nn.Module | None = None
) -> Iterator[tuple[int, float]]:
    """(steps, accuracy) of the uncertainty paper: k steps of max(1/510, 2ε/k)."""
    for each in growing_steps(attack, counts):
        yield each.steps or 0, robust_accuracy(net, batches(), each, source)
