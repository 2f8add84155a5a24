"""ReLU with the derivative of a smooth function, as smooth adversarial training (SAT) has it in every backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

SHARPNESS = 10.0  # the larger, the closer to ReLU's own derivative
RELUS: frozenset[Callable[..., Any]] = frozenset({F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_})


class SmoothReLU(torch.autograd.Function):
    """max(x, 0), whose derivative is that of the parametric softplus, σ(10x)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient * torch.sigmoid(SHARPNESS * x)


class _Replacing(TorchFunctionMode):
    """Inside, every ReLU that is called is a `SmoothReLU`, whether a module or a function calls it."""

    def __init__(self) -> None:
        super().__init__()
        self.replaced = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func not in RELUS:
            return func(*args, **(kwargs or {}))
        self.replaced += 1
        return SmoothReLU.apply(args[0])


class SmoothReLUs(nn.Module):
    """A network that trains with smooth derivatives and is in evaluation what it would be without them."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return self.body(x)
        with _Replacing() as mode:
            out = self.body(x)
        if not mode.replaced:
            raise ValueError(f"sat must have ReLUs to make smooth, but {type(self.body).__name__} has none")
        return out
