"""What CEB and VIB add to a network: a Gaussian encoder's classifier, its marginals, and the descent of ρ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from trainables.functional.batch import generator_on
from trainables.functional.shares import drawn, mean
from trainables.methods.base import NetworkParts, StepOutput, Task
from trainables.models.pixel_net import PixelNet

RHO_START, RHO_PLATEAU = 100.0, 10.0  # ρ at the start, and where it waits for the network to learn
FALL_EPOCHS = 2  # epochs from the one to the other; the fall to the target takes one more
ACCURACY_EMA = 0.1  # weight of the last batch in the running training accuracy


class Marginal(nn.Module):
    """A mixture of Gaussians of unit covariance with learned weights and means (A39)."""

    def __init__(self, components: int, dim: int) -> None:
        super().__init__()
        self.means = nn.Parameter(torch.randn(components, dim) / components**0.5)
        self.scores = nn.Parameter(torch.zeros(components))

    def forward(self, z: Tensor) -> Tensor:
        """ln q(z), but for the constant that every unit Gaussian of this dimension has."""
        squares = (z[:, None] - self.means).square().sum(dim=2)
        return (self.scores.log_softmax(dim=0) - 0.5 * squares).logsumexp(dim=1)


class RhoSchedule(nn.Module):
    """ρ over training: 100, in two epochs to 10, and on to the target over one once the network has learned (A43).

    It has learned once its running training accuracy is above 2/C. The state is in buffers, so that a checkpoint holds
    it, and in tensors, so that no step waits for a GPU.
    """

    done: Tensor
    right: Tensor
    last: Tensor

    def __init__(self, target: float, task: Task, jump_start: bool) -> None:
        super().__init__()
        self.target, self.steps, self.learned = target, task.steps, 2 / task.classes
        self.register_buffer("done", torch.tensor(0.0 if jump_start else float(FALL_EPOCHS * task.steps)))  # steps
        self.register_buffer("right", torch.zeros(()))  # running training accuracy
        self.register_buffer("last", torch.tensor(0.0 if jump_start else 1.0))  # share of the last fall

    def rho(self) -> Tensor:
        """ρ of the next step."""
        first = RHO_START + (RHO_PLATEAU - RHO_START) * (self.done / (FALL_EPOCHS * self.steps)).clamp(max=1)
        return first + (self.target - RHO_PLATEAU) * self.last

    @torch.no_grad()
    def advance(self, right: Tensor) -> None:
        """Advance by one step, whose share `right` of the images was classified correctly."""
        self.done += 1
        self.right += ACCURACY_EMA * (right - self.right)
        begun = (self.last > 0) | ((self.done >= FALL_EPOCHS * self.steps) & (self.right > self.learned))
        self.last += begun / self.steps
        self.last.clamp_(max=1)


class Bottleneck(nn.Module):
    """A linear softmax classifier of encodings, with what training needs beside it."""

    def __init__(self, dim: int, classes: int, marginal: Marginal, descent: RhoSchedule) -> None:
        super().__init__()
        self.classifier = nn.Linear(dim, classes)
        self.centres = nn.Linear(classes, dim, bias=False)  # of CEB: μ_y, a linear map of the one-hot label
        self.marginal, self.descent = marginal, descent

    def forward(self, encodings: Tensor) -> Tensor:
        """The logits of the mean encodings: nothing is drawn at test time."""
        return self.classifier(encodings)

    def log_ratio(self, z: Tensor, noise: Tensor) -> Tensor:
        """ln p(z|x) − ln q(z) of each sample, where z is the mean encoding of x plus the noise."""
        return -0.5 * noise.square().sum(dim=1) - self.marginal(z)


def build(make: Callable[[int], nn.Module], task: Task, method: Any) -> NetworkParts:
    """The encoder and the head of CEB or VIB, by the options of `method`."""
    encoder = make(method.dim)
    marginal = Marginal(task.classes if method.marginal == "mixture" else 1, method.dim)
    descent = RhoSchedule(method.rho, task, method.jump_start)
    return NetworkParts(encoder, Bottleneck(method.dim, task.classes, marginal, descent))


def head_of(net: PixelNet) -> Bottleneck:
    """The head of a network that was built for CEB or VIB."""
    if not isinstance(net.head, Bottleneck):
        raise TypeError(f"the head must be a Bottleneck, got {type(net.head).__name__}")
    return net.head


class Encoded(NamedTuple):
    """The noisy encodings of a training batch and their logits."""

    head: Bottleneck
    mean: Tensor
    noise: Tensor
    z: Tensor  # mean + noise
    logits: Tensor  # of z

    def step(self, loss: Tensor, y: Tensor) -> StepOutput:
        """The output of a training step with this loss; the schedule of ρ advances by one step."""
        self.head.descent.advance(mean((self.logits.argmax(dim=1) == y).to(self.z.dtype).mean()))
        return StepOutput(loss.detach(), self.logits.detach(), y)


def encode(net: PixelNet, x: Tensor, rng: Generator) -> Encoded:
    """Draw one encoding of each image and classify it."""
    encodings, head = net.features(x), head_of(net)
    noise = draw_noise(encodings, rng)
    z = encodings + noise
    return Encoded(head, encodings, noise, z, head.classifier(z))


def draw_noise(encodings: Tensor, rng: Generator) -> Tensor:
    """The encoder's noise e ~ N(0, I)."""
    device = encodings.device
    return drawn(torch.randn, encodings, generator=generator_on(device, rng), device=device, dtype=encodings.dtype)
