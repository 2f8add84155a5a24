"""What the slow steps of `reference_steps` are made of: a network, losses, mixing, selection and attacks.

Everything is spelled out, sample by sample and step by step, and nothing is imported from the package. Only convolution
and differentiation are torch's. Random draws (λ, permutation, box, random subset, attack start) are arguments.

A network is a dictionary of parameters and one of running statistics, named as in conv1 → norm1 → relu → conv2 → norm2
→ relu → mean over the image → linear, where each norm has a `main` and an `aux` half.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

NORM_EPSILON = 1e-5
NORM_MOMENTUM = 0.1
PIXEL = 1 / 255


@dataclass
class Network:
    """Parameters (leaves that require gradients) and running statistics, by their names in the module."""

    parameters: dict[str, Tensor]
    statistics: dict[str, Tensor]


@dataclass
class Draws:
    """The draws of one mixing: λ, the partner of each sample, and CutMix's box (top, bottom, left, right)."""

    weight: float
    permutation: list[int]
    box: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass
class Batch:
    """Images with two labels each; a sample's loss is weight · CE(label_a) + (1 − weight) · CE(label_b)."""

    images: Tensor
    labels_a: list[int]
    labels_b: list[int]
    weight: float

    def part(self, indices: list[int]) -> "Batch":
        labels_a, labels_b = [self.labels_a[i] for i in indices], [self.labels_b[i] for i in indices]
        return Batch(torch.stack([self.images[i] for i in indices]), labels_a, labels_b, self.weight)

    def with_images(self, images: Tensor) -> "Batch":
        """Other images under the same labels, tracked for their gradient."""
        return Batch(images.detach().requires_grad_(), self.labels_a, self.labels_b, self.weight)

    def tracked(self) -> "Batch":
        return self.with_images(self.images)


@dataclass
class Outcome:
    """What one training step leaves behind; `network.statistics` is changed in place."""

    gradients: dict[str, Tensor]
    loss: float
    main_logits: Tensor
    aux_logits: Tensor | None
    main_weight: float
    aux_weight: float
    selected: list[int] | None  # in ascending order
    aux_images: Tensor | None  # what the auxiliary training pass was given, row by row of `selected` or of the batch


# ---- the network ----------------------------------------------------------------------------------------------------


def per_channel(values: Tensor) -> Tensor:
    return values[None, :, None, None]


def normalised(network: Network, layer: str, x: Tensor, source: str) -> Tensor:
    """Batch norm by its formulas.

    By `source` it uses the batch's statistics and moves the running ones ("update"), the batch's alone ("batch"),
    or the running ones ("running").
    """
    parameters, statistics = network.parameters, network.statistics
    if source == "running":
        mean, variance = statistics[f"{layer}.running_mean"], statistics[f"{layer}.running_var"]
    else:
        count = x.shape[0] * x.shape[2] * x.shape[3]
        mean = x.sum(dim=(0, 2, 3)) / count
        variance = ((x - per_channel(mean)) ** 2).sum(dim=(0, 2, 3)) / count
    if source == "update":
        unbiased = variance.detach() * count / (count - 1)
        for name, value in (("running_mean", mean.detach()), ("running_var", unbiased)):
            old = statistics[f"{layer}.{name}"]
            statistics[f"{layer}.{name}"] = (1 - NORM_MOMENTUM) * old + NORM_MOMENTUM * value
        statistics[f"{layer}.num_batches_tracked"] = statistics[f"{layer}.num_batches_tracked"] + 1
    unit = (x - per_channel(mean)) / per_channel(variance + NORM_EPSILON) ** 0.5
    return unit * per_channel(parameters[f"{layer}.weight"]) + per_channel(parameters[f"{layer}.bias"])


def logits_of(network: Network, x: Tensor, norms: str, source: str = "update") -> Tensor:
    parameters = network.parameters
    x = torch.nn.functional.conv2d(x, parameters["conv1.weight"], padding=1)
    x = normalised(network, f"norm1.{norms}", x, source)
    x = x * (x > 0)
    x = torch.nn.functional.conv2d(x, parameters["conv2.weight"], padding=1)
    x = normalised(network, f"norm2.{norms}", x, source)
    x = x * (x > 0)
    pooled = x.sum(dim=(2, 3)) / (x.shape[2] * x.shape[3])
    return pooled @ parameters["linear.weight"].T + parameters["linear.bias"]


def parameter_gradients(network: Network, loss: Tensor) -> dict[str, Tensor]:
    return gradients_of(network, loss, [])[0]


def gradients_of(network: Network, loss: Tensor, inputs: list[Tensor]) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The gradients with respect to every parameter, and with respect to `inputs`."""
    leaves = list(network.parameters.values())
    found = torch.autograd.grad(loss, leaves + inputs, allow_unused=True)
    parts = [torch.zeros_like(p) if g is None else g for p, g in zip(leaves, found[: len(leaves)], strict=True)]
    return dict(zip(network.parameters, parts, strict=True)), list(found[len(leaves) :])


def added(*parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sum of the gradients of several passes."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}


# ---- losses and scores of one sample --------------------------------------------------------------------------------


def probabilities(row: Tensor) -> Tensor:
    powers = torch.exp(row - row.detach().max())
    return powers / powers.sum()


def sample_losses(logits: Tensor, batch: Batch, original: bool = False) -> list[Tensor]:
    """The loss of each sample: against both labels, or against the original one (label_a) alone."""
    losses = []
    for row, a, b in zip(logits, batch.labels_a, batch.labels_b, strict=True):
        p = probabilities(row)
        if original or a == b:
            losses.append(-torch.log(p[a]))
        else:
            losses.append(-batch.weight * torch.log(p[a]) - (1 - batch.weight) * torch.log(p[b]))
    return losses


def mean_of(values: list[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)


def best_other(row: Tensor, label: int) -> Tensor:
    """The largest entry of a class that is not `label`."""
    best = None
    for c in range(len(row)):
        if c != label and (best is None or row[c] > best):
            best = row[c]
    return best


def uncertainty(row: Tensor, label: int, metric: str) -> float:
    """Larger is chosen first."""
    p = [float(v) for v in probabilities(row.detach())]
    others = [c for c in range(len(p)) if c != label]
    if metric == "entropy":
        return -sum(v * math.log(v) for v in p)
    if metric == "cross_entropy":
        return -math.log(p[label])
    if metric == "confidence":
        return -max(p)
    if metric == "margin":
        return max(p[c] for c in others) - p[label]  # of probabilities, as the paper defines its logit margin
    raise AssertionError(metric)


# ---- mixing and selection -------------------------------------------------------------------------------------------


def mixed(x: Tensor, y: list[int], mixing: str, draws: Draws | None) -> Batch:
    if mixing == "none" or draws is None:
        return Batch(x.clone(), list(y), list(y), 1.0)
    rows, weight = [], draws.weight
    height, width = x.shape[2], x.shape[3]
    top, bottom, left, right = draws.box
    for i, partner in enumerate(draws.permutation):
        if mixing == "mixup":
            rows.append(weight * x[i] + (1 - weight) * x[partner])
        else:
            row = x[i].clone()
            row[:, top:bottom, left:right] = x[partner][:, top:bottom, left:right]
            rows.append(row)
    if mixing == "cutmix":
        weight = 1 - (bottom - top) * (right - left) / (height * width)
    return Batch(torch.stack(rows), list(y), [y[partner] for partner in draws.permutation], weight)


def chosen_count(share: float, size: int) -> int:
    return 0 if share == 0 else max(1, math.floor(share * size + 0.5))


def chosen(logits: Tensor, labels: list[int], share: float, metric: str) -> list[int]:
    scores = [uncertainty(row, label, metric) for row, label in zip(logits, labels, strict=True)]
    order = sorted(range(len(scores)), key=lambda i: scores[i], reverse=True)
    return sorted(order[: chosen_count(share, len(scores))])


# ---- attacks --------------------------------------------------------------------------------------------------------


def sign(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


def clipped(x: Tensor, low: float, high: float) -> Tensor:
    x = torch.where(x < low, torch.full_like(x, low), x)
    return torch.where(x > high, torch.full_like(x, high), x)


def projected(image: Tensor, clean: Tensor, epsilon: float) -> Tensor:
    """The nearest image within ε of the clean one and in [0, 1]."""
    return clipped(clean + clipped(image - clean, -epsilon, epsilon), 0.0, 1.0)


def perturbed(
    clean: Tensor,
    steps: int,
    epsilon: float,
    alpha: float,
    gradient_at: Callable[[Tensor], Tensor],
    first_gradient: Tensor | None = None,
    rule: str = "pgd",
    start: Tensor | None = None,
) -> Tensor:
    """`steps` ascents; the first one may use a gradient that is there already. ε and α in pixel range."""
    image = clean if start is None else clipped(clean + start, 0.0, 1.0)
    delta = torch.zeros_like(clean)
    for step in range(steps):
        gradient = first_gradient if step == 0 and first_gradient is not None else gradient_at(image)
        if rule == "pgd":
            image = projected(image + alpha * sign(gradient), clean, epsilon)
        else:  # line 9 of Algorithm 1 adds to δ, line 10 clips it for the image alone; neither knows α
            delta = delta + epsilon * sign(gradient)
            image = clipped(image + clipped(delta, -epsilon, epsilon), 0.0, 1.0)
    return image


def attack_gradient(
    network: Network, batch: Batch, attack: str, source: str, original: bool
) -> Callable[[Tensor], Tensor]:
    """The image gradient of the objective that an attack on the auxiliary norms ascends."""
    anchor = None
    if attack == "trades":
        anchor = [probabilities(row) for row in logits_of(network, batch.images.detach(), "aux", source).detach()]

    def gradient_at(image: Tensor) -> Tensor:
        now = batch.with_images(image)
        logits = logits_of(network, now.images, "aux", source)
        if attack == "cw":
            terms = [best_other(row, a) - row[a] for row, a in zip(logits, now.labels_a, strict=True)]
        else:
            terms = sample_losses(logits, now, original)
        if anchor is not None:  # KL(p(x⁰) ‖ p(xᵃ))
            for i, p in enumerate(anchor):
                q = probabilities(logits[i])
                for c in range(len(p)):
                    terms[i] = terms[i] + p[c] * (torch.log(p[c]) - torch.log(q[c]))
        return torch.autograd.grad(mean_of(terms), now.images)[0]

    return gradient_at
