"""How a network looks around each image: margin, Jacobian, non-linearity, and how far it is to misclassification.

These are table 4 and figure 4 of the uncertainty paper. Everything is of logits f and of pixels in [0, 1], lengths are
L2, and the network is in evaluation mode: `measure_geometry` sees to that.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from trainables.attacks.objectives import gradient_and_logits
from trainables.attacks.pgd import l2_normalize, perturb
from trainables.attacks.spec import Attack
from trainables.functional.batch import Batch, take
from trainables.functional.losses import logit_margin
from trainables.measures.accuracy import Measurement
from trainables.models.modes import evaluating

# PGD20-0.5 of the paper: 20 steps within 0.5 of the pixel range, one run, whose end is x′ (A60)
ADVERSARY = Attack(norm="l2", epsilon=0.5 * 255, steps=20, restarts=1)
STEP = 0.05  # of the attack without bound, in pixel values of [0, 1] (A60)
LIMIT = 1000  # how many of its steps are tried (A60)
HALVINGS = 10  # of the step that crossed the boundary: distances are exact to STEP/1024
JACOBIAN_VALUES = 2**24  # numbers that the Jacobians of a batch may hold: 64 MiB


class ImageGeometry(NamedTuple):
    """What is known of one image; None where it does not exist."""

    image: int
    label: int
    margin: float  # M = f_y − max of the others
    jacobian_norm: float  # ‖J‖, the largest singular value
    normalised_margin: float  # M / ‖J‖
    right: bool
    right_attacked: bool  # under ADVERSARY
    nonlinearity: float | None  # Q(x′, x); none where the linear part is zero
    distortion: float | None  # none where the image is wrong already, or never becomes so


def jacobian(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """∂f/∂x of each image, (B, C, values of an image), and the logits: a backward pass per class."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        logits = net(x)
        classes = range(logits.shape[1])
        rows = [torch.autograd.grad(logits[:, c].sum(), x, retain_graph=True)[0].flatten(1) for c in classes]
    return torch.stack(rows, dim=1), logits.detach()


def spectral_norm(jacobians: Tensor) -> Tensor:
    """The largest singular value of each: the root of the top eigenvalue of J Jᵀ, which is only C × C."""
    top = torch.linalg.eigvalsh((jacobians @ jacobians.mT).double())[:, -1]
    return top.clamp_min(0).sqrt().to(jacobians.dtype)


def nonlinearity(jacobians: Tensor, moved: Tensor, change: Tensor) -> Tensor:
    """Q = ‖f(x′) − f(x) − J(x′ − x)‖ / ‖J(x′ − x)‖ (equation 13); NaN where J(x′ − x) is zero."""
    linear = (jacobians @ moved.flatten(1).unsqueeze(2)).squeeze(2)
    size = linear.norm(dim=1)
    return torch.where(size > 0, (change - linear).norm(dim=1) / size, math.nan)


def distortion(net: nn.Module, x: Tensor, y: Tensor, step: float = STEP, limit: int = LIMIT) -> Tensor:
    """How far an attack without bound moves each image until it is taken for another class; NaN if it never is.

    Steps of equal length up the cross-entropy, clipped to [0, 1]; the step that crosses the boundary is halved to
    find where. An image that is wrong already is NaN as well: it has no boundary to reach.
    """
    found = x.new_full((len(y),), math.nan)
    left = (net(x).argmax(dim=1) == y).nonzero().squeeze(1)
    before = here = take(x, left)
    for taken in range(limit + 1):
        if not len(left):
            break
        gradient, logits = gradient_and_logits(net, here, _cross_entropy(y[left]))
        wrong = logits.argmax(dim=1) != y[left]
        crossed, stays = left[wrong], (~wrong).nonzero().squeeze(1)
        if len(crossed):
            found[crossed] = _crossing(net, take(x, crossed), before[wrong], here[wrong], y[crossed])
        left, before, gradient = left[stays], take(here, stays), take(gradient, stays)
        if taken < limit:
            here = torch.add(before, l2_normalize(gradient), alpha=step).clamp_(0, 1)
    return found


def _crossing(net: nn.Module, x: Tensor, before: Tensor, after: Tensor, y: Tensor) -> Tensor:
    """The distance from x of the first wrong point found between a right and a wrong image."""
    low, high = x.new_zeros(len(y), 1, 1, 1), x.new_ones(len(y), 1, 1, 1)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        wrong = (net(torch.lerp(before, after, middle)).argmax(dim=1) != y).view(-1, 1, 1, 1)
        low, high = torch.where(wrong, low, middle), torch.where(wrong, middle, high)
    return (torch.lerp(before, after, high) - x).flatten(1).norm(dim=1)


def _cross_entropy(y: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda logits: F.cross_entropy(logits, y, reduction="none")


def image_geometry(net: nn.Module, batches: Iterable[Batch], seed: int = 0) -> Iterator[ImageGeometry]:
    """Every measure of every image, in the order of the batches."""
    rng: Generator | None = None
    with evaluating(net):
        for x, y, index in batches:
            rng = rng or torch.Generator(x.device).manual_seed(seed)
            classes = net(x[:1]).shape[1]
            size = max(1, JACOBIAN_VALUES // (classes * x[0].numel()))
            for rows in torch.arange(len(y), device=x.device).split(size):
                yield from _geometry(net, take(x, rows), y[rows], index[rows], rng)


def _geometry(net: nn.Module, x: Tensor, y: Tensor, index: Tensor, rng: Generator) -> Iterator[ImageGeometry]:
    jacobians, logits = jacobian(net, x)
    margin, norm = -logit_margin(logits, y), spectral_norm(jacobians)
    attacked = perturb(net, x, y, ADVERSARY, rng)
    attacked_logits = net(attacked)
    columns = (
        index,
        y,
        margin,
        norm,
        margin / norm,
        logits.argmax(dim=1) == y,
        attacked_logits.argmax(dim=1) == y,
        nonlinearity(jacobians, attacked - x, attacked_logits - logits),
        distortion(net, x, y),
    )
    for row in zip(*(column.tolist() for column in columns), strict=True):
        yield ImageGeometry(*row[:-2], *(None if math.isnan(value) else value for value in row[-2:]))


def summarise_geometry(rows: list[ImageGeometry]) -> Iterator[tuple[Measurement, int]]:
    """Table 4: the means, the accuracy under attack and the correlation, each with the images it stands on."""
    columns = {
        "margin": [row.margin for row in rows],
        "jacobian_norm": [row.jacobian_norm for row in rows],
        "normalised_margin": [row.normalised_margin for row in rows],
        "accuracy_pgd20_l2_0.5": [100.0 * row.right_attacked for row in rows],
        "nonlinearity": [row.nonlinearity for row in rows if row.nonlinearity is not None],
        "distortion": [row.distortion for row in rows if row.distortion is not None],
    }
    for name, values in columns.items():
        if values:
            yield Measurement("geometry", name, None, statistics.fmean(values)), len(values)
    pairs = [(row.normalised_margin, row.distortion) for row in rows if row.distortion is not None]
    if all(len(set(side)) > 1 for side in zip(*pairs, strict=True)) and pairs:  # a constant correlates with nothing
        value = statistics.correlation(*zip(*pairs, strict=True))
        yield Measurement("geometry", "correlation_margin_distortion", None, value), len(pairs)
