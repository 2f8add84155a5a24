"""The steps of the methods with one norm set once more, slowly, as `reference_steps` does for the dual-norm ones.

A network is conv1 → norm1 → relu → conv2 → norm2 → relu → mean over the image → linear behind a normalisation of the
pixels; `body` is the prefix of its names, of which an ensemble has several. Random draws are arguments.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tests.support.reference_parts import Network, clipped, gradients_of, mean_of, normalised, perturbed, probabilities

PIXEL = 1 / 255
SCALE, SHIFT = 4.0, -2.0  # of pixels with mean 0.5 and standard deviation 0.25

Losses = Callable[[Tensor, list[int]], list[Tensor]]


def hard(x: Tensor) -> Tensor:
    return x * (x > 0)


def soft(x: Tensor) -> Tensor:
    """ReLU's values with the derivative of ln(1 + e^(10x)) / 10, written as a detour that cancels out."""
    smooth = torch.log1p(torch.exp(-10 * x.abs())) / 10 + hard(x)
    return smooth + (hard(x) - smooth).detach()


def features_of(
    network: Network,
    x: Tensor,
    source: str = "update",
    relu: Callable[[Tensor], Tensor] = hard,
    body: str = "body",
    norms: str = "",
) -> Tensor:
    """The outputs of a body, its batch norms by `source` as in `reference_parts.normalised`; `norms` names the set."""
    p = network.parameters
    x = x * SCALE + SHIFT
    for layer in ("1", "2"):
        x = torch.nn.functional.conv2d(x, p[f"{body}.conv{layer}.weight"], padding=1)
        x = relu(normalised(network, f"{body}.norm{layer}{norms}", x, source))
    pooled = x.sum(dim=(2, 3)) / (x.shape[2] * x.shape[3])
    return pooled @ p[f"{body}.linear.weight"].T + p[f"{body}.linear.bias"]


# ---- losses ---------------------------------------------------------------------------------------------------------


def against(row: Tensor, target: list[float]) -> Tensor:
    """Cross-entropy of one sample against a whole distribution."""
    p = probabilities(row)
    total = torch.zeros((), dtype=row.dtype)
    for c, share in enumerate(target):
        if share:
            total = total - share * torch.log(p[c])
    return total


def entropy_of(p: Tensor) -> Tensor:
    total = torch.zeros((), dtype=p.dtype)
    for value in p:
        total = total - value * torch.log(value)
    return total


def one_hot(label: int, classes: int) -> list[float]:
    return [1.0 if c == label else 0.0 for c in range(classes)]


def cross_entropies(logits: Tensor, y: list[int]) -> list[Tensor]:
    return [against(row, one_hot(label, len(row))) for row, label in zip(logits, y, strict=True)]


def entm(weight: float) -> Losses:
    def losses(logits: Tensor, y: list[int]) -> list[Tensor]:
        plain = cross_entropies(logits, y)
        return [loss - weight * entropy_of(probabilities(row)) for loss, row in zip(plain, logits, strict=True)]

    return losses


def label_smoothing(gamma: float) -> Losses:
    def losses(logits: Tensor, y: list[int]) -> list[Tensor]:
        classes = logits.shape[1]
        targets = [[hot - gamma * (hot - 1 / classes) for hot in one_hot(label, classes)] for label in y]
        return [against(row, target) for row, target in zip(logits, targets, strict=True)]

    return losses


def als(share: float) -> Losses:
    def losses(logits: Tensor, y: list[int]) -> list[Tensor]:
        found = []
        for row, label in zip(logits, y, strict=True):
            lowest = int(row.argmin())
            target = one_hot(label, len(row))
            if lowest != label:
                target[label], target[lowest] = 1 - share, share
            found.append(against(row, target))
        return found

    return losses


def divergences(clean: Tensor, other: Tensor) -> list[Tensor]:
    """KL(p(clean) ‖ p(other)) of each sample."""
    found = []
    for row, second in zip(clean, other, strict=True):
        p, q = probabilities(row), probabilities(second)
        total = torch.zeros((), dtype=row.dtype)
        for c in range(len(p)):
            total = total + p[c] * (torch.log(p[c]) - torch.log(q[c]))
        found.append(total)
    return found


# ---- steps: each returns the gradients and the loss that is reported ------------------------------------------------

Outcome = tuple[dict[str, Tensor], float]


def plain(network: Network, x: Tensor, y: list[int], losses: Losses) -> Outcome:
    loss = mean_of(losses(features_of(network, x), y))
    return gradients_of(network, loss, [])[0], loss.item()


def attacked(
    network: Network,
    x: Tensor,
    objective: Callable[[Tensor], list[Tensor]],
    start: Tensor,
    attack: dict,
    relu: Callable[[Tensor], Tensor] = hard,
    norms: str = "",
) -> Tensor:
    """PGD with signs from `start`; `attack` holds n, epsilon and alpha in 1/255, and attack_bn."""

    def gradient_at(image: Tensor) -> Tensor:
        image = image.detach().requires_grad_()
        loss = mean_of(objective(features_of(network, image, attack["attack_bn"], relu, norms=norms)))
        return torch.autograd.grad(loss, image)[0]

    radius, step = attack["epsilon"] * PIXEL, attack["alpha"] * PIXEL
    return perturbed(x, attack["n"], radius, step, gradient_at, start=clipped(start, -radius, radius))


def pat(
    network: Network,
    x: Tensor,
    y: list[int],
    losses: Losses,
    raised: Losses,
    start: Tensor,
    attack: dict,
    clean_weight: float = 0.5,
    relu: Callable[[Tensor], Tensor] = hard,
) -> Outcome:
    clean = mean_of(losses(features_of(network, x, relu=relu), y))
    images = attacked(network, x, lambda logits: raised(logits, y), start, attack, relu)
    other = mean_of(losses(features_of(network, images, relu=relu), y))
    return gradients_of(network, clean_weight * clean + (1 - clean_weight) * other, [])[0], clean.item()


def advprop(
    network: Network, x: Tensor, y: list[int], losses: Losses, attack: dict, relu: Callable[[Tensor], Tensor]
) -> Outcome:
    clean = mean_of(losses(features_of(network, x, relu=relu, norms=".main"), y))
    start = torch.zeros_like(x)
    images = attacked(network, x, lambda logits: cross_entropies(logits, y), start, attack, relu, ".aux")
    other = mean_of(losses(features_of(network, images, relu=relu, norms=".aux"), y))
    return gradients_of(network, 0.5 * clean + 0.5 * other, [])[0], clean.item()


def trades(
    network: Network, x: Tensor, y: list[int], losses: Losses, start: Tensor, attack: dict, beta: float
) -> Outcome:
    anchor = features_of(network, x, attack["attack_bn"]).detach()
    images = attacked(network, x, lambda logits: divergences(anchor, logits), start, attack)
    logits = features_of(network, x)
    clean = mean_of(losses(logits, y))
    loss = clean + beta * mean_of(divergences(logits, features_of(network, images)))
    return gradients_of(network, loss, [])[0], clean.item()


def log_determinant(rows: list[Tensor]) -> Tensor:
    """log det(M Mᵀ + 1e-6) of three rows, by Sarrus' rule."""
    g = [[(a * b).sum() + (1e-6 if i == j else 0) for j, b in enumerate(rows)] for i, a in enumerate(rows)]
    plus = g[0][0] * g[1][1] * g[2][2] + g[0][1] * g[1][2] * g[2][0] + g[0][2] * g[1][0] * g[2][1]
    minus = g[0][2] * g[1][1] * g[2][0] + g[0][1] * g[1][0] * g[2][2] + g[0][0] * g[1][2] * g[2][1]
    return torch.log(plus - minus)


def adp(network: Network, x: Tensor, y: list[int], entropy_weight: float, diversity_weight: float) -> Outcome:
    several = [features_of(network, x, body=f"body.members.{k}") for k in range(3)]
    losses = []
    for i, label in enumerate(y):
        predictions = [probabilities(logits[i]) for logits in several]
        loss = -entropy_weight * entropy_of((predictions[0] + predictions[1] + predictions[2]) / 3)
        rows = []
        for p in predictions:
            loss = loss - torch.log(p[label])
            others = torch.stack([p[c] for c in range(len(p)) if c != label])
            rows.append(others / (others**2).sum() ** 0.5)
        losses.append(loss - diversity_weight * log_determinant(rows))
    loss = mean_of(losses)
    return gradients_of(network, loss, [])[0], loss.item()
