"""Counts what a network really computes, by hooks on it: a method cannot miscount what it does not count."""

import functools
from typing import Any

import torch
from torch import Tensor, nn

from trainables.functional.shares import total
from trainables.methods.base import FORWARD_ONLY
from trainables.models.pixel_net import backbones

INPUT_ONLY = 2 / 3  # work of a forward with a backward pass down to the images that skips all weight gradients


class PassCounter:
    """Sample passes of a network: forward ones, full backward ones, and backward ones to the input alone.

    An image that goes through the three members of an ensemble makes three passes. A backward pass is full if it
    reached the last parameter of the body or member. Passes that are differentiated together must be run together: a
    pass that is still to be differentiated must not have an input-only gradient taken after it without another forward
    pass in between.
    """

    def __init__(self, net: nn.Module) -> None:
        self.reset()
        self._pending = dict.fromkeys(backbones(net), 0)
        self._hooks: list[Any] = []
        for body in self._pending:
            self._hooks.append(body.register_forward_hook(self._forward))
            last = list(body.parameters())[-1]
            if last.requires_grad:
                self._hooks.append(last.register_post_accumulate_grad_hook(functools.partial(self._weights, body)))

    def reset(self) -> None:
        """Start again from nothing."""
        self.forward = self.backward = self.full = 0

    def add_up(self, device: torch.device) -> None:
        """Add the passes of the other processes that shared the batches, if there were any."""
        counts = torch.tensor([self.forward, self.backward, self.full], device=device)
        self.forward, self.backward, self.full = total(counts).tolist()

    def remove(self) -> None:
        """Take the hooks off the network."""
        for hook in self._hooks:
            hook.remove()

    @property
    def input_only(self) -> int:
        return self.backward - self.full

    @property
    def work(self) -> float:
        """Everything computed, in passes of one forward and one full backward."""
        forward_only = self.forward - self.backward
        return self.full + INPUT_ONLY * self.input_only + FORWARD_ONLY * forward_only

    def _forward(self, body: nn.Module, inputs: tuple[Any, ...], features: Tensor) -> None:
        samples = len(inputs[0])
        self.forward += samples
        self._pending[body] = 0
        if features.requires_grad:
            features.register_hook(lambda _: self._backward(body, samples))

    def _backward(self, body: nn.Module, samples: int) -> None:
        self.backward += samples
        self._pending[body] += samples

    def _weights(self, body: nn.Module, parameter: nn.Parameter) -> None:
        self.full += self._pending[body]
        self._pending[body] = 0
