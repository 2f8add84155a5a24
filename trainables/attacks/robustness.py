"""Accuracy under attack: the worst case over runs, transfer attacks, random search and AutoAttack.

A network is attacked in evaluation mode, through the main norms unless the caller is inside `aux_norm(net)`. Its
parameters, statistics, gradients and modes are the same afterwards.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from trainables.attacks.in_training import PIXEL
from trainables.attacks.objectives import attack_objective, attack_succeeded
from trainables.attacks.pgd import BALLS, check_gradient_attack, random_start, robust_indices, run_pgd
from trainables.attacks.spec import Attack, attack_name, check_installed, smoothings
from trainables.functional.batch import Batch, take
from trainables.models.modes import evaluating, frozen

DRAWS = 256  # random perturbations of one image in one batch


class Outcome(NamedTuple):
    """Per image: whether it counts, and whether it is classified correctly, clean and under attack."""

    counts: Tensor
    robust: Tensor

    @property
    def accuracy(self) -> float:
        """The share of robust images among those that count, in percent."""
        counted = int(self.counts.sum())
        if counted == 0:
            raise ValueError("at least one image must be classified correctly and not be of the target class, got none")
        return 100 * int(self.robust.sum()) / counted


class Clean(NamedTuple):
    """A network, a batch of clean images, and its logits on them."""

    net: nn.Module
    x: Tensor
    y: Tensor
    logits: Tensor


def robust_correct(
    net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator, source: nn.Module | None = None
) -> Tensor:
    """Which images the network classifies correctly, clean and in every run of the attack."""
    return attack_outcome(net, x, y, attack, rng, source).robust


def attack_outcome(
    net: nn.Module, x: Tensor, y: Tensor, attack: Attack, rng: Generator, source: nn.Module | None = None
) -> Outcome:
    """What one attack does to one batch; with a `source`, examples are crafted against that network (transfer attack).

    Without a target every image counts, and one that is misclassified without an attack is not robust. With a target,
    an image counts if it is classified correctly and not of the target class; it is robust unless the network takes it
    for the target (A42 in docs/decisions.md).
    """
    check_range(x)
    with evaluating(net), evaluating(net if source is None else source):
        logits = net(x)
        check_target(attack, logits)
        robust = logits.argmax(dim=1) == y
        counts = torch.ones_like(robust)
        if attack.target is not None:
            counts = robust = robust & (y != attack.target)
        clean, left = Clean(net, x, y, logits), robust.nonzero().squeeze(1)
        if source is None and attack.kind in SEARCHES:
            left = SEARCHES[attack.kind](clean, attack, rng, left)
        else:
            left = _gradient_runs(clean, attack, rng, left, source)
    return Outcome(counts, torch.zeros_like(robust).index_fill_(0, left, True))


def _gradient_runs(
    clean: Clean, attack: Attack, rng: Generator, left: Tensor, source: nn.Module | None = None
) -> Tensor:
    """The samples among `left` that stay correct in every run; of a transfer attack, only the end of a run counts."""
    check_gradient_attack(attack)
    net, x, y, logits = clean
    if source is not None:
        logits = source(x)
        check_target(attack, logits)
    for _ in range(attack.runs):
        begin = random_start(x, attack, rng)  # for all samples: the draws must not depend on which samples are left
        if not len(left):
            continue
        images, labels, start = take(x, left), y[left], take(begin, left)
        if source is None:
            left = left[robust_indices(net, images, labels, attack, start, logits[left])]
        else:
            perturbed = run_pgd(source, images, start, attack_objective(attack, labels, logits[left]), attack)
            left = left[~attack_succeeded(net(perturbed), labels, attack)]
    return left


def _random_search(clean: Clean, attack: Attack, rng: Generator, left: Tensor) -> Tensor:
    """The samples among `left` that no random perturbation fools."""
    net, x, y, _ = clean
    seeds = torch.randint(2**62, (len(y),), generator=rng, device=x.device).tolist()
    stays = [_withstands_search(net, x[i], y[i], attack, seeds[i]) for i in left.tolist()]
    return left[torch.tensor(stays, dtype=torch.bool, device=left.device)]


def _withstands_search(net: nn.Module, image: Tensor, label: Tensor, attack: Attack, seed: int) -> bool:
    """Whether one image stays correct under every random perturbation; stops at the first batch that fools."""
    rng = torch.Generator(image.device).manual_seed(seed)
    for done in range(0, attack.steps or 0, DRAWS):
        many = image.expand(min(DRAWS, (attack.steps or 0) - done), -1, -1, -1)
        perturbed = (many + BALLS[attack.norm].uniform(many, attack.epsilon * PIXEL, rng)).clamp_(0, 1)
        if attack_succeeded(net(perturbed), label, attack).any():
            return False
    return True


def _autoattack(clean: Clean, attack: Attack, rng: Generator, left: Tensor) -> Tensor:
    """The samples among `left` that the standard version of AutoAttack does not fool; its seed is the attack's."""
    check_installed(attack)
    net, x, y, logits = clean
    classes = logits.shape[1]
    if classes < 4:
        raise ValueError(f"classes must be at least 4 for {attack_name(attack)}, got {classes}")
    if not len(left):
        return left
    from pyautoattack import AutoAttack

    norm, devices = {"linf": "Linf", "l2": "L2"}[attack.norm], [x.device] if x.device.type == "cuda" else []
    with frozen(net), torch.random.fork_rng(devices):  # AutoAttack seeds torch's global generators
        suite = AutoAttack(net, norm=norm, eps=attack.epsilon * PIXEL, device=x.device, seed=attack.seed)
        # its targeted attacks assume nine other classes
        suite.apgd_targeted.n_target_classes = suite.fab.n_target_classes = min(9, classes - 1)
        images = take(x, left).contiguous()  # its calls of `view` fail on other layouts
        perturbed, _ = suite.run_standard_evaluation(images, y[left], batch_size=len(left))
    return left[net(perturbed).argmax(dim=1) == y[left]]


SEARCHES = {"random_search": _random_search, "autoattack": _autoattack}


def check_range(x: Tensor) -> None:
    """ValueError for images outside [0, 1], such as normalised ones."""
    low, high = x.aminmax()
    if low < 0 or high > 1:
        raise ValueError(f"images must be in [0, 1], got values from {float(low):g} to {float(high):g}")


def check_target(attack: Attack, logits: Tensor) -> None:
    """ValueError if the network has no class of the target's number."""
    if attack.target is not None and attack.target >= logits.shape[1]:
        raise ValueError(f"target must be a class below {logits.shape[1]}, got {attack.target}")


def accuracy_under_attack(
    net: nn.Module, batches: Iterable[Batch], attack: Attack, source: nn.Module | None = None
) -> float:
    """Accuracy under an attack, in percent; of an adaptive attack, the lowest over its smoothings."""
    if attack.adaptive:
        return worst_smoothing(net, batches, attack, source)[1]
    return attack_accuracies(net, batches, [attack], source)[0]


def worst_smoothing(
    net: nn.Module, batches: Iterable[Batch], attack: Attack, source: nn.Module | None = None
) -> tuple[float, float]:
    """The γ of the smoothed labels that lowers accuracy most, and that accuracy in percent."""
    attacks = smoothings(attack)
    accuracies = attack_accuracies(net, batches, attacks, source)
    worst = min(range(len(attacks)), key=accuracies.__getitem__)
    return attacks[worst].smoothing, accuracies[worst]


def attack_accuracies(
    net: nn.Module, batches: Iterable[Batch], attacks: list[Attack], source: nn.Module | None = None
) -> list[float]:
    """Accuracy under each of several attacks, in percent, in one pass through the batches."""
    outcomes: list[list[Outcome]] = [[] for _ in attacks]
    generators: list[Generator] = []
    for x, y, _ in batches:
        generators = generators or [torch.Generator(x.device).manual_seed(attack.seed) for attack in attacks]
        for attack, rng, so_far in zip(attacks, generators, outcomes, strict=True):
            so_far.append(attack_outcome(net, x, y, attack, rng, source))
    return [Outcome(*(torch.cat(parts) for parts in zip(*each, strict=True))).accuracy for each in outcomes]


def residual_attack(net: nn.Module, batches: Iterable[Batch], attack: Attack, then: Attack) -> tuple[int, int]:
    """How many images withstand an attack, and how many of those are fooled by the attack `then`."""
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
