"""A network in another mode for a while: evaluating, or with its weights frozen."""

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

Network = Callable[[Tensor], Tensor]  # images -> logits, or whatever the objective is made of


@contextlib.contextmanager
def weights_fixed(net: Network) -> Iterator[None]:
    """Inside, nothing is kept for gradients of weights: less memory, and compiled passes would compute them."""
    weights = [each for each in net.parameters() if each.requires_grad] if isinstance(net, nn.Module) else []
    for each in weights:
        each.requires_grad_(False)
    try:
        yield
    finally:
        for each in weights:
            each.requires_grad_(True)


@contextlib.contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Inside, the network is in evaluation mode and nothing is recorded for gradients."""
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


@contextlib.contextmanager
def frozen(net: nn.Module) -> Iterator[None]:
    """Inside, no parameter takes a gradient, for an attack that calls backward on the whole network."""
    learning = [parameter for parameter in net.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
