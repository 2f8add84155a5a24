"""Time of one training step of every method, relative to a vanilla step: passes and optimiser, on a batch in memory.

    python -m benchmarks.step                                     # resnet8, batch 128: three minutes of one core
    python -m benchmarks.step --model resnet8s1 --methods entprop                              # three
    python -m benchmarks.step --model resnet18 --batch-size 64 --methods entprop --rounds 6    # ten

The methods take turns in one process. Per turn, a method takes one warm-up step and then a few that are timed together.
The table has the ratio to the vanilla steps of the same round: median and quartiles over rounds. Times are CPU time of
one core on a CPU and wall time on a GPU.

cost           the cost in the papers' unit, N
work           the computation by our count, in N: a backward pass to the image alone is 2/3, a forward pass alone 1/3.
               It predicts the step time if only passes took time and their time were proportional to their images
its passes     the time of EntProp's passes alone: a vanilla step, a step of k·|B| images, and n − 1 passes of as many
               that end at the image. The rest of a step's time is the method's overhead
vanilla, NCHW  a vanilla step in torch's default memory layout; all others use channels_last
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import contextlib
import math
import statistics
import time

import torch
from torch.nn.functional import cross_entropy

from benchmarks.report import write_report
from trainables.attacks.objectives import input_gradient
from trainables.config import make_method, with_recipe
from trainables.functional.selection import selected_count
from trainables.models.dual_norm import norm_groups
from trainables.training.loop import load_splits, scale_norm_gradients
from trainables.training.passes import PassCounter
from trainables.training.state import TrainState, resolve_device

ENTPROP = ((0.2, 1), (0.6, 1), (0.2, 5), (0.6, 5))
METHODS = {
    "vanilla": ("vanilla", {}),
    "mixup": ("mixup", {}),
    **{f"EntProp ({k}, {n})": ("entprop", {"k": k, "n": n}) for k, n in ENTPROP},
    "MixProp": ("mixprop", {}),
    "Fast AdvProp": ("fast_advprop", {}),
    "AdvProp": ("advprop", {}),
    "CEB": ("ceb", {}),
    "EntM": ("entm", {}),
    "PAT": ("pat", {}),
    "TRADES": ("trades", {}),
    "ADP": ("adp", {}),
}
TURN, MOST = 0.2, 50  # seconds of a method's turn, and the most steps in it
LARGE, SMALL = (1.28, 1.72, 1.95, 3.40), (1.28, 1.70, 2.00, 3.75)
TARGETS = {  # ratios to a plain step; the least possible is `work`
    (model, f"EntProp ({k}, {n})"): ratio
    for model, ratios in (("resnet18", LARGE), ("resnet8", SMALL), ("resnet8s1", SMALL))
    for (k, n), ratio in zip(ENTPROP, ratios, strict=True)
}


class Turn:
    """Something to be timed, `once` of it; a call returns the seconds of one of several in a row."""

    def __init__(self, device):
        self.device, self.count = device, 1
        self.clock = time.perf_counter if device.startswith("cuda") else time.process_time

    def __call__(self):
        self.once()
        self.wait()
        started = self.clock()
        for _ in range(self.count):
            self.once()
        self.wait()
        seconds = (self.clock() - started) / self.count
        self.count = min(MOST, math.ceil(TURN / seconds))
        return seconds

    def wait(self):
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()


class Stepper(Turn):
    """A step of one method with its network and optimiser."""

    def __init__(self, method, splits, batch, chosen, device):
        super().__init__(device)
        config = with_recipe(method, "digits", batch_size=len(batch[1]), **chosen)
        self.state = TrainState(config, splits, device)
        if not batch[0].is_contiguous(memory_format=torch.channels_last):
            self.state.net.to(memory_format=torch.contiguous_format)
        self.state.net.train()
        self.groups = norm_groups(self.state.net)
        self.batch = batch
        self.rng = torch.Generator(device).manual_seed(0)
        counter = PassCounter(self.state.net)
        self.once()
        self.work = counter.work / len(batch[1])
        counter.remove()

    def once(self):
        step = self.state.config.method.accumulate(self.state.net, *self.batch, self.rng)
        scale_norm_gradients(*self.groups, step)
        self.state.optimizer.step()
        for parameter in self.state.net.parameters():
            parameter.grad = None


class Pass(Turn):
    """A pass of so many images through the plain network, to its weights or to the images alone."""

    def __init__(self, plain, count, to_weights):
        super().__init__(plain.device)
        self.net = plain.state.net
        x, self.y = (each[:count] for each in plain.batch)
        self.x = x.clone(memory_format=torch.preserve_format)
        self.to_weights = to_weights

    def once(self):
        if self.to_weights:
            cross_entropy(self.net(self.x), self.y).backward()
        else:
            input_gradient(self.net, self.x, lambda logits: cross_entropy(logits, self.y, reduction="none"))
        for parameter in self.net.parameters():
            parameter.grad = None


def passes_of(plain):
    """The passes that EntProp's steps are made of, by the share k and where they end."""
    size = len(plain.batch[1])
    return {
        (k, to_weights): Pass(plain, selected_count(k, size), to_weights)
        for k in sorted({k for k, _ in ENTPROP})
        for to_weights in (True, False)
    }


def alone(ratios, k, n):
    """What a step's passes take by themselves, in plain steps: the median over rounds."""
    rounds = zip(ratios[k, True], ratios[k, False], strict=True)
    return statistics.median(1 + full + (n - 1) * to_image for full, to_image in rounds)


def measure(steppers, rounds):
    """For each of these the ratios of its time to that of the plain step of the same round; Ctrl-C ends it early."""
    whole = []
    with contextlib.suppress(KeyboardInterrupt):
        for _ in range(rounds):
            seconds = {name: step() for name, step in steppers.items()}
            whole.append({name: taken / seconds["vanilla"] for name, taken in seconds.items()})
    return {name: [each[name] for each in whole] for name in steppers}


def steppers_of(asked, splits, batch, device):
    """The methods asked for, by name: as they are, and in the other forms asked for."""
    chosen = {"model": asked.model, "precision": asked.precision}
    methods = {
        name: make_method(kind, values)
        for name, (kind, values) in METHODS.items()
        if asked.methods == "all" or kind in ("vanilla", "entprop")
    }
    made = {name: Stepper(method, splits, batch, chosen, device) for name, method in methods.items()}
    nchw = batch[0].contiguous(), batch[1]
    made["vanilla, NCHW"] = Stepper(methods["vanilla"], splits, nchw, chosen, device)
    if asked.compile:
        torch._dynamo.config.recompile_limit = 64  # of one class of networks, all of them in this process
        kinds = {**chosen, "compile": True}
        made |= {f"{name}, compiled": Stepper(method, splits, batch, kinds, device) for name, method in methods.items()}
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet8")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--precision", default="fp32")
    parser.add_argument(
        "--methods", choices=("all", "entprop"), default="all", help="entprop: only EntProp and vanilla [all]"
    )
    parser.add_argument("--compile", action="store_true", help="also measure each method with compiled passes")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--device", default="auto")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    device = resolve_device(asked.device)
    splits = load_splits(with_recipe(make_method("vanilla", {}), "digits"))
    x = torch.rand(asked.batch_size, 3, 32, 32).to(device, memory_format=torch.channels_last)
    batch = x, torch.arange(asked.batch_size, device=device) % 10
    steppers = steppers_of(asked, splits, batch, device)
    every = {**steppers, **passes_of(steppers["vanilla"])}
    measure(every, 1)
    ratios = measure(every, asked.rounds)
    passes = {f"EntProp ({k}, {n})": alone(ratios, k, n) for k, n in ENTPROP}
    figures = {}
    lines = ["| method | cost | work | its passes | step / plain step | quartiles | target |", "|---|" + "---|" * 6]
    for name in steppers:
        low, middle, high = statistics.quantiles(ratios[name], n=4)
        cost, work = steppers[name].state.config.method.cost, steppers[name].work
        target = TARGETS.get((asked.model, name))
        figures[name] = {"cost": cost, "work": work, "passes": passes.get(name), "ratio": middle,
                         "quartiles": [low, high], "target": target}  # fmt: skip
        wanted, own = (f"≤ {target:.2f}" if target else ""), (f"{passes[name]:.2f}" if name in passes else "")
        lines.append(f"| {name} | {cost:g}N | {work:.2f}N | {own} | {middle:.2f} | {low:.2f}–{high:.2f} | {wanted} |")
    table = "\n".join(lines)
    print(table)
    where = torch.cuda.get_device_name() if device.startswith("cuda") else "one CPU core"
    rounds = len(ratios["vanilla"])
    title = f"Training steps on {where}: {asked.model}, batch {asked.batch_size}, {asked.precision}, {rounds} rounds"
    name = f"step-{asked.model}-{asked.batch_size}-{asked.precision}"
    extras = {"compiled": asked.compile, "gpu": device.startswith("cuda")}
    name = "-".join([name, *(extra for extra, wanted in extras.items() if wanted)])
    write_report(name, {"settings": vars(asked), "methods": figures}, table, title)


if __name__ == "__main__":
    main()
