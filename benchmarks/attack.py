"""Time of PGD-20 against torchattacks and foolbox, with and without dropping samples that are already fooled.

    python -m benchmarks.attack            # about ten minutes on one core
    python -m benchmarks.attack --short    # about one minute: only the digits, fewer rounds

Every attack takes 20 steps of 2.5·ε/20 from the clean image and classifies the result. All attack the same network in
one process and one thread and take turns; the table has medians of CPU time over the rounds. torchattacks and foolbox
are measured if they are installed; the project does not install them. Expected time, relative to torchattacks: equal
without dropping; 5 to 20 % lower with folded norms, as in `python -m trainables.evaluate`. Dropping saves the more the
weaker the network is: about a third of the time remains if the attack fools nearly all images.
"""

import argparse
import importlib
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.report import installed, write_report
from trainables.attacks.pgd import perturb
from trainables.attacks.robustness import robust_correct
from trainables.attacks.spec import Attack, parse_attack
from trainables.config import with_recipe
from trainables.data.batches import make_batches
from trainables.methods.vanilla import Vanilla
from trainables.models.deploy import DeployedNet
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState, build_network

DIGITS, RESNET18 = 128, 25  # images in a batch
ROUNDS = {"resnet8": 7, "resnet18": 3}
SHORT_ROUNDS = {"resnet8": 2, "resnet18": 0}
EPSILONS = (4, 8, 12, 16)

ALL_STEPS, DROPPING = "ours, all steps for all", "ours, fooled ones drop out"

Contender = Callable[[], Tensor]  # gives which images are still right


def contenders(net: nn.Module, x: Tensor, y: Tensor, attack: Attack) -> dict[str, Contender]:
    """All ways to run one attack, by name."""

    def judged(craft: Callable[[], Tensor]) -> Contender:
        def run() -> Tensor:
            images = craft()
            with torch.no_grad():
                return net(images).argmax(1) == y

        return run

    rng = torch.Generator()
    deployed = DeployedNet(net)  # type: ignore[arg-type]
    every: dict[str, Contender] = {}
    if installed("torchattacks"):
        theirs = importlib.import_module("torchattacks").PGD(
            net, eps=attack.epsilon / 255, alpha=attack.alpha / 255, steps=attack.steps, random_start=False
        )
        every["torchattacks"] = judged(lambda: theirs(x, y))
    if installed("foolbox"):
        foolbox = importlib.import_module("foolbox")
        model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
        pgd = foolbox.attacks.LinfPGD(abs_stepsize=attack.alpha / 255, steps=attack.steps, random_start=False)
        every["foolbox"] = judged(lambda: pgd(model, x, y, epsilons=attack.epsilon / 255)[1])
    return {
        **every,
        ALL_STEPS: judged(lambda: perturb(net, x, y, attack, rng)),
        f"{ALL_STEPS}, norms folded": judged(lambda: perturb(deployed, x, y, attack, rng)),
        DROPPING: lambda: robust_correct(net, x, y, attack, rng),
        f"{DROPPING}, norms folded": lambda: robust_correct(deployed, x, y, attack, rng),
    }


def measure(every: dict[str, Contender], rounds: int) -> dict[str, dict[str, Any]]:
    """CPU seconds of each contender in each round, in turn, and how many images it left right."""
    figures: dict[str, dict[str, Any]] = {name: {"seconds": []} for name in every}
    for turn in range(rounds + 1):
        for name, run in every.items():
            start = time.process_time()
            figures[name]["right"] = int(run().sum())
            if turn:  # the first round warms up
                figures[name]["seconds"].append(time.process_time() - start)
    return figures


def digits_case() -> tuple[nn.Module, Tensor, Tensor]:
    """resnet8 trained on the digits, and test images."""
    config = with_recipe(Vanilla(), "digits")
    splits = load_splits(config)
    state = TrainState(config, splits)
    for _ in train(state, splits):
        pass
    x, y, _ = next(iter(make_batches(splits.test, "cpu").sequential(DIGITS)))
    return state.net.eval(), x, y


def resnet18_case() -> tuple[nn.Module, Tensor, Tensor]:
    """resnet18 with its first weights, and the classes that it gives to digits: for the time without dropping."""
    config = with_recipe(Vanilla(), "digits", model="resnet18")
    splits = load_splits(config)
    net = build_network(config, splits).eval()
    x, _, _ = next(iter(make_batches(splits.test, "cpu").sequential(RESNET18)))
    with torch.no_grad():
        return net, x, net(x).argmax(1)


def base_of(figures: dict[str, Any]) -> str:
    """What ratios are to: torchattacks, or ours without dropping where it is not installed."""
    return "torchattacks" if "torchattacks" in figures else ALL_STEPS


def lines(case: str, images: int, figures: dict[str, dict[str, Any]]) -> list[str]:
    """Rows of the table."""
    against = statistics.median(figures[base_of(figures)]["seconds"])
    rows = []
    for name, each in figures.items():
        seconds = each["seconds"]
        rows.append(
            f"| {case} | {name} | {each['right']} of {images} | {statistics.median(seconds):.2f} | "
            f"{min(seconds):.2f}–{max(seconds):.2f} | {statistics.median(seconds) / against:.2f} |"
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="only the digits, in two rounds")
    rounds = SHORT_ROUNDS if parser.parse_args().short else ROUNDS
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    rows, cases = [], {}
    net, x, y = digits_case()
    for epsilon in EPSILONS:
        case = f"resnet8, ε = {epsilon}/255"
        attack = parse_attack(f"PGD20-{epsilon}:entprop")
        cases[case] = measure(contenders(net, x, y, attack), rounds["resnet8"])
        rows += lines(case, len(y), cases[case])
        print("\n".join(rows[-len(cases[case]) :]), flush=True)
    if rounds["resnet18"]:
        net, x, y = resnet18_case()
        every = contenders(net, x, y, parse_attack("PGD20-8:entprop"))
        whole = {name: run for name, run in every.items() if not name.startswith(DROPPING)}
        cases["resnet18"] = measure(whole, rounds["resnet18"])
        rows += lines("resnet18, untrained", len(y), cases["resnet18"])
    packages = {name: installed(name) for name in ("torchattacks", "foolbox")}
    resnet18 = f" and {RESNET18} (resnet18, {rounds['resnet18']} rounds)" if rounds["resnet18"] else ""
    table = "\n".join(
        [
            f"PGD-20 in batches of {DIGITS} (resnet8 trained on the digits, {rounds['resnet8']} rounds){resnet18}, in "
            f"turn, one thread, CPU time. Ratios to {base_of(next(iter(cases.values())))}.",
            ", ".join(f"{name} {version or 'not installed'}" for name, version in packages.items()) + ".",
            "",
            "| network | attack | right after it | seconds | range | ratio |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
        ]
    )
    print(f"\n{table}")
    write_report("attack", {"packages": packages, "rounds": rounds, "cases": cases}, table, "PGD-20")


if __name__ == "__main__":
    main()
