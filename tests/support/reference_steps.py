"""The training steps of the papers once more, slowly: what the methods of the package are held against.

Everything is spelled out as `reference_parts` says, and nothing is imported from the package.
"""

import torch
from torch import Tensor

from tests.support.reference_parts import (
    PIXEL,
    Batch,
    Draws,
    Network,
    Outcome,
    added,
    attack_gradient,
    chosen,
    chosen_count,
    clipped,
    gradients_of,
    logits_of,
    mean_of,
    mixed,
    parameter_gradients,
    perturbed,
    projected,
    sample_losses,
    sign,
)


def one_route(network: Network, batch: Batch) -> Outcome:
    """Vanilla, Mixup and CutMix: every sample through the main norms."""
    logits = logits_of(network, batch.images, "main")
    loss = mean_of(sample_losses(logits, batch))
    return Outcome(parameter_gradients(network, loss), loss.item(), logits.detach(), None, 1.0, 0.0, None, None)


def half_mixup(network: Network, x: Tensor, y: list[int], draws: Draws) -> Outcome:
    """The first half of the batch mixed within itself, the other half as it is, one pass for both."""
    half = len(y) // 2
    front = mixed(x[:half], y[:half], "mixup", draws)
    back = mixed(x[half:], y[half:], "none", None)
    logits = logits_of(network, torch.cat([front.images, back.images]), "main")
    loss = mean_of(sample_losses(logits[:half], front) + sample_losses(logits[half:], back))
    return Outcome(parameter_gradients(network, loss), loss.item(), logits.detach(), None, 1.0, 0.0, None, None)


def mixprop(
    network: Network, x: Tensor, y: list[int], draws: Draws, beta: float = 1.0, weights: str = "half"
) -> Outcome:
    """Clean images through the main norms, their mixup through the auxiliary ones."""
    clean, blend = mixed(x, y, "none", None), mixed(x, y, "mixup", draws)
    main = logits_of(network, clean.images, "main")
    aux = logits_of(network, blend.images, "aux")
    share = 0.5 if weights == "half" else 1.0
    clean_loss = mean_of(sample_losses(main, clean))
    gradients = parameter_gradients(network, share * clean_loss + share * mean_of(sample_losses(aux, blend)))
    return Outcome(gradients, clean_loss.item(), main.detach(), aux.detach(), share, share, None, blend.images)


def advprop(
    network: Network,
    x: Tensor,
    y: list[int],
    start_delta: Tensor | None = None,
    n: int = 5,
    epsilon: float = 4.0,
    alpha: float = 1.0,
    start: str = "none",
    attack_bn: str = "batch",
) -> Outcome:
    """Every image twice: clean through the main norms, attacked through the auxiliary ones; half the weight each."""
    clean = mixed(x, y, "none", None)
    main = logits_of(network, clean.images, "main")
    gradient_at = attack_gradient(network, clean, "pgd", attack_bn, original=True)
    images = perturbed(x, n, epsilon * PIXEL, alpha * PIXEL, gradient_at, start=start_delta)
    attacked = clean.with_images(images)
    aux = logits_of(network, attacked.images, "aux")
    clean_loss = mean_of(sample_losses(main, clean))
    gradients = parameter_gradients(network, 0.5 * clean_loss + 0.5 * mean_of(sample_losses(aux, attacked)))
    return Outcome(gradients, clean_loss.item(), main.detach(), aux.detach(), 0.5, 0.5, None, images)


def fast_advprop(
    network: Network,
    x: Tensor,
    y: list[int],
    draws: Draws | None = None,
    subset: list[int] | None = None,
    start_delta: Tensor | None = None,
    p_adv: float = 0.2,
    n: int = 1,
    epsilon: float = 1.0,
    alpha: float = 1.0,
    start: str = "none",
    mixing: str = "none",
    beta: float = 1.0,
    selection: str = "random",
    metric: str = "entropy",
) -> Outcome:
    """Most images clean through the main norms, the others attacked through the auxiliary ones, whose passes all count.

    The n attack passes run in training mode and their parameter gradients are kept, so an attacked image is used n + 1
    times with weight 1 / (n + 1) each.
    """
    size = len(y)
    batch = mixed(x, y, mixing, draws)
    if selection == "top":
        subset = chosen(logits_of(network, batch.images, "main", "batch"), batch.labels_a, p_adv, metric)
    attacked = sorted(subset)
    rest = [i for i in range(size) if i not in attacked]
    assert len(set(attacked)) == len(attacked) == chosen_count(p_adv, size)

    clean = batch.part(rest)
    main = logits_of(network, clean.images, "main")
    clean_loss = mean_of(sample_losses(main, clean))
    gradients = parameter_gradients(network, len(rest) / size * clean_loss)

    aux = images = None
    if attacked:
        victims = batch.part(attacked)
        delta = torch.zeros_like(victims.images) if start_delta is None else start_delta
        images = clipped(victims.images + delta, 0.0, 1.0)
        for attack_pass in range(n + 1):
            now = victims.with_images(images)
            aux = logits_of(network, now.images, "aux")
            loss = len(attacked) / size * mean_of(sample_losses(aux, now)) / (n + 1)
            kept, (gradient,) = gradients_of(network, loss, [now.images])
            gradients, aux = added(gradients, kept), aux.detach()
            if attack_pass < n:
                images = projected(images + alpha * PIXEL * sign(gradient), victims.images, epsilon * PIXEL)
    shares = (len(rest) / size, len(attacked) / size)
    return Outcome(gradients, clean_loss.item(), main.detach(), aux, *shares, attacked, images)


def entprop_epsilon(n: int, epsilon: float | None, eps_rule: str) -> float:
    """In units of 1/255."""
    if epsilon is not None:
        return epsilon
    if n == 1:
        return 1.0
    return n + 1.0 if eps_rule == "n_plus_1" else n - 1.0


def entprop(
    network: Network,
    x: Tensor,
    y: list[int],
    draws: Draws | None = None,
    subset: list[int] | None = None,
    k: float = 0.2,
    n: int = 1,
    epsilon: float | None = None,
    alpha: float = 1.0,
    metric: str = "entropy",
    mixing: str = "mixup",
    beta: float = 1.0,
    attack: str = "pgd",
    selection: str = "top",
    free_first_step: bool = True,
    weights: str = "pass_mean",
    aux_target: str = "mixed",
    eps_rule: str = "n_plus_1",
    attack_rule: str = "pgd",
    attack_bn: str = "batch",
) -> Outcome:
    """The main pass trains on mixed images, scores them and takes the first attack step; the uncertain go on to aux."""
    size = len(y)
    batch = mixed(x, y, mixing, draws).tracked()
    main = logits_of(network, batch.images, "main")
    main_losses = sample_losses(main, batch)
    main_loss = mean_of(main_losses)
    if k == 0:
        gradients = parameter_gradients(network, main_loss)
        return Outcome(gradients, main_loss.item(), main.detach(), None, 1.0, 0.0, [], None)

    if selection == "top":
        subset = chosen(main, batch.labels_a, k, metric)
    selected = sorted(subset)
    count = len(selected)
    assert len(set(selected)) == count == chosen_count(k, size)

    # each branch's share of the total loss: the main one's per sample, the auxiliary one's per selected sample
    if weights == "instance":
        main_share = [(0.5 if i in selected else 1.0) / size for i in range(size)]
        aux_share = 0.5 / size
        main_weight, aux_weight = (size - count / 2) / size, count / 2 / size
    elif weights == "pass_mean":
        main_share, aux_share = [1 / (size + count)] * size, 1 / (size + count)
        main_weight, aux_weight = size / (size + count), count / (size + count)
    else:
        main_share, aux_share = [1 / size] * size, 1 / count
        main_weight, aux_weight = 1.0, 1.0

    main_part = torch.zeros((), dtype=x.dtype)
    for share, loss in zip(main_share, main_losses, strict=True):
        main_part = main_part + share * loss
    main_gradients, (image_gradient,) = gradients_of(network, main_part, [batch.images])

    victims = batch.part(selected)
    original = aux_target == "original"
    images = victims.images.detach()
    if attack != "none":
        images = perturbed(
            images,
            n,
            entprop_epsilon(n, epsilon, eps_rule) * PIXEL,
            alpha * PIXEL,
            attack_gradient(network, victims, attack, attack_bn, original),
            torch.stack([image_gradient[i] for i in selected]) if free_first_step else None,
            attack_rule,
        )
    attacked = victims.with_images(images)
    aux = logits_of(network, attacked.images, "aux")
    aux_part = torch.zeros((), dtype=x.dtype)
    for loss in sample_losses(aux, attacked, original):
        aux_part = aux_part + aux_share * loss
    gradients = added(main_gradients, parameter_gradients(network, aux_part))
    return Outcome(
        gradients, main_loss.item(), main.detach(), aux.detach(), main_weight, aux_weight, selected, attacked.images
    )
