"""The steps of CEB and VIB once more, slowly, with the densities written out in full."""

import math

import torch
from torch import Tensor

from tests.support.reference_parts import Network, added, gradients_of, mean_of
from tests.support.reference_robust import Outcome, cross_entropies, features_of


def log_normal(z: Tensor, mean: Tensor) -> Tensor:
    """ln N(z; mean, I)."""
    total = torch.zeros((), dtype=z.dtype)
    for a, b in zip(z, mean, strict=True):
        total = total - (a - b) ** 2 / 2 - math.log(2 * math.pi) / 2
    return total


def log_mixture(network: Network, z: Tensor) -> Tensor:
    """ln q(z) under the mixture whose weights are the softmax of the scores."""
    scores, means = (network.parameters[f"head.marginal.{name}"] for name in ("scores", "means"))
    weights = torch.exp(scores) / torch.exp(scores).sum()
    density = torch.zeros((), dtype=z.dtype)
    for weight, mean in zip(weights, means, strict=True):
        density = density + weight * torch.exp(log_normal(z, mean))
    return torch.log(density)


def classified(network: Network, encodings: Tensor) -> Tensor:
    return encodings @ network.parameters["head.classifier.weight"].T + network.parameters["head.classifier.bias"]


def ceb(network: Network, x: Tensor, y: list[int], noise: Tensor, rho: float) -> Outcome:
    encodings = features_of(network, x)
    z = encodings + noise
    logits = classified(network, z)
    beyond = [
        log_normal(z[i], encodings[i]) - log_normal(z[i], network.parameters["head.centres.weight"][:, label])
        for i, label in enumerate(y)
    ]
    loss = mean_of(cross_entropies(logits, y)) + math.exp(-rho) * mean_of(beyond)
    marginal = -mean_of([log_mixture(network, each.detach()) for each in z])
    gradients = added(gradients_of(network, loss, [])[0], gradients_of(network, marginal, [])[0])
    remember(network, logits, y)
    return gradients, loss.item()


def vib(network: Network, x: Tensor, y: list[int], noise: Tensor, rho: float) -> Outcome:
    encodings = features_of(network, x)
    z = encodings + noise
    logits = classified(network, z)
    ratios = [log_normal(z[i], encodings[i]) - log_mixture(network, z[i]) for i in range(len(y))]
    loss = mean_of(cross_entropies(logits, y)) + mean_of(ratios) / (1 + math.exp(rho))
    remember(network, logits, y)
    return gradients_of(network, loss, [])[0], loss.item()


def deterministic(network: Network, x: Tensor, y: list[int]) -> Outcome:
    p = network.parameters
    logits = features_of(network, x) @ p["head.weight"].T + p["head.bias"]
    loss = mean_of(cross_entropies(logits, y))
    return gradients_of(network, loss, [])[0], loss.item()


def remember(network: Network, logits: Tensor, y: list[int]) -> None:
    """What the descent of ρ keeps of a step: their number, and a tenth of the share that was right."""
    right = sum(int(row.argmax()) == label for row, label in zip(logits, y, strict=True)) / len(y)
    old = network.statistics
    old["head.descent.done"] = old["head.descent.done"] + 1
    old["head.descent.right"] = 0.9 * old["head.descent.right"] + 0.1 * right
