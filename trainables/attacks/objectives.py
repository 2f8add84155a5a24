"""The losses that attacks maximise, and their gradients with respect to the images."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.attacks.spec import Attack
from trainables.functional.losses import logit_margin
from trainables.models.modes import Network, weights_fixed

Objective = Callable[[Tensor], Tensor]  # logits -> what the attack makes larger, one value a sample


def input_gradient(net: Network, x: Tensor, objective: Objective) -> Tensor:
    """The gradient of the objective for the images alone, not for the parameters (A11 in docs/decisions.md)."""
    return gradient_and_logits(net, x, objective)[0]


def gradient_and_logits(net: Network, x: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
    """The input gradient, and the logits of the same forward pass."""
    with torch.enable_grad(), weights_fixed(net):
        x = x.detach().requires_grad_()
        logits = net(x)
        return torch.autograd.grad(objective(logits).sum(), x)[0], logits.detach()


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


MARGIN_LIMIT = 50.0  # beyond it the uncertainty paper's code raises the margin no further (A57)


def _cross_entropy(attack: Attack, sign: int, label: Tensor, clean_logits: Tensor | None) -> Objective:
    # a smoothed label keeps 1 − γ + γ/C of its own class and gives γ/C to every other
    return lambda logits: sign * F.cross_entropy(logits, label, reduction="none", label_smoothing=attack.smoothing)


def _margin(attack: Attack, sign: int, label: Tensor, clean_logits: Tensor | None) -> Objective:
    return lambda logits: (sign * logit_margin(logits, label)).clamp(max=MARGIN_LIMIT)


def _divergence(attack: Attack, sign: int, label: Tensor, clean_logits: Tensor | None) -> Objective:
    assert clean_logits is not None
    return divergence_objective(clean_logits)


OBJECTIVES = {"pgd": _cross_entropy, "cw": _margin, "trades": _divergence}


def attack_objective(attack: Attack, y: Tensor, clean_logits: Tensor | None) -> Objective:
    """What an attack raises: the loss against the label or, with a target, the negative loss against the target.

    Only TRADES' attack needs the logits of the clean images.
    """
    sign, label = (1, y) if attack.target is None else (-1, torch.full_like(y, attack.target))
    return OBJECTIVES[attack.kind](attack, sign, label, clean_logits)


def attack_succeeded(logits: Tensor, y: Tensor, attack: Attack) -> Tensor:
    """Which samples are misclassified or, with a target, classified as the target."""
    predicted = logits.argmax(dim=1)
    return predicted != y if attack.target is None else predicted == attack.target
