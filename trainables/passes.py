"""Counts what a network really computes, by hooks on it: a method cannot miscount what it does not count."""

from typing import Any

from torch import Tensor, nn

FORWARD_ONLY = 1 / 3  # of the work of a forward with a full backward pass …
INPUT_ONLY = 2 / 3  # … and of a forward with a backward pass down to the images that skips all weight gradients


class PassCounter:
    """Sample passes of a network: forward ones, full backward ones, and backward ones to the input alone.

    A backward pass is full if it reached the network's last parameter. Passes that are differentiated together
    must be run together: a pass that is still to be differentiated must not have an input-only gradient taken after it
    without another forward pass in between.
    """

    def __init__(self, net: nn.Module) -> None:
        self.reset()
        self._pending = 0
        last = list(net.parameters())[-1]
        self._hooks = [
            net.register_forward_hook(self._forward),
            last.register_post_accumulate_grad_hook(self._weights),
        ]

    def reset(self) -> None:
        """Start again from nothing."""
        self.forward = self.backward = self.full = 0

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

    def _forward(self, net: nn.Module, inputs: tuple[Any, ...], logits: Tensor) -> None:
        samples = len(inputs[0])
        self.forward += samples
        self._pending = 0
        if logits.requires_grad:
            logits.register_hook(lambda _: self._backward(samples))

    def _backward(self, samples: int) -> None:
        self.backward += samples
        self._pending += samples

    def _weights(self, parameter: nn.Parameter) -> None:
        self.full += self._pending
        self._pending = 0
