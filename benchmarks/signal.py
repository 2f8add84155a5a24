"""Find the validation corruptions that best predict the reported H, and the best learning rate of each method.

    python -m benchmarks.signal                    # the digits: 37 settings, 6 seeds, half an hour of two cores
    python -m benchmarks.signal --data npz:fashion.npz --train-images 1200 --epochs 20
    python -m benchmarks.signal --data npz:cifar10.npz --train-images 1500 --epochs 35
    python -m benchmarks.signal --confirm --data fashion       # the chosen set, on new images and seeds
    python -m benchmarks.signal --more --data fashion          # AdvProp's rates, 0.8, and other shares of the loss
    python -m benchmarks.choose_signal                         # the tables, from all rows

Every run is a row of results/signal-DATA.csv, written when it is done; the same command resumes. A row holds the test
accuracy on clean images and on each of the 15 reported corruptions, and the validation accuracy on clean images, on
the four validation corruptions of ImageNet-C and on every candidate of `benchmarks.candidates`. H of a set of
validation corruptions is computed like the reported H. The settings are methods at several learning rates, so the same
rows also show how each method depends on its learning rate.

Rules of choice, written down on 2026-11-26 when the first runs had just started and no table had been made:

* The validation corruptions are the set of at most three candidates with the highest Spearman correlation of mean
  validation H with mean test H over settings, where a set counts as much as the lower of its two correlations on two
  data sets; among sets within .02 of the best, the one of fewest candidates. Each data set is checked with the set that
  the other two choose. The default of the product is the set that all three choose by their lowest correlation.
* A learning rate is a method's best if its mean validation H under that set is highest.
* The default loss weights of EntProp are those whose test H, at the best rate and averaged over (0.2, 1) and (0.6, 1),
  is highest on average over the three data sets. Where the next is within one standard error, what the paper's text
  says decides.

The first rule fitted noise (results/signal.md). So the set in use, `JOINED`, was picked by eye on those runs, and what
follows was written down on 2026-11-26 at 15:00, before any run of `--confirm`:

* The set is checked on images of which none was in the runs that chose it, with other seeds: the embedded part of
  Fashion-MNIST, 1,500 other CIFAR-10 images with 500 for validation, and the digits cut anew. It becomes the default if
  Spearman's correlation over settings is at least .8, or the ceiling if that is lower, on the first two, and within
  EntProp's settings above that of ImageNet-C's four on all three. The correlation to quote is this one.
* The rates and the loss weights are decided by the rules above with `JOINED`, over old and new runs together.
* The embedded part of Fashion-MNIST becomes the default data set if four things hold. Plain training gets 95 % of its
  training images right. The correlation is at least .8. At least ten of the fifteen corruptions move: the best
  setting's mean is two points above or below vanilla's. The default study ends within six minutes on two cores.
  Whether EntProp differs
  from mixup at its own best rate by two standard errors is said beside the table, whichever way it is.

`--more` came after these choices, on the images and seeds of `--confirm`, and decided nothing: what AdvProp's rate
does, what 0.8 does, and whether a free share of the auxiliary loss would be better than the three loss weights.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import dataclasses
import functools
import sys
import time

import numpy as np
import torch

from benchmarks import rows as kept
from benchmarks.candidates import CANDIDATES, apply
from benchmarks.report import RESULTS, data_label
from trainables.config import make_method, with_recipe
from trainables.corruptions.functions import IMAGENET_C_VALIDATION, REPORTED
from trainables.corruptions.sets import corrupted_sets
from trainables.data import loaders
from trainables.data.batches import make_batches, pixel_blocks
from trainables.data.datasets import DATASETS
from trainables.data.images import Images
from trainables.measures.accuracy import accuracy, measure_corruptions
from trainables.methods.entprop import EntProp
from trainables.models.deploy import DeployedNet
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState


def digits_anew(root):
    """The digits with other images for training, validation and test."""
    raw = loaders.digits(root)
    parts = (raw.train, raw.test)
    everything = Images(
        np.concatenate([part.pixels for part in parts]), np.concatenate([part.labels for part in parts])
    )
    order = np.random.default_rng(15).permutation(len(everything))
    return dataclasses.replace(raw, train=everything.take(order[:1200]), test=everything.take(order[1200:]))


def other_cuts():
    """The digits with more validation images (of 200, one is half a point), and cut anew, in this process alone."""
    DATASETS["digits"] = dataclasses.replace(DATASETS["digits"], validation=400)
    DATASETS["digits_anew"] = dataclasses.replace(DATASETS["digits"], load=digits_anew)


def entprop(rates, k, n, weights, **values):
    label = ", ".join([f"EntProp ({k}, {n})", weights, *(str(value) for value in values.values())])
    return {label: ("entprop", {"k": k, "n": n, "weights": weights, **values}, rates)}


# name: method, its values, learning rates
METHODS = {
    "vanilla": ("vanilla", {}, (0.1, 0.2, 0.4)),
    "mixup": ("mixup", {}, (0.1, 0.2, 0.4)),
    "cutmix": ("cutmix", {}, (0.2,)),
    "MixProp": ("mixprop", {}, (0.1, 0.2, 0.4)),
    "Fast AdvProp": ("fast_advprop", {}, (0.1, 0.2, 0.4)),
    "label smoothing": ("label_smoothing", {}, (0.2,)),
    **entprop((0.1, 0.2, 0.4), 0.2, 1, "instance"),
    **entprop((0.1, 0.2, 0.4), 0.6, 1, "instance"),
    **entprop((0.2,), 0.6, 5, "instance"),
    **entprop((0.1, 0.2, 0.4), 0.2, 1, "pass_mean"),
    **entprop((0.1, 0.2, 0.4), 0.6, 1, "pass_mean"),
    **entprop((0.05, 0.1, 0.2), 0.2, 1, "sum"),
    **entprop((0.05, 0.1, 0.2), 0.6, 1, "sum"),
    **entprop((0.1,), 0.2, 5, "sum"),
    **entprop((0.1,), 0.6, 5, "sum"),
    **entprop((0.1,), 0.6, 1, "sum", aux_target="original"),
    **entprop((0.1,), 0.2, 1, "sum", selection="random"),
}
MORE_METHODS = {
    "AdvProp": ("advprop", {}, (0.1, 0.2, 0.4)),
    "mixup": ("mixup", {}, (0.8,)),
    **entprop((0.8,), 0.6, 1, "pass_mean"),
    **{
        f"EntProp ({k}, 1), share {share}": ("entprop", {"k": k, "share": share}, (0.4,))
        for k in (0.2, 0.6)
        for share in (0.15, 0.3, 0.5, 0.7)
    },
}
SETTINGS, MORE = (
    {f"{name}, lr {lr}": (method, values, lr) for name, (method, values, rates) in methods.items() for lr in rates}
    for methods in (METHODS, MORE_METHODS)
)
CONFIRMED = [
    name
    for name, (_, values, lr) in SETTINGS.items()
    if values.keys() <= {"k", "n", "weights"}
    and values.get("n", 1) == 1
    and (lr in (0.1, 0.2) if values.get("weights") == "sum" or name.startswith("mixup") else lr in (0.2, 0.4))
] + ["mixup, lr 0.4"]
JOINED = ("grey_veil", "colour_cast", "haze", *IMAGENET_C_VALIDATION)
STRENGTHS = (1, 2, 3)
SEVERITIES = (1, 2, 3, 4, 5)
COLUMNS = (
    *("setting", "method", "lr", "seed", "epochs", "train_images", "cost", "train_accuracy", "seconds", "sa", "val_sa"),
    *(f"test {name}" for name in REPORTED),
    *(f"{name} {severity}" for name in IMAGENET_C_VALIDATION for severity in SEVERITIES),
    *(f"{name} {strength}" for name in CANDIDATES for strength in STRENGTHS),
)


@dataclasses.dataclass(frozen=True)
class SharedEntProp(EntProp):
    """EntProp whose auxiliary loss has a given share of the whole, whatever k is.

    Up to the learning rate, `sum` is a share of ½ and `pass_mean` one of k/(1 + k).
    """

    share: float = 0.5

    def _sample_weights(self, logits, chosen):
        return logits.new_full((len(logits),), (1 - self.share) / len(logits)), self.share / len(chosen)

    def _main_share(self, batch, count):
        return 1 - self.share


@functools.cache
def validation_blocks(data, train_images):
    """Validation images under every candidate, made once in each process: [((name, strength), pixels, labels)]."""
    splits = load_splits(with_recipe(make_method("vanilla", {}), data, train_images=train_images))
    ((pixels, labels),) = pixel_blocks(splits.validation)
    return [((name, each), apply(name, each, pixels), labels) for name in CANDIDATES for each in STRENGTHS]


def measure(job):
    """Train one setting with one seed, and measure it on validation and test images."""
    name, seed, data, train_images, epochs, corrupted_images = job
    torch.set_num_threads(1)
    other_cuts()
    method, values, lr = {**SETTINGS, **MORE}[name]
    chosen = {"epochs": epochs} if epochs else {}
    trained = SharedEntProp(**values) if "share" in values else make_method(method, values)
    config = with_recipe(trained, data, lr=lr, seed=seed, train_images=train_images, **chosen)
    started = time.process_time()
    splits = load_splits(config)
    state = TrainState(config, splits)
    last = list(train(state, splits))[-1]
    net = DeployedNet(state.net)
    few = splits.test.take(np.arange(corrupted_images))
    tests = corrupted_sets(pixel_blocks(few), len(few), splits.size).blocks
    old = corrupted_sets(
        pixel_blocks(splits.validation), len(splits.validation), splits.size, types=IMAGENET_C_VALIDATION
    ).blocks
    test = list(measure_corruptions(net, tests, "cpu"))
    found = {f"{row.name} {row.severity}": row.value
             for blocks in (old, validation_blocks(data, train_images))
             for row in measure_corruptions(net, blocks, "cpu")}  # fmt: skip
    return [{
        "setting": name, "method": method, "lr": lr, "seed": seed, "epochs": config.epochs,
        "train_images": len(splits.train), "cost": config.method.cost, "train_accuracy": last["train_accuracy"],
        "seconds": time.process_time() - started,
        "sa": accuracy(net, make_batches(splits.test, "cpu").sequential(500)), "val_sa": last["val_sa"],
        **{f"test {type_}": float(np.mean([row.value for row in test if row.name == type_])) for type_ in REPORTED},
        **found,
    }]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--train-images", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--corrupted-images", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument(
        "--confirm", action="store_true", help="other seeds, fewer settings, only the chosen candidates"
    )
    parser.add_argument(
        "--more", action="store_true", help="further settings with the seeds of --confirm; no choice depends on them"
    )
    values = parser.parse_args()
    first_seed = 300 if values.confirm or values.more else 100
    kind = "more" if values.more else "confirm" if values.confirm else "signal"
    names = MORE if values.more else CONFIRMED if values.confirm else SETTINGS
    path = RESULTS / f"{kind}-{data_label(values.data)}.csv"
    there = {(row["setting"], row["seed"]) for row in kept.read(path, ("setting", "method"))}
    jobs = [
        (name, seed, values.data, values.train_images, values.epochs, values.corrupted_images)
        for seed in range(first_seed, first_seed + values.seeds)
        for name in names
        if (name, seed) not in there
    ]
    for rows in kept.run(measure, jobs, values.workers):
        kept.add(path, COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
