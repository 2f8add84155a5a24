"""Compare EntProp's three loss weightings (A9) and two targets (A3) with vanilla and mixup over many seeds.

    python -m benchmarks.loss_weights                                       # digits, 10 seeds, an hour of one core
    python -m benchmarks.loss_weights --data npz:cifar10.npz --train-images 1000 --seeds 6 --corrupted-images 250
    python -m benchmarks.loss_weights --table                               # only the table, of the stored runs

Every run is a row of results/loss_weights-DATA.csv, written when it is done; the same command resumes. Vanilla is
trained at three learning rates, because a small gap can be an artefact of the learning rate. Test images and the 15
reported corruptions are measured once per run; no choice depends on them. Differences are paired by seed: mean, 95 %
confidence interval and p of a paired t test, Holm-corrected over the table's tests against the same baseline.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported

import argparse
import statistics
import time

import numpy as np
import torch

from benchmarks import rows as kept
from benchmarks.report import RESULTS, data_label, describe_machine
from study.confirm.comparisons import interval, judge, paired_test
from trainables.config import make_method, with_recipe
from trainables.corruptions.sets import corrupted_sets
from trainables.data.batches import make_batches, pixel_blocks
from trainables.measures.accuracy import measure_clean, measure_corruptions, summarise
from trainables.models.deploy import DeployedNet
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState

SETTINGS = ((0.2, 1), (0.6, 1), (0.2, 5), (0.6, 5))
CONFIGURATIONS = {
    **{f"vanilla, lr {lr}": ("vanilla", {}, lr) for lr in (0.1, 0.03, 0.3)},
    "mixup": ("mixup", {}, 0.1),
    **{
        f"EntProp ({k}, {n}), {weights}": ("entprop", {"k": k, "n": n, "weights": weights}, 0.1)
        for weights in ("instance", "pass_mean", "sum")
        for k, n in SETTINGS
    },
    **{
        f"EntProp (0.2, 1), {weights}, one label": (
            "entprop",
            {"k": 0.2, "n": 1, "weights": weights, "aux_target": "original"},
            0.1,
        )
        for weights in ("instance", "sum")
    },
}
BASELINES = ("vanilla, lr 0.1", "mixup")
COLUMNS = ("configuration", "seed", "lr", "epochs", "train_images", "cost", "measured_cost", "train_accuracy",
           "sa", "ra", "h", "seconds")  # fmt: skip


def measure(job):
    """Train one configuration with one seed, and measure it once."""
    name, seed, data, train_images, corrupted_images = job
    torch.set_num_threads(1)
    method, values, lr = CONFIGURATIONS[name]
    config = with_recipe(make_method(method, values), data, lr=lr, seed=seed, train_images=train_images)
    started = time.process_time()
    splits = load_splits(config)
    state = TrainState(config, splits)
    last = list(train(state, splits))[-1]
    net = DeployedNet(state.net)
    rows = list(measure_clean(net, make_batches(splits.test, "cpu").sequential(500)))
    few = splits.test.take(np.arange(corrupted_images or len(splits.test)))
    rows += measure_corruptions(net, corrupted_sets(pixel_blocks(few), len(few), splits.size).blocks, "cpu")
    found = {row.measure: row.value for row in [*rows, *summarise(rows)]}
    done = {
        "configuration": name,
        "seed": seed,
        "lr": lr,
        "epochs": config.epochs,
        "train_images": len(splits.train),
        "cost": config.method.cost,
        **{column: last[column] for column in ("measured_cost", "train_accuracy")},
        **{column: found[column] for column in ("sa", "ra", "h")},
        "seconds": time.process_time() - started,
    }
    return [done]


def spread(values):
    """Mean ± half the width of the 95 % confidence interval."""
    return "{:.2f} ± {:.2f}".format(*interval(values))


def paired(by_seed, baseline):
    """For each configuration its difference in H from the baseline, judged over all of them."""
    h = {name: {seed: row["h"] for seed, row in seeds.items()} for name, seeds in by_seed.items()}
    names = [name for name in h if name != baseline and set(h[name]) <= set(h[baseline]) and len(h[name]) > 1]
    judged = judge([paired_test(h[name], h[baseline]) for name in names], f"configurations against {baseline}")
    return dict(zip(names, judged, strict=True))


def table(rows):
    """The result, with every number's seeds, spread and cost."""
    by_seed = {}
    for row in rows:
        by_seed.setdefault(row["configuration"], {})[int(row["seed"])] = row
    tests = {baseline: paired(by_seed, baseline) for baseline in BASELINES if baseline in by_seed}
    lines = [
        "| configuration | cost | seeds | train | SA | RA | H | H − vanilla | H − mixup |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in CONFIGURATIONS:
        runs = list(by_seed.get(name, {}).values())
        if len(runs) < 2:
            continue
        cells = [spread([run[column] for run in runs]) for column in ("sa", "ra", "h")]
        for baseline in BASELINES:
            found = tests.get(baseline, {}).get(name)
            p = "–" if found is None or found.p is None else f"{found.p:.2g}"
            cells.append("–" if found is None else "{:.2f} ± {:.2f}".format(*found.difference) + f" (p {p})")
        train = statistics.mean(run["train_accuracy"] for run in runs)
        lines.append(f"| {name} | {runs[0]['cost']:g}N | {len(runs)} | {train:.0f} % | {' | '.join(cells)} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", help="digits (default) or npz:PATH")
    parser.add_argument("--train-images", type=int, help="train on this many images only")
    parser.add_argument("--corrupted-images", type=int, help="measure RA on this many test images [digits: 300]")
    parser.add_argument("--seeds", type=int, default=10, help="seeds of each configuration [10]")
    parser.add_argument("--workers", type=int, default=1, help="processes, one core each [1]")
    parser.add_argument("--table", action="store_true", help="train nothing, only make the table")
    arguments = parser.parse_args()

    name = data_label(arguments.data)
    path = RESULTS / f"loss_weights-{name}.csv"
    rows = kept.read(path, ("configuration",))
    if not arguments.table:
        done = {(row["configuration"], int(row["seed"])) for row in rows}
        left = [(c, s) for s in range(arguments.seeds) for c in CONFIGURATIONS if (c, s) not in done]
        jobs = [(c, s, arguments.data, arguments.train_images, arguments.corrupted_images) for c, s in left]
        for new in kept.run(measure, jobs, arguments.workers):
            kept.add(path, COLUMNS, new)
        rows = kept.read(path, ("configuration",))
    text = table(rows)
    machine = describe_machine()
    about = f"{arguments.data.partition(':')[0]} data {name}, {int(rows[0]['train_images'])} training images, "
    about += f"{int(rows[0]['epochs'])} epochs, resnet8; mean ± 95 % CI; p: paired t over seeds, Holm-corrected; "
    about += "train: accuracy on training images, of mixtures against the first of their labels"
    path.with_suffix(".md").write_text(
        f"# Loss weightings and targets\n\n{about}.\n\n{text}\n\nThe latest rows were made on {machine['cpu']}.\n"
    )
    print(f"\n{about}\n\n{text}\n\nrows: {path}")


if __name__ == "__main__":
    main()
