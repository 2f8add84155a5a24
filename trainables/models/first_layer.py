"""A first layer whose backward pass can end at some of the images of a batch.

Which images EntProp attacks is known only when a forward pass has ranked them. Autograd would then go back to every
image of that pass, which is dear in a first layer: three channels leave its kernels little to share.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.functional.batch import take


class ImageConv2d(nn.Conv2d):
    """A convolution; while `rows` are set, backward passes to images go on to these images of the batch alone.

    What is no image any more, since another layer has seen it, has weights behind it that learn from the whole batch.
    """

    rows: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling() or not x.requires_grad or not hasattr(x, "are_images"):
            return super().forward(x)
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled(x.device.type):
            kind = torch.get_autocast_dtype(x.device.type)
            x, weight, bias = x.to(kind), weight.to(kind), None if bias is None else bias.to(kind)
        out: Tensor = _Convolution.apply(x, weight, bias, self)
        return out


class _Convolution(torch.autograd.Function):
    """torch's convolution and its gradients, that of the images for the rows that the layer has by then."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, layer: ImageConv2d) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.layer = layer
        return F.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        rows, (_, to_weight, to_bias, _) = ctx.layer.rows, ctx.needs_input_grad
        if rows is None:
            return *_gradients(ctx.layer, gradient, x, weight, (True, to_weight, to_bias)), None
        shaped = x[: len(rows)]  # the gradient of images depends on nothing else of them
        of_rows = _gradients(ctx.layer, take(gradient, rows), shaped, weight, (True, False, False))[0]
        of_images = torch.zeros_like(x).index_copy_(0, rows, of_rows)
        of_layer = (None, None)
        if to_weight or to_bias:
            of_layer = _gradients(ctx.layer, gradient, x, weight, (False, to_weight, to_bias))[1:]
        return of_images, *of_layer, None


def _gradients(
    layer: ImageConv2d, gradient: Tensor, x: Tensor, weight: Tensor, wanted: tuple[bool, bool, bool]
) -> tuple[Any, Any, Any]:
    """The wanted ones of the gradients of images, weights and bias."""
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, [layer.out_channels], layer.stride, layer.padding, layer.dilation, False, (0, 0),
        layer.groups, wanted,
    )  # fmt: skip


def mark_images(x: Tensor) -> Tensor:
    """Let the first layer know that there is nothing but images behind x."""
    x.are_images = True  # type: ignore[attr-defined]
    return x


def use_image_layers(body: nn.Module) -> None:
    """Let convolutions that may be given images know the way back to some; weights and names stay what they are."""
    for module in body.modules():
        if type(module) is nn.Conv2d and module.in_channels == 3 and module.padding_mode == "zeros":
            module.__class__ = ImageConv2d


def use_plain_layers(body: nn.Module) -> None:
    """Undo `use_image_layers`."""
    layers: list[nn.Module] = [module for module in body.modules() if isinstance(module, ImageConv2d)]
    for layer in layers:
        layer.__class__ = nn.Conv2d


@contextlib.contextmanager
def gradient_only_for(net: nn.Module, rows: Tensor) -> Iterator[None]:
    """Inside, a backward pass finds the gradients of these images of its batch; the others' may be left zero."""
    layers = [module for module in net.modules() if isinstance(module, ImageConv2d)]
    for layer in layers:
        layer.rows = rows
    try:
        yield
    finally:
        for layer in layers:
            layer.rows = None
