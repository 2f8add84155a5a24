"""A step of GPaCo under EntProp once more, slowly, image by image."""

import torch
from torch import Tensor

from tests.support.reference_parts import Network, added, chosen, gradients_of, perturbed
from tests.support.reference_robust import Outcome, features_of
from tests.support.reference_steps import entprop_epsilon

PIXEL = 1 / 255
Compared = list[tuple[Tensor, int]]  # projections and labels


def unit(v: Tensor) -> Tensor:
    return v / (v**2).sum() ** 0.5


def projected(network: Network, features: Tensor, part: str) -> list[Tensor]:
    p = network.parameters
    found = []
    for row in features:
        hidden = p[f"head.{part}.0.weight"] @ row + p[f"head.{part}.0.bias"]
        found.append(unit(p[f"head.{part}.2.weight"] @ (hidden * (hidden > 0)) + p[f"head.{part}.2.bias"]))
    return found


def classified(network: Network, features: Tensor) -> Tensor:
    return features @ network.parameters["head.classifier.weight"].T + network.parameters["head.classifier.bias"]


def losses_of(
    network: Network, features: Tensor, y: list[int], others: Compared, weight: float, temperature: float
) -> list[Tensor]:
    """−Σ t·ln p / Σ t over the classes and all other images: t is 1 for the class and `weight` for its images."""
    own, logits, losses = projected(network, features, "projection"), classified(network, features), []
    for i, label in enumerate(y):
        images = [(v, c) for j, (v, c) in enumerate(zip(own, y, strict=True)) if j != i] + others
        nearness = [torch.exp((own[i] * v).sum() / temperature) for v, _ in images]
        total = sum(torch.exp(logits[i])) + sum(nearness)
        loss, targets = -torch.log(torch.exp(logits[i][label]) / total), 1.0
        for value, (_, c) in zip(nearness, images, strict=True):
            if c == label:
                loss, targets = loss - weight * torch.log(value / total), targets + weight
        losses.append(loss / targets)
    return losses


def follow(network: Network) -> None:
    """The copy and its projection go a thousandth of the way towards the network."""
    for name, value in network.parameters.items():
        for fast, slow in (("body.fast.", "body.slow."), ("head.projection.", "head.slow_projection.")):
            if name.startswith(slow):
                target = network.parameters[name.replace(slow, fast)]
                network.parameters[name] = (0.999 * value + 0.001 * target).detach().requires_grad_()


def remember(network: Network, keys: Compared) -> None:
    old = network.statistics
    queue, labels, place = old["head.queue"].clone(), old["head.labels"].clone(), int(old["head.place"])
    for vector, label in keys[: len(labels)]:
        queue[place], labels[place] = vector, label
        place = (place + 1) % len(labels)
    old["head.queue"], old["head.labels"], old["head.place"] = queue, labels, torch.tensor(place)


def step(
    network: Network,
    x: Tensor,
    y: list[int],
    k: float,
    n: int,
    metric: str,
    weight: float,
    temperature: float,
    attack_bn: str,
) -> Outcome:
    size = len(y)
    follow(network)
    slow = features_of(network, x, body="body.slow", norms=".main").detach()
    keys = [(v.detach(), label) for v, label in zip(projected(network, slow, "slow_projection"), y, strict=True)]
    queue, labels = network.statistics["head.queue"], network.statistics["head.labels"].tolist()
    others = keys + [(v, label) for v, label in zip(queue, labels, strict=True) if label != -1]

    images = x.clone().requires_grad_()
    features = features_of(network, images, body="body.fast", norms=".main")
    losses = losses_of(network, features, y, others, weight, temperature)
    subset = chosen(classified(network, features), y, k, metric) if k else []
    total = sum(losses) / (size + len(subset))
    gradients, (image_gradient,) = gradients_of(network, total, [images])
    if subset:
        victims, names = torch.stack([x[i] for i in subset]), [y[i] for i in subset]

        def losses_at(image: Tensor, source: str) -> Tensor:
            features = features_of(network, image, source, body="body.fast", norms=".aux")
            return sum(losses_of(network, features, names, others, weight, temperature))

        def gradient_at(image: Tensor) -> Tensor:
            image = image.detach().requires_grad_()
            return torch.autograd.grad(losses_at(image, attack_bn), image)[0]

        first = torch.stack([image_gradient[i] for i in subset])
        epsilon = entprop_epsilon(n, None, "n_plus_1") * PIXEL
        attacked = perturbed(victims, n, epsilon, PIXEL, gradient_at, first)
        other = gradients_of(network, 1 / (size + len(subset)) * losses_at(attacked, "update"), [])[0]
        gradients = added(gradients, other)
    remember(network, keys)
    return gradients, float(sum(losses).detach()) / size
