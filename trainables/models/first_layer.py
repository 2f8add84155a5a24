"""A first layer whose backward pass can end at some of the images of a batch.

Which images EntProp attacks is known only when a forward pass has ranked them. Autograd would then go back to every
image of that pass, which is expensive in a first layer of three input channels.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.functional.batch import take


class ImageConv2d(nn.Conv2d):
    """A convolution that, while `rows` is set, computes the gradient of its input for these images of the batch alone.

    This holds for input images only: the layers before an input of features learn from the gradient of the whole batch.
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
    """torch's convolution; its gradient of the images is that of the layer's rows at the time of the backward pass."""

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
    """The gradients of images, weights and bias; None for those that are not wanted."""
    return torch.ops.aten.convolution_backward(
        gradient, x, weight, [layer.out_channels], layer.stride, layer.padding, layer.dilation, False, (0, 0),
        layer.groups, wanted,
    )  # fmt: skip


def mark_images(x: Tensor) -> Tensor:
    """Mark x as input images, which no layer with weights has made, and return it."""
    x.are_images = True  # type: ignore[attr-defined]
    return x


def use_image_layers(body: nn.Module) -> None:
    """Make every convolution that can take images an `ImageConv2d`; names and weights stay."""
    for module in body.modules():
        plain = type(module) is nn.Conv2d and module.padding_mode == "zeros" and not isinstance(module.padding, str)
        if plain and module.in_channels == 3:
            module.__class__ = ImageConv2d


def use_plain_layers(body: nn.Module) -> None:
    """Undo `use_image_layers`."""
    layers: list[nn.Module] = [module for module in body.modules() if isinstance(module, ImageConv2d)]
    for layer in layers:
        layer.__class__ = nn.Conv2d


@contextlib.contextmanager
def gradient_only_for(net: nn.Module, rows: Tensor | None) -> Iterator[None]:
    """Inside, a backward pass computes the gradients of these images of its batch; those of the others may be zero.

    None: of all images.
    """
    layers = [module for module in net.modules() if isinstance(module, ImageConv2d)]
    for layer in layers:
        layer.rows = rows
    try:
        yield
    finally:
        for layer in layers:
            layer.rows = None
