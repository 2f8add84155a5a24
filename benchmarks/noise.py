"""EntProp (0.2, 1) against vanilla on the embedded digits: clean accuracy and accuracy under gaussian noise of σ = 0.3.

    python -m benchmarks.noise [--seeds 6] [--methods vanilla,mixup,entprop]

It takes two minutes on one core with the default six seeds. It prints the mean ± half the 95 % confidence interval
(Student's t over seeds) and the paired difference from the first method, and writes every run to
benchmarks/results/noise.json.
"""

import argparse

import torch

from benchmarks.report import write_report
from study.confirm.comparisons import interval
from trainables.config import make_method, with_recipe
from trainables.data.batches import make_batches
from trainables.measures.accuracy import accuracy
from trainables.training.loop import load_splits, train
from trainables.training.state import TrainState

SIGMA = 0.3


def noisy(batches, seed=0):
    """The batches with gaussian noise, the same for every network that is measured."""
    rng = torch.Generator().manual_seed(seed)
    for x, y, index in batches:
        noise = torch.randn(x.shape, generator=rng)
        yield (x + SIGMA * noise).clamp(0, 1), y, index


def measure(name, seed):
    """Train one method with one seed; its accuracies on the test images and what it cost."""
    config = with_recipe(make_method(name, {}), "digits", seed=seed)
    splits = load_splits(config)
    state = TrainState(config, splits)
    rows = list(train(state, splits))
    test = make_batches(splits.test, "cpu")
    return {
        "method": name,
        "seed": seed,
        "epochs": config.epochs,
        "cost": config.method.cost,
        "measured_cost": rows[-1]["measured_cost"],
        "clean": accuracy(state.net, test.sequential(256)),
        "noisy": accuracy(state.net, noisy(test.sequential(256))),
    }


def table(rows, methods):
    """One line a method, and its paired difference from the first."""
    lines = [
        f"| method | cost | clean accuracy | accuracy under noise σ = {SIGMA} | difference under noise |",
        "| --- | --- | --- | --- | --- |",
    ]
    by_method = {name: [row for row in rows if row["method"] == name] for name in methods}
    for name in methods:
        clean, under_noise = ([row[key] for row in by_method[name]] for key in ("clean", "noisy"))
        gaps = [ours - theirs["noisy"] for ours, theirs in zip(under_noise, by_method[methods[0]], strict=True)]
        gap = "–" if name == methods[0] else "{:+.2f} ± {:.2f}".format(*interval(gaps))
        cells = ["{:.2f} ± {:.2f}".format(*interval(values)) for values in (clean, under_noise)]
        lines.append(f"| {name} | {by_method[name][0]['cost']:g}N | {cells[0]} | {cells[1]} | {gap} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6, help="seeds of each method [6]")
    parser.add_argument(
        "--methods", default="vanilla,entprop", help="methods; the first is the baseline [vanilla,entprop]"
    )
    arguments = parser.parse_args()
    methods = arguments.methods.split(",")

    torch.set_num_threads(1)
    rows = []
    for seed in range(arguments.seeds):
        for name in methods:
            rows.append(measure(name, seed))
            print("{method} seed {seed}: clean {clean:.2f}, under noise {noisy:.2f}".format(**rows[-1]), flush=True)
    text = table(rows, methods)
    print(f"\ndigits, {rows[0]['epochs']} epochs, {arguments.seeds} seeds, mean ± 95 % CI\n\n{text}")
    write_report("noise", {"runs": rows}, text)


if __name__ == "__main__":
    main()
