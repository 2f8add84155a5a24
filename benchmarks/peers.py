"""Time of our training steps against those of the published Fast AdvProp code, in one run.

    python -m benchmarks.peers --peer-dir ../fast_advprop          # resnet18, batch 32: eight minutes of one core
    python -m benchmarks.peers --peer-dir ../fast_advprop --batch-size 16 --rounds 1

`--peer-dir` is a clone of the code of Mei et al. (2022), github.com/meijieru/fast_advprop; none of it is copied here.
The benchmark combines its network (with the same stem for small images), norms, attacker and gradient bookkeeping as
its training script does: NCHW, unfused SGD, images in [-1, 1]. Its AdvProp is the plain PGD-5 attack, then one pass of
clean and one of attacked images. Its Fast AdvProp trains 4 : 1 with reused gradients, as its script does. Its MixProp
is one pass of clean and mixed images with the norms in state `mix`. All get the same batch and take turns as in
`benchmarks.step`. Each number is a median over rounds: CPU time of one thread, divided by the plain step of the round.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import importlib
import statistics
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.report import write_report
from benchmarks.step import Stepper, Turn
from trainables.config import make_method, with_recipe
from trainables.functional.mixing import mixup
from trainables.training.loop import load_splits

OURS = {
    "vanilla": ("vanilla", {}),
    "Fast AdvProp": ("fast_advprop", {"p_adv": 0.2}),
    "AdvProp": ("advprop", {"n": 5}),
    "MixProp": ("mixprop", {}),
}
TARGETS = {"vanilla": 0.93, "Fast AdvProp": 1.25, "AdvProp": 5.2, "MixProp": 2.0}  # of their plain step


class Peer:
    """The published code's network and what its training script does with it."""

    def __init__(self, folder, batch):
        sys.path.insert(0, str(folder))
        names = ("net", "normalization", "attacker", "fast_advprop")
        self.code = SimpleNamespace(**{name: importlib.import_module(name) for name in names})
        sys.path.remove(str(folder))
        self.x, self.y = batch
        self.plain, self.dual = self.network(nn.BatchNorm2d), self.network(self.code.normalization.MixBatchNorm2d)
        self.rates = {net: torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=1e-4, foreach=False)
                      for net in (self.plain, self.dual)}  # fmt: skip
        self.sets = SimpleNamespace(_params_split=self.code.fast_advprop.get_adv_params_split(self.dual))
        pgd = partial(self.code.attacker.PGDAttacker, epsilon=1.0, step_size=1.0, num_classes=10, device="cpu",
                      original_attack=True)  # fmt: skip
        self.long, self.short = pgd(num_iter=5, prob_start_from_clean=0.2), pgd(num_iter=1)

    def network(self, norm):
        net = self.code.net.resnet18(num_classes=10, norm_layer=norm)
        net.conv1, net.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
        return net.train()

    def state(self, name):
        self.dual.apply(partial(self.code.normalization.to_status, status=name))

    def stepped(self, net):
        self.rates[net].step()
        self.rates[net].zero_grad()

    def vanilla(self):
        F.cross_entropy(self.plain(self.x), self.y).backward()
        self.stepped(self.plain)

    def advprop(self):
        self.state("adv")
        self.dual.eval()
        attacked, _ = self.long.attack(self.x, self.y, self.dual)
        self.dual.train()
        F.cross_entropy(self.dual(attacked), self.y).backward()
        self.state("clean")
        F.cross_entropy(self.dual(self.x), self.y).backward()
        self.stepped(self.dual)

    def mixprop(self):
        mixed = mixup(self.x, self.y, 1.0, torch.Generator().manual_seed(0))
        self.state("mix")
        logits = self.dual(torch.cat([self.x, mixed.x]))
        clean, other = logits.split(len(self.y))
        (F.cross_entropy(clean, self.y) + mixed.losses(other).mean()).backward()
        self.stepped(self.dual)

    def fast_advprop(self):
        few = len(self.y) // 5
        clean, attacked = (self.x[few:], self.y[few:]), (self.x[:few], self.y[:few])
        self.sets._params_count = self.code.fast_advprop.reinit_adv_params_count(self.dual)
        self.state("clean")
        self.backward(*clean, "clean", 1.0)
        self.state("adv")
        images, labels = self.short.attack_init(*attacked)
        images.requires_grad_(True)
        self.backward(images, labels, "adv", 0.5)
        images = self.short.attack_update(attacked[0], images, images.grad)
        self.backward(images, labels, "adv", 0.5)
        for parameter, count in self.sets._params_count.items():
            if parameter.grad is not None:
                parameter.grad.div_(count)
        self.stepped(self.dual)

    def backward(self, images, labels, norm, weight):
        """One pass that is counted by its share, as the script sums losses and divides gradients by the samples."""
        self.code.fast_advprop.use_param_sets(self.sets, ["shared", norm], count_inc=len(labels) * weight)
        (F.cross_entropy(self.dual(images), labels, reduction="none") * weight).sum().backward()


class Theirs(Turn):
    """One of the peer's steps, timed as ours are."""

    def __init__(self, step):
        super().__init__("cpu")
        self.once = step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-dir", type=Path, required=True)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if not (asked.peer_dir / "fast_advprop.py").is_file():
        parser.error(f"peer-dir must hold the published code with its fast_advprop.py, got {asked.peer_dir}")
    torch.set_num_threads(1)
    x, y = torch.rand(asked.batch_size, 3, 32, 32), torch.arange(asked.batch_size) % 10
    peer = Peer(asked.peer_dir.resolve(), (2 * x - 1, y))
    splits = load_splits(with_recipe(make_method("vanilla", {}), "digits"))
    batch = x.to(memory_format=torch.channels_last), y
    steps = {f"ours: {name}": Stepper(make_method(kind, values), splits, batch, {"model": "resnet18"}, "cpu")
             for name, (kind, values) in OURS.items()}  # fmt: skip
    steps |= {f"theirs: {name}": Theirs(getattr(peer, kind)) for name, (kind, _) in OURS.items()}
    rounds = [{name: step() for name, step in steps.items()} for _ in range(asked.rounds + 1)][1:]
    ratios = {name: [each[name] / each["theirs: vanilla"] for each in rounds] for name in steps}
    lines = ["| method | theirs | ours | range of ours | target |", "| --- | --- | --- | --- | --- |"]
    figures = {}
    for name in OURS:
        ours, theirs = ratios[f"ours: {name}"], ratios[f"theirs: {name}"]
        figures[name] = {"theirs": statistics.median(theirs), "ours": statistics.median(ours), "ours_range":
                         [min(ours), max(ours)], "theirs_range": [min(theirs), max(theirs)]}  # fmt: skip
        lines.append(
            f"| {name} | {statistics.median(theirs):.2f} | {statistics.median(ours):.2f} "
            f"| {min(ours):.2f}–{max(ours):.2f} | ≤ {TARGETS[name]:g} |"
        )
    table = "\n".join(lines)
    print(table)
    title = f"Steps beside the published Fast AdvProp code: resnet18, batch {asked.batch_size}, in its plain steps"
    settings = {"batch_size": asked.batch_size, "rounds": asked.rounds}
    write_report("peers", {"settings": settings, "methods": figures}, table, title)


if __name__ == "__main__":
    main()
