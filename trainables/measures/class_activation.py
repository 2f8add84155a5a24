"""A classifier cut before its last pooling: the maps that its features are means of, and what each class makes of them.

Class activation maps (figure 3 of the MixProp paper) weigh the maps with the classifier's row of the predicted class.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from trainables.corruptions.functions import corrupt
from trainables.models.deploy import DeployedNet
from trainables.models.modes import evaluating
from trainables.models.pixel_net import normalise

MUST = "the network must end in a mean over positions and one linear layer"
CORRUPTED = ("fog", "glass_blur")  # figure 3 (b), …
SEVERITY = 3  # … at this severity


class Cut(NamedTuple):
    """The part before the pooling, and the linear layer after it; its maps' means times `weight` are the logits."""

    maps: nn.Module  # images in [0, 1] -> (B, D, h, w)
    head: nn.Linear


class _Maps(nn.Module):
    """The deployed network up to its last maps."""

    def __init__(self, net: DeployedNet, body: nn.Module) -> None:
        super().__init__()
        self.net, self.body = net, body

    def forward(self, x: Tensor) -> Tensor:
        return self.body(normalise(x, self.net.scale, self.net.shift))


def cut_before_pool(net: DeployedNet) -> Cut:
    """The two parts of a network whose last layers are a mean over positions and one linear layer."""
    traced = fx.symbolic_trace(net.body)
    modules = dict(traced.named_modules())
    result = next(node for node in traced.graph.nodes if node.op == "output")
    last = result.args[0]
    head = modules.get(str(last.target)) if isinstance(last, fx.Node) and last.op == "call_module" else None
    if not isinstance(head, nn.Linear):
        raise ValueError(f"{MUST}, got {_name(last, modules)} at its end")
    pool = last.args[0]
    while _is_flatten(pool, modules):
        pool = pool.args[0]
    if not _is_mean(pool, modules):
        raise ValueError(f"{MUST}, got {_name(pool, modules)} before it")
    result.args = (pool.args[0],)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    return Cut(_Maps(net, traced), head)


def _is_flatten(node: Any, modules: dict[str, nn.Module]) -> bool:
    if node.op == "call_module":
        return isinstance(modules[str(node.target)], nn.Flatten | nn.Identity)
    return node.target in (torch.flatten, "flatten")


def _is_mean(node: Any, modules: dict[str, nn.Module]) -> bool:
    """Whether a node is the mean over height and width."""
    if node.op == "call_module":
        module = modules[str(node.target)]
        return isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size in (1, (1, 1))
    if node.target not in (torch.mean, "mean"):
        return False
    dims = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    return isinstance(dims, list | tuple) and sorted(dim % 4 for dim in dims) == [2, 3]


def _name(node: Any, modules: dict[str, nn.Module]) -> str:
    if isinstance(node, fx.Node) and node.op == "call_module":
        return type(modules[str(node.target)]).__name__
    return getattr(node.target, "__name__", str(node.target)) if isinstance(node, fx.Node) else str(node)


def features(cut: Cut, x: Tensor) -> Tensor:
    """The pooled features, (B, D)."""
    return cut.maps(x).mean((2, 3))


def class_activation(maps: Tensor, weight: Tensor, classes: Tensor) -> Tensor:
    """Σ_d w_cd A_d of each image for its class c, (B, h, w): positive where the image speaks for the class."""
    return torch.einsum("bdhw,bd->bhw", maps, weight[classes])


def activation_maps(net: DeployedNet, pixels: np.ndarray, labels: np.ndarray, rows: list[int]) -> dict[str, np.ndarray]:
    """The maps of some images as they are, in fog and behind glass, with what the network says of each.

    Entry i of every array belongs to the same image: its pixels, its number, what was done to it, its label, the
    predicted class, its probability and its map.
    """
    clean = torch.from_numpy(pixels)
    shown = {"clean": clean, **{name: corrupt(clean, name, SEVERITY) for name in CORRUPTED}}
    cut, device = cut_before_pool(net), next(net.buffers()).device
    parts: list[dict[str, np.ndarray]] = []
    with evaluating(net):
        for kind, images in shown.items():
            x = images.to(device).permute(0, 3, 1, 2).float().div(255)
            logits, maps = net(x), cut.maps(x)
            if not torch.allclose(cut.head(maps.mean((2, 3))), logits, rtol=1e-3, atol=1e-3):
                raise ValueError(f"{MUST}, got more after it")
            confidence, predicted = F.softmax(logits, dim=1).max(dim=1)
            found = class_activation(maps, cut.head.weight, predicted)
            parts.append(
                {
                    "pixels": images.numpy(),
                    "image": np.array(rows),
                    "kind": np.full(len(rows), kind),
                    "label": labels,
                    "predicted": predicted.cpu().numpy(),
                    "confidence": confidence.cpu().numpy(),
                    "map": found.cpu().numpy(),
                }
            )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
