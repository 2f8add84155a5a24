"""Networks and images that attacks are tried on, and a trained network with stored results of other packages."""

import functools
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from trainables.models.dual_norm import add_aux_norms, aux_norm
from trainables.models.pixel_net import PixelNet
from trainables.models.registry import model_entry

STORED = Path(__file__).parents[1] / "stored" / "attacks_digits.npz"
PIXEL = 1 / 255


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Linear(nn.Module):
    """Logits linear in the pixels."""

    def __init__(self, weight, bias=None):
        super().__init__()
        self.weight = nn.Parameter(torch.as_tensor(weight, dtype=torch.float32))
        self.bias = nn.Parameter(torch.zeros(len(self.weight)) if bias is None else torch.as_tensor(bias))

    def forward(self, x):
        return F.linear(x.flatten(1), self.weight, self.bias)


def pixels(*values):
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, len(values[0]))


@functools.cache
def stored_attacks():
    """What other packages found on the network of `trained_digits`."""
    return np.load(STORED)


@functools.cache
def trained_digits():
    """A trained network with 100 test images of digits and their labels."""
    stored = stored_attacks()
    net = PixelNet(
        model_entry("resnet8").build(10, 32, True, False),
        stored["mean"].tolist(),
        stored["std"].tolist(),
        dual=False,
        bf16=False,
    )
    net.load_state_dict({name[4:]: torch.from_numpy(stored[name]) for name in stored.files if name.startswith("net/")})
    x = torch.from_numpy(stored["pixels"]).float().div(255)[:, None].expand(-1, 3, -1, -1)
    x = x.contiguous(memory_format=torch.channels_last)
    return net.to(memory_format=torch.channels_last).eval(), x, torch.from_numpy(stored["labels"])


def dual_net(seed=0):
    """A small network with main and auxiliary norms that differ, in training mode but for one frozen module."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        head = nn.Linear(8 * 16, 4)
        net = nn.Sequential(
            *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)),
            nn.Flatten(),
            head,
        )
        net.route = add_aux_norms(net)
        for dual in (net[1], net[4]):
            for norm in (dual.main, dual.aux):
                nn.init.uniform_(norm.weight, 0.5, 2)
                nn.init.uniform_(norm.bias, -0.5, 0.5)
        for _ in range(10):
            net(torch.rand(64, 3, 8, 8))
            with aux_norm(net):
                net(torch.rand(64, 3, 8, 8))
        with torch.no_grad():
            head.bias -= net.eval()(torch.rand(64, 3, 8, 8)).mean(0)
        for parameter in net.parameters():
            parameter.grad = torch.randn_like(parameter)
    net.train()
    net[4].eval()
    return net


def small_images(net, count=12):
    """Images that the main norms take for all of the classes, with labels that are mostly right."""
    x = torch.rand(count, 3, 8, 8, generator=generator())
    modes = [module.training for module in net.modules()]
    with torch.no_grad():
        y = net.eval()(x).argmax(1)
    for module, training in zip(net.modules(), modes, strict=True):
        module.training = training
    assert len(set(y.tolist())) > 2
    y[0] = (y[0] + 1) % 4
    return x, y


def traces(net):
    """Everything that an attack must leave alone."""
    tensors = {**net.state_dict(), **{f"grad {name}": p.grad for name, p in net.named_parameters()}}
    modes = [module.training for module in net.modules()]
    needed = [p.requires_grad for p in net.parameters()]
    tracking = [module.track_running_stats for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    return {name: t.clone() for name, t in tensors.items()}, modes, needed, net.route.aux, tracking
