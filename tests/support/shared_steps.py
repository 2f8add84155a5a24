"""One training step of every method by one process, or by several that share its batch."""

import torch
import torch.distributed as dist
from torch import nn

from trainables.functional.shares import Group, sharing
from trainables.methods import METHODS, Task, parts_of
from trainables.models.pixel_net import PixelNet
from trainables.models.synced_norm import sync_norms
from trainables.training.passes import PassCounter
from trainables.training.processes import average_gradients, average_statistics

BATCH, CLASSES = 24, 4
SETTINGS = {
    **{name: (name, {}) for name in METHODS},
    "entprop, uneven shares": ("entprop", {"k": 0.3, "n": 3}),  # 7 images of 24
    "entprop, instance": ("entprop", {"k": 0.4, "weights": "instance", "metric": "margin"}),
    "entprop, sum": ("entprop", {"k": 0.4, "weights": "sum", "metric": "confidence", "mixing": "cutmix"}),
    "entprop, random": ("entprop", {"k": 0.4, "selection": "random", "free_first_step": False}),
    "entprop, cw": ("entprop", {"k": 0.6, "n": 2, "attack": "cw", "aux_target": "original"}),
    "entprop, trades": ("entprop", {"k": 0.6, "n": 2, "attack": "trades", "attack_bn": "running"}),
    "entprop, no attack": ("entprop", {"k": 0.5, "attack": "none"}),
    "entprop, k = 0": ("entprop", {"k": 0.0}),
    "fast_advprop, start": ("fast_advprop", {"p_adv": 0.4, "n": 2, "start": "uniform"}),
    "fast_advprop, top": ("fast_advprop", {"p_adv": 0.4, "selection": "top", "mixing": "mixup"}),
    "advprop, start": ("advprop", {"n": 2, "start": "occasional", "loss": "als", "sat": True}),
    "mixup, half": ("mixup", {"half": True}),
    "pat, label smoothing": ("pat", {"n": 2, "loss": "ls"}),
    "gpaco, uneven shares": ("gpaco", {"k": 0.3, "n": 2, "queue": 40}),
    "gpaco, k = 0": ("gpaco", {"k": 0.0}),
}


def make_net(method):
    def make_body(outputs):
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
            nn.Conv2d(6, 8, 3, stride=2, bias=False), nn.BatchNorm2d(8), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, outputs),
        )  # fmt: skip

    torch.manual_seed(0)
    body, head = parts_of(method, make_body, Task(CLASSES, steps=10))
    net = PixelNet(body, (0.5,) * 3, (0.25,) * 3, dual=method.dual, bf16=False, head=head).double()
    sync_norms(net)
    return net.train()


def make_batch():
    draw = torch.Generator().manual_seed(1)
    x = torch.rand(BATCH, 8, 8, 3, generator=draw, dtype=torch.float64).permute(0, 3, 1, 2)
    return x, torch.randint(CLASSES, (BATCH,), generator=draw)


def step(name, group=None):
    """Gradients, buffers, weights of the two routes, passes and number of selected images of a setting's step."""
    rank, size = (group.rank, group.size) if group else (0, 1)
    kind, values = SETTINGS[name]
    method = METHODS[kind](**values)
    net, (x, y) = make_net(method), make_batch()
    counter = PassCounter(net)
    with sharing(group):
        out = method.accumulate(net, x[rank::size], y[rank::size], torch.Generator().manual_seed(2))
        average_gradients(net)
        average_statistics(net)
        counter.add_up(torch.device("cpu"))
    return {
        **{f"gradient of {each}": p.grad for each, p in net.named_parameters() if p.grad is not None},
        **{f"buffer {each}": buffer for each, buffer in net.named_buffers()},
        "weights": torch.tensor([out.main_weight, out.aux_weight], dtype=torch.float64),
        "passes": torch.tensor([counter.forward, counter.backward, counter.full]),
        "selected": torch.tensor(0 if out.selected is None else len(out.selected)),
    }


def in_processes(rank, folder, sizes, settings):
    """Run as process `rank`: the steps of groups of these sizes, which the first process writes into the folder."""
    torch.set_num_threads(1)
    for size in sizes:
        if rank >= size:
            continue
        dist.init_process_group(
            "gloo", store=dist.FileStore(f"{folder}/store-{size}", size), rank=rank, world_size=size
        )
        found = {name: step(name, Group(rank, size)) for name in settings}
        if rank == 0:
            torch.save(found, f"{folder}/steps-{size}.pt")
        dist.destroy_process_group()
