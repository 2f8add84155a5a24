"""The interface of a method: its cost, the network that it trains, and its training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from trainables import models

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class StepOutput(NamedTuple):
    """The outcome of one `accumulate`: tensors are detached, and nothing here is waited for on a GPU."""

    loss: Tensor  # mean loss of the images that the main norm saw
    main: Tensor  # logits of the main pass
    targets: Tensor  # the labels of those logits (mixed images: of the first ingredient)
    aux: Tensor | None = None  # logits of the last auxiliary pass
    main_weight: float = 1.0  # share of the loss's sample weight that went through the main norm …
    aux_weight: float = 0.0  # … and through the auxiliary norm
    selected: Tensor | None = None  # which samples of the batch the auxiliary norm saw


def loss_step(net: nn.Module, x: Tensor, y: Tensor, loss_of: Callable[[Tensor], Tensor]) -> StepOutput:
    """The step of a method that changes only the loss: one pass of the images as they are."""
    logits = net(x)
    loss = loss_of(logits)
    loss.backward()
    return StepOutput(loss.detach(), logits.detach(), y)


FORWARD_ONLY = 1 / 3  # work of a forward pass alone, in passes of a forward and a full backward


class Method(Protocol):
    """A frozen dataclass of a method's own hyper-parameters."""

    @property
    def cost(self) -> float:
        """Forward-and-backward passes per training sample as the papers count them, in N."""
        ...

    @property
    def dual(self) -> bool:
        """Whether it needs auxiliary norms."""
        ...

    def accumulate(self, net: models.PixelNet, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        """Run the passes of one step and add the gradient of its loss to the parameters' `.grad`."""
        ...


class Task(NamedTuple):
    """What a method knows of its task when it builds its network."""

    classes: int
    steps: int  # of an epoch


class NetworkParts(NamedTuple):
    """The parts of a `PixelNet`. State that a method keeps between steps is a buffer of one of them."""

    body: nn.Module  # images to features
    head: nn.Module | None = None  # features to logits; unset: the features are the logits


@runtime_checkable
class Builder(Protocol):
    """A method that builds a network of its own out of the chosen one."""

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        """The parts of its network; each call of `make(outputs)` builds the chosen network with so many outputs."""
        ...


def parts_of(method: Method, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
    """The network that a method trains: what it builds, or the chosen network with one output for each class."""
    return method.build(make, task) if isinstance(method, Builder) else NetworkParts(make(task.classes))
