"""Test the papers' main claims at a scale that two CPU cores can train.

    python -m benchmarks.claims --workers 2                                # digits, six seeds, about 20 minutes
    python -m benchmarks.claims --data npz:cifar10.npz --train-images 1000 --epochs 35 --workers 2
    python -m benchmarks.claims --table                                    # only the table, of the stored runs

A claim is a difference that a paper's text asserts, between two measures of networks of the same seed. It holds if the
first is significantly higher, and fails if it is significantly lower: paired t test over seeds, p below 0.05 after
Holm's correction over all claims of the table. Otherwise it is open. Every measure of every network is a row of
results/claims-DATA.csv, written when its network is done; the same command resumes. No choice depends on test images.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import dataclasses

import numpy as np
import torch

from benchmarks import rows as kept
from benchmarks.report import RESULTS, data_label, write_report
from study.confirm.comparisons import HIGHER, LOWER, interval, judge, paired_test
from trainables.attacks.robustness import accuracy_under_attack
from trainables.attacks.spec import parse_attack
from trainables.config import make_method, with_recipe
from trainables.data.batches import make_batches
from trainables.measures.accuracy import accuracy
from trainables.models.deploy import DeployedNet
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState

TEST_IMAGES = 300
SOURCE_SEEDS = 1000  # the network that transferred attacks are made on has the seed of its victim and this
PAT = {"n": 3, "epsilon": 8.0, "alpha": 4.0}
# As the CEB paper trains its networks without norms. SGD at 0.1 leaves such an encoder below its noise for ten epochs.
NO_NORMS = {"norms": False, "optimizer": "adam", "lr": 5e-3, "epochs": 20}
RHOS = (6.0, 4.0, 2.0)
NETWORKS = {  # name -> method, its values, and what differs from the recipe of the data set
    "vanilla": ("vanilla", {}),
    "EntM": ("entm", {}),
    "LS": ("label_smoothing", {}),
    "ADP": ("adp", {}),
    "PAT": ("pat", PAT),
    "PAT-EntM": ("pat", {**PAT, "loss": "entm"}),
    "PAT-LS": ("pat", {**PAT, "loss": "ls"}),
    **{f"CEB ρ={rho:g}": ("ceb", {"rho": rho}) for rho in RHOS},
    "deterministic": ("deterministic", {}),
    **{f"CEB ρ={rho:g}, no norms": ("ceb", {"rho": rho}, NO_NORMS) for rho in RHOS},
    "deterministic, no norms": ("deterministic", {}, NO_NORMS),
    "AdvProp, small steps": ("advprop", {"n": 2, "epsilon": 25.5, "alpha": 2.0}),
    "AdvProp, wide steps": ("advprop", {"n": 2, "epsilon": 127.5, "alpha": 127.5}),
}
WHITE, LARGE, LARGER, LARGEST = (f"PGD10-{radius}:restarts=1" for radius in (8, 16, 24, 48))
TARGETED, L2 = "PGD20-8:ceb,target=1", "PGD20-256:ceb,norm=l2"
ATTACKS = {
    **dict.fromkeys(("vanilla", "EntM", "LS", "ADP"), (WHITE, LARGER, LARGEST)),
    **dict.fromkeys(("PAT", "PAT-EntM", "PAT-LS"), (WHITE, LARGE, LARGER)),
    **{name: (WHITE, L2, TARGETED) for name in NETWORKS if name.startswith(("CEB", "deterministic"))},
}
TRANSFERRED = ("vanilla", "EntM", "LS", "ADP")
FROM_ANOTHER = (WHITE, LARGER, LARGEST)  # attacks that are made on another network
TEXTS = ("network", "measure")
COLUMNS = ("network", "seed", "epochs", "train_images", "cost", "measured_cost", "train_accuracy", "measure", "value")


@dataclasses.dataclass(frozen=True)
class Claim:
    """One (network, measure) lies above another, says a paper."""

    paper: str
    text: str
    above: tuple[str, str]
    below: tuple[str, str]


def masked(name: str, radius: int, attack: str) -> Claim:
    """The paper's sign of masked gradients."""
    text = f"{name} masks gradients: within {radius}/255 the attack on itself is weaker than a transferred one"
    return Claim("uncertainty", text, (name, attack), (name, f"transferred {attack}"))


CLAIMS = (
    *(masked(name, radius, attack) for name in ("EntM", "LS", "ADP") for radius, attack in
      ((8, WHITE), (24, LARGER), (48, LARGEST))),
    Claim("uncertainty", "no such thing in plain training: within 8/255 the attack on itself is the stronger",
          ("vanilla", f"transferred {WHITE}"), ("vanilla", WHITE)),
    Claim("uncertainty", "EntM is more accurate than vanilla under PGD10-8", ("EntM", WHITE), ("vanilla", WHITE)),
    Claim("uncertainty", "ADP is more accurate than vanilla under PGD10-8", ("ADP", WHITE), ("vanilla", WHITE)),
    Claim("uncertainty", "PAT-EntM above PAT under the radius of training", ("PAT-EntM", WHITE), ("PAT", WHITE)),
    Claim("uncertainty", "PAT-EntM above PAT at twice that radius", ("PAT-EntM", LARGE), ("PAT", LARGE)),
    Claim("uncertainty", "PAT-EntM above PAT at three times that radius", ("PAT-EntM", LARGER), ("PAT", LARGER)),
    Claim("uncertainty", "PAT-LS above PAT at three times that radius", ("PAT-LS", LARGER), ("PAT", LARGER)),
    *(
        Claim("CEB", f"{above}{norms} above {below} {where}", (f"{above}{norms}", attack), (f"{below}{norms}", attack))
        for norms in ("", ", no norms")
        for above, below, attack, where in (
            ("CEB ρ=2", "CEB ρ=6", WHITE, "under L∞"), ("CEB ρ=4", "CEB ρ=6", WHITE, "under L∞"),
            ("CEB ρ=2", "CEB ρ=6", L2, "under L2"), ("CEB ρ=2", "CEB ρ=6", TARGETED, "under a targeted attack"),
            ("CEB ρ=2", "deterministic", WHITE, "under L∞"),
        )
    ),
    Claim("mixture", "AdvProp with small steps above plain training on clean images",
          ("AdvProp, small steps", "clean"), ("vanilla", "clean")),
    Claim("mixture", "AdvProp's small steps above wide ones on clean images",
          ("AdvProp, small steps", "clean"), ("AdvProp, wide steps", "clean")),
)  # fmt: skip


def measures(name):
    """What is measured of a network."""
    transferred = [f"transferred {attack}" for attack in FROM_ANOTHER] if name in TRANSFERRED else []
    return ["clean", *ATTACKS.get(name, ()), *transferred]


def trained(name, seed, asked):
    """The network of that name, and the last row of its training."""
    method, values, *fields = NETWORKS[name]
    sizes = {"epochs": asked.epochs, "train_images": asked.train_images}
    given = {**(fields[0] if fields else {}), **{key: value for key, value in sizes.items() if value is not None}}
    config = with_recipe(make_method(method, values), asked.data, seed=seed, **given)
    splits = load_splits(config)
    state = TrainState(config, splits)
    last = list(train(state, splits))[-1]
    return DeployedNet(state.net), config, splits, last


def measure(job):
    """The rows of one network: accuracy on clean test images, under attacks on itself and on another network."""
    name, seed, asked = job
    torch.set_num_threads(1)
    net, config, splits, last = trained(name, seed, asked)
    batches = list(make_batches(splits.test.take(np.arange(TEST_IMAGES)), "cpu").sequential(100))
    found = {"clean": accuracy(net, make_batches(splits.test, "cpu").sequential(250))}
    found |= {attack: accuracy_under_attack(net, batches, parse_attack(attack)) for attack in ATTACKS.get(name, ())}
    if name in TRANSFERRED:
        source, *_ = trained("vanilla", seed + SOURCE_SEEDS, asked)
        for attack in FROM_ANOTHER:
            found[f"transferred {attack}"] = accuracy_under_attack(net, batches, parse_attack(attack), source)
    known = {"network": name, "seed": seed, "epochs": config.epochs, "train_images": len(splits.train),
             "cost": config.method.cost, **{key: last[key] for key in ("measured_cost", "train_accuracy")}}  # fmt: skip
    return [{**known, "measure": measured, "value": value} for measured, value in found.items()]


def judge_claims(values):
    """The claims of which two seeds or more were measured, each with its difference and verdict."""
    found = [(claim, paired_test(values.get(claim.above, {}), values.get(claim.below, {}))) for claim in CLAIMS]
    found = [(claim, test) for claim, test in found if test is not None and test.difference.half is not None]
    judged = judge([test for _, test in found], "claims of this table")
    words = {HIGHER: "holds", LOWER: "fails"}
    return [
        {**dataclasses.asdict(claim), "seeds": each.difference.seeds, "mean": each.difference.mean,
         "half": each.difference.half, "p": each.p, "verdict": words.get(each.verdict, "open")}
        for (claim, _), each in zip(found, judged, strict=True)
    ]  # fmt: skip


def by_measure(rows):
    """(network, measure) -> seed -> value."""
    values = {}
    for row in rows:
        values.setdefault((row["network"], row["measure"]), {})[row["seed"]] = row["value"]
    return values


CAUTION = (
    "Mean ± half of the 95 % confidence interval, which is not corrected. A claim holds or fails by a paired t test "
    "over seeds, p below 0.05 after Holm's correction over all claims of this table. White-box attacks are one run of "
    "ten steps, which overstates robustness where gradients are masked."
)


def render(judged, values, rows):
    lines = ["| paper | claim | difference, points | seeds | here |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {each['paper']} | {each['text']} | {each['mean']:+.2f} ± {each['half']:.2f} | {each['seeds']} "
        f"| {each['verdict']} |"
        for each in judged
    ]
    lines += ["", CAUTION]
    costs = {row["network"]: (row["cost"], row["epochs"]) for row in rows}
    lines += ["", "| network | cost | measure | accuracy, % | seeds |", "| --- | --- | --- | --- | --- |"]
    order = list(NETWORKS)
    for (name, measured), seeds in sorted(values.items(), key=lambda item: order.index(item[0][0])):
        mean, half, _ = interval(seeds.values())
        spread = "" if half is None else f" ± {half:.2f}"
        cost, epochs = costs[name]
        lines.append(f"| {name} | {cost:g}N × {epochs:g} | {measured} | {mean:.2f}{spread} | {len(seeds)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits (default), fashion or npz:PATH")
    parser.add_argument("--epochs", type=int, help="epochs [the data set's own]")
    parser.add_argument("--train-images", type=int, help="train on this many images only")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=1, help="processes, one core each [1]")
    parser.add_argument("--table", action="store_true", help="train nothing, only make the table")
    asked = parser.parse_args()
    name = f"claims-{data_label(asked.data)}"
    path = RESULTS / f"{name}.csv"
    if not asked.table:
        done = {(row["network"], row["seed"], row["measure"]) for row in kept.read(path, TEXTS)}
        jobs = [
            (name, seed, asked) for seed in range(asked.seeds) for name in NETWORKS
            if any((name, seed, measured) not in done for measured in measures(name))
        ]  # fmt: skip
        for rows in kept.run(measure, jobs, asked.workers):
            kept.add(path, COLUMNS, [r for r in rows if (r["network"], r["seed"], r["measure"]) not in done])
    rows = kept.read(path, TEXTS)
    values = by_measure(rows)
    judged = judge_claims(values)
    text = render(judged, values, rows)
    print(f"\n{text}")
    about = f"Claims of the papers on {asked.data.partition(':')[0]} data, {rows[0]['train_images']:g} training images"
    write_report(name, {"claims": judged}, text, about)


if __name__ == "__main__":
    main()
