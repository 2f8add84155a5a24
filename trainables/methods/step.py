"""What a training step tells the loop about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Step(NamedTuple):
    """The outcome of one `accumulate`: tensors are detached, and nothing here is waited for on a GPU."""

    loss: Tensor  # mean loss of the images that the main norm saw
    main: Tensor  # logits of the main pass
    targets: Tensor  # the labels of those logits (mixed images: of the first ingredient)
    aux: Tensor | None = None  # logits of the last auxiliary pass
    main_weight: float = 1.0  # share of the loss's sample weight that went through the main norm …
    aux_weight: float = 0.0  # … and through the auxiliary norm
    selected: Tensor | None = None  # which samples of the batch the auxiliary norm saw


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

    def accumulate(self, net: nn.Module, x: Tensor, y: Tensor, rng: Generator) -> Step:
        """Run the passes of one step and add the gradient of its loss to the parameters' `.grad`."""
        ...
