"""What a method is: its cost, the network that it trains, and a step that tells the loop about itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from trainables.models.pixel_net import PixelNet


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
    """The step of a method that is nothing but a loss of the logits: one pass of the images as they are."""
    logits = net(x)
    loss = loss_of(logits)
    loss.backward()
    return StepOutput(loss.detach(), logits.detach(), y)


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

    def accumulate(self, net: PixelNet, x: Tensor, y: Tensor, rng: Generator) -> StepOutput:
        """Run the passes of one step and add the gradient of its loss to the parameters' `.grad`."""
        ...


class Task(NamedTuple):
    """What a method may know of its task when it puts its network together."""

    classes: int
    steps: int  # of an epoch


class NetworkParts(NamedTuple):
    """What a `PixelNet` is made of. All that a method must remember from step to step is a buffer of one of them."""

    body: nn.Module  # images to features
    head: nn.Module | None = None  # features to logits; unset: the features are the logits


@runtime_checkable
class Builder(Protocol):
    """A method that trains another network than the chosen one as it is."""

    def build(self, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
        """Put the network together; `make(outputs)` is the chosen network with so many outputs, new at every call."""
        ...


def parts_of(method: Method, make: Callable[[int], nn.Module], task: Task) -> NetworkParts:
    """The network that a method trains: of its own building, or the chosen one with an output for each class."""
    return method.build(make, task) if isinstance(method, Builder) else NetworkParts(make(task.classes))
