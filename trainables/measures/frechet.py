"""Fréchet distance between a network's features of images as they are and of transformed ones: table 6 of EntProp.

The paper asks how far mixing, attacking, and EntProp's own way of doing both to the most uncertain samples, take a data
set away from itself. Features are those of a vanilla network before its last layer, of training images without
crop or flip. Every transformed set has the same number of images, because the distance is larger for fewer (A28);
the distance of as many images as they are shows by how much.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Generator, Tensor, nn

from trainables.attacks.in_training import ascend
from trainables.attacks.objectives import input_gradient
from trainables.functional.batch import Batch, take
from trainables.functional.mixing import MIXING, Mix
from trainables.functional.selection import SCORES, random_subset, selected_count, top
from trainables.measures.class_activation import cut_before_pool, features
from trainables.methods.entprop import EntProp
from trainables.models.deploy import DeployedNet
from trainables.models.modes import evaluating

Sets = dict[str, Tensor]  # name of a set -> its images, or their features


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """‖m₁ − m₂‖² + tr(S₁ + S₂ − 2(S₁S₂)^½) of the gaussians with the means and covariances of two sets, (N, D)."""
    for side in (first, second):
        if len(side) < 2:
            raise ValueError(f"a set must hold at least 2 images for a covariance, got {len(side)}")
    means = [side.mean(axis=0, dtype=np.float64) for side in (first, second)]
    covariances = [np.atleast_2d(np.cov(side.astype(np.float64), rowvar=False)) for side in (first, second)]
    # tr (S₁S₂)^½ is the sum of the roots of the eigenvalues of S₁^½ S₂ S₁^½, which is symmetric
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    crossed = np.sqrt(np.linalg.eigvalsh(root @ covariances[1] @ root).clip(0)).sum()
    gap = means[0] - means[1]
    return float(gap @ gap + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * crossed)


def transformed(net: nn.Module, x: Tensor, y: Tensor, how: EntProp, rng: Generator) -> Sets:
    """The images of one batch in each set: all of them, then as many of each kind as EntProp chooses."""
    mix = MIXING["mixup"](x, y, how.beta, rng)
    count = selected_count(how.k, len(y))
    drawn = random_subset(len(y), count, rng, x.device)
    chosen = top(SCORES[how.metric](net(mix.x), y), count)
    plain = MIXING["none"](x, y, how.beta, rng)
    return {
        "original": x,
        "as many originals": take(x, drawn),
        "mixup": take(mix.x, drawn),
        "pgd": attacked(net, plain.take(drawn), how),
        "entprop": attacked(net, mix.take(chosen), how),
    }


def attacked(net: nn.Module, batch: Mix, how: EntProp) -> Tensor:
    """The images after the attack of that EntProp against this network."""
    return ascend(
        batch.x,
        lambda images: input_gradient(net, images, batch.losses),
        n=how.n,
        alpha=how.alpha,
        epsilon=how.radius,
    )


def measure_frechet(
    net: DeployedNet, batches: Iterable[Batch], how: EntProp, seed: int = 0
) -> Iterator[tuple[str, int, float]]:
    """(set, its images, its distance from all images as they are)."""
    kept: dict[str, list[np.ndarray]] = {}
    cut, rng = cut_before_pool(net), None
    with evaluating(net):
        for x, y, _ in batches:
            rng = rng or torch.Generator().manual_seed(seed)
            for name, images in transformed(net, x, y, how, rng).items():
                kept.setdefault(name, []).append(features(cut, images).cpu().numpy())
    sets = {name: np.concatenate(parts) for name, parts in kept.items()}
    original = sets.pop("original")
    for name, found in sets.items():
        yield name, len(found), frechet_distance(original, found)
