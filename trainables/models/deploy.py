"""A trained network as it would be used: one norm set, folded into the convolutions, nothing recorded for gradients."""

import copy
from typing import Literal

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trainables.models.dual_norm import DualNorm, dual_norms
from trainables.models.first_layer import use_plain_layers
from trainables.models.pixel_net import PixelNet, normalise

Norm = Literal["main", "aux"]


class DeployedNet(nn.Module):
    """Images in [0, 1] to logits; with `bf16` the weights themselves are bfloat16, fast where the CPU has them."""

    scale: Tensor
    shift: Tensor

    def __init__(self, net: PixelNet, norm: Norm = "main", *, bf16: bool = False) -> None:
        super().__init__()
        body = fold_norms(single_norm(net.body, norm).eval())
        self.kind = torch.bfloat16 if bf16 else torch.float32
        self.body = body.to(self.kind).to(memory_format=torch.channels_last)
        self.head = copy.deepcopy(net.head).eval()
        self.register_buffer("scale", net.scale.clone())
        self.register_buffer("shift", net.shift.clone())
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(normalise(x, self.scale, self.shift).to(self.kind)).float())


def single_norm(body: nn.Module, norm: Norm) -> nn.Module:
    """A copy with one norm in place of each pair, without hooks and without compiled passes."""
    if norm == "aux" and not dual_norms(body):
        raise ValueError("norm must be main for a network without auxiliary norms, got aux")
    body = copy.deepcopy(body)
    use_plain_layers(body)
    for parent in list(body.modules()):
        parent._forward_hooks.clear()  # they count the passes of a training, of which those of the copy are no part
        parent.__dict__.pop("forward", None)  # it is compiled for the original
        for name, child in list(parent.named_children()):
            if isinstance(child, DualNorm):
                setattr(parent, name, getattr(child, norm))
    return body


def fold_norms(body: nn.Module) -> nn.Module:
    """The same function with every batch norm that directly follows a convolution folded into it."""
    if not any(isinstance(module, nn.BatchNorm2d) for module in body.modules()):
        return body
    try:
        traced = fx.symbolic_trace(body)
    except Exception:  # a forward pass with control flow, of somebody's own network: it is right as it is, only slower
        return body
    modules = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        norm, before = modules.get(node.target), node.args[0] if node.args else None
        if node.op != "call_module" or type(norm) is not nn.BatchNorm2d or not isinstance(before, fx.Node):
            continue
        conv = modules.get(before.target) if before.op == "call_module" else None
        if isinstance(conv, nn.Conv2d) and len(before.users) == 1:
            traced.set_submodule(str(before.target), fuse_conv_bn_eval(conv, norm))
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced
